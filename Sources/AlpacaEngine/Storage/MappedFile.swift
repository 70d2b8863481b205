import Glibc

/// All bytes of a file in memory: mapped read-only, shared with other processes, loaded when touched.
@safe package final class MappedFile: @unchecked Sendable {
    package let file: InputFile
    package var count: Int { file.size }

    private let base: UnsafeRawPointer?

    package init(_ file: InputFile) throws(AlpacaError) {
        self.file = file
        guard file.size > 0 else {
            unsafe base = nil
            return
        }
        let pointer = unsafe mmap(nil, file.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
        guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else {
            throw InputFile.error("cannot map into memory", path: file.path, errno)
        }
        unsafe base = UnsafeRawPointer(pointer)
    }

    deinit {
        if let base = unsafe base { unsafe _ = munmap(UnsafeMutableRawPointer(mutating: base), file.size) }
    }

    /// The `count` bytes at `offset`; valid while this object lives.
    package func region(at offset: Int, count: Int, of what: @autoclosure () -> String) throws(AlpacaError)
        -> UnsafeRawBufferPointer
    {
        guard offset >= 0, count >= 0, offset <= file.size, count <= file.size - offset else {
            throw AlpacaError(
                .truncated, path: file.path,
                "\(what()) needs \(count) bytes at byte \(offset), the file has \(file.size) bytes")
        }
        guard let base = unsafe base else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
        return unsafe UnsafeRawBufferPointer(start: base + offset, count: count)
    }

    /// Asks the system to bring a region into memory, or to let it go; advice only.
    package func advise(_ region: UnsafeRawBufferPointer, willNeed: Bool) {
        guard let start = region.baseAddress, region.count > 0 else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let address = Int(bitPattern: start)
        let first = willNeed ? address / page * page : (address + page - 1) / page * page
        let last = willNeed ? address + region.count : (address + region.count) / page * page
        guard last > first, let pointer = unsafe UnsafeMutableRawPointer(bitPattern: first) else { return }
        unsafe _ = madvise(pointer, last - first, Int32(willNeed ? MADV_WILLNEED : MADV_DONTNEED))
    }

    /// Asks the system to load all bytes, or loads them and keeps them in memory until this object goes.
    ///
    /// - Parameter each: called now and then with the bytes that are done, of ``count``; what it throws ends the work.
    package func load(locks: Bool, each: (Int) throws(AlpacaError) -> Void) throws(AlpacaError) {
        // The system may take its time with a piece, which can't be cancelled.
        let piece = 4 << 20
        for start in stride(from: 0, to: count, by: piece) {
            let part = try unsafe region(at: start, count: min(piece, count - start), of: "the file")
            unsafe advise(part, willNeed: true)
            if locks, let base = part.baseAddress, unsafe mlock(base, part.count) != 0 {
                throw InputFile.error("cannot lock \(file.size >> 20) MB in memory (see `ulimit -l`)", path: file.path, errno)
            }
            try each(start + part.count)
        }
    }
}

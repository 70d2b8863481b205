#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// All bytes of a file in memory: mapped read-only (shared with other processes, loaded when touched) or read into memory of our own.
@safe package final class MappedFile: @unchecked Sendable {
    package let file: InputFile
    /// True when the bytes are a mapping, false when they are a copy.
    package let isMapped: Bool
    package var count: Int { file.size }

    private let base: UnsafeRawPointer?
    private let copy: AlignedBuffer?

    package enum Mode: Sendable { case map, read }

    /// - Parameter progress: called while the file is read in; not for mappings.
    package init(_ file: InputFile, mode: Mode, progress: ProgressHandler? = nil) throws(AlpacaError) {
        self.file = file
        guard file.size > 0 else {
            unsafe base = nil
            copy = nil
            isMapped = true
            return
        }
        switch mode {
        case .map:
            let pointer = unsafe mmap(nil, file.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
            guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else {
                throw InputFile.error("cannot map into memory", path: file.path, errno)
            }
            unsafe base = UnsafeRawPointer(pointer)
            copy = nil
            isMapped = true
        case .read:
            let buffer = try AlignedBuffer(count: file.size, for: file.path)
            let step = 16 << 20
            var done = 0
            while done < file.size {
                let part = min(step, file.size - done)
                // Bound: done + part <= file.size = the buffer's size.
                let target = unsafe UnsafeMutableRawBufferPointer(start: buffer.base + done, count: part)
                guard try unsafe file.read(at: done, into: target) == part else {
                    throw AlpacaError(.truncated, "\(file.path): the file became shorter than \(file.size) bytes")
                }
                done += part
                let report = Progress(stage: "load", item: file.path, done: UInt64(done), total: UInt64(file.size))
                if let progress, !progress(report) {
                    throw AlpacaError(.cancelled, "\(file.path): loading was cancelled")
                }
            }
            unsafe base = UnsafeRawPointer(buffer.base)
            copy = consume buffer
            isMapped = false
        }
    }

    deinit {
        if isMapped, let base = unsafe base {
            unsafe _ = munmap(UnsafeMutableRawPointer(mutating: base), file.size)
        }
    }

    /// The `count` bytes at `offset`; valid while this object lives.
    package func region(at offset: Int, count: Int, of what: @autoclosure () -> String) throws(AlpacaError)
        -> UnsafeRawBufferPointer
    {
        guard offset >= 0, count >= 0, offset <= file.size, count <= file.size - offset else {
            throw AlpacaError(
                .truncated,
                "\(file.path): \(what()) needs \(count) bytes at byte \(offset), the file has \(file.size) bytes")
        }
        guard let base = unsafe base else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
        return unsafe UnsafeRawBufferPointer(start: base + offset, count: count)
    }

    /// Asks the system to bring a region into memory, or to let it go; advice only.
    package func advise(_ region: UnsafeRawBufferPointer, willNeed: Bool) {
        guard isMapped, let start = region.baseAddress, region.count > 0 else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let address = Int(bitPattern: start)
        let first = willNeed ? address / page * page : (address + page - 1) / page * page
        let last = willNeed ? address + region.count : (address + region.count) / page * page
        guard last > first, let pointer = unsafe UnsafeMutableRawPointer(bitPattern: first) else { return }
        unsafe _ = madvise(pointer, last - first, Int32(willNeed ? MADV_WILLNEED : MADV_DONTNEED))
    }

    /// Keeps all bytes in memory until this object goes.
    package func lock() throws(AlpacaError) {
        guard let base = unsafe base else { return }
        guard unsafe mlock(base, file.size) == 0 else {
            throw InputFile.error("cannot lock \(file.size >> 20) MB in memory (see `ulimit -l`)", path: file.path, errno)
        }
    }
}

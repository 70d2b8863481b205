// Files appear whole or not at all: they are written under a temporary name in the target's folder, flushed, and renamed. Until then the
// old file stays as it was; after an error, a cancelled operation or a full disk nothing is left behind. What a killed process leaves is
// removed by the next writer of the same name.
//
// The host is never hurt: the signal for files beyond RLIMIT_FSIZE, which would end the process, is held back and becomes an error.

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A file being written. ``finish()`` makes it appear under its name; a writer that goes away without it leaves nothing behind.
package struct AtomicFileWriter: ~Copyable {
    package let path: String
    /// Bytes written so far.
    package private(set) var count = 0

    private var descriptor: Int32 = -1
    /// The temporary name, until the file has its own; nil for /dev/null, which is written to as it is.
    private var temporary: String?
    private let overwrites: Bool

    /// - Parameters:
    ///   - size: bytes that the file will have, when known: a disk without the room for them shows at once.
    ///   - overwrite: whether a file of that name may be replaced.
    ///   - inputs: files that are still being read, which the target must not be.
    package init(path: String, size: Int? = nil, overwrite: Bool, inputs: [InputFile] = []) throws(AlpacaError) {
        self.path = path
        overwrites = overwrite
        guard !path.utf8.contains(0), !path.isEmpty else {
            throw AlpacaError(.invalidArgument, "a path must not be empty or contain a zero byte")
        }
        let old = try WriteTarget.check(path, overwrite: overwrite, inputs: inputs)
        if let old, old.isNullDevice {
            descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw InputFile.error("cannot write", path: path, errno) }
            return
        }
        let target = WriteTarget(path)
        target.removeLeftovers()
        let name = target.temporaryPath()
        let raw = unsafe open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode_t(0o666))
        guard raw >= 0 else { throw InputFile.error("cannot write in folder \(target.folder.quoted())", path: path, errno) }
        temporary = name
        descriptor = raw
        if raw <= 2 {
            // 0, 1 and 2 belong to the host, also while they are closed.
            descriptor = fcntl(raw, F_DUPFD_CLOEXEC, 3)
            let reason = errno
            close(raw)
            guard descriptor >= 0 else { throw failed("cannot write", reason) }
        }
        // Held while the file is being written: a file whose lock is free is a leftover.
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
        if let old { _ = fchmod(descriptor, old.mode) }
        if let size { try checkRoom(size) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if let temporary { unsafe _ = unlink(temporary) }
    }

    package mutating func write(_ bytes: [UInt8]) throws(AlpacaError) {
        // Bytes have no padding that could be uninitialized.
        try unsafe write(bytes.span.bytes)
    }

    package mutating func write(_ bytes: RawSpan) throws(AlpacaError) {
        var done = 0
        while done < bytes.byteCount {
            // 64 MiB at a time: a signal that stops the process is not kept waiting for a whole tensor.
            let part = bytes.extracting(done..<min(bytes.byteCount, done + 64 << 20))
            let descriptor = descriptor
            // Bound: the pointer is used within the closure only.
            let (written, reason) = unsafe part.withUnsafeBytes { bytes in unsafe HeldSignals.write(descriptor, bytes) }
            if written < 0, reason == EINTR { continue }
            guard written > 0 else { throw failed("cannot write after \(count) bytes", written < 0 ? reason : EIO) }
            done += written
            count += written
        }
    }

    /// Flushes the file to the disk and gives it its name.
    package consuming func finish() throws(AlpacaError) {
        guard let temporary else { return }
        // A failed fsync is final: the kernel may have dropped the bytes, and a second call would not say so.
        guard fsync(descriptor) == 0 else { throw failed("cannot write to the disk", errno) }
        let open = descriptor
        descriptor = -1
        guard close(open) == 0 else { throw failed("cannot write to the disk", errno) }
        try takeName(temporary)
        self.temporary = nil
        if let reason = WriteTarget(path).flushFolder() { throw failed("cannot write the folder to the disk", reason) }
    }

    private func takeName(_ temporary: String) throws(AlpacaError) {
        if !overwrites {
            // A link, unlike a rename, fails when the name is taken, whoever took it meanwhile.
            if unsafe link(temporary, path) == 0 {
                unsafe _ = unlink(temporary)
                return
            }
            // Some file systems have no links: there the name was free a moment ago.
            guard errno != EEXIST, unsafe access(path, F_OK) != 0 else { throw WriteTarget.exists(path) }
        }
        guard unsafe rename(temporary, path) == 0 else { throw failed("cannot give the file its name", errno) }
    }

    /// Compares the size with the process's limit on files and with the room on the disk, before hours of work go into it.
    private func checkRoom(_ size: Int) throws(AlpacaError) {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
        #else
            let resource = RLIMIT_FSIZE
        #endif
        if unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < UInt64(clamping: size) {
            throw failed("cannot write \(size) bytes (this process may write files of up to \(limit.rlim_cur))", EFBIG)
        }
        var disk = statvfs()
        // File systems that tell no size have 0 blocks; there a full disk shows when it is met.
        guard unsafe fstatvfs(descriptor, &disk) == 0, disk.f_blocks > 0 else { return }
        let (free, overflow) = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
        guard overflow || free >= UInt64(clamping: size) else {
            throw failed("\(size) bytes are needed, \(free) are free", ENOSPC)
        }
    }

    private func failed(_ doing: String, _ reason: Int32) -> AlpacaError { InputFile.error(doing, path: path, reason) }
}

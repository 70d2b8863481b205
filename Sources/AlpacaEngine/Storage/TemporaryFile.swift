import Glibc

/// A file without a name, for data that are too large for memory: it is gone when the last reader lets it go, also after `kill -9`.
/// It lies in the folder that TMPDIR names, or /tmp.
struct TemporaryFile: ~Copyable {
    /// What messages call it: the data are of something that the caller knows by a name.
    let name: String
    private var descriptor: Int32 = -1
    private var count = 0

    /// - Parameter size: bytes that are going to be written, so that a disk without the room for them shows at once.
    init(name: String, size: Int) throws(AlpacaError) {
        self.name = name
        let folder = TemporaryFile.folder
        descriptor = try TemporaryFile.make(in: folder, for: name)
        var disk = statvfs()
        guard unsafe fstatvfs(descriptor, &disk) == 0, disk.f_blocks > 0 else { return }
        let (free, overflow) = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
        guard overflow || free >= UInt64(clamping: size) else {
            throw AlpacaError(
                .io, path: name,
                "\(size) bytes are needed in \(folder.quoted()) to unpack it, \(free) are free (TMPDIR names another folder)")
        }
    }

    private static var folder: String {
        guard let variable = unsafe getenv("TMPDIR"), unsafe variable.pointee != 0 else { return "/tmp" }
        return unsafe String(cPath: variable)
    }

    private static func make(in folder: String, for name: String) throws(AlpacaError) -> Int32 {
        var template = "\(folder)/alpaca-XXXXXX".cPath
        // Bound: the system writes over the six X.
        let raw = unsafe template.withUnsafeMutableBufferPointer { buffer in
            guard let path = buffer.baseAddress else { return Int32(-1) }
            let made = unsafe mkstemp(path)
            if made >= 0 { unsafe _ = unlink(path) }
            return made
        }
        guard raw >= 0 else { throw InputFile.error("cannot make a temporary file in \(folder.quoted())", path: name, errno) }
        // 0, 1 and 2 belong to the host, also while they are closed; child processes inherit nothing.
        let descriptor = fcntl(raw, F_DUPFD_CLOEXEC, 3)
        let reason = errno
        close(raw)
        guard descriptor >= 0 else { throw InputFile.error("cannot make a temporary file", path: name, reason) }
        return descriptor
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    @unsafe mutating func write(_ bytes: UnsafeRawBufferPointer) throws(AlpacaError) {
        var done = 0
        while done < bytes.count {
            // Bound: done < bytes.count.
            let (written, reason) = unsafe HeldSignals.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes[done...]), at: count)
            if written < 0, reason == EINTR { continue }
            guard written > 0 else {
                throw InputFile.error("cannot write a temporary file", path: name, written < 0 ? reason : EIO)
            }
            done += written
            count += written
        }
    }

    /// The file, for reading.
    consuming func finish() throws(AlpacaError) -> InputFile {
        let open = descriptor
        descriptor = -1
        return InputFile(adopting: open, path: name, size: count)
    }
}

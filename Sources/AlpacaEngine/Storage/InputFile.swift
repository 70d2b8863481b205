// Files are opened so that nothing a path names can hang or surprise the host: no FIFO, no device, no descriptor 0-2, no inheritance by
// child processes. Headers are read by `pread`, never through a mapping: a file that shrinks gives an error, not a signal.

internal import CAlpacaSystem

import Glibc

/// A regular file, open for reading.
package final class InputFile: Sendable {
    package let path: String
    /// Bytes in the file when it was opened.
    package let size: Int
    let descriptor: Int32
    /// When it was last written to, in nanoseconds of the system's clock, when it was opened.
    private let modified: Int

    package init(path: String) throws(AlpacaError) {
        guard !path.utf8.contains(0) else {
            throw AlpacaError(.invalidArgument, "a path must not contain a zero byte")
        }
        let raw = unsafe open(path.cPath, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard raw >= 0 else { throw InputFile.error("cannot open", path: path, errno) }
        var descriptor = raw
        if raw <= 2 {
            // 0, 1 and 2 belong to the host, also while they are closed.
            descriptor = fcntl(raw, F_DUPFD_CLOEXEC, 3)
            let reason = errno
            close(raw)
            guard descriptor >= 0 else { throw InputFile.error("cannot open", path: path, reason) }
        }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let reason = errno
            close(descriptor)
            throw InputFile.error("cannot read", path: path, reason)
        }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG else {
            close(descriptor)
            let found = kind == S_IFDIR ? "a folder" : "not a regular file (a pipe, socket or device)"
            throw AlpacaError(.io, path: path, "found \(found), expected a file")
        }
        guard let size = Int(exactly: status.st_size) else {
            close(descriptor)
            throw AlpacaError(.unsupported, path: path, "\(status.st_size) bytes are too many for this machine")
        }
        self.path = path
        self.size = size
        self.descriptor = descriptor
        modified = InputFile.modified(status)
    }

    /// Takes over a descriptor that is open for reading; `path` is what messages call it.
    init(adopting descriptor: Int32, path: String, size: Int) {
        self.path = path
        self.size = size
        self.descriptor = descriptor
        var status = stat()
        modified = unsafe fstat(descriptor, &status) == 0 ? InputFile.modified(status) : 0
    }

    deinit { close(descriptor) }

    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end of the file.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(AlpacaError) -> Int {
        var done = 0
        while done < buffer.count {
            let (position, overflow) = offset.addingReportingOverflow(done)
            guard !overflow, offset >= 0, let place = off_t(exactly: position), let base = buffer.baseAddress else { break }
            // Bound: done < buffer.count, and at most the rest of the buffer is asked for.
            let got = unsafe pread(descriptor, base + done, min(buffer.count - done, 1 << 30), place)
            if got < 0 {
                if errno == EINTR { continue }
                throw InputFile.error("cannot read", path: path, errno)
            }
            if got == 0 { break }
            done += got
        }
        return done
    }

    /// The `count` bytes at `offset`.
    package func bytes(at offset: Int, count: Int) throws(AlpacaError) -> [UInt8] {
        guard offset >= 0, count >= 0, offset <= size, count <= size - offset else {
            throw AlpacaError(
                .truncated, path: path, "\(count) bytes at byte \(offset) asked for, the file has \(size) bytes")
        }
        try LargeMemory.ask(count, for: path)
        var failure: AlpacaError?
        let result = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(AlpacaError) {
                filled = try unsafe read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
                filled = 0
            }
        }
        if let failure { throw failure }
        guard result.count == count else {
            throw AlpacaError(.truncated, path: path, "the file became shorter than \(size) bytes while it was read")
        }
        return result
    }

    /// Tells the system that the file will be read from front to back: it reads further ahead.
    package func willBeReadInOrder() {
        _ = posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_SEQUENTIAL))
    }

    /// Throws `truncated` when the file has become shorter since it was opened, `io` when it was written to. One that another was renamed
    /// over is as it was. Takes less than a microsecond and no memory.
    package func checkUnchanged() throws(AlpacaError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw InputFile.error("cannot read", path: path, errno) }
        guard Int(status.st_size) >= size else {
            throw AlpacaError(
                .truncated, path: path, "the file became shorter while it was in use: \(status.st_size) of \(size) bytes are left")
        }
        guard InputFile.modified(status) == modified, Int(status.st_size) == size else {
            throw AlpacaError(.io, path: path, "the file was written to while it was in use")
        }
    }

    private static func modified(_ status: stat) -> Int {
        let time = status.st_mtim
        return time.tv_sec &* 1_000_000_000 &+ time.tv_nsec
    }

    /// Whether the file is on a network or FUSE file system, where pages of a mapping can be lost.
    package var isRemote: Bool { system_is_remote(descriptor) != 0 }

    /// Whether this is the file that `status` tells of.
    func isSameFile(_ status: stat) -> Bool {
        var own = stat()
        return unsafe fstat(descriptor, &own) == 0 && own.st_dev == status.st_dev && own.st_ino == status.st_ino
    }

    static func error(_ doing: String, path: String, _ reason: Int32) -> AlpacaError {
        let code: AlpacaError.Code =
            switch reason {
            case ENOENT, ENOTDIR: .notFound
            case ENOMEM: .outOfMemory
            case EINVAL, ENAMETOOLONG: .invalidArgument
            default: .io
            }
        return AlpacaError(code, path: path, "\(doing): \(SystemError.text(reason))")
    }
}

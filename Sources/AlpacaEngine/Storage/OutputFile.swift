internal import CAlpacaSystem
internal import Synchronization

import Glibc

/// A file that is being written, by any number of threads, each at its own places.
package final class OutputFile: Sendable {
    /// What messages call it: the name that the file is to have, while it is still written under another.
    package let path: String
    let descriptor: Int32
    private let isAbandoned = Atomic<Bool>(false)

    /// Makes the file `name`, which must not exist.
    init(creating name: String, as path: String) throws(AlpacaError) {
        let raw = unsafe open(name.cPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode_t(0o666))
        guard raw >= 0 else { throw InputFile.error("cannot write in folder \(WriteTarget(name).folder.quoted())", path: path, errno) }
        self.path = path
        descriptor = raw <= 2 ? fcntl(raw, F_DUPFD_CLOEXEC, 3) : raw
        if raw <= 2 {
            // 0, 1 and 2 belong to the host, also while they are closed.
            let reason = errno
            close(raw)
            guard descriptor >= 0 else {
                unsafe _ = unlink(name.cPath)
                throw failed("cannot write", reason)
            }
        }
    }

    /// Opens a device that takes everything.
    init(device path: String) throws(AlpacaError) {
        self.path = path
        descriptor = unsafe open(path.cPath, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputFile.error("cannot write", path: path, errno) }
    }

    deinit { if descriptor >= 0, !isAbandoned.load(ordering: .acquiring) { close(descriptor) } }

    /// Closes the file, which has no name any more, without waiting: the system lets go of it when what the disk has begun to write is
    /// written. Nobody uses it any more.
    func abandon() {
        guard descriptor >= 0, !isAbandoned.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let descriptor = descriptor
        BackgroundThread.start { close(descriptor) }
    }

    /// Writes all bytes at `offset`. The disk may begin with them at once, so that the end has less to wait for.
    @unsafe package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(AlpacaError) {
        var done = 0
        while done < bytes.count {
            // 64 MiB at a time: a signal that stops the process is not kept waiting for a whole tensor.
            let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[done..<min(bytes.count, done + 64 << 20)])
            let (written, reason) = unsafe HeldSignals.write(descriptor, part, at: offset + done)
            if written < 0, reason == EINTR { continue }
            guard written > 0 else { throw failed("cannot write after \(offset + done) bytes", written < 0 ? reason : EIO) }
            done += written
        }
        if bytes.count >= 1 << 16 { _ = system_begin_writing(descriptor, Int64(offset), Int64(bytes.count)) }
    }

    package func write(_ bytes: [UInt8], at offset: Int) throws(AlpacaError) {
        var failure: AlpacaError?
        unsafe bytes.withUnsafeBytes { buffer in
            // Bound: the array's own bytes.
            do throws(AlpacaError) { try unsafe write(buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// The file as it is now, for reading.
    package func reader(size: Int) throws(AlpacaError) -> InputFile {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw failed("cannot read", errno) }
        return InputFile(adopting: copy, path: path, size: size)
    }

    /// Takes the room for `size` bytes from the disk, before hours of work go into them. Comes after
    /// ``WriteTarget/checkRoom(_:largest:as:)``.
    package func reserve(_ size: Int) throws(AlpacaError) {
        // Zeros where nothing will be written, and the right length; what is not there (NFS, FUSE) is met while writing.
        guard let length = off_t(exactly: size) else { throw failed("cannot write \(size) bytes", EFBIG) }
        if size > 0, system_allocate(descriptor, Int64(length)) != 0, errno == ENOSPC || errno == EDQUOT || errno == EFBIG {
            throw failed("\(size) bytes are needed", errno)
        }
        guard ftruncate(descriptor, length) == 0 || errno == EINVAL else { throw failed("cannot write \(size) bytes", errno) }
    }

    /// Waits for the disk to take some bytes. ``flush()`` alone says whether it did; what is left for that is little after this.
    func awaitWriting(_ bytes: Range<Int>) {
        _ = system_await_writing(descriptor, Int64(bytes.lowerBound), Int64(bytes.count))
    }

    /// Waits until all bytes are on the disk. A failure is final: the kernel may have dropped the bytes, and a second call would not say so.
    package func flush() throws(AlpacaError) {
        var result: Int32
        repeat { result = fsync(descriptor) } while result != 0 && errno == EINTR
        guard result == 0 || errno == EINVAL else { throw failed("cannot write to the disk", errno) }
    }

    func failed(_ doing: String, _ reason: Int32) -> AlpacaError { InputFile.error(doing, path: path, reason) }
}

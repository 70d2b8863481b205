// What AtomicFileWriter needs to know and do about a name: what stands there, the folder, temporary names and those left over.

import Glibc

struct WriteTarget {
    /// The path without its last part; "." or "/" where that is all there is.
    let folder: String
    let name: String

    init(_ path: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else {
            folder = "."
            name = path
            return
        }
        folder = slash == path.startIndex ? "/" : String(path[..<slash])
        name = String(path[path.utf8.index(after: slash)...])
    }

    struct Existing {
        let mode: mode_t
        let isNullDevice: Bool
    }

    /// What stands at `path`, nil if nothing; throws when that must not be replaced.
    static func check(
        _ path: String, overwrite: Bool, inputs: [InputFile], own: some OwnFiles
    ) throws(AlpacaError) -> Existing? {
        guard !path.utf8.contains(0) else { throw AlpacaError(.invalidArgument, "a path must not contain a zero byte") }
        var found = stat()
        guard unsafe stat(path.cPath, &found) == 0 else {
            let reason = errno
            // A link to nothing counts as nothing: it is replaced by the file.
            guard reason == ENOENT else { throw InputFile.error("cannot write", path: path, reason) }
            guard !WriteTarget(path).name.isEmpty else { throw AlpacaError(.invalidArgument, path: path, "expected a file's name") }
            return nil
        }
        for input in inputs where input.isSameFile(found) {
            throw AlpacaError(.invalidArgument, path: path, "the output is one of the inputs, \(input.path.quoted())")
        }
        switch found.st_mode & S_IFMT {
        case S_IFREG:
            guard overwrite else { throw exists(path) }
            try checkOwn(path, own)
            return Existing(mode: found.st_mode & 0o7777, isNullDevice: false)
        case S_IFCHR:
            var null = stat()
            if unsafe stat("/dev/null", &null) == 0, null.st_rdev == found.st_rdev { return Existing(mode: 0, isNullDevice: true) }
        default: break
        }
        let what = found.st_mode & S_IFMT == S_IFDIR ? "a folder" : "not a regular file (a pipe, socket or device)"
        throw AlpacaError(.io, path: path, "found \(what), expected a file or nothing")
    }

    static func exists(_ path: String) -> AlpacaError {
        AlpacaError(.invalidArgument, path: path, "there is a file of that name already; choose another, or allow it to be overwritten")
    }

    /// Throws unless an output of ours wrote the file; one without bytes is nobody's loss.
    static func checkOwn(_ path: String, _ own: some OwnFiles) throws(AlpacaError) {
        let file = try InputFile(path: path)
        guard file.size > 0, let reason = own.refusal(of: file) else { return }
        throw AlpacaError(
            .invalidArgument, path: path, "the file that is there is not replaced: \(reason); choose another name, or remove it first")
    }

    /// Throws when the folder takes no files, or has no room for `size` bytes in files of at most `largest`. What can't be told is met
    /// later.
    func checkRoom(_ size: Int, largest: Int, as path: String) throws(AlpacaError) {
        guard unsafe access(folder.cPath, W_OK | X_OK) == 0 else { throw cannotWrite(path, errno) }
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
        if unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < UInt64(clamping: largest) {
            throw InputFile.error(
                "cannot write \(largest) bytes (this process may write files of up to \(limit.rlim_cur))", path: path, EFBIG)
        }
        var disk = statvfs()
        // File systems that tell no size have 0 blocks; there a full disk shows when it is met.
        guard unsafe statvfs(folder.cPath, &disk) == 0, disk.f_blocks > 0 else { return }
        let (free, overflow) = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
        guard overflow || free >= UInt64(clamping: size) else {
            throw InputFile.error("\(size) bytes are needed, \(free) are free", path: path, ENOSPC)
        }
    }

    // MARK: Temporary names

    private static let suffix = ".alpaca-tmp"

    /// Begins all temporary names of this target. File systems take 255 bytes.
    private var prefix: String { "." + String(decoding: name.utf8.prefix(180), as: UTF8.self) + "." }

    func temporaryPath() -> String {
        var random = SystemRandomNumberGenerator()
        return "\(folder)/\(prefix)\(getpid()).\(String(random.next() as UInt64, radix: 16))\(WriteTarget.suffix)"
    }

    /// Makes a file under a temporary name; `path` is what messages call it.
    func createFile(as path: String) throws(AlpacaError) -> (file: OutputFile, name: String) {
        for _ in 0..<WriteTarget.attempts {
            let name = temporaryPath()
            let file = try OutputFile(creating: name, as: path)
            if WriteTarget.hold(file.descriptor, name) { return (file, name) }
            unsafe _ = unlink(name.cPath)
        }
        throw busy(path)
    }

    /// Makes a folder under a temporary name, open as long as it is being written.
    func createFolder(as path: String) throws(AlpacaError) -> (descriptor: Int32, name: String) {
        for _ in 0..<WriteTarget.attempts {
            let name = temporaryPath()
            guard unsafe mkdir(name.cPath, mode_t(0o777)) == 0 else { throw cannotWrite(path, errno) }
            let raw = unsafe open(name.cPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            // 0, 1 and 2 belong to the host, also while they are closed.
            let descriptor = (0...2).contains(raw) ? fcntl(raw, F_DUPFD_CLOEXEC, 3) : raw
            let reason = errno
            if raw >= 0, descriptor != raw { close(raw) }
            if descriptor >= 0, WriteTarget.hold(descriptor, name) { return (descriptor, name) }
            if descriptor >= 0 { close(descriptor) }
            unsafe _ = rmdir(name.cPath)
            // Gone already: taken for a leftover, as below.
            guard descriptor >= 0 || reason == ENOENT else { throw cannotWrite(path, reason) }
        }
        throw busy(path)
    }

    private static let attempts = 100

    /// Locks what was just made: as long as the lock is held nobody takes it for a leftover. False if somebody did, in the moment before:
    /// it is gone then, or about to go. File systems without locks have no cleaning up either.
    private static func hold(_ descriptor: Int32, _ name: String) -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK { return false }
        var own = stat()
        var named = stat()
        return unsafe fstat(descriptor, &own) == 0 && lstat(name.cPath, &named) == 0 && own.st_dev == named.st_dev
            && own.st_ino == named.st_ino
    }

    func cannotWrite(_ path: String, _ reason: Int32) -> AlpacaError {
        InputFile.error("cannot write in folder \(folder.quoted())", path: path, reason)
    }

    private func busy(_ path: String) -> AlpacaError { cannotWrite(path, EAGAIN) }

    /// Removes what writers of this name left that were killed: files and folders under names of exactly our form that nobody has locked, and
    /// that hold what an output begins with.
    func removeLeftovers(_ own: some OwnFiles) {
        guard let directory = unsafe opendir(folder.cPath) else { return }
        defer { unsafe _ = closedir(directory) }
        while let entry = unsafe readdir(directory) {
            // d_name ends with a zero byte inside the entry, which lives until the next readdir.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe PathText.text(bytes.prefix { $0 != 0 })
            }
            if isTemporary(name) { WriteTarget.removeIfAbandoned("\(folder)/\(name)", own) }
        }
    }

    private func isTemporary(_ entry: String) -> Bool {
        guard entry.hasPrefix(prefix), entry.hasSuffix(WriteTarget.suffix),
            entry.utf8.count > prefix.utf8.count + WriteTarget.suffix.utf8.count
        else { return false }
        let middle = entry.dropFirst(prefix.count).dropLast(WriteTarget.suffix.count).split(
            separator: ".", omittingEmptySubsequences: false)
        return middle.count == 2 && Int32(middle[0]) != nil && UInt64(middle[1], radix: 16) != nil
    }

    private static func removeIfAbandoned(_ path: String, _ own: some OwnFiles) {
        let flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        // Network file systems lock only what may be written; folders can't be opened for that.
        var descriptor = unsafe open(path.cPath, O_RDWR | flags)
        if descriptor < 0 { descriptor = unsafe open(path.cPath, O_RDONLY | flags) }
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        // The lock of a process that was killed is free. It is held here until the name is gone: see `hold`.
        guard unsafe fstat(descriptor, &status) == 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFREG: if own.isLeftover(path, isFolder: false) { unsafe _ = unlink(path.cPath) }
        case S_IFDIR:
            // All of it or nothing.
            guard let names = try? FolderListing.names(in: path), own.isLeftover(path, isFolder: true) else { return }
            removeFolder(path, names)
        default: break
        }
    }

    /// Removes files of a folder, and the folder if it holds nothing else.
    ///
    /// - Returns: whether it is gone.
    @discardableResult
    static func removeFolder(_ path: String, _ names: [String]) -> Bool {
        for name in names { unsafe _ = unlink((path + "/" + name).cPath) }
        return unsafe rmdir(path.cPath) == 0
    }

    /// Makes the folder's list of names durable. Gives the error's number if the disk failed; file systems that can't are none.
    func flushFolder() -> Int32? {
        let directory = unsafe open(folder.cPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return nil }
        defer { close(directory) }
        guard fsync(directory) != 0 else { return nil }
        return errno == EIO || errno == ENOSPC || errno == EDQUOT ? errno : nil
    }
}

/// Writing without the signal that a file beyond the process's limit brings with it, whose default ends the process.
enum HeldSignals {
    /// `pwrite(2)` with its `errno`. The mask of this thread is as before when it returns, and the signal that this call caused is gone.
    static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> (Int, Int32) {
        var held = sigset_t()
        var before = sigset_t()
        var pending = sigset_t()
        unsafe sigemptyset(&held)
        unsafe sigaddset(&held, SIGXFSZ)
        unsafe sigpending(&pending)
        let wasPending = unsafe sigismember(&pending, SIGXFSZ) == 1
        unsafe pthread_sigmask(SIG_BLOCK, &held, &before)
        let written = unsafe pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
        let reason = errno
        if written < 0, reason == EFBIG, !wasPending {
            var none = timespec()
            unsafe sigtimedwait(&held, nil, &none)
        }
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        return (written, reason)
    }
}

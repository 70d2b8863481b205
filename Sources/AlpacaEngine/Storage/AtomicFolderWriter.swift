// Folders of several files appear whole or not at all, as single files do: they are written in a temporary folder beside the target, flushed,
// and the folder is renamed. A folder that is replaced stays as it was until then.

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A folder being written. ``finish()`` makes it appear under its name; a writer that goes away without it leaves nothing behind.
package final class AtomicFolderWriter {
    package let path: String
    private let temporary: String
    private let lock: Int32
    private let overwrites: Bool
    private var files: [OutputFile] = []
    private var names: [String] = []
    private var isFinished = false

    /// - Parameters:
    ///   - overwrite: whether a folder of that name may be replaced: one that holds nothing but files such as a model's folder has.
    ///   - inputs: files that are still being read, which must not lie in the target.
    package init(path: String, overwrite: Bool, inputs: [InputFile] = []) throws(AlpacaError) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard !path.utf8.contains(0), !path.isEmpty else {
            throw AlpacaError(.invalidArgument, "a path must not be empty or contain a zero byte")
        }
        self.path = path
        overwrites = overwrite
        try AtomicFolderWriter.check(path, overwrite: overwrite, inputs: inputs)
        let target = WriteTarget(path)
        target.removeLeftovers()
        temporary = target.temporaryPath()
        guard unsafe mkdir(temporary, mode_t(0o777)) == 0 else {
            throw InputFile.error("cannot write in folder \(target.folder.quoted())", path: path, errno)
        }
        lock = unsafe open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // Held while the folder is being written: one whose lock is free is a leftover.
        if lock >= 0 { _ = flock(lock, LOCK_EX | LOCK_NB) }
    }

    deinit {
        discard()
        if lock >= 0 { close(lock) }
    }

    private func discard() {
        if !isFinished { WriteTarget.removeFolder(temporary) }
        isFinished = true
    }

    /// Begins a file of the folder. All files together have to find room: reserve it before writing.
    package func create(_ name: String) throws(AlpacaError) -> OutputFile {
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0), !names.contains(name) else {
            throw AlpacaError(.internalError, "\(path): \(name.quoted()) can't be a file's name")
        }
        let file = try OutputFile(creating: temporary + "/" + name, as: path + "/" + name)
        files.append(file)
        names.append(name)
        return file
    }

    /// Flushes all files to the disk and gives the folder its name; after an error nothing is left of it.
    package func finish() throws(AlpacaError) {
        defer { discard() }
        for file in files { try file.flush() }
        if lock >= 0, fsync(lock) != 0, errno == EIO || errno == ENOSPC { throw failed("cannot write to the disk", errno) }
        try takeName()
        if let reason = WriteTarget(path).flushFolder() { throw failed("cannot write the folder to the disk", reason) }
    }

    private func takeName() throws(AlpacaError) {
        // A folder takes the place of an empty one, or of none.
        if unsafe rename(temporary, path) == 0 {
            isFinished = true
            return
        }
        guard errno == ENOTEMPTY || errno == EEXIST else { throw failed("cannot give the folder its name", errno) }
        // Checked again: hours may have passed.
        try AtomicFolderWriter.check(path, overwrite: overwrites, inputs: [])
        let old = WriteTarget(path).temporaryPath()
        guard unsafe rename(path, old) == 0 else { throw failed("cannot replace the folder", errno) }
        guard unsafe rename(temporary, path) == 0 else {
            let reason = errno
            unsafe _ = rename(old, path)
            throw failed("cannot give the folder its name", reason)
        }
        isFinished = true
        WriteTarget.removeFolder(old)
    }

    private func failed(_ doing: String, _ reason: Int32) -> AlpacaError { InputFile.error(doing, path: path, reason) }

    /// Throws when what stands at `path` must not be replaced.
    private static func check(_ path: String, overwrite: Bool, inputs: [InputFile]) throws(AlpacaError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw InputFile.error("cannot write", path: path, errno) }
            return
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw AlpacaError(.io, "\(path): found a file, expected a folder or nothing: this format is a folder")
        }
        for name in try FolderListing.names(in: path) {
            let inside = path + "/" + name
            guard unsafe stat(inside, &status) == 0 else { continue }
            for input in inputs where input.isSameFile(status) {
                throw AlpacaError(.invalidArgument, "\(path): the output's folder holds one of the inputs, \(input.path.quoted())")
            }
            guard overwrite else {
                throw AlpacaError(.invalidArgument, "\(path): there is a folder of that name already, which is not empty")
            }
            guard status.st_mode & S_IFMT == S_IFREG, isModelFile(name) else {
                throw AlpacaError(
                    .invalidArgument,
                    "\(path): the folder holds \(name.quoted()), which no model's folder has: it is not replaced; choose another")
            }
        }
    }

    /// Names that a model's folder has: only a folder of such files may be replaced as a whole.
    private static func isModelFile(_ name: String) -> Bool {
        [".safetensors", ".bin", ".pth", ".json", ".model", ".txt", ".md", ".gguf"].contains { name.hasSuffix($0) }
    }
}

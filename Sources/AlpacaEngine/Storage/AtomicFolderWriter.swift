// Folders of several files appear whole or not at all, as single files do: they are written in a temporary folder beside the target, flushed,
// and the folder is renamed. A folder that is replaced stays as it was until then.

internal import CAlpacaSystem

import Glibc

/// A folder being written. ``finish()`` makes it appear under its name; a writer that goes away without it leaves nothing behind.
package final class AtomicFolderWriter {
    package let path: String
    private let temporary: String
    /// The folder, locked while it is being written: one whose lock is free is a leftover.
    private let descriptor: Int32
    private let overwrites: Bool
    private var files: [OutputFile] = []
    private var names: [String] = []
    /// What goes when the writer goes: the unfinished folder, or the one that was replaced.
    private var discarded: String?

    /// - Parameters:
    ///   - overwrite: whether a folder of that name may be replaced: one that holds nothing but files such as a model's folder has.
    ///   - inputs: files that are still being read, which must not lie in the target.
    package init(path: String, overwrite: Bool, inputs: [InputFile] = []) throws(AlpacaError) {
        self.path = try AtomicFolderWriter.check(path: path, sizes: [], overwrite: overwrite, inputs: inputs)
        overwrites = overwrite
        (descriptor, temporary) = try WriteTarget(self.path).createFolder(as: path)
        discarded = temporary
    }

    /// Throws what `init` would throw, as far as it can be known without writing, and when files of `sizes` don't find room. Gives the
    /// folder's path: of a link, the one that it leads to.
    ///
    /// - Parameter cleans: whether what killed writers of this name left is removed: it may take the room that is needed.
    @discardableResult
    static func check(
        path: String, sizes: [Int], overwrite: Bool, inputs: [InputFile], cleans: Bool = true
    ) throws(AlpacaError) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard !path.utf8.contains(0), !path.isEmpty else {
            throw AlpacaError(.invalidArgument, "a path must not be empty or contain a zero byte")
        }
        path = try resolve(path)
        try checkContents(path, overwrite: overwrite, inputs: inputs)
        var sum = 0
        for size in sizes { sum = try CheckedMath.sum(sum, size, of: "size of the output") }
        let target = WriteTarget(path)
        if cleans { target.removeLeftovers() }
        try target.checkRoom(sum, largest: sizes.max() ?? 0, as: path)
        return path
    }

    /// A link stays, and its folder is replaced.
    private static func resolve(_ path: String) throws(AlpacaError) -> String {
        var status = stat()
        guard unsafe lstat(path.cPath, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return path }
        guard let raw = unsafe realpath(path.cPath, nil) else {
            throw InputFile.error("cannot write (a link to nothing)", path: path, errno)
        }
        defer { unsafe free(raw) }
        return unsafe String(cPath: raw)
    }

    deinit {
        discard()
        close(descriptor)
    }

    private func discard() {
        guard let discarded else { return }
        WriteTarget.removeFolder(discarded)
        if discarded == temporary { for file in files { file.abandon() } }
        self.discarded = nil
    }

    /// Begins a file of the folder. All files together have to find room: reserve it before writing.
    package func create(_ name: String) throws(AlpacaError) -> OutputFile {
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0), !names.contains(name) else {
            throw AlpacaError(.internalError, path: path, "\(name.quoted()) can't be a file's name")
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
        if fsync(descriptor) != 0, errno == EIO || errno == ENOSPC { throw failed("cannot write to the disk", errno) }
        try takeName()
        if let reason = WriteTarget(path).flushFolder() { throw failed("cannot write the folder to the disk", reason) }
    }

    private func takeName() throws(AlpacaError) {
        // A folder takes the place of an empty one, or of none.
        if unsafe rename(temporary.cPath, path.cPath) == 0 {
            discarded = nil
            return
        }
        guard errno == ENOTEMPTY || errno == EEXIST else { throw failed("cannot give the folder its name", errno) }
        // Checked again: hours may have passed.
        try AtomicFolderWriter.checkContents(path, overwrite: overwrites, inputs: [])
        // In one step, so that there is no moment without the folder. The old one has the temporary name then, and goes.
        if unsafe system_exchange(temporary, path) == 0 { return }
        let reason = errno
        guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(reason) else { throw failed("cannot replace the folder", reason) }
        // In two steps. What is killed between them leaves the old folder under a name that no writer cleans up.
        let old = "\(path).old-\(getpid())"
        guard unsafe rename(path.cPath, old.cPath) == 0 else { throw failed("cannot replace the folder", errno) }
        guard unsafe rename(temporary.cPath, path.cPath) == 0 else {
            let reason = errno
            unsafe _ = rename(old.cPath, path.cPath)
            throw failed("cannot give the folder its name", reason)
        }
        discarded = old
    }

    private func failed(_ doing: String, _ reason: Int32) -> AlpacaError { InputFile.error(doing, path: path, reason) }

    /// Throws when what stands at `path` must not be replaced.
    private static func checkContents(_ path: String, overwrite: Bool, inputs: [InputFile]) throws(AlpacaError) {
        var status = stat()
        guard unsafe stat(path.cPath, &status) == 0 else {
            guard errno == ENOENT else { throw InputFile.error("cannot write", path: path, errno) }
            return
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw AlpacaError(.io, path: path, "found a file, expected a folder or nothing: this format is a folder")
        }
        for name in try FolderListing.names(in: path) {
            let inside = path + "/" + name
            guard unsafe stat(inside.cPath, &status) == 0 else { continue }
            for input in inputs where input.isSameFile(status) {
                throw AlpacaError(.invalidArgument, path: path, "the output's folder holds one of the inputs, \(input.path.quoted())")
            }
            guard overwrite else {
                throw AlpacaError(.invalidArgument, path: path, "there is a folder of that name already, which is not empty")
            }
            guard status.st_mode & S_IFMT == S_IFREG, isModelFile(name) else {
                throw AlpacaError(
                    .invalidArgument, path: path,
                    "the folder holds \(name.quoted()), which no model's folder has: it is not replaced; choose another")
            }
        }
    }

    /// Names that a model's folder has: only a folder of such files may be replaced as a whole.
    private static func isModelFile(_ name: String) -> Bool {
        [".safetensors", ".bin", ".pth", ".json", ".model", ".txt", ".md", ".gguf"].contains { name.hasSuffix($0) }
    }
}

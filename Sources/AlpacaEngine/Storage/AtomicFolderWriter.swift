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
    private let own: any OwnFiles
    private var files: [OutputFile] = []
    private var names: [String] = []
    /// Whether the folder has its name.
    private var isFinished = false

    /// - Parameters:
    ///   - overwrite: whether a folder of that name may be replaced, if it holds nothing but what an output of ours wrote.
    ///   - inputs: files that are still being read, which must not lie in the target.
    ///   - own: knows which files are ours.
    package init(path: String, overwrite: Bool, inputs: [InputFile] = [], own: any OwnFiles) throws(AlpacaError) {
        self.path = try AtomicFolderWriter.check(path: path, sizes: [], overwrite: overwrite, inputs: inputs, own: own)
        self.own = own
        overwrites = overwrite
        (descriptor, temporary) = try WriteTarget(self.path).createFolder(as: path)
    }

    /// Throws what `init` would throw, as far as it can be known without writing, and when files of `sizes` don't find room. Gives the
    /// folder's path: of a link, the one that it leads to.
    ///
    /// - Parameter cleans: whether what killed writers of this name left is removed: it may take the room that is needed.
    @discardableResult
    static func check(
        path: String, sizes: [Int], overwrite: Bool, inputs: [InputFile], own: any OwnFiles, cleans: Bool = true
    ) throws(AlpacaError) -> String {
        var path = path
        while path.utf8.count > 1, path.hasSuffix("/") || path.hasSuffix("/.") { path.removeLast() }
        guard !path.utf8.contains(0), !path.isEmpty else {
            throw AlpacaError(.invalidArgument, "a path must not be empty or contain a zero byte")
        }
        path = try resolve(path)
        try checkPlace(path)
        try checkContents(path, overwrite: overwrite, inputs: inputs, own: own)
        var sum = 0
        for size in sizes { sum = try CheckedMath.sum(sum, size, of: "size of the output") }
        let target = WriteTarget(path)
        if cleans { target.removeLeftovers(own) }
        try target.checkRoom(sum, largest: sizes.max() ?? 0, as: path)
        return path
    }

    /// The folder that is replaced goes, and who works in it, a shell too, would stand in a folder that is no more.
    private static func checkPlace(_ path: String) throws(AlpacaError) {
        guard let found = FileIdentity(following: path), found == FileIdentity(following: ".") else { return }
        throw AlpacaError(
            .invalidArgument, path: path,
            "the output is the current folder, which can't be replaced: name a folder in it, such as \"model\", or work in another")
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

    /// Removes what was written of an unfinished folder.
    private func discard() {
        guard !isFinished else { return }
        isFinished = true
        WriteTarget.removeFolder(temporary, names)
        for file in files { file.abandon() }
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
    ///
    /// - Returns: what the user has to know, in sentences.
    @discardableResult
    package func finish() throws(AlpacaError) -> [String] {
        defer { discard() }
        for file in files { try file.flush() }
        if fsync(descriptor) != 0, errno == EIO || errno == ENOSPC { throw failed("cannot write to the disk", errno) }
        let warnings = try takeName()
        if let reason = WriteTarget(path).flushFolder() { throw failed("cannot write the folder to the disk", reason) }
        return warnings
    }

    private func takeName() throws(AlpacaError) -> [String] {
        // A folder takes the place of an empty one, or of none.
        if unsafe rename(temporary.cPath, path.cPath) == 0 {
            isFinished = true
            return []
        }
        guard errno == ENOTEMPTY || errno == EEXIST else { throw failed("cannot give the folder its name", errno) }
        // Checked again: hours may have passed.
        let names = try AtomicFolderWriter.checkContents(path, overwrite: overwrites, inputs: [], own: own)
        let before = names.map { FileIdentity(path + "/" + $0) }
        // In one step, so that there is no moment without the folder. The old one has the temporary name then, and goes.
        if unsafe system_exchange(temporary.cPath, path.cPath) == 0 {
            isFinished = true
            return remove(temporary, names, before)
        }
        let reason = errno
        guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(reason) else { throw failed("cannot replace the folder", reason) }
        // In two steps. What is killed between them leaves the old folder under a name that no writer cleans up.
        let old = oldName
        guard unsafe rename(path.cPath, old.cPath) == 0 else { throw failed("cannot replace the folder", errno) }
        guard unsafe rename(temporary.cPath, path.cPath) == 0 else {
            let reason = errno
            unsafe _ = rename(old.cPath, path.cPath)
            throw failed("cannot give the folder its name", reason)
        }
        isFinished = true
        return remove(old, names, before)
    }

    private var oldName: String { "\(path).old-\(getpid())" }

    /// Removes the replaced folder: the files that were looked at, and no other. One that somebody put there since stays, in a folder beside.
    private func remove(_ folder: String, _ names: [String], _ before: [FileIdentity?]) -> [String] {
        var looked = zip(names, before).filter { $1 != nil && FileIdentity(folder + "/" + $0) == $1 }.map(\.0)
        // What another writer put in its place meanwhile is one of ours as a whole.
        if looked.isEmpty, let found = try? FolderListing.names(in: folder), own.refusal(ofFolder: folder, found) == nil,
            found.allSatisfy({ FileIdentity(folder + "/" + $0)?.kind == .file })
        {
            looked = found
        }
        guard !WriteTarget.removeFolder(folder, looked), let left = try? FolderListing.names(in: folder), let first = left.first else {
            return []
        }
        if folder != oldName { unsafe _ = rename(folder.cPath, oldName.cPath) }
        return [
            "\(path): \(first.quoted()) was put into the old folder while it was being replaced; it lies in \(oldName.quoted()) now"
        ]
    }

    private func failed(_ doing: String, _ reason: Int32) -> AlpacaError { InputFile.error(doing, path: path, reason) }

    /// Throws when what stands at `path` must not be replaced. Gives the names in it.
    @discardableResult
    private static func checkContents(
        _ path: String, overwrite: Bool, inputs: [InputFile], own: any OwnFiles
    ) throws(AlpacaError) -> [String] {
        var status = stat()
        guard unsafe stat(path.cPath, &status) == 0 else {
            guard errno == ENOENT else { throw InputFile.error("cannot write", path: path, errno) }
            return []
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw AlpacaError(.io, path: path, "found a file, expected a folder or nothing: this format is a folder")
        }
        let names = try FolderListing.names(in: path)
        for name in names where unsafe stat((path + "/" + name).cPath, &status) == 0 {
            for input in inputs where input.isSameFile(status) {
                throw AlpacaError(.invalidArgument, path: path, "the output's folder holds one of the inputs, \(input.path.quoted())")
            }
        }
        guard !names.isEmpty else { return [] }
        guard overwrite else {
            throw AlpacaError(.invalidArgument, path: path, "there is a folder of that name already, which is not empty")
        }
        // Outputs have neither folders nor links.
        let others = names.filter { FileIdentity(path + "/" + $0)?.kind != .file }
        let reason = others.isEmpty ? own.refusal(ofFolder: path, names) : "\(list(others)), which no output wrote"
        if let reason {
            throw AlpacaError(
                .invalidArgument, path: path, "the folder is not replaced, for it holds \(reason); choose another, or remove it first")
        }
        return names
    }

    /// Names for messages: the first few, and how many there are.
    package static func list(_ names: [String]) -> String {
        let most = 8
        return names.prefix(most).map { $0.quoted() }.joined(separator: ", ")
            + (names.count > most ? " and \(names.count - most) more" : "")
    }
}

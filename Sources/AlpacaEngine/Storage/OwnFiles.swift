// What may be taken away to make room for an output: what an output of ours wrote, known by its name and by what is in it. Somebody else's
// file stays, whatever it is called. What outputs look like, the formats know; here is asked.

/// Knows the files that outputs of one kind consist of.
package protocol OwnFiles: Sendable {
    /// Why the file in an output's place must stay; nil when an output of ours wrote it.
    func refusal(of file: InputFile) -> String?

    /// Why a folder in an output's place must stay, with the names of what no output of ours wrote; nil when all of it is an output.
    ///
    /// - Parameter names: everything in the folder; all of them regular files.
    func refusal(ofFolder path: String, _ names: [String]) -> String?

    /// Whether a file can be what a writer left behind that was killed: nothing yet, or the beginning of what outputs of this kind have.
    ///
    /// - Parameters:
    ///   - name: in a folder; nil for an output that is one file.
    ///   - beginning: the file's first bytes.
    func canBeUnfinished(_ name: String?, _ beginning: [UInt8]) -> Bool
}

extension OwnFiles {
    /// Whether what lies at `path`, a file or folder under a temporary name, can be what a killed writer left.
    func isLeftover(_ path: String, isFolder: Bool) -> Bool {
        guard isFolder else { return isUnfinished(path, name: nil) }
        guard let names = try? FolderListing.names(in: path) else { return false }
        return names.allSatisfy { isUnfinished(path + "/" + $0, name: $0) }
    }

    private func isUnfinished(_ path: String, name: String?) -> Bool {
        guard let identity = FileIdentity(path), identity.kind == .file, let file = try? InputFile(path: path),
            let bytes = try? file.bytes(at: 0, count: min(file.size, 16))
        else { return false }
        return bytes.allSatisfy { $0 == 0 } || canBeUnfinished(name, bytes)
    }
}

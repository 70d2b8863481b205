import Glibc

/// Files that belong together under plain names: a folder, or the members of an archive. Models and adapters are read from either.
package protocol FileCollection: Sendable {
    /// The folder's or the archive's path, for messages.
    var path: String { get }
    /// Names of the files, sorted; no folders.
    var names: [String] { get }
    /// The file of that name, nil if there is none.
    func open(_ name: String) throws(AlpacaError) -> FileRegion?
    /// The archive whose members they are. Members that were packed are not at their own paths.
    var archive: InputFile? { get }
}

/// The files right in a folder.
package struct FolderFiles: FileCollection {
    package let path: String
    package let names: [String]
    package var archive: InputFile? { nil }

    package init(path: String) throws(AlpacaError) {
        self.path = path
        names = try FolderListing.names(in: path).filter { name in
            var status = stat()
            // What is neither a folder nor there (a link to nothing) is left for whoever opens it to complain about.
            return unsafe stat(FolderFiles.join(path, name).cPath, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR
        }.sorted()
    }

    package func open(_ name: String) throws(AlpacaError) -> FileRegion? {
        guard names.contains(name) else { return nil }
        return FileRegion(try InputFile(path: FolderFiles.join(path, name)))
    }

    package static func join(_ folder: String, _ name: String) -> String { folder.hasSuffix("/") ? folder + name : folder + "/" + name }
}

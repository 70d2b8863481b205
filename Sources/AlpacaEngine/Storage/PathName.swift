import Glibc

/// What people call the model at a path.
package enum PathName {
    /// For one in the hub's cache, where folders are called by revisions, the name it has there. A folder's own name, wherever the program
    /// was started and whatever link led there; a file's name as it was given.
    package static func of(_ path: String) -> String {
        if let name = HubCache.modelName(of: path) { return last(name) }
        guard (try? FolderListing.isFolder(path)) == true, let raw = unsafe realpath(path.cPath, nil) else { return last(path) }
        defer { unsafe free(raw) }
        let real = unsafe String(cPath: raw)
        return last(HubCache.modelName(of: real) ?? real)
    }

    /// The last part of a path that says something.
    package static func last(_ path: String) -> String {
        PathText.shown(path.split(separator: "/").last { $0 != "." && $0 != ".." }.map(String.init) ?? path)
    }
}

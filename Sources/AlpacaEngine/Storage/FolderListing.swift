// The files below a folder, in the order of their names. Links to folders are not followed, so a walk ends; links to files are, because
// download caches keep files behind links.

import Glibc

package enum FolderListing {
    /// Folders inside folders that a walk enters.
    package static let deepest = 32
    /// Files that a walk collects before it gives up: somebody named the wrong folder.
    package static let mostFiles = 100_000

    /// Whether `path` is a folder. Throws when there is nothing.
    package static func isFolder(_ path: String) throws(AlpacaError) -> Bool {
        guard !path.utf8.contains(0) else { throw AlpacaError(.invalidArgument, "a path must not contain a zero byte") }
        var status = stat()
        guard unsafe stat(path.cPath, &status) == 0 else { throw InputFile.error("cannot open", path: path, errno) }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    /// Paths of the regular files in `folder` and below, sorted by their bytes.
    package static func files(below folder: String) throws(AlpacaError) -> [String] {
        var found: [String] = []
        var waiting = [(path: folder, depth: 0)]
        while let (path, depth) = waiting.popLast() {
            var folders: [String] = []
            for name in try names(in: path) {
                let inside = path.hasSuffix("/") ? path + name : path + "/" + name
                var status = stat()
                guard unsafe lstat(inside.cPath, &status) == 0 else {
                    // Gone since it was listed.
                    if errno == ENOENT { continue }
                    throw InputFile.error("cannot read", path: inside, errno)
                }
                let isLink = status.st_mode & S_IFMT == S_IFLNK
                if isLink { guard unsafe stat(inside.cPath, &status) == 0 else { continue } }
                switch status.st_mode & S_IFMT {
                case S_IFREG: found.append(inside)
                case S_IFDIR where !isLink && depth < deepest: folders.append(inside)
                default: break
                }
                guard found.count <= mostFiles else {
                    throw AlpacaError(.unsupported, path: folder, "more than \(mostFiles) files; name a folder with fewer")
                }
            }
            for inside in folders { waiting.append((inside, depth + 1)) }
        }
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Names in a folder, sorted by their bytes, without "." and "..".
    package static func names(in folder: String) throws(AlpacaError) -> [String] {
        guard let stream = unsafe opendir(folder.cPath) else { throw InputFile.error("cannot read", path: folder, errno) }
        defer { unsafe closedir(stream) }
        var result: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                guard errno == 0 else { throw InputFile.error("cannot read", path: folder, errno) }
                break
            }
            // Bound: the system ends d_name with a zero byte inside its entry.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe PathText.text(bytes.prefix { $0 != 0 })
            }
            if name != ".", name != ".." { result.append(name) }
        }
        return result.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

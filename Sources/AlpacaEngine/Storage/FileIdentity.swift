import Glibc

/// Which file stands under a name; links are not followed.
package struct FileIdentity: Equatable, Sendable {
    package enum Kind: Equatable, Sendable { case file, folder, other }
    package let kind: Kind
    private let device: dev_t
    private let inode: ino_t

    /// nil when there is nothing.
    init?(_ path: String) {
        var status = stat()
        guard unsafe lstat(path.cPath, &status) == 0 else { return nil }
        self.init(status)
    }

    /// The same of the file that links lead to.
    init?(following path: String) {
        var status = stat()
        guard !path.utf8.contains(0), unsafe stat(path.cPath, &status) == 0 else { return nil }
        self.init(status)
    }

    /// Of an open file.
    init?(_ file: InputFile) {
        var status = stat()
        guard unsafe fstat(file.descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .folder
        default: kind = .other
        }
        device = status.st_dev
        inode = status.st_ino
    }
}

import Glibc

/// Which file stands under a name; links are not followed.
struct FileIdentity: Equatable {
    enum Kind: Equatable { case file, folder, other }
    let kind: Kind
    private let device: dev_t
    private let inode: ino_t

    /// nil when there is nothing.
    init?(_ path: String) {
        var status = stat()
        guard unsafe lstat(path.cPath, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .folder
        default: kind = .other
        }
        device = status.st_dev
        inode = status.st_ino
    }
}

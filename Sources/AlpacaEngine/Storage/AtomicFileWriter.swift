// Files appear whole or not at all: they are written under a temporary name in the target's folder, flushed, and renamed. Until then the
// old file stays as it was; after an error, a cancelled operation or a full disk nothing is left behind. What a killed process leaves is
// removed by the next writer of the same name.
//
// The host is never hurt: the signal for files beyond RLIMIT_FSIZE, which would end the process, is held back and becomes an error.

internal import CAlpacaSystem

import Glibc

/// A file being written. ``finish()`` makes it appear under its name; a writer that goes away without it leaves nothing behind.
package final class AtomicFileWriter {
    package let path: String
    /// For threads that write at their own places.
    package let file: OutputFile
    /// Bytes that ``write(_:)-([UInt8])`` wrote so far.
    package private(set) var count = 0

    /// The temporary name, until the file has its own; nil for /dev/null, which is written to as it is.
    private var temporary: String?
    private let overwrites: Bool
    private let own: any OwnFiles

    /// - Parameters:
    ///   - size: bytes that the file will have, when known: a disk without the room for them shows at once.
    ///   - overwrite: whether a file of that name may be replaced, if it is one of ours.
    ///   - inputs: files that are still being read, which the target must not be.
    ///   - own: knows which files are ours.
    package init(
        path: String, size: Int? = nil, overwrite: Bool, inputs: [InputFile] = [], own: any OwnFiles
    ) throws(AlpacaError) {
        self.path = path
        self.own = own
        overwrites = overwrite
        let old = try AtomicFileWriter.check(path: path, size: size ?? 0, overwrite: overwrite, inputs: inputs, own: own)
        if let old, old.isNullDevice {
            file = try OutputFile(device: path)
            temporary = nil
            return
        }
        (file, temporary) = try WriteTarget(path).createFile(as: path)
        if let old { _ = fchmod(file.descriptor, old.mode) }
        if let size { try file.reserve(size) }
    }

    /// Throws what `init` would throw, as far as it can be known without writing; gives what stands at `path`.
    ///
    /// - Parameter cleans: whether what killed writers of this name left is removed: it may take the room that is needed.
    @discardableResult
    static func check(
        path: String, size: Int, overwrite: Bool, inputs: [InputFile], own: any OwnFiles, cleans: Bool = true
    ) throws(AlpacaError) -> WriteTarget.Existing? {
        guard !path.utf8.contains(0), !path.isEmpty else {
            throw AlpacaError(.invalidArgument, "a path must not be empty or contain a zero byte")
        }
        let old = try WriteTarget.check(path, overwrite: overwrite, inputs: inputs, own: own)
        guard old?.isNullDevice != true else { return old }
        let target = WriteTarget(path)
        if cleans { target.removeLeftovers(own) }
        try target.checkRoom(size, largest: size, as: path)
        return old
    }

    deinit { discard() }

    private func discard() {
        guard let temporary else { return }
        unsafe _ = unlink(temporary.cPath)
        self.temporary = nil
        file.abandon()
    }

    /// Writes behind what was written before.
    package func write(_ bytes: [UInt8]) throws(AlpacaError) {
        try file.write(bytes, at: count)
        count += bytes.count
    }

    /// Flushes the file to the disk and gives it its name; after an error nothing is left of it.
    package func finish() throws(AlpacaError) {
        guard let temporary else { return }
        defer { discard() }
        try file.flush()
        try takeName(temporary)
        self.temporary = nil
        if let reason = WriteTarget(path).flushFolder() { throw file.failed("cannot write the folder to the disk", reason) }
    }

    private func takeName(_ temporary: String) throws(AlpacaError) {
        // Twice: what was there may go meanwhile.
        for _ in 0..<2 {
            // A link, unlike a rename, fails when the name is taken, whoever took it meanwhile.
            if unsafe link(temporary.cPath, path.cPath) == 0 {
                unsafe _ = unlink(temporary.cPath)
                return
            }
            guard overwrites else {
                // Some file systems have no links: there the name was free a moment ago.
                guard errno != EEXIST, unsafe access(path.cPath, F_OK) != 0 else { throw WriteTarget.exists(path) }
                break
            }
            // Checked again: hours may have passed.
            if FileIdentity(path)?.kind == .file {
                try WriteTarget.checkOwn(path, own)
                if try exchange(temporary) { return }
            } else {
                // A link, which goes, or nothing.
                _ = try WriteTarget.check(path, overwrite: true, inputs: [], own: own)
                break
            }
        }
        guard unsafe rename(temporary.cPath, path.cPath) == 0 else { throw file.failed("cannot give the file its name", errno) }
    }

    /// Lets the file and the one under its name change places, so that what goes can be looked at once more when nobody can put another in
    /// its place.
    ///
    /// - Returns: false where the file system can't, or nothing is there any more.
    private func exchange(_ temporary: String) throws(AlpacaError) -> Bool {
        guard unsafe system_exchange(temporary.cPath, path.cPath) == 0 else {
            guard [EINVAL, ENOSYS, EOPNOTSUPP, ENOENT].contains(errno) else { throw file.failed("cannot give the file its name", errno) }
            return false
        }
        do throws(AlpacaError) {
            try WriteTarget.checkOwn(temporary, own)
        } catch {
            unsafe _ = system_exchange(temporary.cPath, path.cPath)
            throw error
        }
        unsafe _ = unlink(temporary.cPath)
        return true
    }
}

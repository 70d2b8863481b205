/// A stretch of a file: all of it, or a member of an archive that lies in it as it is. Offsets count from its start.
package struct FileRegion: Sendable {
    package let file: InputFile
    /// Where the stretch begins in the file.
    package let start: Int
    package let count: Int
    /// What messages call it: the file's path, for a member of an archive followed by its name.
    package let name: String

    package init(_ file: InputFile) {
        self.file = file
        start = 0
        count = file.size
        name = file.path
    }

    private init(file: InputFile, start: Int, count: Int, name: String) {
        self.file = file
        self.start = start
        self.count = count
        self.name = name
    }

    /// The `count` bytes at `offset`.
    package func region(at offset: Int, count: Int, name: String? = nil) throws(AlpacaError) -> FileRegion {
        try check(offset, count)
        return FileRegion(file: file, start: start + offset, count: count, name: name ?? self.name)
    }

    /// Fills `buffer` with the bytes at `offset`. `what` they are is told when the file has become shorter.
    @unsafe package func read(
        at offset: Int, into buffer: UnsafeMutableRawBufferPointer, of what: @autoclosure () -> String = "it"
    ) throws(AlpacaError) {
        try check(offset, buffer.count)
        // Bound: start + offset + buffer.count <= the file's size, as was checked here and when the region was made.
        guard try unsafe file.read(at: start + offset, into: buffer) == buffer.count else {
            throw AlpacaError(.truncated, path: name, "the file became shorter while \(what()) was read")
        }
    }

    package func bytes(at offset: Int, count: Int) throws(AlpacaError) -> [UInt8] {
        try check(offset, count)
        return try file.bytes(at: start + offset, count: count)
    }

    private func check(_ offset: Int, _ count: Int) throws(AlpacaError) {
        guard offset >= 0, count >= 0, offset <= self.count, count <= self.count - offset else {
            throw AlpacaError(.truncated, path: name, "\(count) bytes at byte \(offset) asked for, there are \(self.count)")
        }
    }
}

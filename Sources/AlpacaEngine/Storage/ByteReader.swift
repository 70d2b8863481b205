/// Reads a file's header from front to back, little-endian, through a small window filled by `pread`: a header of any length takes little
/// memory, and every count is checked against the bytes that are left before anything is allocated for it.
package struct ByteReader: ~Copyable {
    package let file: InputFile
    /// The next byte to be read.
    package private(set) var position: Int
    /// Where reading ends: the file's size, or less.
    package let end: Int

    private var window: [UInt8] = []
    private var windowStart = 0
    private static let windowSize = 1 << 18

    package init(_ file: InputFile, from position: Int = 0, end: Int? = nil) {
        self.file = file
        self.position = max(0, position)
        self.end = min(end ?? file.size, file.size)
    }

    package var remaining: Int { max(0, end - position) }

    /// An integer of its natural size.
    package mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_ field: @autoclosure () -> String) throws(AlpacaError) -> T {
        try need(MemoryLayout<T>.size, field())
        try fill(MemoryLayout<T>.size)
        let at = position - windowStart
        position += MemoryLayout<T>.size
        var result: T = 0
        // Bound: fill() put at least size bytes from `at` on into the window.
        for i in 0..<MemoryLayout<T>.size {
            result |= T(truncatingIfNeeded: window[at + i]) << T(truncatingIfNeeded: 8 * i)
        }
        return result
    }

    package mutating func readFloat(_ field: @autoclosure () -> String) throws(AlpacaError) -> Float {
        Float(bitPattern: try read(field()))
    }

    package mutating func readDouble(_ field: @autoclosure () -> String) throws(AlpacaError) -> Double {
        Double(bitPattern: try read(field()))
    }

    /// A count of items of which each takes at least `minimumBytesEach` bytes of what follows.
    package mutating func count<T: FixedWidthInteger & BitwiseCopyable>(
        as type: T.Type, _ field: @autoclosure () -> String, minimumBytesEach: Int
    ) throws(AlpacaError) -> Int {
        let at = position
        let raw: T = try read(field())
        let most = remaining / max(1, minimumBytesEach)
        guard let count = Int(exactly: raw), count >= 0, count <= most else {
            throw AlpacaError(
                .badFormat, "\(field()) at byte \(at): found \(raw), at most \(most) fit in the rest of the file")
        }
        return count
    }

    /// The next `count` bytes.
    package mutating func bytes(_ count: Int, _ field: @autoclosure () -> String) throws(AlpacaError) -> [UInt8] {
        try need(count, field())
        if count <= ByteReader.windowSize {
            try fill(count)
            let at = position - windowStart
            position += count
            try LargeMemory.ask(count, for: field())
            return Array(window[at..<at + count])
        }
        let result = try file.bytes(at: position, count: count)
        position += count
        return result
    }

    /// The next `count` bytes, put at the end of `target`: for lists of many short strings, without an allocation for each.
    package mutating func append(_ count: Int, to target: inout [UInt8], _ field: @autoclosure () -> String) throws(AlpacaError) {
        try need(count, field())
        try target.makeRoom(for: count, of: field())
        if count <= ByteReader.windowSize {
            try fill(count)
            let at = position - windowStart
            target.append(contentsOf: window[at..<at + count])
        } else {
            target.append(contentsOf: try file.bytes(at: position, count: count))
        }
        position += count
    }

    package mutating func skip(_ count: Int, _ field: @autoclosure () -> String) throws(AlpacaError) {
        try need(count, field())
        position += count
    }

    private func need(_ count: Int, _ field: @autoclosure () -> String) throws(AlpacaError) {
        guard count >= 0, count <= remaining else {
            throw AlpacaError(
                .truncated,
                "\(field()) at byte \(position): needs \(count) bytes, \(remaining) are left (is the file complete?)")
        }
    }

    /// Makes the window hold the next `count` bytes (checked by `need`, at most the window's size).
    private mutating func fill(_ count: Int) throws(AlpacaError) {
        if position >= windowStart, position - windowStart + count <= window.count { return }
        window = try file.bytes(at: position, count: min(ByteReader.windowSize, end - position))
        windowStart = position
    }
}

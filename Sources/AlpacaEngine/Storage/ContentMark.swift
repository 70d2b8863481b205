// What tells a file from another of the same name and size, at the price of two small reads: whoever changes a file changes its beginning or its
// end, or its size. It guards against mistakes, not against forgers.

/// CRC-32 of a file's content: of all of it, or of the first and the last 64 KiB of a large one.
package enum ContentMark {
    private static let edge = 1 << 16

    /// As long as every mark: stands for one that is not known yet.
    package static let placeholder = "00000000"

    package static func of(_ bytes: [UInt8]) -> String {
        guard bytes.count > 2 * edge else { return text([bytes]) }
        return text([Array(bytes.prefix(edge)), Array(bytes.suffix(edge))])
    }

    package static func of(_ file: InputFile) throws(AlpacaError) -> String {
        guard file.size > 2 * edge else { return text([try file.bytes(at: 0, count: file.size)]) }
        return text([try file.bytes(at: 0, count: edge), try file.bytes(at: file.size - edge, count: edge)])
    }

    private static func text(_ parts: [[UInt8]]) -> String {
        var sum = CRC32()
        // Bound: each array's own bytes.
        for part in parts { unsafe part.withUnsafeBytes { unsafe sum.update($0) } }
        let digits = String(sum.value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

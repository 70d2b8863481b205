/// UTF-8, read the way sentencepiece reads it.
package enum UTF8Text {
    /// Where the first byte stands that is no part of UTF-8; nil if all are.
    package static func firstInvalid(_ bytes: some Sequence<UInt8>) -> Int? {
        var parser = UTF8.ForwardParser()
        var rest = bytes.makeIterator()
        var done = 0
        while true {
            switch parser.parseScalar(from: &rest) {
            case .valid(let encoded): done += encoded.count
            case .error: return done
            case .emptyInput: return nil
            }
        }
    }

    /// Whether these are the first bytes of a character whose others are missing.
    package static func isCut(_ end: ArraySlice<UInt8>) -> Bool {
        guard let first = end.first, (0xC2...0xF4).contains(first) else { return false }
        return end.count < (first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2) && end.dropFirst().allSatisfy { $0 & 0xC0 == 0x80 }
    }

    /// The character at `at` and the bytes it takes; a byte that begins none is U+FFFD and takes one byte.
    static func decode(_ bytes: Span<UInt8>, _ at: Int, _ end: Int) -> (scalar: UInt32, length: Int) {
        let first = bytes[at]
        if first < 0x80 { return (UInt32(first), 1) }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard first >= 0xC2, first <= 0xF4, length <= end - at else { return (0xFFFD, 1) }
        var scalar = UInt32(first) & (0x7F >> UInt32(length))
        for i in 1..<length {
            let byte = bytes[at + i]
            guard byte & 0xC0 == 0x80 else { return (0xFFFD, 1) }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        let least: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000
        guard scalar >= least, scalar <= 0x10FFFF, !(0xD800...0xDFFF).contains(scalar) else { return (0xFFFD, 1) }
        return (scalar, length)
    }
}

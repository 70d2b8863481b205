/// One character of a text that is known to be UTF-8.
struct UTF8Character {
    let scalar: UInt32
    /// Its bytes.
    let length: Int

    /// - Parameter at: where it begins.
    @inline(__always) init(_ text: Span<UInt8>, _ at: Int) {
        let first = UInt32(text[at])
        if first < 0x80 {
            scalar = first
            length = 1
        } else if first < 0xE0 {
            scalar = (first & 0x1F) << 6 | UInt32(text[at + 1] & 0x3F)
            length = 2
        } else if first < 0xF0 {
            scalar = (first & 0xF) << 12 | UInt32(text[at + 1] & 0x3F) << 6 | UInt32(text[at + 2] & 0x3F)
            length = 3
        } else {
            let middle = UInt32(text[at + 1] & 0x3F) << 12 | UInt32(text[at + 2] & 0x3F) << 6
            scalar = (first & 0x7) << 18 | middle | UInt32(text[at + 3] & 0x3F)
            length = 4
        }
    }

    /// Where the character before `at` begins.
    static func start(before at: Int, _ text: Span<UInt8>) -> Int {
        var start = at - 1
        while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }
}

extension [UInt8] {
    /// Appends a character in UTF-8.
    mutating func appendCharacter(_ scalar: UInt32) {
        switch scalar {
        case 0..<0x80: append(UInt8(scalar))
        case 0x80..<0x800: self += [0xC0 | UInt8(scalar >> 6), 0x80 | UInt8(scalar & 0x3F)]
        case 0x800..<0x10000: self += [0xE0 | UInt8(scalar >> 12), 0x80 | UInt8(scalar >> 6 & 0x3F), 0x80 | UInt8(scalar & 0x3F)]
        default:
            self += [
                0xF0 | UInt8(truncatingIfNeeded: scalar >> 18), 0x80 | UInt8(scalar >> 12 & 0x3F), 0x80 | UInt8(scalar >> 6 & 0x3F),
                0x80 | UInt8(scalar & 0x3F),
            ]
        }
    }
}

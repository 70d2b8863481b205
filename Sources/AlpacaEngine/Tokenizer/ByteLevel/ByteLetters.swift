/// Byte-level pieces are written in letters, one a byte, so that a vocabulary is text: 0x21 ... 0x7E, 0xA1 ... 0xAC and 0xAE ... 0xFF are
/// the characters of that number, the other 68 in ascending order U+0100 and so on (a blank is Ġ). Source: GPT-2's bytes_to_unicode.
enum ByteLetters {
    static func isItself(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: true
        default: false
        }
    }

    /// The letter of each byte.
    static let letters: [UInt32] = {
        var next: UInt32 = 0x100
        return (0...255).map { number in
            if isItself(UInt8(number)) { return UInt32(number) }
            defer { next += 1 }
            return next
        }
    }()

    /// The byte of each letter below U+0144; nil for what is none.
    private static let bytes: [UInt8?] = {
        var bytes = [UInt8?](repeating: nil, count: 0x144)
        for (byte, letter) in letters.enumerated() { bytes[Int(letter)] = UInt8(byte) }
        return bytes
    }()

    /// The bytes that a piece stands for; nil if it has a character that is no letter.
    static func bytes(of piece: some Sequence<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var first: UInt8 = 0
        // Letters take one or two bytes of UTF-8.
        for byte in piece {
            let letter: UInt32
            if first != 0 {
                guard byte & 0xC0 == 0x80 else { return nil }
                letter = UInt32(first & 0x1F) << 6 | UInt32(byte & 0x3F)
                first = 0
            } else if byte < 0x80 {
                letter = UInt32(byte)
            } else {
                guard (0xC2...0xC5).contains(byte) else { return nil }
                first = byte
                continue
            }
            guard letter < 0x144, let found = bytes[Int(letter)] else { return nil }
            result.append(found)
        }
        return first == 0 ? result : nil
    }

    /// The piece of bytes.
    static func piece(of bytes: some Sequence<UInt8>) -> [UInt8] {
        var piece: [UInt8] = []
        for byte in bytes { piece.appendCharacter(letters[Int(byte)]) }
        return piece
    }
}

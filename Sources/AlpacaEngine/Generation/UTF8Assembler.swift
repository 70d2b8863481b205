/// Turns the bytes of tokens into whole characters: a Chinese character may be spread over three tokens of one byte each.
///
/// Bytes that can still become a character are held back; each byte that no longer can is replaced by U+FFFD, as sentencepiece decodes it.
struct UTF8Assembler {
    private var pending: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    private var pendingCount = 0
    private var needed = 0
    /// The range that the next byte of the character must lie in.
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    /// Whether bytes are held back.
    var isInsideCharacter: Bool { pendingCount > 0 }

    /// Adds `byte` and appends to `output` what is now whole.
    mutating func append(_ byte: UInt8, to output: inout [UInt8]) {
        if needed > 0 {
            if byte >= low, byte <= high {
                store(byte)
                needed -= 1
                (low, high) = (0x80, 0xBF)
                if needed == 0 {
                    output.append(pending.0)
                    output.append(pending.1)
                    if pendingCount > 2 { output.append(pending.2) }
                    if pendingCount > 3 { output.append(pending.3) }
                    pendingCount = 0
                }
                return
            }
            flush(to: &output)
        }
        switch byte {
        case 0x00...0x7F: output.append(byte)
        case 0xC2...0xDF: begin(byte, 1, 0x80, 0xBF)
        case 0xE0: begin(byte, 2, 0xA0, 0xBF)
        case 0xED: begin(byte, 2, 0x80, 0x9F)
        case 0xE1...0xEF: begin(byte, 2, 0x80, 0xBF)
        case 0xF0: begin(byte, 3, 0x90, 0xBF)
        case 0xF4: begin(byte, 3, 0x80, 0x8F)
        case 0xF1...0xF3: begin(byte, 3, 0x80, 0xBF)
        default: UTF8Assembler.appendReplacement(to: &output)
        }
    }

    /// The text ends here: each byte that is held back becomes U+FFFD.
    mutating func flush(to output: inout [UInt8]) {
        for _ in 0..<pendingCount { UTF8Assembler.appendReplacement(to: &output) }
        pendingCount = 0
        needed = 0
        (low, high) = (0x80, 0xBF)
    }

    private mutating func begin(_ byte: UInt8, _ more: Int, _ least: UInt8, _ most: UInt8) {
        pendingCount = 0
        store(byte)
        needed = more
        (low, high) = (least, most)
    }

    private mutating func store(_ byte: UInt8) {
        switch pendingCount {
        case 0: pending.0 = byte
        case 1: pending.1 = byte
        case 2: pending.2 = byte
        default: pending.3 = byte
        }
        pendingCount = min(4, pendingCount + 1)
    }

    private static func appendReplacement(to output: inout [UInt8]) {
        output.append(0xEF)
        output.append(0xBF)
        output.append(0xBD)
    }
}

// The names of files are bytes to the system and text to everything else. Old archives have names in GBK, and disks have names that broke on
// their way: such files are opened like others. A byte that is no part of UTF-8 is a character of its own in the text of a path, and is the
// byte again where the system is called.

import Glibc

/// Paths as text. What is UTF-8 is itself.
public enum PathText {
    /// The byte b, 0x80 ... 0xFF, stands as this + b: the end of Unicode's last private area.
    private static let first: UInt32 = 0x10_FE00

    /// The text of a path's bytes, from which ``bytes(_:)`` makes the same bytes.
    public static func text(_ bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        if let text = String(validating: bytes, as: UTF8.self), isText(text) { return text }
        var text = String.UnicodeScalarView()
        var decoder = UTF8.ForwardParser()
        var rest = bytes.makeIterator()
        var done = 0
        parsing: while true {
            switch decoder.parseScalar(from: &rest) {
            case .valid(let encoded):
                let scalar = UTF8.decode(encoded)
                // A name that really has one of these characters is told apart by its bytes.
                if byte(scalar) == nil { text.append(scalar) } else { append(bytes[done..<done + encoded.count], to: &text) }
                done += encoded.count
            case .error(let length):
                append(bytes[done..<min(done + length, bytes.count)], to: &text)
                done += length
            case .emptyInput: break parsing
            }
        }
        return String(text)
    }

    /// The bytes of a path.
    public static func bytes(_ text: String) -> [UInt8] {
        if isText(text) { return Array(text.utf8) }
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            if let byte = byte(scalar) { bytes.append(byte) } else { bytes += UTF8.encode(scalar).map(Array.init) ?? [] }
        }
        return bytes
    }

    /// Whether the text has no byte that is no part of UTF-8.
    public static func isText(_ text: String) -> Bool {
        // Such a character's first byte; hardly any other has it.
        guard text.utf8.contains(0xF4) else { return true }
        return !text.unicodeScalars.contains { byte($0) != nil }
    }

    /// The text for people: such bytes as `\xC4`.
    public static func shown(_ text: String) -> String {
        if isText(text) { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            if let byte = byte(scalar) {
                shown += "\\x" + String(byte, radix: 16, uppercase: true)
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    private static func byte(_ scalar: Unicode.Scalar) -> UInt8? {
        guard scalar.value >= first + 0x80, let byte = UInt8(exactly: scalar.value - first) else { return nil }
        return byte
    }

    private static func append(_ bytes: ArraySlice<UInt8>, to text: inout String.UnicodeScalarView) {
        for byte in bytes {
            if let scalar = Unicode.Scalar(first + UInt32(byte)) { text.append(scalar) }
        }
    }
}

extension String {
    /// The path for a call of the system: its bytes and a closing zero.
    package var cPath: [CChar] { PathText.bytes(self).map { CChar(bitPattern: $0) } + [0] }

    /// The path that the system gave.
    @unsafe package init(cPath pointer: UnsafePointer<CChar>) {
        // Bound: the system ends it with a zero byte.
        self = PathText.text(unsafe UnsafeBufferPointer(start: pointer, count: strlen(pointer)).map { UInt8(bitPattern: $0) })
    }
}

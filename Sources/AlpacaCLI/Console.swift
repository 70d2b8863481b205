import Glibc

/// Standard output and error: whole writes, no buffer, colours only where a person looks.
enum Console {
    static let outputIsTerminal = isatty(1) == 1
    static let inputIsTerminal = isatty(0) == 1
    static let errorIsTerminal = isatty(2) == 1
    private static let colours = getenv("NO_COLOR") == nil

    static func print(_ text: String, terminator: String = "\n") { write(text + terminator, to: 1) }
    static func error(_ text: String) { write(text + "\n", to: 2) }
    static func status(_ text: String) { write(text, to: 2) }

    /// Writes bytes as they are; false when nobody reads any more.
    @discardableResult
    static func write(bytes: Span<UInt8>, to descriptor: Int32 = 1) -> Bool {
        bytes.withUnsafeBufferPointer { buffer in
            var done = 0
            while done < buffer.count, let base = buffer.baseAddress {
                let count = Glibc.write(descriptor, base + done, buffer.count - done)
                if count < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                done += count
            }
            return true
        }
    }

    @discardableResult
    static func write(_ text: String, to descriptor: Int32) -> Bool {
        let bytes = Array(text.utf8)
        return write(bytes: bytes.span, to: descriptor)
    }

    static func dim(_ text: String, on terminal: Bool) -> String { terminal && colours ? "\u{1B}[2m\(text)\u{1B}[0m" : text }
    static func bold(_ text: String, on terminal: Bool) -> String { terminal && colours ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

    /// All of standard input.
    static func readAll() -> [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(0, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return result }
            result += buffer[..<count]
        }
    }

    static func exit(_ status: Int32) -> Never {
        Glibc.exit(status)
    }
}

// Text from files, from standard input and from arguments, by one rule, so that the same bytes are the same text:
//
// - It is UTF-8. What is not is refused, with the place of the first byte that isn't.
// - Of a text that an importance matrix is measured on a character that its end cuts is dropped, with a warning: such texts are often the
//   first bytes of longer ones.
// - A byte order mark at its beginning is dropped.
// - In prompts, and in what is tokenized, a line ends with a line feed: carriage returns in front of line feeds are dropped, and so is one
//   line end at the end of the text, which `echo` and editors put there. A text that is measured (perplexity, imatrix) keeps them all.

import AlpacaEngine
import Glibc

enum TextInput {
    static let standardInput = "standard input"

    /// What errors call the file of a path.
    static func name(of path: String) -> String { path == "-" ? standardInput : path }

    /// The prompt in a file, which may be a pipe; `-` is standard input.
    static func prompt(file path: String) throws -> String {
        path == "-" ? try promptFromStandardInput() : prompt(try text(try bytes(ofFile: path), of: path))
    }

    static func promptFromStandardInput() throws -> String {
        prompt(try text(try bytes(of: 0, as: standardInput), of: standardInput))
    }

    /// A text as a prompt: with plain line ends, without the last one.
    static func prompt(_ text: String) -> String {
        var bytes = Array(text.utf8)
        if bytes.starts(with: mark) { bytes.removeFirst(mark.count) }
        if bytes.contains(carriageReturn) {
            var plain: [UInt8] = []
            plain.reserveCapacity(bytes.count)
            for (index, byte) in bytes.enumerated() {
                let endsLine = byte == carriageReturn && index + 1 < bytes.count && bytes[index + 1] == lineFeed
                if !endsLine { plain.append(byte) }
            }
            bytes = plain
        }
        if bytes.last == lineFeed { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// All of a file's text as it is, but for a byte order mark; `-` is standard input.
    static func text(file path: String) throws -> String {
        let name = name(of: path)
        return try text(path == "-" ? try bytes(of: 0, as: name) : try bytes(ofFile: path), of: name)
    }

    /// The same of a text that an importance matrix is measured on: a character that its end cuts is dropped.
    static func calibrationText(file path: String) throws -> String {
        let name = name(of: path)
        var bytes = path == "-" ? try bytes(of: 0, as: name) : try bytes(ofFile: path)
        if let cut = UTF8Text.firstInvalid(bytes), UTF8Text.isCut(bytes[cut...]) {
            let left = bytes.count - cut
            let what = left == 1 ? "byte is" : "\(left) bytes are"
            Console.warn("\(PathText.shown(name)): its end cuts a character: the last \(what) left out")
            bytes.removeSubrange(cut...)
        }
        return try text(bytes, of: name)
    }

    /// - Parameter name: what messages call the place that the bytes come from.
    static func text(_ bytes: [UInt8], of name: String) throws(AlpacaError) -> String {
        let start = bytes.starts(with: mark) ? mark.count : 0
        if let text = String(validating: bytes[start...], as: UTF8.self) { return text }
        let place = UTF8Text.firstInvalid(bytes) ?? start
        let isUTF16 = bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
        let advice = isUTF16 ? "; it begins like UTF-16, which `iconv -f UTF-16 -t UTF-8` makes UTF-8" : ""
        throw AlpacaError(.badFormat, path: name, "not UTF-8 at byte \(place)\(advice)")
    }

    /// More is no text that somebody wants to be read: an endless pipe, a device.
    private static let mostBytes = 1 << 30
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let lineFeed = UInt8(ascii: "\n")

    // MARK: Bytes

    /// All bytes of a file or pipe.
    static func bytes(ofFile path: String) throws(AlpacaError) -> [UInt8] {
        let descriptor = open(path.cPath, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else {
            let code: AlpacaError.Code = errno == ENOENT || errno == ENOTDIR ? .notFound : .io
            throw AlpacaError(code, path: path, "cannot open: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        return try bytes(of: descriptor, as: path)
    }

    /// All bytes that are still to come.
    static func bytes(of descriptor: Int32, as name: String) throws(AlpacaError) -> [UInt8] {
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            throw AlpacaError(.io, path: name, "found a folder, expected a text file")
        }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = try read(descriptor, &buffer, as: name), count > 0 {
            guard result.count + count <= mostBytes else {
                throw AlpacaError(.unsupported, path: name, "more than \(mostBytes >> 20) MiB of text")
            }
            try result.makeRoom(for: count, of: name)
            result += buffer[..<count]
        }
        return result
    }

    /// Reads what there is, and waits for it where the descriptor is one that doesn't; 0 at the end.
    private static func read(_ descriptor: Int32, _ buffer: inout [UInt8], as name: String) throws(AlpacaError) -> Int {
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count >= 0 { return count }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&ready, 1, -1)
            default: throw AlpacaError(.io, path: name, "cannot read: \(String(cString: strerror(errno)))")
            }
        }
    }

    /// Standard input, line by line.
    struct Lines {
        private var waiting: [UInt8] = []
        private var start = 0
        private var isAtEnd = false
        private var buffer = [UInt8](repeating: 0, count: 1 << 12)
        private(set) var number = 0

        /// The next line without its end; nil after the last one.
        mutating func next() throws(AlpacaError) -> [UInt8]? {
            var searched = start
            while true {
                if let end = waiting[searched...].firstIndex(of: lineFeed) {
                    defer { start = end + 1 }
                    return line(waiting[start..<end])
                }
                guard !isAtEnd else {
                    guard start < waiting.count else { return nil }
                    defer { start = waiting.count }
                    return line(waiting[start...])
                }
                waiting.removeFirst(start)
                start = 0
                searched = waiting.count
                let count = try TextInput.read(0, &buffer, as: standardInput)
                isAtEnd = count == 0
                try waiting.makeRoom(for: count, of: standardInput)
                waiting += buffer[..<count]
            }
        }

        private mutating func line(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
            number += 1
            var bytes = bytes
            if number == 1, bytes.starts(with: mark) { bytes.removeFirst(mark.count) }
            if bytes.last == carriageReturn { bytes.removeLast() }
            return Array(bytes)
        }
    }
}

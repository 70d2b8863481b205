// The parser behind JSONDocument: one loop with a stack of open containers, strict in what RFC 8259 demands. A byte order mark is skipped
// (Windows editors write one), `NaN` and `Infinity` (which Python writes) are refused.

struct JSONParser {
    private(set) var nodes: [JSONNode] = []
    private(set) var text: [UInt8] = []

    private let bytes: [UInt8]
    private let limits: JSONDocument.Limits
    private var at = 0
    private var open: [Int] = []
    private var key: Range<Int> = 0..<0

    /// Digits, sign and exponent of a number together. Numbers that people and programs mean have fewer than 400.
    private static let longestNumber = 1_000

    /// - Parameter bytes: at most 2^30 of them.
    init(_ bytes: [UInt8], limits: JSONDocument.Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parse() throws(AlpacaError) {
        // No string is longer than it is spelled.
        try text.makeRoom(for: bytes.count, of: "JSON")
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
        if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) {
            throw AlpacaError(.badFormat, "found UTF-16, expected JSON in UTF-8")
        }
        repeat {
            try value()
            try afterValue()
        } while !open.isEmpty
        skipBlanks()
        guard at == bytes.count else { throw found("the end of the text") }
    }

    /// Reads a value, or the beginning of a container that is not empty, up to where its first element's value begins.
    private mutating func value() throws(AlpacaError) {
        while true {
            skipBlanks()
            switch current {
            case UInt8(ascii: "{"):
                try openContainer(.object)
                if take(UInt8(ascii: "}")) { return try close() }
                try readKey()
            case UInt8(ascii: "["):
                try openContainer(.array)
                if take(UInt8(ascii: "]")) { return try close() }
            case UInt8(ascii: "\""):
                let range = try string()
                return try add(.string, JSONNode.pair(range.lowerBound, range.count))
            case UInt8(ascii: "-"): return try number()
            case UInt8(ascii: "t"): return try literal("true", .bool, 1)
            case UInt8(ascii: "f"): return try literal("false", .bool, 0)
            case UInt8(ascii: "n"): return try literal("null", .null, 0)
            default:
                guard isDigit else { throw found(notANumber ?? "a value") }
                return try number()
            }
        }
    }

    /// Closes what ends here and stops where another value begins, or when nothing is open.
    private mutating func afterValue() throws(AlpacaError) {
        while let container = open.last {
            let isObject = nodes[container].kind == .object
            skipBlanks()
            if take(UInt8(ascii: ",")) {
                if isObject { try readKey() }
                return
            }
            guard take(UInt8(ascii: isObject ? "}" : "]")) else { throw found(isObject ? "\",\" or \"}\"" : "\",\" or \"]\"") }
            try close()
        }
    }

    // MARK: Containers

    private mutating func openContainer(_ kind: JSONNode.Kind) throws(AlpacaError) {
        guard open.count < limits.depth else {
            throw AlpacaError(.badFormat, "\(place): nested deeper than \(limits.depth) levels")
        }
        try add(kind, 0)
        open.append(nodes.count - 1)
        at += 1
        skipBlanks()
    }

    private mutating func close() throws(AlpacaError) {
        guard let container = open.popLast() else { return }
        // Below: the children's places, and their keys' twice.
        try LargeMemory.ask(nodes.count - container, of: 40, for: "JSON")
        var children: [Int] = []
        var child = container + 1
        while child < nodes.count {
            children.append(child)
            child = nodes[child].isContainer ? nodes[child].low : child + 1
        }
        nodes[container].payload = JSONNode.pair(children.count, nodes.count)
        if nodes[container].kind == .object { try checkKeys(children) }
    }

    /// Sorts the keys of an object: equal ones then stand side by side. Takes n log n steps whatever the keys are.
    private func checkKeys(_ children: [Int]) throws(AlpacaError) {
        guard children.count > 1 else { return }
        let ranges = children.map { nodes[$0].keyRange }.sorted { a, b in
            a.count != b.count ? a.count < b.count : text[a].lexicographicallyPrecedes(text[b])
        }
        for (a, b) in zip(ranges, ranges.dropFirst()) where a.count == b.count && text[a] == text[b] {
            throw AlpacaError(.badFormat, "the object that ends at \(place) has the key \(text[a].quoted()) twice")
        }
    }

    private mutating func readKey() throws(AlpacaError) {
        skipBlanks()
        guard current == UInt8(ascii: "\"") else { throw found("a key in quotation marks") }
        key = try string()
        skipBlanks()
        guard take(UInt8(ascii: ":")) else { throw found("\":\"") }
    }

    private mutating func add(_ kind: JSONNode.Kind, _ payload: UInt64) throws(AlpacaError) {
        guard nodes.count < limits.values else { throw AlpacaError(.badFormat, "\(place): more than \(limits.values) values") }
        try nodes.makeRoom(for: 1, of: "JSON")
        // All three are below 2^30: places in a text of at most that size, and numbers of values bounded by the limit.
        nodes.append(
            JSONNode(
                kind: kind, parent: UInt32(truncatingIfNeeded: open.last ?? 0), keyStart: UInt32(truncatingIfNeeded: key.lowerBound),
                keyLength: UInt32(truncatingIfNeeded: key.count), payload: payload))
        key = 0..<0
    }

    // MARK: Scalars

    private mutating func literal(_ word: StaticString, _ kind: JSONNode.Kind, _ payload: UInt64) throws(AlpacaError) {
        for byte in word.description.utf8 { guard take(byte) else { throw found("\(word)") } }
        try add(kind, payload)
    }

    /// What to expect in place of what Python's `json` writes for numbers that aren't.
    private var notANumber: String? {
        let words = ["NaN", "Infinity"]
        guard let word = words.first(where: { bytes[at...].starts(with: $0.utf8) }) else { return nil }
        return "a number: \(word) is none, and no JSON"
    }

    private mutating func number() throws(AlpacaError) {
        let start = at
        let negative = take(UInt8(ascii: "-"))
        var integer: Int64? = 0
        if !take(UInt8(ascii: "0")) {
            guard isDigit else { throw found(notANumber ?? "a digit") }
            while isDigit, let digit = current {
                // Accumulated below zero, where there is one number more.
                let (tens, overflow) = (integer ?? 0).multipliedReportingOverflow(by: 10)
                let (next, overflow2) = tens.subtractingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
                integer = integer == nil || overflow || overflow2 ? nil : next
                at += 1
            }
        }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            guard isDigit else { throw found("a digit") }
            while isDigit { at += 1 }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard isDigit else { throw found("a digit") }
            while isDigit { at += 1 }
        }
        guard at - start <= JSONParser.longestNumber else {
            throw AlpacaError(.badFormat, "\(place): a number of \(at - start) characters, expected at most \(JSONParser.longestNumber)")
        }
        if isInteger, let integer, negative ? integer != 0 : integer != Int64.min {
            return try add(.int, UInt64(bitPattern: negative ? integer : -integer))
        }
        let spelled = String(decoding: bytes[start..<at], as: UTF8.self)
        guard let value = Double(spelled), value.isFinite else {
            throw AlpacaError(.badFormat, "\(place): the number \(spelled.quoted(limit: 40)) is out of range")
        }
        try add(.double, value.bitPattern)
    }

    /// Reads a string with its quotation marks; gives its place in ``text``.
    private mutating func string() throws(AlpacaError) -> Range<Int> {
        let start = text.count
        var isASCII = true
        at += 1
        while let byte = current {
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                if !isASCII { try checkUTF8(from: start) }
                return start..<text.count
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20:
                at -= 1
                throw found("an escaped character (control characters may not stand in a string)")
            default:
                isASCII = isASCII && byte < 0x80
                text.append(byte)
            }
        }
        throw found("the end of a string")
    }

    private mutating func escape() throws(AlpacaError) {
        guard let byte = current else { throw found("the end of a string") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            var code = try hex()
            if code & 0xfc00 == 0xd800 {
                // The first half of a pair of surrogates: the second has to follow.
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw found("the second half of a surrogate pair") }
                let second = try hex()
                guard second & 0xfc00 == 0xdc00 else { throw found("the second half of a surrogate pair") }
                code = 0x1_0000 + (code & 0x3ff) << 10 + second & 0x3ff
            }
            guard let scalar = Unicode.Scalar(code) else { throw found("a character (half of a surrogate pair is none)") }
            text.append(contentsOf: String(Character(scalar)).utf8)
        default:
            at -= 1
            throw found("one of \" \\ / b f n r t u after a backslash")
        }
    }

    private mutating func hex() throws(AlpacaError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw found("a hexadecimal digit") }
            code = code << 4 | UInt32(digit)
            at += 1
        }
        return code
    }

    private func checkUTF8(from start: Int) throws(AlpacaError) {
        guard (try? UTF8Span(validating: text.span.extracting(start..<text.count))) != nil else {
            throw AlpacaError(.badFormat, "\(place): the string that ends here is not valid UTF-8")
        }
    }

    // MARK: Bytes

    private var current: UInt8? { at < bytes.count ? bytes[at] : nil }

    private var isDigit: Bool { current.map { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ?? false }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        at += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at += 1 }
    }

    private func found(_ expected: String) -> AlpacaError {
        guard let byte = current else {
            return AlpacaError(.truncated, "\(place): found the end of the text, expected \(expected) (is the file complete?)")
        }
        let what = byte < 0x80 ? [byte].quoted() : "byte \(byte)"
        return AlpacaError(.badFormat, at: place, found: what, expected: expected)
    }

    private var place: String {
        let before = bytes[..<at]
        let line = before.reduce(1) { $1 == 0x0a ? $0 + 1 : $0 }
        let column = at - (before.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0) + 1
        return "line \(line), column \(column)"
    }
}

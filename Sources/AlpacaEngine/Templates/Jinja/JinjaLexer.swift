/// Cuts a template into words, with `trim_blocks` and `lstrip_blocks` as transformers has them: a line end behind `%}` or `#}` is dropped,
/// and so are blanks before `{%` or `{#` where nothing else stands before it on the line. `-` drops all blanks on its side, `+` keeps them.
struct JinjaLexer {
    private let source: [Unicode.Scalar]
    private var at = 0
    private var line = 1
    /// What was read last ended a line.
    private var atLineStart = true
    private var open: [Unicode.Scalar] = []
    private var tokens: [JinjaToken] = []

    /// Line ends become "\n"; one at the end is dropped.
    private init(_ text: String) {
        var scalars: [Unicode.Scalar] = []
        scalars.reserveCapacity(text.utf8.count)
        var wasReturn = false
        for scalar in text.unicodeScalars {
            if !(scalar == "\n" && wasReturn) { scalars.append(scalar == "\r" ? "\n" : scalar) }
            wasReturn = scalar == "\r"
        }
        if scalars.last == "\n" { scalars.removeLast() }
        source = scalars
    }

    static func tokens(of text: String) throws(AlpacaError) -> [JinjaToken] {
        var lexer = JinjaLexer(text)
        while lexer.at < lexer.source.count { try lexer.root() }
        lexer.add(.end)
        return lexer.tokens
    }

    // MARK: Between tags

    private mutating func root() throws(AlpacaError) {
        var begin = at
        while begin < source.count && !(source[begin] == "{" && ["{", "%", "#"].contains(peek(begin + 1))) { begin += 1 }
        guard begin < source.count else {
            addData(at..<source.count)
            return move(to: source.count)
        }
        let kind = peek(begin + 1)
        let sign = peek(begin + 2)
        let hasSign = sign == "-" || sign == "+"
        addData(at..<kept(at..<begin, before: sign, isOutput: kind == "{"))
        move(to: begin)
        let inside = begin + (hasSign ? 3 : 2)
        if kind == "#" { return try comment(from: inside) }
        if kind == "%", let raw = rawBegin(from: inside) { return try rawText(from: raw) }
        add(kind == "{" ? .outputBegin : .blockBegin)
        move(to: inside)
        try tag(isOutput: kind == "{")
    }

    /// The end of what is kept of the text before a tag.
    private func kept(_ text: Range<Int>, before sign: Unicode.Scalar?, isOutput: Bool) -> Int {
        var end = text.upperBound
        if sign == "-" {
            while end > text.lowerBound && source[end - 1].isPythonSpace { end -= 1 }
            return end
        }
        guard sign != "+", !isOutput else { return end }
        while end > text.lowerBound && source[end - 1] != "\n" {
            guard source[end - 1].isPythonSpace else { return text.upperBound }
            end -= 1
        }
        return end > text.lowerBound || atLineStart ? end : text.upperBound
    }

    private mutating func comment(from start: Int) throws(AlpacaError) {
        var end = start
        while end < source.count && !(source[end] == "#" && peek(end + 1) == "}") { end += 1 }
        guard end < source.count else { throw error("the template ends inside a comment") }
        close(at: end, sign: end > start ? source[end - 1] : nil)
    }

    /// Goes on behind the tag that ends at `end` with two characters.
    private mutating func close(at end: Int, sign: Unicode.Scalar?) {
        var next = end + 2
        if sign == "-" {
            while next < source.count && source[next].isPythonSpace { next += 1 }
        } else if sign != "+", peek(next) == "\n" {
            next += 1
        }
        move(to: next)
        atLineStart = source[next - 1] == "\n"
    }

    /// The place behind `raw %}`, nil where another tag begins at `start`.
    private func rawBegin(from start: Int) -> Int? {
        var next = skipBlanks(start)
        guard word("raw", at: next) else { return nil }
        next = skipBlanks(next + 3)
        if peek(next) == "-", peek(next + 1) == "%", peek(next + 2) == "}" { return skipBlanks(next + 3) }
        return peek(next) == "%" && peek(next + 1) == "}" ? next + 2 : nil
    }

    private mutating func rawText(from start: Int) throws(AlpacaError) {
        atLineStart = source[start - 1] == "\n"
        move(to: start)
        var begin = start
        while begin < source.count {
            if source[begin] == "{", peek(begin + 1) == "%" {
                let sign = peek(begin + 2)
                var next = skipBlanks(begin + (sign == "-" || sign == "+" ? 3 : 2))
                if word("endraw", at: next) {
                    next = skipBlanks(next + 6)
                    let endSign = peek(next)
                    if endSign == "-" || endSign == "+" { next += 1 }
                    if peek(next) == "%", peek(next + 1) == "}" {
                        addData(start..<kept(start..<begin, before: sign, isOutput: false))
                        return close(at: next, sign: endSign)
                    }
                }
            }
            begin += 1
        }
        throw error("the template ends inside a raw block")
    }

    private func word(_ word: String, at start: Int) -> Bool {
        var next = start
        for scalar in word.unicodeScalars {
            guard peek(next) == scalar else { return false }
            next += 1
        }
        return true
    }

    private func skipBlanks(_ start: Int) -> Int {
        var next = start
        while next < source.count && source[next].isPythonSpace { next += 1 }
        return next
    }

    // MARK: Inside tags

    private mutating func tag(isOutput: Bool) throws(AlpacaError) {
        let closing: Unicode.Scalar = isOutput ? "}" : "%"
        open = []
        while true {
            move(to: skipBlanks(at))
            guard at < source.count else { throw error("the template ends inside \(isOutput ? "{{ }}" : "{% %}")") }
            if open.isEmpty {
                let sign = peek(at)
                let end = sign == "-" || (sign == "+" && !isOutput) ? at + 1 : at
                if peek(end) == closing, peek(end + 1) == "}" {
                    add(isOutput ? .outputEnd : .blockEnd)
                    // Behind }} a line end stays.
                    return close(at: end, sign: end > at ? sign : isOutput ? "+" : nil)
                }
            }
            try oneToken()
        }
    }

    private mutating func oneToken() throws(AlpacaError) {
        let scalar = source[at]
        switch scalar {
        case "'", "\"": try string(scalar)
        case "0"..."9": try number()
        case _ where scalar == "_" || scalar.properties.isXIDStart: name()
        default: try symbol(scalar)
        }
    }

    private mutating func name() {
        let start = at
        while let scalar = peek(at), scalar == "_" || scalar.properties.isXIDContinue { at += 1 }
        add(.name(text(start..<at)))
    }

    private mutating func symbol(_ scalar: Unicode.Scalar) throws(AlpacaError) {
        if let next = peek(at + 1) {
            let pair = text(at..<at + 2)
            _ = next
            if ["**", "//", "==", "!=", "<=", ">="].contains(pair) {
                add(.symbol(pair))
                return move(to: at + 2)
            }
        }
        switch scalar {
        case "(", "[", "{": open.append(scalar == "(" ? ")" : scalar == "[" ? "]" : "}")
        case ")", "]", "}":
            guard let expected = open.popLast() else { throw error("found \(text(at..<at + 1).quoted()), which closes nothing") }
            guard expected == scalar else {
                throw error("found \(text(at..<at + 1).quoted()), expected \(String(Character(expected)).quoted())")
            }
        case "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",": break
        default: throw error("found \(text(at..<at + 1).quoted()), which is no part of an expression")
        }
        add(.symbol(text(at..<at + 1)))
        move(to: at + 1)
    }

    private mutating func number() throws(AlpacaError) {
        let start = at
        let afterDot = start > 0 && source[start - 1] == "."
        if source[start] == "0", let letter = peek(start + 1), let radix = ["b": 2, "o": 8, "x": 16][letter.properties.lowercaseMapping] {
            at += 2
            let digits = digitRun { $0.properties.isASCIIHexDigit }
            guard let value = Int128(digits, radix: radix) else { throw error("found the number \(text(start..<at).quoted(limit: 40))") }
            return add(.integer(value))
        }
        let whole = digitRun { ("0"..."9").contains($0) }
        let afterWhole = at
        var fraction = "", exponent = ""
        if !afterDot {
            if peek(at) == ".", let next = peek(at + 1), ("0"..."9").contains(next) {
                at += 1
                fraction = "." + digitRun { ("0"..."9").contains($0) }
            }
            if peek(at) == "e" || peek(at) == "E" {
                let sign = peek(at + 1)
                let hasSign = sign == "+" || sign == "-"
                if let digit = peek(at + (hasSign ? 2 : 1)), ("0"..."9").contains(digit) {
                    at += hasSign ? 2 : 1
                    exponent = "e" + (sign == "-" ? "-" : "") + digitRun { ("0"..."9").contains($0) }
                }
            }
        }
        if at > afterWhole {
            guard let value = Double(whole + fraction + exponent) else {
                throw error("found the number \(text(start..<at).quoted(limit: 40))")
            }
            return add(.float(value))
        }
        guard whole.utf8.first != UInt8(ascii: "0") || whole.utf8.allSatisfy({ $0 == UInt8(ascii: "0") }) else {
            throw error("found the number \(whole.quoted(limit: 40)), which begins with 0")
        }
        guard let value = Int128(whole) else {
            throw AlpacaError(
                .unsupported, at: "line \(line)", found: "the number \(whole.quoted(limit: 40))", expected: "one of at most 127 bits")
        }
        add(.integer(value))
    }

    /// Digits with single underscores between them, which are left out.
    private mutating func digitRun(_ isDigit: (Unicode.Scalar) -> Bool) -> String {
        var digits = String.UnicodeScalarView()
        while let scalar = peek(at) {
            if isDigit(scalar) {
                digits.append(scalar)
            } else if scalar != "_" || !(peek(at + 1).map(isDigit) ?? false) || digits.isEmpty {
                break
            }
            at += 1
        }
        return String(digits)
    }

    private mutating func string(_ quote: Unicode.Scalar) throws(AlpacaError) {
        var next = at + 1
        let start = next
        while next < source.count, source[next] != quote { next += source[next] == "\\" ? 2 : 1 }
        guard next < source.count else { throw error("the template ends inside a string") }
        let scalars = try JinjaEscapes.read(source[start..<next], line: line)
        add(.string(scalars))
        move(to: next + 1)
    }

    // MARK: Places

    private func peek(_ index: Int) -> Unicode.Scalar? { index < source.count ? source[index] : nil }

    private func text(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: source[range])
        return String(view)
    }

    private mutating func move(to next: Int) {
        if next > at {
            for index in at..<next where source[index] == "\n" { line += 1 }
        }
        at = next
    }

    private mutating func add(_ kind: JinjaToken.Kind) { tokens.append(JinjaToken(kind: kind, line: line)) }

    private mutating func addData(_ range: Range<Int>) {
        if !range.isEmpty { add(.data(Array(source[range]))) }
    }

    private func error(_ sentence: String) -> AlpacaError { AlpacaError(.badFormat, sentence).inContext("line \(line)") }
}

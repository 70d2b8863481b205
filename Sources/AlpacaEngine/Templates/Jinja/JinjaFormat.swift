/// How a value is written: what stands behind `%` or `:` in a format.
struct JinjaFormatSpec {
    var fill: JinjaText = " "
    /// `<`, `>`, `^`, `=`.
    var align: Unicode.Scalar?
    var sign: Unicode.Scalar?
    var isAlternate = false
    var grouping: String?
    var width = 0
    var precision: Int?
    var type: Unicode.Scalar?
    /// Whether it says anything.
    var isSpecial: Bool {
        align != nil || sign != nil || isAlternate || grouping != nil || width > 0 || precision != nil || type != nil
    }
    /// `%` formats round numbers to whole ones for `d`; `{}` formats refuse them.
    var isPercent = false
}

// Formats of Python, in both kinds. Neither looks at attributes or elements of the values, and widths have limits.
extension JinjaMachine {
    // MARK: %

    /// `"%s is %5.2f" % values`.
    func percentFormat(_ format: JinjaText, _ value: JinjaItem) throws(AlpacaError) -> JinjaText {
        var reader = JinjaFormatReader(format)
        var result = JinjaText()
        var values: [JinjaItem] = [value], isTuple = false
        if case .sequence(let sequence) = value, sequence.kind == .tuple {
            values = sequence.items
            isTuple = true
        }
        var used = 0
        while let plain = reader.plain(until: ["%"]) {
            try step()
            try append(plain, to: &result)
            guard reader.take("%") else { break }
            if reader.take("%") {
                try append("%", to: &result)
                continue
            }
            var name: JinjaText?
            if reader.take("(") {
                name = reader.plain(until: [")"])
                guard reader.take(")") else { throw formatError("a % format has no closing bracket") }
            }
            func next() throws(AlpacaError) -> JinjaItem {
                if let name {
                    guard case .dictionary(let dictionary) = value, let member = dictionary.value(.text(name)) else {
                        throw formatError("a % format names \(name.string.quoted(limit: 40)), which was not given")
                    }
                    return member
                }
                guard used < values.count else { throw formatError("a % format has more places than values") }
                used += 1
                return values[used - 1]
            }
            let spec = try percentSpec(&reader, next)
            try append(try formatted(try next(), spec), to: &result)
        }
        if used < values.count, isTuple || used == 0 {
            // What has elements may name them; whether it does is its own affair.
            let mayBeUnused =
                switch value {
                case .dictionary: true
                case .sequence(let sequence): !isTuple && sequence.kind == .list
                default: false
                }
            guard mayBeUnused else { throw formatError("a % format has fewer places than values") }
        }
        return result
    }

    private func percentSpec(
        _ reader: inout JinjaFormatReader, _ next: () throws(AlpacaError) -> JinjaItem
    ) throws(AlpacaError) -> JinjaFormatSpec {
        var spec = JinjaFormatSpec()
        spec.isPercent = true
        spec.align = ">"
        var isZero = false
        while let flag = reader.takeAny(of: "-+ 0#") {
            switch flag {
            case "-": spec.align = "<"
            case "0": isZero = true
            case "#": spec.isAlternate = true
            default: if spec.sign != "+" { spec.sign = flag }
            }
        }
        func number() throws(AlpacaError) -> Int? {
            guard reader.take("*") else { return reader.number() }
            guard case .integer(let value) = try next() else { throw formatError("the * of a % format is no integer") }
            return Int(clamping: value)
        }
        let width = try number() ?? 0
        if width < 0 { spec.align = "<" }
        spec.width = Int(clamping: width.magnitude)
        if reader.take(".") { spec.precision = max(0, try number() ?? 0) }
        _ = reader.takeAny(of: "hlL")
        guard let type = reader.next() else { throw formatError("a % format ends too early") }
        spec.type = type
        if isZero, spec.align != "<", !"srac".unicodeScalars.contains(type) {
            spec.fill = "0"
            spec.align = "="
        }
        return spec
    }

    // MARK: {}

    /// `"{} and {name:>5}".format(...)`.
    func braceFormat(_ format: JinjaText, _ call: JinjaCall) throws(AlpacaError) -> JinjaText {
        var reader = JinjaFormatReader(format)
        var result = JinjaText()
        var automatic = 0
        while let plain = reader.plain(until: ["{", "}"]) {
            try step()
            try append(plain, to: &result)
            if reader.take("}") {
                guard reader.take("}") else { throw formatError("a format has a single \"}\"") }
                try append("}", to: &result)
                continue
            }
            guard reader.take("{") else { break }
            if reader.take("{") {
                try append("{", to: &result)
                continue
            }
            let field = reader.plain(until: ["!", ":", "}", "{", ".", "["]) ?? JinjaText()
            if reader.isAt(".") || reader.isAt("[") {
                throw AlpacaError(.unsupported, "a format may not look into its values: \(field.string.quoted(limit: 40))")
            }
            var value: JinjaItem
            if field.isEmpty || JinjaCase.isAll("isdigit", field.scalars) {
                let place = field.isEmpty ? automatic : JinjaNumbers.integer(field).map { Int(clamping: $0) } ?? Int.max
                if field.isEmpty { automatic += 1 }
                guard call.positional.indices.contains(place) else { throw formatError("a format has more places than values") }
                value = call.positional[place]
            } else {
                guard let named = call.keywords.first(where: { $0.name == field })?.value else {
                    throw formatError("a format names \(field.string.quoted(limit: 40)), which was not given")
                }
                value = named
            }
            if reader.take("!") {
                switch reader.next() {
                case "s": value = .text(try shown(value))
                case "r", "a": value = .text(try represented(value))
                default: throw formatError("what follows ! in a format is none of s, r, a")
                }
            }
            var spec = JinjaFormatSpec()
            if reader.take(":") { spec = try braceSpec(&reader) }
            guard reader.take("}") else {
                if reader.isAt("{") { throw AlpacaError(.unsupported, "a format inside a format is not supported") }
                throw formatError("a format has no closing bracket")
            }
            try append(try formatted(value, spec), to: &result)
        }
        return result
    }

    private func braceSpec(_ reader: inout JinjaFormatReader) throws(AlpacaError) -> JinjaFormatSpec {
        var spec = JinjaFormatSpec()
        if let (fill, align) = reader.fillAndAlign() {
            spec.fill = fill
            spec.align = align
        } else {
            spec.align = reader.takeAny(of: "<>^=")
        }
        spec.sign = reader.takeAny(of: "+- ")
        spec.isAlternate = reader.take("#")
        if reader.take("0"), spec.align == nil {
            spec.fill = "0"
            spec.align = "="
        }
        spec.width = reader.number() ?? 0
        if let grouping = reader.takeAny(of: ",_") { spec.grouping = String(Character(grouping)) }
        if reader.take(".") {
            guard let precision = reader.number() else { throw formatError("a format has no precision behind its point") }
            spec.precision = precision
        }
        spec.type = reader.takeAny(of: "bcdeEfFgGnosxX%")
        return spec
    }

    func formatError(_ sentence: String) -> AlpacaError { AlpacaError(.invalidArgument, sentence) }
}

/// Goes through a format.
struct JinjaFormatReader {
    private let text: JinjaText
    private var at = 0
    private var isDone = false

    init(_ text: JinjaText) { self.text = text }

    func isAt(_ scalar: Unicode.Scalar) -> Bool { at < text.count && text.scalars[at] == scalar }

    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard isAt(scalar) else { return false }
        at += 1
        return true
    }

    mutating func takeAny(of scalars: String) -> Unicode.Scalar? {
        guard at < text.count, scalars.unicodeScalars.contains(text.scalars[at]) else { return nil }
        at += 1
        return text.scalars[at - 1]
    }

    mutating func next() -> Unicode.Scalar? {
        guard at < text.count else { return nil }
        at += 1
        return text.scalars[at - 1]
    }

    /// The text up to one of `ends` or to the end of the format; nil behind that.
    mutating func plain(until ends: [Unicode.Scalar]) -> JinjaText? {
        guard !isDone else { return nil }
        let start = at
        while at < text.count && !ends.contains(text.scalars[at]) { at += 1 }
        isDone = at == text.count
        return text[start..<at]
    }

    /// Digits; what is too large stays too large.
    mutating func number() -> Int? {
        var value: Int?
        while at < text.count, let digit = Character(text.scalars[at]).wholeNumberValue, text.scalars[at].isASCII {
            value = min((value ?? 0) * 10 + digit, 1 << 40)
            at += 1
        }
        return value
    }

    mutating func fillAndAlign() -> (JinjaText, Unicode.Scalar)? {
        guard at + 1 < text.count, "<>^=".unicodeScalars.contains(text.scalars[at + 1]) else { return nil }
        at += 2
        return (text[at - 2..<at - 1], text.scalars[at - 1])
    }
}

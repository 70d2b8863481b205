// The filter tojson, as transformers defines it: Python's json.dumps, with non-ASCII characters as they are and no HTML escapes.
extension JinjaMachine {
    private struct Style {
        var indent: JinjaText?
        var comma: JinjaText = ", "
        var colon: JinjaText = ": "
        var isASCII = false
        var isSorted = false
    }

    func json(_ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaText {
        var style = Style()
        style.isASCII = arguments.boolean(0, "ensure_ascii")
        switch arguments.value(1, "indent") {
        case nil, .some(.none): break
        case .text(let text)?: style.indent = text
        case let indent?:
            guard case .integer(let width)? = Number(indent) else {
                throw AlpacaError(.invalidArgument, "the indent of \"tojson\" is no number, found \(indent.typeName)")
            }
            style.indent = try repeated(" ", width)
        }
        if style.indent != nil { style.comma = "," }
        if let separators = arguments.value(2, "separators"), !isNone(separators) {
            let parts = try elements(separators)
            guard parts.count == 2, case .text(let comma) = parts[0], case .text(let colon) = parts[1] else {
                throw AlpacaError(.invalidArgument, "the separators of \"tojson\" are not two texts")
            }
            style.comma = comma
            style.colon = colon
        }
        style.isSorted = arguments.boolean(3, "sort_keys")
        var result = JinjaText()
        try write(value, style, "\n", into: &result)
        return result
    }

    private func isNone(_ item: JinjaItem) -> Bool { if case .none = item { true } else { false } }

    /// - Parameter line: what begins a line at this level.
    private func write(_ value: JinjaItem, _ style: Style, _ line: JinjaText, into result: inout JinjaText) throws(AlpacaError) {
        try step()
        switch value {
        case .none: try append("null", to: &result)
        case .boolean(let value): try append(value ? "true" : "false", to: &result)
        case .integer(let value): try append(JinjaText(value.description), to: &result)
        case .float(let value): try append(number(value), to: &result)
        case .text(let text): try append(try quoted(text, style), to: &result)
        case .sequence(let sequence) where sequence.kind == .list || sequence.kind == .tuple:
            try writeAll(sequence.items.count, ("[", "]"), style, line, into: &result) { index, inner, result throws(AlpacaError) in
                try write(sequence.items[index], style, inner, into: &result)
            }
        case .dictionary(let dictionary):
            var order = Array(dictionary.keys.indices)
            if style.isSorted {
                let places = order.map { JinjaItem.integer(Int128($0)) }
                order = []
                for case .integer(let place) in try sorted(places, by: dictionary.keys, isReversed: false) { order.append(Int(place)) }
            }
            try writeAll(order.count, ("{", "}"), style, line, into: &result) { index, inner, result throws(AlpacaError) in
                try append(try key(dictionary.keys[order[index]], style), to: &result)
                try append(style.colon, to: &result)
                try write(dictionary.values[order[index]], style, inner, into: &result)
            }
        case .undefined(let what): throw AlpacaError(.invalidArgument, "\(what): it has no JSON")
        default: throw AlpacaError(.invalidArgument, "a value of type \(value.typeName) has no JSON")
        }
    }

    private func writeAll(
        _ count: Int, _ brackets: (JinjaText, JinjaText), _ style: Style, _ line: JinjaText, into result: inout JinjaText,
        _ writeOne: (Int, JinjaText, inout JinjaText) throws(AlpacaError) -> Void
    ) throws(AlpacaError) {
        try deeper()
        defer { higher() }
        try append(brackets.0, to: &result)
        if count > 0 {
            var inner = line
            if let indent = style.indent { try append(indent, to: &inner) }
            for index in 0..<count {
                if index > 0 { try append(style.comma, to: &result) }
                if style.indent != nil { try append(inner, to: &result) }
                try writeOne(index, inner, &result)
            }
            if style.indent != nil { try append(line, to: &result) }
        }
        try append(brackets.1, to: &result)
    }

    private func number(_ value: Double) -> JinjaText {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return JinjaText(JinjaNumbers.text(value))
    }

    private func key(_ key: JinjaItem, _ style: Style) throws(AlpacaError) -> JinjaText {
        switch key {
        case .text(let text): return try quoted(text, style)
        case .none: return "\"null\""
        case .boolean(let value): return value ? "\"true\"" : "\"false\""
        case .integer(let value): return JinjaText("\"\(value)\"")
        case .float(let value):
            var text: JinjaText = "\""
            text.append(number(value))
            text.append("\"")
            return text
        default: throw AlpacaError(.invalidArgument, "a key of type \(key.typeName) has no JSON")
        }
    }

    private func quoted(_ text: JinjaText, _ style: Style) throws(AlpacaError) -> JinjaText {
        try make(text.cost)
        try step(text.count >> 1)
        var result: JinjaText = "\""
        result.append(
            text.mapped { scalar, _ in
                switch scalar {
                case "\"": "\\\""
                case "\\": "\\\\"
                case "\n": "\\n"
                case "\r": "\\r"
                case "\t": "\\t"
                case "\u{8}": "\\b"
                case "\u{c}": "\\f"
                case "\u{0}"..<" ": Self.escape(scalar.value)
                default: style.isASCII && scalar.value > 0x7e ? Self.escape(scalar.value) : String(Character(scalar))
                }
            })
        result.append("\"")
        return result
    }

    /// Characters beyond 16 bits as two halves. Python escapes DEL with the others when all must be ASCII, but not otherwise.
    private static func escape(_ value: UInt32) -> String {
        func unit(_ value: UInt32) -> String {
            let digits = String(value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        guard value > 0xffff else { return unit(value) }
        let rest = value - 0x1_0000
        return unit(0xd800 + rest >> 10) + unit(0xdc00 + rest & 0x3ff)
    }
}

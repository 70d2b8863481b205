// Values as Python prints them. Texts keep their marks; what stands around them is the template's.
extension JinjaMachine {
    /// Python's `str`.
    func shown(_ item: JinjaItem) throws(AlpacaError) -> JinjaText {
        switch item {
        case .text(let text): return text
        case .undefined: return JinjaText()
        default: return try represented(item)
        }
    }

    /// Python's `repr`.
    func represented(_ item: JinjaItem) throws(AlpacaError) -> JinjaText {
        var result = JinjaText()
        try represent(item, into: &result)
        return result
    }

    private func represent(_ item: JinjaItem, into result: inout JinjaText) throws(AlpacaError) {
        try step()
        switch item {
        case .text(let text): try append(try quoted(text), to: &result)
        case .sequence(let sequence): try represent(sequence, into: &result)
        case .dictionary(let dictionary):
            try deeper()
            try append("{", to: &result)
            for index in dictionary.keys.indices {
                if index > 0 { try append(", ", to: &result) }
                try represent(dictionary.keys[index], into: &result)
                try append(": ", to: &result)
                try represent(dictionary.values[index], into: &result)
            }
            try append("}", to: &result)
            higher()
        case .namespace(let namespace):
            try deeper()
            try append("<Namespace {", to: &result)
            for index in namespace.attributes.indices {
                if index > 0 { try append(", ", to: &result) }
                try append(try quoted(namespace.attributes[index].name), to: &result)
                try append(": ", to: &result)
                try represent(namespace.attributes[index].value, into: &result)
            }
            try append("}>", to: &result)
            higher()
        default: try append(JinjaText(plain(item)), to: &result)
        }
    }

    private func represent(_ sequence: JinjaSequence, into result: inout JinjaText) throws(AlpacaError) {
        let brackets: (JinjaText, JinjaText)
        switch sequence.kind {
        case .list: brackets = ("[", "]")
        case .tuple: brackets = ("(", sequence.items.count == 1 ? ",)" : ")")
        case .keys, .values, .pairs: brackets = (JinjaText(sequence.kind.rawValue + "(["), "])")
        case .range: return try append(JinjaText(sequence.label), to: &result)
        case .generator: return try append("<generator object>", to: &result)
        }
        try deeper()
        try append(brackets.0, to: &result)
        for index in sequence.items.indices {
            if index > 0 { try append(", ", to: &result) }
            try represent(sequence.items[index], into: &result)
        }
        try append(brackets.1, to: &result)
        higher()
    }

    private func plain(_ item: JinjaItem) -> String {
        switch item {
        case .undefined: "Undefined"
        case .none: "None"
        case .boolean(let value): value ? "True" : "False"
        case .integer(let value): value.description
        case .float(let value): JinjaNumbers.text(value)
        case .loop(let loop): "<LoopContext \(loop.index + 1)/\(loop.items.count)>"
        case .macro(let macro): "<Macro '\(macro.node.name)'>"
        case .function(let function): "<function \(function.rawValue)>"
        case .method(_, let name): "<built-in method \(name)>"
        default: "<\(item.typeName)>"
        }
    }

    /// In single quotation marks, in double ones where that saves escapes.
    private func quoted(_ text: JinjaText) throws(AlpacaError) -> JinjaText {
        let quote: Unicode.Scalar = text.scalars.contains("'") && !text.scalars.contains("\"") ? "\"" : "'"
        try make(text.cost)
        try step(text.count)
        var result = JinjaText(quote, isInput: false)
        result.append(
            text.mapped { scalar, _ in
                switch scalar {
                case "\\": "\\\\"
                case quote: "\\" + String(Character(quote))
                case "\n": "\\n"
                case "\r": "\\r"
                case "\t": "\\t"
                case " "..."~": String(Character(scalar))
                default: Self.isPrintable(scalar) ? String(Character(scalar)) : Self.escape(scalar)
                }
            })
        result.append(quote, isInput: false)
        return result
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator: false
        default: true
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x1_0000 ? ("u", 4) : ("U", 8)
        let digits = String(scalar.value, radix: 16)
        return "\\" + letter + String(repeating: "0", count: width - digits.count) + digits
    }
}

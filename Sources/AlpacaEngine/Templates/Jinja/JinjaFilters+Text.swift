// Filters of texts; they take any value as its text.
extension JinjaMachine {
    func textFilter(_ name: String, _ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem? {
        switch name {
        case "upper", "lower", "capitalize":
            let text = try shown(value)
            try step(text.count >> 4)
            return try counted(try cased(name, text))
        case "title": return try counted(try titled(try shown(value)))
        case "trim":
            let text = try shown(value)
            try step(text.count >> 5)
            return try counted(try stripped(text, try arguments.text(0, "chars")))
        case "replace":
            let limit = try arguments.integer(2, "count") ?? -1
            return .text(
                try replaced(
                    try shown(value), try shown(try arguments.required(0, "old")), try shown(try arguments.required(1, "new")), limit))
        case "center":
            let text = try shown(value)
            let width = try arguments.integer(0, "width") ?? 80
            return try textMethod("center", text, JinjaNamedArguments(JinjaCall(positional: [.integer(Int128(width))]), of: name))
        case "indent": return .text(try indented(try shown(value), arguments))
        case "truncate": return try counted(try truncated(try shown(value), arguments))
        case "wordcount":
            let text = try shown(value)
            try step(text.count >> 1)
            var count: Int128 = 0, wasWord = false
            for scalar in text.scalars {
                let isWord = scalar == "_" || JinjaCase.isAlphanumeric(scalar)
                if isWord && !wasWord { count += 1 }
                wasWord = isWord
            }
            return .integer(count)
        case "format":
            let call = arguments.call
            guard call.keywords.isEmpty else {
                let dictionary = try dictionary()
                for (name, value) in call.keywords { try set(.text(name), value, in: dictionary) }
                return .text(try percentFormat(try shown(value), .dictionary(dictionary)))
            }
            return .text(try percentFormat(try shown(value), try sequence(call.positional, .tuple)))
        case "escape", "e", "forceescape":
            let text = try shown(value)
            try make(5 * text.count)
            try step(text.count >> 1)
            return try counted(
                text.mapped { scalar, _ in
                    switch scalar {
                    case "&": "&amp;"
                    case "<": "&lt;"
                    case ">": "&gt;"
                    case "'": "&#39;"
                    case "\"": "&#34;"
                    default: String(Character(scalar))
                    }
                })
        default: return nil
        }
    }

    /// Words begin behind blanks, dashes and opening brackets.
    private func titled(_ text: JinjaText) throws(AlpacaError) -> JinjaText {
        try make(3 * text.count)
        try step(text.count >> 1)
        func parts(_ scalar: Unicode.Scalar) -> Bool { scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar) }
        return text.mapped { scalar, place in
            let begins = place == 0 || parts(text.scalars[place - 1])
            return begins ? scalar.properties.uppercaseMapping : JinjaCase.lower(scalar, at: place, in: text.scalars)
        }
    }

    private func indented(_ text: JinjaText, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaText {
        let indent: JinjaText
        if case .text(let own)? = arguments.value(0, "width") {
            indent = own
        } else {
            indent = try repeated(" ", Int128(try arguments.integer(0, "width") ?? 4))
        }
        let withBlank = arguments.boolean(2, "blank")
        var ended = text
        try append("\n", to: &ended)
        guard case .sequence(let lines) = try lines(ended, keepsEnds: false) else { return text }
        var result = arguments.boolean(1, "first") ? indent : JinjaText()
        for (number, line) in lines.items.enumerated() {
            guard case .text(let line) = line else { continue }
            if number > 0 {
                try append("\n", to: &result)
                if withBlank || !line.isEmpty { try append(indent, to: &result) }
            }
            try append(line, to: &result)
        }
        return result
    }

    private func truncated(_ text: JinjaText, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaText {
        let length = try arguments.integer(0, "length") ?? 255
        let end = try arguments.text(2, "end") ?? "..."
        let leeway = try arguments.integer(3, "leeway") ?? 5
        guard length >= end.count, leeway >= 0 else {
            throw AlpacaError(.invalidArgument, found: "a length of \(length) in \"truncate\"", expected: "at least \(end.count)")
        }
        if text.count <= length || text.count - length <= leeway { return text }
        var result = text[0..<length - end.count]
        if !arguments.boolean(1, "killwords"), let blank = result.scalars.lastIndex(of: " ") { result = result[0..<blank] }
        try append(end, to: &result)
        return result
    }
}

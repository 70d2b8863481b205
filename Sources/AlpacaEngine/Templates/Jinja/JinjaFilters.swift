// Filters: `value | name(arguments)`. Jinja's own ones, as far as a chat template can have a use for them, and `from_json` of llama.cpp's.
extension JinjaMachine {
    func filter(_ name: String, _ value: JinjaItem, _ call: JinjaCall) throws(AlpacaError) -> JinjaItem {
        let arguments = JinjaNamedArguments(call, of: name)
        if let result = try selectingFilter(name, value, arguments) { return result }
        if let result = try sequenceFilter(name, value, arguments) { return result }
        if let result = try textFilter(name, value, arguments) { return result }
        if let result = try numberFilter(name, value, arguments) { return result }
        guard let result = try plainFilter(name, value, arguments) else {
            let known = Self.refusedFilters.contains(name)
            throw AlpacaError(
                .unsupported, "\(known ? "the filter" : "there is no filter") \(name.quoted(limit: 40))\(known ? " is not supported" : "")")
        }
        return result
    }

    static let filterNames: Set<String> = [
        "abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "forceescape",
        "format", "from_json", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min",
        "reject",
        "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort", "string", "sum", "title", "tojson",
        "trim",
        "truncate", "unique", "upper", "wordcount",
    ]
    /// Jinja has them; they have no place in a prompt.
    static let refusedFilters: Set<String> = [
        "filesizeformat", "pprint", "random", "striptags", "urlencode", "urlize", "wordwrap", "xmlattr",
    ]

    private func plainFilter(_ name: String, _ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem? {
        switch name {
        case "default", "d":
            let isMissing = value.isUndefined || (arguments.boolean(1, "boolean") && !value.isTrue)
            return isMissing ? arguments.value(0, "default_value") ?? .text("") : value
        case "length", "count": return .integer(Int128(try length(value)))
        case "string", "safe":
            if case .text = value { return value }
            return .text(try shown(value))
        case "tojson": return .text(try json(value, arguments))
        case "from_json":
            let text = try shown(value)
            try step(text.count)
            return try fromJSON(text)
        case "attr":
            let attribute = try attribute(try arguments.requiredText(0, "name"), of: value)
            if case .dictionary = value, case .method = attribute { return attribute }
            if case .dictionary = value { return .undefined(.other("dict has no such attribute")) }
            return attribute
        case "items":
            if value.isUndefined { return try sequence([], .generator) }
            guard case .dictionary(let dictionary) = value else {
                throw AlpacaError(.invalidArgument, "the filter \"items\" needs a dictionary, found \(value.typeName)")
            }
            return try pairs(dictionary, .generator)
        default: return nil
        }
    }

    private func fromJSON(_ text: JinjaText) throws(AlpacaError) -> JinjaItem {
        let document: JSONDocument
        do {
            document = try JSONDocument(Array(text.string.utf8), name: "from_json")
        } catch {
            // The text is a value of the template, and no file of that name.
            throw AlpacaError(.invalidArgument, error.message)
        }
        // One character of the caller's is enough: nobody can tell what it became.
        return try item(JinjaValue(document.root, isInput: text.hasInput))
    }

    private func length(_ value: JinjaItem) throws(AlpacaError) -> Int {
        switch value {
        case .undefined: return 0
        case .text(let text): return text.count
        case .dictionary(let dictionary): return dictionary.keys.count
        case .sequence(let sequence) where sequence.kind != .generator: return sequence.items.count
        case .loop(let loop): return loop.items.count
        default: throw AlpacaError(.invalidArgument, "a value of type \(value.typeName) has no length")
        }
    }

    // MARK: Numbers

    private func numberFilter(_ name: String, _ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem? {
        switch name {
        case "abs":
            if case .integer(let number)? = Number(value) { return number < 0 ? try unary(.minus, value) : .integer(number) }
            if case .float(let number)? = Number(value) { return .float(number.magnitude) }
            throw notNumber(name, value)
        case "int":
            let standard = arguments.value(0, "default") ?? .integer(0)
            switch value {
            case .undefined(let what): throw AlpacaError(.invalidArgument, what.description)
            case .text(let text):
                if let number = JinjaNumbers.integer(text, base: try arguments.integer(1, "base") ?? 10) { return .integer(number) }
                if let number = JinjaNumbers.float(text), let whole = Int128(exactly: number.rounded(.towardZero)) {
                    return .integer(whole)
                }
                return standard
            default:
                guard let number = Number(value) else { return standard }
                if case .integer = number { return number.item }
                guard let whole = Int128(exactly: number.double.rounded(.towardZero)) else { throw overflow }
                return .integer(whole)
            }
        case "float":
            let standard = arguments.value(0, "default") ?? .float(0)
            switch value {
            case .undefined(let what): throw AlpacaError(.invalidArgument, what.description)
            case .text(let text): return JinjaNumbers.float(text).map { .float($0) } ?? standard
            default: return Number(value).map { .float($0.double) } ?? standard
            }
        case "round": return try rounded(value, arguments)
        case "sum":
            var total = arguments.value(1, "start") ?? .integer(0)
            let path = try attributePath(arguments.value(0, "attribute"))
            for item in try elements(value) { total = try calculate(total, .plus, try attribute(path, of: item)) }
            return total
        default: return nil
        }
    }

    private func rounded(_ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem {
        guard let number = Number(value) else { throw notNumber("round", value) }
        let digits = try arguments.integer(0, "precision") ?? 0
        let method = try arguments.text(1, "method")?.string ?? "common"
        guard (-400...400).contains(digits) else {
            throw AlpacaError(.unsupported, found: "\(digits) digits in \"round\"", expected: "-400 to 400")
        }
        switch method {
        case "common":
            if case .integer = number, digits >= 0 { return number.item }
            try stepForDigits(of: number.double)
            let result = JinjaNumbers.rounded(number.double, digits: digits)
            if case .integer = number { return Int128(exactly: result).map { .integer($0) } ?? .float(result) }
            return .float(result)
        case "ceil", "floor":
            let power = try JinjaNumbers.power(10, Double(digits))
            return .float((number.double * power).rounded(method == "ceil" ? .up : .down) / power)
        default:
            throw AlpacaError(
                .invalidArgument, found: "the method \(method.quoted(limit: 40)) of \"round\"", expected: "common, ceil or floor")
        }
    }

    /// To write a number in decimals takes longer the larger or smaller it is.
    func stepForDigits(of value: Double) throws(AlpacaError) {
        guard value.isFinite, value != 0 else { return }
        try step(20 + 24 * Int(clamping: value.exponent.magnitude))
    }

    private func notNumber(_ name: String, _ value: JinjaItem) -> AlpacaError {
        if case .undefined(let what) = value { return AlpacaError(.invalidArgument, what.description) }
        return AlpacaError(.invalidArgument, "the filter \(name.quoted()) needs a number, found \(value.typeName)")
    }
}

// Tests: `value is name(arguments)`.
extension JinjaMachine {
    static let testNames: Set<String> = [
        "boolean", "callable", "defined", "divisibleby", "eq", "equalto", "==", "escaped", "even", "false", "filter", "float", "ge", ">=",
        "gt",
        "greaterthan", ">", "in", "integer", "iterable", "le", "<=", "lower", "lt", "lessthan", "<", "mapping", "ne", "!=", "none",
        "number",
        "odd", "sameas", "sequence", "string", "test", "true", "undefined", "upper",
    ]

    func test(_ name: String, _ value: JinjaItem, _ arguments: [JinjaItem]) throws(AlpacaError) -> Bool {
        if let sign = Self.comparisons[name] {
            guard let other = arguments.first else { throw AlpacaError(.invalidArgument, "the test \(name.quoted()) needs a value") }
            return try compare(value, sign, other)
        }
        switch name {
        case "defined": return !value.isUndefined
        case "undefined": return value.isUndefined
        case "none": if case .none = value { return true }
        case "true": if case .boolean(true) = value { return true }
        case "false": if case .boolean(false) = value { return true }
        case "boolean": if case .boolean = value { return true }
        case "integer": if case .integer = value { return true }
        case "float": if case .float = value { return true }
        case "number": return Number(value) != nil
        case "string": if case .text = value { return true }
        case "mapping": if case .dictionary = value { return true }
        case "sequence": return isSequence(value)
        case "iterable": return isIterable(value)
        case "callable":
            switch value {
            case .macro, .function, .method, .undefined: return true
            case .cycler(let cycler): return cycler.isJoiner
            default: return false
            }
        case "even", "odd", "divisibleby":
            var divisor = JinjaItem.integer(2)
            if name == "divisibleby" {
                guard let number = arguments.first else { throw AlpacaError(.invalidArgument, "the test \"divisibleby\" needs a number") }
                divisor = number
            }
            return try equal(try calculate(value, .modulo, divisor), .integer(name == "odd" ? 1 : 0))
        case "lower", "upper":
            let text = try shown(value)
            try step(text.count >> 1)
            return JinjaCase.isAll("is" + name, text.scalars)
        case "sameas": return try isSame(value, arguments.first ?? .none)
        case "escaped": return false
        case "filter", "test":
            let text = try shown(value)
            try step(text.count >> 2)
            return (name == "filter" ? Self.filterNames : Self.testNames).contains(text.string)
        default: throw AlpacaError(.unsupported, "there is no test \(name.quoted(limit: 40))")
        }
        return false
    }

    private static let comparisons: [String: JinjaOperator] = [
        "eq": .equal, "equalto": .equal, "==": .equal, "ne": .unequal, "!=": .unequal, "lt": .less, "lessthan": .less, "<": .less,
        "le": .lessOrEqual, "<=": .lessOrEqual, "gt": .greater, "greaterthan": .greater, ">": .greater, "ge": .greaterOrEqual,
        ">=": .greaterOrEqual, "in": .within,
    ]

    private func isSequence(_ value: JinjaItem) -> Bool {
        switch value {
        case .text, .dictionary, .undefined: true
        case .sequence(let sequence): [.list, .tuple, .range].contains(sequence.kind)
        default: false
        }
    }

    private func isIterable(_ value: JinjaItem) -> Bool {
        switch value {
        case .text, .dictionary, .sequence, .undefined, .loop: true
        default: false
        }
    }

    /// The very same value; for plain ones, an equal one of the same type.
    private func isSame(_ a: JinjaItem, _ b: JinjaItem) throws(AlpacaError) -> Bool {
        switch (a, b) {
        case (.sequence(let a), .sequence(let b)): return a === b
        case (.dictionary(let a), .dictionary(let b)): return a === b
        default: return a.typeName == b.typeName ? try equal(a, b) : false
        }
    }
}

// Expressions, by Jinja's ranks from loose to tight: `x if y else z`, or, and, not, comparisons, `+ -`, `~`, `* / // %`, `**`, signs, and what
// follows a value: `.`, `[ ]`, `( )`, filters, tests. All operators go from left to right, `**` too.
extension JinjaParser {
    /// Values with commas between them are a tuple.
    mutating func tupleExpression(isConditional: Bool = true, endsAt end: String? = nil, inBrackets: Bool = false) throws(AlpacaError)
        -> JinjaExpression
    {
        var values: [JinjaExpression] = []
        var isTuple = false
        while true {
            if !values.isEmpty {
                guard take(",") else { break }
                isTuple = true
            }
            if isEndOfTuple(end) { break }
            values.append(isConditional ? try expression() : try alternatives())
            if !isSymbol(",") { break }
            isTuple = true
        }
        if !isTuple, let only = values.first { return only }
        guard !values.isEmpty || inBrackets else { throw found("an expression") }
        return .tuple(values)
    }

    private func isEndOfTuple(_ end: String?) -> Bool {
        switch current.kind {
        case .outputEnd, .blockEnd, .symbol(")"), .end: true
        case .name(let name): name == end
        default: false
        }
    }

    mutating func expression() throws(AlpacaError) -> JinjaExpression {
        try deeper()
        defer { higher() }
        let value = try alternatives()
        guard take(word: "if") else { return value }
        let test = try alternatives()
        var result = JinjaExpression.conditional(
            test: test, then: value, otherwise: take(word: "else") ? try expression() : nil)
        var levels = 0
        defer { for _ in 0..<levels { higher() } }
        while take(word: "if") {
            // Each of these stands around the one before it.
            try deeper()
            levels += 1
            let test = try alternatives()
            result = .conditional(test: test, then: result, otherwise: take(word: "else") ? try expression() : nil)
        }
        return result
    }

    private mutating func alternatives() throws(AlpacaError) -> JinjaExpression {
        var values = [try conjunction()]
        while take(word: "or") { values.append(try conjunction()) }
        return values.count == 1 ? values[0] : .any(values)
    }

    private mutating func conjunction() throws(AlpacaError) -> JinjaExpression {
        var values = [try negation()]
        while take(word: "and") { values.append(try negation()) }
        return values.count == 1 ? values[0] : .all(values)
    }

    private mutating func negation() throws(AlpacaError) -> JinjaExpression {
        var isNegated = false, isTested = false
        while take(word: "not") {
            isNegated.toggle()
            isTested = true
        }
        let value = try comparison()
        guard isTested else { return value }
        // Twice not is no value itself: it gives true or false.
        return isNegated ? .unary(.not, value) : .unary(.not, .unary(.not, value))
    }

    private mutating func comparison() throws(AlpacaError) -> JinjaExpression {
        let first = try operation(rank: 0)
        var others: [(sign: JinjaOperator, operand: JinjaExpression)] = []
        while let comparison = comparisonOperator() {
            others.append((comparison, try operation(rank: 0)))
        }
        return others.isEmpty ? first : .comparison(first, others)
    }

    private mutating func comparisonOperator() -> JinjaOperator? {
        switch current.kind {
        case .symbol(let symbol) where ["==", "!=", "<", "<=", ">", ">="].contains(symbol):
            advance()
            return JinjaOperator(rawValue: symbol)
        case .name("in"):
            advance()
            return .within
        case .name("not") where nextIsWord("in"):
            advance()
            advance()
            return .notWithin
        default: return nil
        }
    }

    /// `+ -` (0), `~` (1), `* / // %` (2), `**` (3).
    private mutating func operation(rank: Int) throws(AlpacaError) -> JinjaExpression {
        guard rank < 4 else { return try signed(withFilters: true) }
        let first = try operation(rank: rank + 1)
        if rank == 1 {
            var parts = [first]
            while take("~") { parts.append(try operation(rank: 2)) }
            return parts.count == 1 ? first : .concatenation(parts)
        }
        let symbols = rank == 0 ? ["+", "-"] : rank == 2 ? ["*", "/", "//", "%"] : ["**"]
        var others: [(sign: JinjaOperator, operand: JinjaExpression)] = []
        while case .symbol(let symbol) = current.kind, symbols.contains(symbol), let known = JinjaOperator(rawValue: symbol) {
            advance()
            others.append((known, try operation(rank: rank + 1)))
        }
        return others.isEmpty ? first : .chain(first, others)
    }

    private mutating func signed(withFilters: Bool) throws(AlpacaError) -> JinjaExpression {
        try deeper()
        defer { higher() }
        var value: JinjaExpression
        if take("-") {
            value = .unary(.minus, try signed(withFilters: false))
        } else if take("+") {
            value = .unary(.plus, try signed(withFilters: false))
        } else {
            value = try primary()
        }
        var steps: [JinjaStep] = []
        while let step = try access() { steps.append(step) }
        if withFilters {
            while true {
                if isSymbol("|") {
                    steps += try filters(isFirstInline: false)
                } else if isWord("is") {
                    steps.append(try test())
                } else if isSymbol("(") {
                    steps.append(JinjaStep(line: line, kind: .call(try arguments())))
                } else {
                    break
                }
            }
        }
        if !steps.isEmpty { value = .postfix(value, steps) }
        return value
    }

    private mutating func primary() throws(AlpacaError) -> JinjaExpression {
        switch current.kind {
        case .name(let name):
            advance()
            switch name {
            case "true", "True": return .constant(.boolean(true))
            case "false", "False": return .constant(.boolean(false))
            case "none", "None": return .constant(.none)
            default: return .name(number(of: name))
            }
        case .string(var scalars):
            advance()
            while case .string(let more) = current.kind {
                scalars += more
                advance()
            }
            return .constant(.text(JinjaText(scalars, isInput: false)))
        case .integer(let value):
            advance()
            return .constant(.integer(value))
        case .float(let value):
            advance()
            return .constant(.float(value))
        case .symbol("("):
            advance()
            let value = try tupleExpression(inBrackets: true)
            try expect(")")
            return value
        case .symbol("["):
            advance()
            return .list(try values(until: "]"))
        case .symbol("{"):
            advance()
            return try dictionary()
        default: throw found("an expression")
        }
    }

    private mutating func values(until end: String) throws(AlpacaError) -> [JinjaExpression] {
        var values: [JinjaExpression] = []
        while !isSymbol(end) {
            if !values.isEmpty { try expect(",") }
            if isSymbol(end) { break }
            values.append(try expression())
        }
        advance()
        return values
    }

    private mutating func dictionary() throws(AlpacaError) -> JinjaExpression {
        var items: [(key: JinjaExpression, value: JinjaExpression)] = []
        while !isSymbol("}") {
            if !items.isEmpty { try expect(",") }
            if isSymbol("}") { break }
            let key = try expression()
            try expect(":")
            items.append((key, try expression()))
        }
        advance()
        return .dictionary(items)
    }

    // MARK: What follows a value

    private mutating func access() throws(AlpacaError) -> JinjaStep? {
        let line = line
        if isSymbol("(") { return JinjaStep(line: line, kind: .call(try arguments())) }
        if take(".") {
            if case .integer(let index) = current.kind {
                advance()
                return JinjaStep(line: line, kind: .item(.constant(.integer(index))))
            }
            return JinjaStep(line: line, kind: .attribute(JinjaText(try word("an attribute's name"))))
        }
        guard take("[") else { return nil }
        let first = isSymbol(":") ? nil : try expression()
        if let first, !isSymbol(":") {
            guard isSymbol(",") else {
                try expect("]")
                return JinjaStep(line: line, kind: .item(first))
            }
            advance()
            return JinjaStep(line: line, kind: .item(.tuple([first] + (try values(until: "]")))))
        }
        try expect(":")
        let second = isSymbol(":") || isSymbol("]") ? nil : try expression()
        var third: JinjaExpression?
        if take(":"), !isSymbol("]") { third = try expression() }
        try expect("]")
        return JinjaStep(line: line, kind: .slice(first, second, third))
    }

    mutating func arguments() throws(AlpacaError) -> JinjaArguments {
        var result = JinjaArguments()
        try expect("(")
        var isFirst = true
        while !isSymbol(")") {
            if !isFirst { try expect(",") }
            isFirst = false
            if isSymbol(")") { break }
            if result.rest == nil, take("*") {
                result.rest = try expression()
            } else if result.keywordRest == nil, take("**") {
                result.keywordRest = try expression()
            } else if case .name(let name) = current.kind, nextIs("=") {
                advance()
                advance()
                result.keywords.append((name, try expression()))
            } else {
                guard result.keywords.isEmpty, result.rest == nil, result.keywordRest == nil else { throw found("an argument with a name") }
                result.positional.append(try expression())
            }
        }
        advance()
        return result
    }

    /// `| a | b(x)`; the first without its `|` where a filter block begins.
    mutating func filters(isFirstInline: Bool) throws(AlpacaError) -> [JinjaStep] {
        var steps: [JinjaStep] = []
        while (isFirstInline && steps.isEmpty) || take("|") {
            let line = line
            let name = try dottedName("a filter's name")
            let arguments = isSymbol("(") ? try arguments() : JinjaArguments()
            steps.append(JinjaStep(line: line, kind: .filter(name, arguments)))
        }
        return steps
    }

    private mutating func dottedName(_ what: String) throws(AlpacaError) -> String {
        var name = try word(what)
        while take(".") { name += "." + (try word(what)) }
        return name
    }

    /// `is name`, `is not name(x)`, `is name x`.
    private mutating func test() throws(AlpacaError) -> JinjaStep {
        let line = line
        advance()
        let isNegated = take(word: "not")
        let name = try dottedName("a test's name")
        var arguments = JinjaArguments()
        if isSymbol("(") {
            arguments = try self.arguments()
        } else if beginsOperand {
            guard !isWord("is") else { throw found("no second test") }
            var value = try primary()
            var steps: [JinjaStep] = []
            while let step = try access() { steps.append(step) }
            if !steps.isEmpty { value = .postfix(value, steps) }
            arguments.positional = [value]
        }
        return JinjaStep(line: line, kind: .test(name, arguments, isNegated: isNegated))
    }

    private var beginsOperand: Bool {
        switch current.kind {
        case .name(let name): !["else", "or", "and"].contains(name)
        case .string, .integer, .float, .symbol("["), .symbol("{"): true
        default: false
        }
    }
}

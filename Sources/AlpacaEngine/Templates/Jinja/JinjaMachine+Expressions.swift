// The values of expressions. The functions that call each other are kept small: each level of brackets takes a little of the stack.
extension JinjaMachine {
    func evaluate(_ expression: JinjaExpression, _ scope: JinjaScope) throws(AlpacaError) -> JinjaItem {
        try step()
        switch expression {
        case .constant(let value): return constant(value)
        case .name(let name): return lookUp(name, scope)
        case .postfix(let base, let steps):
            try deeper()
            var value = try evaluate(base, scope)
            for index in steps.indices { value = try apply(steps[index], to: value, scope) }
            higher()
            return value
        default:
            try deeper()
            let value = try evaluateCompound(expression, scope)
            higher()
            return value
        }
    }

    private func evaluateCompound(_ expression: JinjaExpression, _ scope: JinjaScope) throws(AlpacaError) -> JinjaItem {
        switch expression {
        case .list(let values): return try list(try evaluateAll(values, scope))
        case .tuple(let values): return try sequence(try evaluateAll(values, scope), .tuple)
        case .dictionary(let members): return try evaluateDictionary(members, scope)
        case .unary(let sign, let value): return try unary(sign, try evaluate(value, scope))
        case .chain(let first, let others):
            var value = try evaluate(first, scope)
            for index in others.indices { value = try calculate(value, others[index].sign, try evaluate(others[index].operand, scope)) }
            return value
        case .concatenation(let parts):
            var text = JinjaText()
            for part in parts { try append(try shown(try evaluate(part, scope)), to: &text) }
            return .text(text)
        case .all(let values): return try evaluateAny(values, until: false, scope)
        case .any(let values): return try evaluateAny(values, until: true, scope)
        case .comparison(let first, let others): return try evaluateComparison(first, others, scope)
        case .conditional(let test, let then, let otherwise):
            if try evaluate(test, scope).isTrue { return try evaluate(then, scope) }
            guard let otherwise else { return .undefined(.other("the inline if-expression has no else and its test is false")) }
            return try evaluate(otherwise, scope)
        case .constant, .name, .postfix: return try evaluate(expression, scope)
        }
    }

    private func evaluateAll(_ values: [JinjaExpression], _ scope: JinjaScope) throws(AlpacaError) -> [JinjaItem] {
        var items: [JinjaItem] = []
        items.reserveCapacity(values.count)
        for value in values { items.append(try evaluate(value, scope)) }
        return items
    }

    private func evaluateDictionary(
        _ members: [(key: JinjaExpression, value: JinjaExpression)], _ scope: JinjaScope
    ) throws(AlpacaError) -> JinjaItem {
        let result = try dictionary()
        for (key, value) in members { try set(try evaluate(key, scope), try evaluate(value, scope), in: result) }
        return .dictionary(result)
    }

    /// `and`, `or`: the operand that decides.
    private func evaluateAny(_ values: [JinjaExpression], until decision: Bool, _ scope: JinjaScope) throws(AlpacaError) -> JinjaItem {
        var value = JinjaItem.none
        for operand in values {
            value = try evaluate(operand, scope)
            if value.isTrue == decision { break }
        }
        return value
    }

    private func evaluateComparison(
        _ first: JinjaExpression, _ others: [(sign: JinjaOperator, operand: JinjaExpression)], _ scope: JinjaScope
    ) throws(AlpacaError) -> JinjaItem {
        var left = try evaluate(first, scope)
        for index in others.indices {
            let right = try evaluate(others[index].operand, scope)
            guard try compare(left, others[index].sign, right) else { return .boolean(false) }
            left = right
        }
        return .boolean(true)
    }

    private func constant(_ value: JinjaValue) -> JinjaItem {
        switch value {
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .float(let value): .float(value)
        case .text(let text): .text(text)
        default: .none
        }
    }

    private func lookUp(_ name: Int, _ scope: JinjaScope) -> JinjaItem {
        if let value = scope.value(name) { return value }
        if let function = JinjaFunction(rawValue: names[name]) { return .function(function) }
        return .undefined(.name(names[name]))
    }

    // MARK: What follows a value

    func apply(_ step: JinjaStep, to value: JinjaItem, _ scope: JinjaScope) throws(AlpacaError) -> JinjaItem {
        line = step.line
        try self.step()
        switch step.kind {
        case .attribute(let name): return try attribute(name, of: value)
        case .item(.constant(let index)): return try element(constant(index), of: value)
        case .item(let index): return try element(try evaluate(index, scope), of: value)
        case .slice(let from, let to, let by): return try applySlice(from, to, by, value, scope)
        case .call(let arguments):
            let result = try call(value, try handed(arguments, scope))
            line = step.line
            return result
        case .filter(let name, let arguments):
            return try filter(name, value, arguments.isEmpty ? JinjaCall() : try handed(arguments, scope))
        case .test(let name, let arguments, let isNegated):
            return .boolean(try test(name, value, arguments.isEmpty ? [] : try handed(arguments, scope).positional) != isNegated)
        }
    }

    private func applySlice(
        _ from: JinjaExpression?, _ to: JinjaExpression?, _ by: JinjaExpression?, _ value: JinjaItem, _ scope: JinjaScope
    ) throws(AlpacaError) -> JinjaItem {
        let from = try bound(from, scope), to = try bound(to, scope), by = try bound(by, scope)
        return try slice(value, from, to, by)
    }

    private func bound(_ expression: JinjaExpression?, _ scope: JinjaScope) throws(AlpacaError) -> Int? {
        guard let expression else { return nil }
        switch try evaluate(expression, scope) {
        case .none: return nil
        case .boolean(let value): return value ? 1 : 0
        case .integer(let value): return Int(clamping: value)
        case let other:
            throw AlpacaError(.invalidArgument, found: "\(other.typeName) in a slice", expected: "an integer or none")
        }
    }

    func handed(_ arguments: JinjaArguments, _ scope: JinjaScope) throws(AlpacaError) -> JinjaCall {
        var call = JinjaCall(positional: try evaluateAll(arguments.positional, scope))
        if let rest = arguments.rest { call.positional += try elements(try evaluate(rest, scope)) }
        for (name, value) in arguments.keywords { call.keywords.append((JinjaText(name), try evaluate(value, scope))) }
        if let rest = arguments.keywordRest {
            guard case .dictionary(let dictionary) = try evaluate(rest, scope) else {
                throw AlpacaError(.invalidArgument, "what follows ** in a call is no dictionary")
            }
            for index in dictionary.keys.indices {
                guard case .text(let name) = dictionary.keys[index] else {
                    throw AlpacaError(.invalidArgument, "a key of the dictionary behind ** in a call is no text")
                }
                call.keywords.append((name, dictionary.values[index]))
            }
        }
        return call
    }
}

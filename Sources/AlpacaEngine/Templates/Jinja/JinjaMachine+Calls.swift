// Calls of macros and of the functions that every template has.
extension JinjaMachine {
    func call(_ callee: JinjaItem, _ call: JinjaCall) throws(AlpacaError) -> JinjaItem {
        switch callee {
        case .macro(let macro): return .text(try callMacro(macro, call))
        case .function(let function): return try callFunction(function, call)
        case .method(let object, let name): return try callMethod(name, of: object, call)
        case .cycler(let cycler) where cycler.isJoiner:
            defer { cycler.position = 1 }
            return cycler.position == 0 ? .text("") : cycler.items[0]
        case .loop(let loop):
            guard loop.node.isRecursive, let scope = loop.scope, let values = call.positional.first else {
                throw AlpacaError(.invalidArgument, "the template calls a loop that is not recursive")
            }
            try enterMacro()
            var outer = JinjaText()
            swap(&outer, &output)
            try runLoop(loop.node, values, level: loop.level + 1, scope)
            swap(&outer, &output)
            macroDepth -= 1
            return .text(outer)
        case .undefined(let what): throw AlpacaError(.invalidArgument, "\(what): it can't be called")
        default: throw AlpacaError(.invalidArgument, "a value of type \(callee.typeName) can't be called")
        }
    }

    private func enterMacro() throws(AlpacaError) {
        macroDepth += 1
        guard macroDepth <= limits.macroDepth else {
            throw AlpacaError(.unsupported, "more than \(limits.macroDepth) macros of the template wait for each other")
        }
    }

    private func callMacro(_ macro: JinjaMacro, _ call: JinjaCall) throws(AlpacaError) -> JinjaText {
        let node = macro.node
        try enterMacro()
        let scope = JinjaScope(in: macro.scope)
        var keywords = call.keywords
        for (index, parameter) in node.parameters.enumerated() {
            if index < call.positional.count {
                scope.values[parameter.index] = call.positional[index]
            } else if let place = keywords.firstIndex(where: { $0.name == JinjaText(parameter.name) }) {
                scope.values[parameter.index] = keywords.remove(at: place).value
            } else if let standard = parameter.standard {
                scope.values[parameter.index] = try evaluate(standard, scope)
            } else {
                scope.values[parameter.index] = .undefined(.other("the parameter \(parameter.name.quoted(limit: 40)) was not given"))
            }
        }
        if node.usesCaller, let callerName {
            let place = keywords.firstIndex { $0.name == "caller" }
            scope.values[callerName] = place.map { keywords.remove(at: $0).value } ?? .undefined(.other("there is no caller"))
        }
        let rest = Array(call.positional.dropFirst(node.parameters.count))
        if node.usesVarargs, let varargsName {
            scope.values[varargsName] = try sequence(rest, .tuple)
        } else if !rest.isEmpty {
            throw AlpacaError(
                .invalidArgument, found: "\(call.positional.count) arguments for the macro \(node.name.quoted(limit: 40))",
                expected: "at most \(node.parameters.count)")
        }
        if node.usesKwargs, let kwargsName {
            let dictionary = try dictionary()
            for (name, value) in keywords { try set(.text(name), value, in: dictionary) }
            scope.values[kwargsName] = .dictionary(dictionary)
        } else if let unknown = keywords.first {
            throw AlpacaError(
                .invalidArgument, "the macro \(node.name.quoted(limit: 40)) has no parameter \(unknown.name.string.quoted(limit: 40))")
        }
        let text = try captured(node.body, scope)
        macroDepth -= 1
        return text
    }

    // MARK: Functions

    private func callFunction(_ function: JinjaFunction, _ call: JinjaCall) throws(AlpacaError) -> JinjaItem {
        switch function {
        case .range: return try range(call)
        case .namespace:
            let result = keep(JinjaNamespace())
            try make(32 + 32 * call.keywords.count)
            for value in call.positional {
                guard case .dictionary(let dictionary) = value else { continue }
                try make(32 * dictionary.keys.count)
                for index in dictionary.keys.indices {
                    if case .text(let name) = dictionary.keys[index] { result.set(name, dictionary.values[index]) }
                }
            }
            for (name, value) in call.keywords { result.set(name, value) }
            return .namespace(result)
        case .dict: return .dictionary(try dict(call))
        case .cycler:
            guard !call.positional.isEmpty else { throw AlpacaError(.invalidArgument, "a cycler needs at least one value") }
            try make(32)
            return .cycler(keep(JinjaCycler(call.positional, isJoiner: false)))
        case .joiner:
            try make(32)
            return .cycler(keep(JinjaCycler([JinjaNamedArguments(call, of: "joiner").value(0, "sep") ?? .text(", ")], isJoiner: true)))
        case .raiseException:
            let message = try shown(call.positional.first ?? .none)
            throw AlpacaError(.invalidArgument, "the template refuses the conversation: \(message.string.quoted(limit: 300))")
        case .strftimeNow:
            guard let clock else { throw AlpacaError(.unsupported, "the template asks for the time, and none was given") }
            guard case .text(let format)? = call.positional.first else {
                throw AlpacaError(.invalidArgument, "strftime_now needs a format")
            }
            return try counted(clock.text(format))
        }
    }

    private func range(_ call: JinjaCall) throws(AlpacaError) -> JinjaItem {
        var bounds: [Int128] = []
        for value in call.positional {
            guard case .integer(let bound)? = Number(value) else {
                throw AlpacaError(.invalidArgument, found: "a value of type \(value.typeName) in range", expected: "integers")
            }
            bounds.append(bound)
        }
        guard (1...3).contains(bounds.count) else {
            throw AlpacaError(.invalidArgument, found: "\(bounds.count) arguments of range", expected: "1 to 3")
        }
        let start = bounds.count > 1 ? bounds[0] : 0, end = bounds.count > 1 ? bounds[1] : bounds[0]
        let by = bounds.count > 2 ? bounds[2] : 1
        guard by != 0 else { throw AlpacaError(.invalidArgument, "the step of a range is 0") }
        // Bounds of 64 bits: nothing below can overflow in 128.
        for bound in [start, end, by] where Int(exactly: bound) == nil {
            throw AlpacaError(.unsupported, "a bound of a range is beyond 64 bits")
        }
        let distance = by > 0 ? end - start : start - end
        let count = distance > 0 ? (distance - 1) / (by > 0 ? by : -by) + 1 : 0
        guard count <= limits.rangeLength else {
            throw AlpacaError(.unsupported, found: "a range of \(count) numbers", expected: "at most \(limits.rangeLength)")
        }
        let items = (0..<Int(count)).map { JinjaItem.integer(start + Int128($0) * by) }
        let range = try sequence(items, .range)
        if case .sequence(let object) = range { object.label = by == 1 ? "range(\(start), \(end))" : "range(\(start), \(end), \(by))" }
        return range
    }

    private func dict(_ call: JinjaCall) throws(AlpacaError) -> JinjaDictionary {
        let result = try dictionary()
        if let first = call.positional.first {
            if case .dictionary(let source) = first {
                for index in source.keys.indices { try set(source.keys[index], source.values[index], in: result) }
            } else {
                for pair in try elements(first) {
                    let parts = try elements(pair)
                    guard parts.count == 2 else {
                        throw AlpacaError(.invalidArgument, found: "\(parts.count) values for an entry of dict", expected: "2")
                    }
                    try set(parts[0], parts[1], in: result)
                }
            }
        }
        for (name, value) in call.keywords { try set(.text(name), value, in: result) }
        return result
    }
}

/// The arguments of a filter or method, by place or by name.
struct JinjaNamedArguments {
    let call: JinjaCall
    let owner: String

    init(_ call: JinjaCall, of owner: String) {
        self.call = call
        self.owner = owner
    }

    func value(_ place: Int, _ name: String) -> JinjaItem? {
        if call.positional.indices.contains(place) { return call.positional[place] }
        let name = JinjaText(name)
        return call.keywords.first { $0.name == name }?.value
    }

    func text(_ place: Int, _ name: String) throws(AlpacaError) -> JinjaText? {
        switch value(place, name) {
        case nil, .some(.none): return nil
        case .text(let text): return text
        case let other?: throw misfit(other, name, "a text")
        }
    }

    func integer(_ place: Int, _ name: String) throws(AlpacaError) -> Int? {
        switch value(place, name) {
        case nil, .some(.none): return nil
        case .integer(let number): return Int(clamping: number)
        case .boolean(let value): return value ? 1 : 0
        case let other?: throw misfit(other, name, "an integer")
        }
    }

    func boolean(_ place: Int, _ name: String) -> Bool { value(place, name)?.isTrue ?? false }

    func required(_ place: Int, _ name: String) throws(AlpacaError) -> JinjaItem {
        guard let value = value(place, name) else {
            throw AlpacaError(.invalidArgument, "\(owner.quoted(limit: 40)) is called without \(name.quoted())")
        }
        return value
    }

    func requiredText(_ place: Int, _ name: String) throws(AlpacaError) -> JinjaText {
        guard case .text(let text) = try required(place, name) else { throw misfit(try required(place, name), name, "a text") }
        return text
    }

    private func misfit(_ value: JinjaItem, _ name: String, _ expected: String) -> AlpacaError {
        if case .undefined(let what) = value { return AlpacaError(.invalidArgument, what.description) }
        return AlpacaError(
            .invalidArgument, found: "a value of type \(value.typeName) as \(name.quoted()) of \(owner.quoted(limit: 40))",
            expected: expected)
    }
}

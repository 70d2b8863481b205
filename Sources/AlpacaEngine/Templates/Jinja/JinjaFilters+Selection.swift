// Filters that apply another filter or a test to each element.
extension JinjaMachine {
    func selectingFilter(_ name: String, _ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem? {
        switch name {
        case "map": return try map(value, arguments.call)
        case "select": return try select(value, arguments.call, byAttribute: false, wanted: true)
        case "reject": return try select(value, arguments.call, byAttribute: false, wanted: false)
        case "selectattr": return try select(value, arguments.call, byAttribute: true, wanted: true)
        case "rejectattr": return try select(value, arguments.call, byAttribute: true, wanted: false)
        default: return nil
        }
    }

    private func map(_ value: JinjaItem, _ call: JinjaCall) throws(AlpacaError) -> JinjaItem {
        var result: [JinjaItem] = []
        // Nothing is gone through: none and 0 too.
        let items = value.isTrue ? try elements(value) : []
        if call.positional.isEmpty {
            let arguments = JinjaNamedArguments(call, of: "map")
            let path = try attributePath(try arguments.required(0, "attribute"))
            let standard = arguments.value(1, "default")
            for item in items { result.append(try attribute(path, of: item, default: standard)) }
        } else {
            guard case .text(let name) = call.positional[0] else {
                throw AlpacaError(.invalidArgument, "the filter \"map\" needs a filter's name, found \(call.positional[0].typeName)")
            }
            try step(name.count >> 2)
            let filterName = name.string
            let handed = JinjaCall(positional: Array(call.positional.dropFirst()), keywords: call.keywords)
            try deeper()
            for item in items {
                try step()
                result.append(try filter(filterName, item, handed))
            }
            higher()
        }
        return try sequence(result, .generator)
    }

    private func select(_ value: JinjaItem, _ call: JinjaCall, byAttribute: Bool, wanted: Bool) throws(AlpacaError) -> JinjaItem {
        var handed = call.positional[...]
        var path: [JinjaItem] = []
        if byAttribute {
            guard let attribute = handed.popFirst() else {
                throw AlpacaError(.invalidArgument, "the filters \"selectattr\" and \"rejectattr\" need an attribute's name")
            }
            path = try attributePath(attribute)
        }
        var testName: String?
        if let first = handed.popFirst() {
            guard case .text(let name) = first else {
                throw AlpacaError(.invalidArgument, "a filter that selects needs a test's name, found \(first.typeName)")
            }
            try step(name.count >> 2)
            testName = name.string
        }
        var kept: [JinjaItem] = []
        for item in value.isTrue ? try elements(value) : [] {
            try step()
            let tested = try attribute(path, of: item)
            let holds = if let testName { try test(testName, tested, Array(handed)) } else { tested.isTrue }
            if holds == wanted { kept.append(item) }
        }
        return try sequence(kept, .generator)
    }
}

/// Methods that Python's values have and templates may call. Those that would change a value are here too: they work on lists that the template
/// itself made, and are refused by name elsewhere.
enum JinjaMethods {
    static let ofTexts: Set<String> = [
        "capitalize", "casefold", "center", "count", "endswith", "expandtabs", "find", "format", "index", "isalnum", "isalpha", "isascii",
        "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "partition",
        "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines",
        "startswith", "strip", "swapcase", "title", "upper", "zfill",
    ]
    static let ofDictionaries: Set<String> = [
        "get", "items", "keys", "values", "copy", "pop", "popitem", "update", "setdefault", "clear",
    ]
    static let ofLists: Set<String> = [
        "append", "extend", "insert", "pop", "remove", "reverse", "clear", "sort", "count", "index", "copy",
    ]
}

extension JinjaMachine {
    func callMethod(_ name: String, of object: JinjaItem, _ call: JinjaCall) throws(AlpacaError) -> JinjaItem {
        let arguments = JinjaNamedArguments(call, of: name)
        switch object {
        case .text(let text): return try textMethod(name, text, arguments)
        case .dictionary(let dictionary): return try dictionaryMethod(name, dictionary, arguments)
        case .sequence(let sequence): return try listMethod(name, sequence, arguments)
        case .loop(let loop):
            if name == "cycle" {
                guard !call.positional.isEmpty else { throw AlpacaError(.invalidArgument, "loop.cycle needs at least one value") }
                return call.positional[loop.index % call.positional.count]
            }
            if let last = loop.lastChanged, last.count == call.positional.count {
                var isSame = true
                for index in last.indices where !(try equal(last[index], call.positional[index])) { isSame = false }
                if isSame { return .boolean(false) }
            }
            loop.lastChanged = call.positional
            return .boolean(true)
        case .cycler(let cycler):
            guard !cycler.items.isEmpty else { return .none }
            guard name == "next" else {
                cycler.position = 0
                return .none
            }
            defer { cycler.position = (cycler.position + 1) % cycler.items.count }
            return cycler.items[cycler.position]
        case .float(let value): return .boolean(value.isFinite && value.rounded() == value)
        default: throw AlpacaError(.invalidArgument, "a value of type \(object.typeName) has no method \(name.quoted(limit: 40))")
        }
    }

    // MARK: Dictionaries

    private func dictionaryMethod(
        _ name: String, _ dictionary: JinjaDictionary, _ arguments: JinjaNamedArguments
    ) throws(AlpacaError) -> JinjaItem {
        switch name {
        case "get": return dictionary.value(try hashed(try arguments.required(0, "key"))) ?? arguments.value(1, "default") ?? .none
        case "items": return try pairs(dictionary, .pairs)
        case "keys": return try sequence(dictionary.keys, .keys)
        case "values": return try sequence(dictionary.values, .values)
        case "copy":
            let copy = try self.dictionary()
            for index in dictionary.keys.indices { try set(dictionary.keys[index], dictionary.values[index], in: copy) }
            return .dictionary(copy)
        default: throw AlpacaError(.unsupported, "\(name.quoted()) would change a dictionary, which templates may not do")
        }
    }

    func pairs(_ dictionary: JinjaDictionary, _ kind: JinjaSequence.Kind) throws(AlpacaError) -> JinjaItem {
        var items: [JinjaItem] = []
        items.reserveCapacity(dictionary.keys.count)
        for index in dictionary.keys.indices {
            items.append(try sequence([dictionary.keys[index], dictionary.values[index]], .tuple))
        }
        return try sequence(items, kind)
    }

    // MARK: Lists

    private func listMethod(_ name: String, _ list: JinjaSequence, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem {
        switch name {
        case "index":
            let wanted = try arguments.required(0, "value")
            for index in list.items.indices where try equal(list.items[index], wanted) { return .integer(Int128(index)) }
            throw AlpacaError(.invalidArgument, "the value that \"index\" looks for is not in the list")
        case "count":
            let wanted = try arguments.required(0, "value")
            var count: Int128 = 0
            for index in list.items.indices where try equal(list.items[index], wanted) { count += 1 }
            return .integer(count)
        case "copy": return try sequence(list.items, list.kind)
        default: break
        }
        guard list.kind == .list, !list.isCallers else {
            throw AlpacaError(.unsupported, "\(name.quoted()) would change a value that is not the template's own list")
        }
        switch name {
        case "append":
            try grow(list, by: 1)
            list.items.append(try arguments.required(0, "object"))
        case "extend":
            let items = try elements(try arguments.required(0, "iterable"))
            try grow(list, by: items.count)
            list.items += items
        case "insert":
            let place = try arguments.integer(0, "index") ?? 0
            let item = try arguments.required(1, "object")
            try grow(list, by: 1)
            try step(list.items.count >> 4)
            list.items.insert(item, at: min(max(place < 0 ? place &+ list.items.count : place, 0), list.items.count))
        case "pop":
            let place = try arguments.integer(0, "index") ?? -1
            let index = place < 0 ? place &+ list.items.count : place
            guard list.items.indices.contains(index) else {
                throw AlpacaError(
                    .invalidArgument, found: "pop(\(place)) of a list of \(list.items.count)", expected: "an element that is there")
            }
            try step((list.items.count - index) >> 4)
            return list.items.remove(at: index)
        case "remove":
            let wanted = try arguments.required(0, "value")
            for index in list.items.indices where try equal(list.items[index], wanted) {
                // The rest moves up.
                try step((list.items.count - index) >> 4)
                list.items.remove(at: index)
                return .none
            }
            throw AlpacaError(.invalidArgument, "the value that \"remove\" looks for is not in the list")
        case "reverse":
            try step(list.items.count >> 4)
            list.items.reverse()
        case "clear": list.items = []
        case "sort":
            let items = try sorted(list.items, by: list.items, isReversed: arguments.boolean(1, "reverse"))
            list.items = items
        default: throw AlpacaError(.unsupported, "the method \(name.quoted(limit: 40)) of lists is not supported")
        }
        return .none
    }

    private func grow(_ list: JinjaSequence, by count: Int) throws(AlpacaError) {
        try checkCount(list.items.count + count)
        try make(16 * count)
        try step(count >> 4)
    }
}

// Filters of lists and what else has elements.
extension JinjaMachine {
    func sequenceFilter(_ name: String, _ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem? {
        switch name {
        case "list": return try list(try elements(value))
        case "first": return try elements(value).first ?? .undefined(.other("the first of nothing is undefined"))
        case "last": return try elements(value).last ?? .undefined(.other("the last of nothing is undefined"))
        case "join":
            let path = try attributePath(arguments.value(1, "attribute"))
            var items = try elements(value)
            if !path.isEmpty {
                for index in items.indices { items[index] = try attribute(path, of: items[index]) }
            }
            let separator = try arguments.value(0, "d").map { separator throws(AlpacaError) in try shown(separator) } ?? JinjaText()
            return .text(try joined(items, by: separator, isStrict: false))
        case "reverse":
            if case .text(let text) = value { return try counted(text.reversed()) }
            let items = try elements(value)
            try step(items.count >> 4)
            return try sequence(items.reversed(), .generator)
        case "sort":
            let items = try elements(value)
            let keys = try self.keys(of: items, arguments.value(2, "attribute"), caseSensitive: arguments.boolean(1, "case_sensitive"))
            return try list(try sorted(items, by: keys, isReversed: arguments.boolean(0, "reverse")))
        case "dictsort": return try sortedMembers(value, arguments)
        case "unique":
            let items = try elements(value)
            let keys = try self.keys(of: items, arguments.value(1, "attribute"), caseSensitive: arguments.boolean(0, "case_sensitive"))
            var seen: Set<JinjaKey> = [], kept: [JinjaItem] = []
            for index in items.indices where seen.insert(try hashed(keys[index])).inserted { kept.append(items[index]) }
            return try sequence(kept, .generator)
        case "min", "max":
            let items = try elements(value)
            let keys = try self.keys(of: items, arguments.value(1, "attribute"), caseSensitive: arguments.boolean(0, "case_sensitive"))
            guard var best = items.indices.first else { return .undefined(.other("the \(name) of nothing is undefined")) }
            for index in items.indices.dropFirst() where try order(keys[index], keys[best]) == (name == "min" ? .less : .greater) {
                best = index
            }
            return items[best]
        case "batch", "slice": return try cut(name, try elements(value), arguments)
        case "groupby": return try groups(value, arguments)
        default: return nil
        }
    }

    // MARK: Attributes of elements

    /// `"a.b.0"` as the keys that lead there.
    func attributePath(_ attribute: JinjaItem?) throws(AlpacaError) -> [JinjaItem] {
        switch attribute {
        case nil, .some(.none): return []
        case .integer(let index)?: return [.integer(index)]
        case .text(let text)?:
            try step(text.count >> 2)
            var path: [JinjaItem] = []
            var start = 0
            for end in text.indices(of: ".") + [text.count] {
                let part = text[start..<end]
                try step()
                path.append(
                    JinjaCase.isAll("isdigit", part.scalars) ? JinjaNumbers.integer(part).map { .integer($0) } ?? .text(part) : .text(part))
                start = end + 1
            }
            return path
        case let other?: throw AlpacaError(.invalidArgument, "an attribute's name is a text, found \(other.typeName)")
        }
    }

    func attribute(_ path: [JinjaItem], of item: JinjaItem, default standard: JinjaItem? = nil) throws(AlpacaError) -> JinjaItem {
        // Also without a path: filters go through lists by this.
        try step()
        var item = item
        for key in path {
            try step()
            item = try element(key, of: item)
            if item.isUndefined, let standard { item = standard }
        }
        return item
    }

    /// What elements are compared by: an attribute or several with commas between them; texts without regard to case.
    private func keys(of items: [JinjaItem], _ attribute: JinjaItem?, caseSensitive: Bool) throws(AlpacaError) -> [JinjaItem] {
        var paths: [[JinjaItem]] = []
        if case .text(let text)? = attribute {
            try step(text.count >> 2)
            var start = 0
            for end in text.indices(of: ",") + [text.count] {
                paths.append(try attributePath(.text(text[start..<end])))
                start = end + 1
            }
        } else {
            paths = [try attributePath(attribute)]
        }
        var keys: [JinjaItem] = []
        keys.reserveCapacity(items.count)
        for item in items {
            var parts: [JinjaItem] = []
            for path in paths {
                let value = try self.attribute(path, of: item)
                parts.append(caseSensitive ? value : try folded(value))
            }
            keys.append(parts.count == 1 ? parts[0] : try list(parts))
        }
        return keys
    }

    private func folded(_ value: JinjaItem) throws(AlpacaError) -> JinjaItem {
        try step()
        guard case .text(let text) = value else { return value }
        try step(text.count >> 4)
        return try counted(try cased("lower", text))
    }

    // MARK: Order

    /// Merge sort: stable, n log n whatever the order says.
    func sorted(_ items: [JinjaItem], by keys: [JinjaItem], isReversed: Bool) throws(AlpacaError) -> [JinjaItem] {
        // What is equal stays in its order both ways.
        var order = isReversed ? Array(items.indices.reversed()) : Array(items.indices)
        try make(2 * order.count)
        var width = 1
        while width < order.count {
            var merged: [Int] = []
            merged.reserveCapacity(order.count)
            var start = 0
            while start < order.count {
                let middle = min(start + width, order.count), end = min(start + 2 * width, order.count)
                var a = start, b = middle
                while a < middle || b < end {
                    var takesSecond = a == middle
                    if a < middle, b < end { takesSecond = try self.order(keys[order[b]], keys[order[a]]) == .less }
                    merged.append(takesSecond ? order[b] : order[a])
                    if takesSecond { b += 1 } else { a += 1 }
                }
                start = end
            }
            order = merged
            width *= 2
        }
        return (isReversed ? order.reversed() : order).map { items[$0] }
    }

    private func sortedMembers(_ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem {
        guard case .dictionary(let dictionary) = value else {
            if case .undefined(let what) = value { throw AlpacaError(.invalidArgument, what.description) }
            throw AlpacaError(.invalidArgument, "the filter \"dictsort\" needs a dictionary, found \(value.typeName)")
        }
        let by = try arguments.text(1, "by")?.string ?? "key"
        guard by == "key" || by == "value" else {
            throw AlpacaError(.invalidArgument, found: "dictsort by \(by.quoted(limit: 40))", expected: "key or value")
        }
        var keys = by == "key" ? dictionary.keys : dictionary.values
        if !arguments.boolean(0, "case_sensitive") {
            for index in keys.indices { keys[index] = try folded(keys[index]) }
        }
        guard case .sequence(let pairs) = try pairs(dictionary, .list) else { return .none }
        return try list(try sorted(pairs.items, by: keys, isReversed: arguments.boolean(2, "reverse")))
    }

    // MARK: Parts

    private func cut(_ name: String, _ items: [JinjaItem], _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem {
        let isBatch = name == "batch"
        guard let size = try arguments.integer(0, isBatch ? "linecount" : "slices"), size > 0, size <= limits.listLength else {
            throw AlpacaError(.invalidArgument, "the filter \(name.quoted()) needs a number above 0")
        }
        let fill = arguments.value(1, "fill_with")
        var result: [JinjaItem] = []
        if isBatch {
            var start = 0
            while start < items.count {
                var part = Array(items[start..<min(start + size, items.count)])
                if let fill, part.count < size { part += Array(repeating: fill, count: size - part.count) }
                result.append(try list(part))
                start += size
            }
        } else {
            let each = items.count / size, more = items.count % size
            var start = 0
            for number in 0..<size {
                try step()
                let end = start + each + (number < more ? 1 : 0)
                var part = Array(items[start..<end])
                if let fill, number >= more { part.append(fill) }
                result.append(try list(part))
                start = end
            }
        }
        return try sequence(result, .generator)
    }

    private func groups(_ value: JinjaItem, _ arguments: JinjaNamedArguments) throws(AlpacaError) -> JinjaItem {
        let path = try attributePath(try arguments.required(0, "attribute"))
        let standard = arguments.value(1, "default")
        let isSensitive = arguments.boolean(2, "case_sensitive")
        var pairs: [JinjaItem] = [], keys: [JinjaItem] = []
        for item in try elements(value) {
            let key = try attribute(path, of: item, default: standard)
            pairs.append(try sequence([key, item], .tuple))
            keys.append(isSensitive ? key : try folded(key))
        }
        let order = try sorted(pairs.indices.map { .integer(Int128($0)) }, by: keys, isReversed: false)
        var result: [JinjaItem] = []
        var group: [JinjaItem] = [], first: Int?
        for case .integer(let number) in order {
            let index = Int(number)
            if let begin = first, !(try equal(keys[begin], keys[index])) {
                result.append(try self.group(pairs[begin], group))
                group = []
                first = nil
            }
            if first == nil { first = index }
            if case .sequence(let pair) = pairs[index] { group.append(pair.items[1]) }
        }
        if let begin = first { result.append(try self.group(pairs[begin], group)) }
        return try list(result)
    }

    private func group(_ pair: JinjaItem, _ items: [JinjaItem]) throws(AlpacaError) -> JinjaItem {
        guard case .sequence(let pair) = pair else { return .none }
        let group = try sequence([pair.items[0], try list(items)], .tuple)
        if case .sequence(let object) = group { object.label = "group" }
        return group
    }
}

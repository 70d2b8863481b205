// Attributes, elements, parts, and what can be gone through.
extension JinjaMachine {
    /// `value.name`: a method or attribute of the value, or else a dictionary's member, as Jinja looks them up.
    func attribute(_ name: JinjaText, of value: JinjaItem) throws(AlpacaError) -> JinjaItem {
        try step(name.count >> 2)
        if name.scalars.first == "_" {
            // Python's own attributes are no template's business. A member of that name is plain data.
            if case .dictionary(let dictionary) = value, let member = dictionary.value(.text(name)) { return member }
            if case .namespace(let namespace) = value, let member = namespace.value(name) { return member }
            throw AlpacaError(.invalidArgument, "the attribute \(name.string.quoted(limit: 40)) of \(value.typeName) may not be used")
        }
        switch value {
        case .undefined(let what): throw AlpacaError(.invalidArgument, "\(what): it has no attribute \(name.string.quoted(limit: 40))")
        case .dictionary(let dictionary):
            if JinjaMethods.ofDictionaries.contains(name.string) { return .method(of: value, name.string) }
            if let member = dictionary.value(.text(name)) { return member }
        case .text: if JinjaMethods.ofTexts.contains(name.string) { return .method(of: value, name.string) }
        case .sequence(let sequence):
            if sequence.label == "group", sequence.items.count == 2, name == "grouper" || name == "list" {
                return sequence.items[name == "list" ? 1 : 0]
            }
            let hasMethods = [.list, .tuple].contains(sequence.kind) || (sequence.kind == .range && (name == "index" || name == "count"))
            if hasMethods, JinjaMethods.ofLists.contains(name.string) {
                return .method(of: value, name.string)
            }
        case .namespace(let namespace): if let member = namespace.value(name) { return member }
        case .loop(let loop): if let member = try self.loop(loop, name.string) { return member }
        case .cycler(let cycler):
            if name == "current", !cycler.items.isEmpty { return cycler.items[cycler.position] }
            if name == "next" || name == "reset" { return .method(of: value, name.string) }
        case .macro(let macro): if name == "name" { return .string(macro.node.name) }
        case .float: if name == "is_integer" { return .method(of: value, name.string) }
        case .none, .boolean, .integer, .function, .method: break
        }
        return .undefined(.attribute(of: value.typeName, name))
    }

    private func loop(_ loop: JinjaLoop, _ name: String) throws(AlpacaError) -> JinjaItem? {
        let count = loop.items.count
        switch name {
        case "index": return .integer(Int128(loop.index + 1))
        case "index0": return .integer(Int128(loop.index))
        case "revindex": return .integer(Int128(count - loop.index))
        case "revindex0": return .integer(Int128(count - loop.index - 1))
        case "first": return .boolean(loop.index == 0)
        case "last": return .boolean(loop.index == count - 1)
        case "length": return .integer(Int128(count))
        case "depth": return .integer(Int128(loop.level + 1))
        case "depth0": return .integer(Int128(loop.level))
        case "previtem": return loop.index > 0 ? loop.items[loop.index - 1] : .undefined(.other("there is no previous item"))
        case "nextitem": return loop.index + 1 < count ? loop.items[loop.index + 1] : .undefined(.other("there is no next item"))
        case "cycle", "changed": return .method(of: .loop(loop), name)
        default: return nil
        }
    }

    /// `value[key]`.
    func element(_ key: JinjaItem, of value: JinjaItem) throws(AlpacaError) -> JinjaItem {
        let index: Int? =
            switch key {
            case .integer(let index): Int(exactly: index)
            case .boolean(let value): value ? 1 : 0
            default: nil
            }
        switch value {
        case .undefined(let what): throw AlpacaError(.invalidArgument, "\(what): it has no elements")
        case .dictionary(let dictionary):
            if isHashable(key), let member = dictionary.value(try hashed(key)) { return member }
        case .sequence(let sequence):
            if let index, [.list, .tuple, .range].contains(sequence.kind) {
                let place = index < 0 ? index &+ sequence.items.count : index
                if sequence.items.indices.contains(place) { return sequence.items[place] }
            }
        case .text(let text):
            if let index {
                let place = index < 0 ? index &+ text.count : index
                if text.scalars.indices.contains(place) { return .text(text[place..<place + 1]) }
            }
        default: break
        }
        if case .text(let name) = key { return try attribute(name, of: value) }
        return .undefined(.element(of: value.typeName, key))
    }

    private func isHashable(_ key: JinjaItem) -> Bool {
        switch key {
        case .none, .boolean, .integer, .float, .text: true
        case .sequence(let sequence): sequence.kind == .tuple
        default: false
        }
    }

    /// A key of a dictionary, or what `unique` compares.
    func hashed(_ item: JinjaItem) throws(AlpacaError) -> JinjaKey {
        switch item {
        case .none: return .none
        case .boolean(let value): return .integer(value ? 1 : 0)
        case .integer(let value): return .integer(value)
        case .float(let value):
            if let whole = Int128(exactly: value) { return .integer(whole) }
            return .float(value.bitPattern)
        case .text(let text):
            try step(text.count >> 3)
            return .text(text)
        case .sequence(let sequence) where sequence.kind == .tuple:
            try deeper()
            defer { higher() }
            var keys: [JinjaKey] = []
            for item in sequence.items {
                try step(8)
                keys.append(try hashed(item))
            }
            return .tuple(keys)
        default: throw AlpacaError(.invalidArgument, "a value of type \(item.typeName) can't be a key")
        }
    }

    /// `value[from:to:by]`, with Python's rules for what lies outside.
    func slice(_ value: JinjaItem, _ from: Int?, _ to: Int?, _ by: Int?) throws(AlpacaError) -> JinjaItem {
        let by = by ?? 1
        guard by != 0 else { throw AlpacaError(.invalidArgument, "the step of a slice is 0") }
        switch value {
        case .undefined(let what): throw AlpacaError(.invalidArgument, "\(what): it has no parts")
        case .text(let text):
            let places = places(from, to, by, text.count)
            try step(places.count >> 4)
            if by == 1 { return try counted(text[places.isEmpty ? 0..<0 : places.first..<places.first + places.count]) }
            if by == -1, places.count == text.count { return try counted(text.reversed()) }
            var result = JinjaText()
            try make(places.count)
            for number in 0..<places.count {
                let place = places.first + number * by
                result.append(text.scalars[place], isInput: text.isInput(at: place))
            }
            return try counted(result)
        case .sequence(let sequence) where [.list, .tuple, .range].contains(sequence.kind):
            let places = places(from, to, by, sequence.items.count)
            try step(places.count >> 2)
            let items = (0..<places.count).map { sequence.items[places.first + $0 * by] }
            return try self.sequence(items, sequence.kind == .tuple ? .tuple : .list)
        default: throw AlpacaError(.invalidArgument, "a value of type \(value.typeName) has no parts")
        }
    }

    private func places(_ from: Int?, _ to: Int?, _ by: Int, _ count: Int) -> (first: Int, count: Int, isEmpty: Bool) {
        func clamp(_ bound: Int, _ range: ClosedRange<Int>) -> Int {
            min(max(bound < 0 ? bound.addingReportingOverflow(count).partialValue : bound, range.lowerBound), range.upperBound)
        }
        let range = by > 0 ? 0...count : -1...count - 1
        let first = from.map { clamp($0, range) } ?? (by > 0 ? 0 : count - 1)
        let end = to.map { clamp($0, range) } ?? (by > 0 ? count : -1)
        let distance = by > 0 ? end - first : first - end
        guard distance > 0 else { return (0, 0, true) }
        let width = Int(clamping: by.magnitude)
        return (first, (distance - 1) / width + 1, false)
    }

    /// What a loop goes through: an iterator is empty afterwards.
    func elements(_ value: JinjaItem) throws(AlpacaError) -> [JinjaItem] {
        switch value {
        case .undefined: return []
        case .sequence(let sequence):
            let items = sequence.items
            if sequence.kind == .generator { sequence.items = [] }
            return items
        case .dictionary(let dictionary): return dictionary.keys
        case .text(let text):
            try checkCount(text.count)
            try make(20 * text.count)
            try step(text.count >> 2)
            return text.scalars.indices.map { .text(text[$0..<$0 + 1]) }
        case .loop(let loop):
            let rest = loop.items[min(loop.index + 1, loop.items.count)...]
            // A copy, and loops live to the end of the rendering.
            try make(8 * rest.count)
            try step(rest.count >> 4)
            return Array(rest)
        default: throw AlpacaError(.invalidArgument, "a value of type \(value.typeName) can't be gone through")
        }
    }
}

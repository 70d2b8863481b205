/// A value of a ``JSONDocument``, which it keeps alive. Getters throw errors that name the file and the way to the value:
/// `config.json: "rope_scaling.factor": found the string "4", expected a number`.
///
/// Getters with a key are for objects. Those ending in `IfPresent` give nil where the key is absent or its value is null.
package struct JSONValue: Sendable {
    let storage: JSONStorage
    let index: Int

    private var node: JSONNode { storage.nodes[index] }

    package var isNull: Bool { node.kind == .null }
    package var isObject: Bool { node.kind == .object }
    package var isArray: Bool { node.kind == .array }
    package var isString: Bool { node.kind == .string }

    // MARK: Containers

    /// Members of an object or elements of an array; 0 for other values.
    package var count: Int { node.isContainer ? node.high : 0 }

    /// Bytes of the texts in it, and some for each value: about what it takes to write it.
    package var size: Int {
        let end = storage.next(after: index)
        return storage.nodes[index..<end].reduce(0) { $0 + Int($1.keyLength) + ($1.kind == .string ? $1.low : 8) }
    }

    /// The member of that name; nil where there is none or this is no object. Looks at each member.
    package subscript(key: String) -> JSONValue? {
        guard isObject else { return nil }
        let wanted = Array(key.utf8)
        for member in Children(value: self) where storage.text[member.node.keyRange].elementsEqual(wanted) { return member }
        return nil
    }

    /// The members of an object in the order of the text; each knows its ``key``. Nothing for other values.
    package var members: Children { Children(value: isObject ? self : nil) }

    /// The elements of an array. Nothing for other values.
    package var elements: Children { Children(value: isArray ? self : nil) }

    /// The name under which an object has this value; empty for others.
    package var key: String { String(decoding: storage.text[node.keyRange], as: UTF8.self) }

    package struct Children: Sequence, IteratorProtocol {
        private let storage: JSONStorage?
        private var position: Int
        private let end: Int

        init(value: JSONValue?) {
            storage = value?.storage
            position = (value?.index ?? 0) + 1
            end = value?.node.low ?? 0
        }

        package mutating func next() -> JSONValue? {
            guard let storage, position < end else { return nil }
            defer { position = storage.next(after: position) }
            return JSONValue(storage: storage, index: position)
        }
    }

    // MARK: This value

    package func string() throws(AlpacaError) -> String { String(decoding: try utf8(), as: UTF8.self) }

    /// A string's bytes, valid UTF-8, without a copy.
    package func utf8() throws(AlpacaError) -> ArraySlice<UInt8> {
        guard node.kind == .string else { throw wrong("a string") }
        return storage.text[node.high..<node.high + node.low]
    }

    package func bool() throws(AlpacaError) -> Bool {
        guard node.kind == .bool else { throw wrong("true or false") }
        return node.payload == 1
    }

    /// An integer, also one written as `128.0`.
    package func int(in range: ClosedRange<Int> = Int.min...Int.max) throws(AlpacaError) -> Int {
        let number: Int
        switch node.kind {
        case .int: number = Int(truncatingIfNeeded: node.payload)
        case .double:
            // Beyond 2^53 not every integer is a Double: what is written is not what was meant.
            let value = Double(bitPattern: node.payload)
            guard let exact = Int(exactly: value), exact.magnitude <= 1 << 53 else { throw wrong("an integer of 64 bits") }
            number = exact
        default: throw wrong("an integer")
        }
        guard range.contains(number) else { throw wrong("\(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    /// A finite number.
    package func double(
        in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) throws(AlpacaError) -> Double {
        let number: Double
        switch node.kind {
        case .int: number = Double(Int(truncatingIfNeeded: node.payload))
        case .double: number = Double(bitPattern: node.payload)
        default: throw wrong("a number")
        }
        guard range.contains(number) else { throw wrong("\(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    package func object() throws(AlpacaError) -> Children {
        guard isObject else { throw wrong("an object") }
        return members
    }

    package func array() throws(AlpacaError) -> Children {
        guard isArray else { throw wrong("an array") }
        return elements
    }

    // MARK: Members

    package func member(_ key: String) throws(AlpacaError) -> JSONValue {
        _ = try object()
        guard let value = self[key] else {
            let place = index == 0 ? "" : " in \(path)"
            throw inPart(AlpacaError(.missing, path: storage.name, "\"\(key)\" is missing\(place)"))
        }
        return value
    }

    /// Nil where the key is absent or null.
    package func memberIfPresent(_ key: String) throws(AlpacaError) -> JSONValue? {
        _ = try object()
        guard let value = self[key], !value.isNull else { return nil }
        return value
    }

    package func string(_ key: String) throws(AlpacaError) -> String { try member(key).string() }
    package func bool(_ key: String) throws(AlpacaError) -> Bool { try member(key).bool() }
    package func int(_ key: String, in range: ClosedRange<Int> = Int.min...Int.max) throws(AlpacaError) -> Int {
        try member(key).int(in: range)
    }
    package func double(
        _ key: String, in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) throws(AlpacaError) -> Double { try member(key).double(in: range) }
    package func stringIfPresent(_ key: String) throws(AlpacaError) -> String? { try memberIfPresent(key)?.string() }
    package func boolIfPresent(_ key: String) throws(AlpacaError) -> Bool? { try memberIfPresent(key)?.bool() }
    package func intIfPresent(_ key: String, in range: ClosedRange<Int> = Int.min...Int.max) throws(AlpacaError) -> Int? {
        try memberIfPresent(key)?.int(in: range)
    }
    package func doubleIfPresent(
        _ key: String, in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) throws(AlpacaError) -> Double? { try memberIfPresent(key)?.double(in: range) }

    // MARK: Messages

    /// What messages call the text that this value is from.
    package var documentName: String { storage.name }

    /// What is wrong with this value, for callers with rules of their own.
    package func wrong(_ expected: String) -> AlpacaError {
        inPart(AlpacaError(.badFormat, path: storage.name, at: index == 0 ? nil : path, found: found, expected: expected))
    }

    private func inPart(_ error: AlpacaError) -> AlpacaError { storage.part.map { error.inContext($0) } ?? error }

    /// The keys and numbers that lead here: `"weight_map.lm_head.weight"`, `"merges[3]"`.
    package var path: String {
        var parts: [String] = []
        var child = index
        while child != 0 {
            let parent = Int(storage.nodes[child].parent)
            if storage.nodes[parent].kind == .object {
                parts.append(JSONValue(storage: storage, index: child).key)
            } else {
                var position = 0
                var sibling = parent + 1
                while sibling < child {
                    sibling = storage.next(after: sibling)
                    position += 1
                }
                parts.append("[\(position)]")
            }
            child = parent
        }
        var text = ""
        for part in parts.reversed() { text += (text.isEmpty || part.hasPrefix("[") ? "" : ".") + part }
        return text.quoted()
    }

    private var found: String {
        switch node.kind {
        case .null: return "null"
        case .bool: return node.payload == 1 ? "true" : "false"
        case .int: return "\(Int(truncatingIfNeeded: node.payload))"
        case .double: return "\(Double(bitPattern: node.payload))"
        case .string: return "the string \(storage.text[node.high..<node.high + node.low].quoted(limit: 40))"
        case .array: return count == 1 ? "an array of 1 element" : "an array of \(count) elements"
        case .object: return count == 1 ? "an object with 1 member" : "an object with \(count) members"
        }
    }
}

/// The metadata of a GGUF file: keys with values, in the order of the file, read through getters that name the key when they throw.
///
/// A getter without `IfPresent` throws ``AlpacaError/Code/missing`` when the key is not there; both kinds throw
/// ``AlpacaError/Code/badFormat`` when the value has another type or lies outside the range.
package struct GGUFMetadata: Sendable, Equatable {
    package private(set) var keys: [String] = []
    private var values: [String: GGUFValue] = [:]

    package init() {}

    package var count: Int { keys.count }

    /// The value of `key`, nil if it is not there. Setting one that is there replaces it in its place; nil takes it away.
    package subscript(key: String) -> GGUFValue? {
        get { values[key] }
        set {
            let old = values[key]
            values[key] = newValue
            if old == nil, newValue != nil { keys.append(key) }
            if old != nil, newValue == nil { keys.removeAll { $0 == key } }
        }
    }

    // MARK: Text

    package func string(_ key: String) throws(AlpacaError) -> String { try require(key, stringIfPresent(key)) }

    package func stringIfPresent(_ key: String) throws(AlpacaError) -> String? {
        switch values[key] {
        case nil: return nil
        case .string(let bytes)?:
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw AlpacaError(.badFormat, "metadata key \"\(key)\": found \(bytes.quoted(limit: 40)), which is not valid UTF-8")
            }
            return text
        case let value?: throw wrong(key, value, "a string")
        }
    }

    // MARK: Numbers

    /// An integer stored with any width, signed or not.
    package func uint(_ key: String, in range: ClosedRange<Int> = 0...Int.max) throws(AlpacaError) -> Int {
        try require(key, uintIfPresent(key, in: range))
    }

    package func uintIfPresent(_ key: String, in range: ClosedRange<Int> = 0...Int.max) throws(AlpacaError) -> Int? {
        guard let value = values[key] else { return nil }
        guard value.isInteger else { throw wrong(key, value, "an integer") }
        guard let number = value.integer, range.contains(number) else {
            let expected = range.upperBound == Int.max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
            throw wrong(key, value, expected)
        }
        return number
    }

    /// A finite number, stored as float32 or float64.
    package func float(
        _ key: String, in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) throws(AlpacaError) -> Double {
        try require(key, floatIfPresent(key, in: range))
    }

    package func floatIfPresent(
        _ key: String, in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) throws(AlpacaError) -> Double? {
        let number: Double
        switch values[key] {
        case nil: return nil
        case .float32(let value)?: number = Double(value)
        case .float64(let value)?: number = value
        case let value?: throw wrong(key, value, "a floating-point number")
        }
        guard range.contains(number) else {
            let finite = range.upperBound == Double.greatestFiniteMagnitude
            throw wrong(key, .float64(number), finite ? "a finite number" : "\(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    package func boolIfPresent(_ key: String) throws(AlpacaError) -> Bool? {
        switch values[key] {
        case nil: return nil
        case .bool(let value)?: return value
        case let value?: throw wrong(key, value, "true or false")
        }
    }

    // MARK: Arrays

    package func strings(_ key: String) throws(AlpacaError) -> GGUFStrings { try require(key, stringsIfPresent(key)) }

    package func stringsIfPresent(_ key: String) throws(AlpacaError) -> GGUFStrings? {
        switch values[key] {
        case nil: return nil
        case .array(.string(let list))?: return list
        case let value?: throw wrong(key, value, "an array of strings")
        }
    }

    /// An array of float32 or float64; values may be anything, NaN included.
    package func floats(_ key: String) throws(AlpacaError) -> [Float] { try require(key, floatsIfPresent(key)) }

    package func floatsIfPresent(_ key: String) throws(AlpacaError) -> [Float]? {
        switch values[key] {
        case nil: return nil
        case .array(.float32(let list))?: return list
        case .array(.float64(let list))?:
            try LargeMemory.ask(list.count, of: MemoryLayout<Float>.size, for: "metadata key \"\(key)\"")
            return list.map { Float($0) }
        case let value?: throw wrong(key, value, "an array of floating-point numbers")
        }
    }

    /// An array of integers of any width, all of which fit in 32 bits.
    package func ints(_ key: String) throws(AlpacaError) -> [Int32] { try require(key, intsIfPresent(key)) }

    package func intsIfPresent(_ key: String) throws(AlpacaError) -> [Int32]? {
        guard let value = values[key] else { return nil }
        guard case .array(let list) = value else { throw wrong(key, value, "an array of integers") }
        if case .int32(let list) = list { return list }
        try LargeMemory.ask(list.count, of: MemoryLayout<Int32>.size, for: "metadata key \"\(key)\"")
        switch list {
        case .int32(let list): return list
        case .uint8(let list): return list.map { Int32($0) }
        case .int8(let list): return list.map { Int32($0) }
        case .uint16(let list): return list.map { Int32($0) }
        case .int16(let list): return list.map { Int32($0) }
        case .uint32(let list): return try narrow(list, key)
        case .uint64(let list): return try narrow(list, key)
        case .int64(let list): return try narrow(list, key)
        case .float32, .float64, .bool, .string: throw wrong(key, value, "an array of integers")
        }
    }

    // MARK: Size

    /// Bytes that keys and values take in a file, or a little less.
    var byteCount: Int {
        keys.reduce(0) { sum, key in
            let value =
                switch values[key] {
                case .string(let text): text.count
                case .array(let list): list.byteCount
                default: 8
                }
            return sum + key.utf8.count + 16 + value
        }
    }

    // MARK: Errors

    private func require<T>(_ key: String, _ value: T?) throws(AlpacaError) -> T {
        guard let value else { throw AlpacaError(.missing, "metadata key \"\(key)\" is missing") }
        return value
    }

    private func wrong(_ key: String, _ value: GGUFValue, _ expected: String) -> AlpacaError {
        AlpacaError(.badFormat, at: "metadata key \"\(key)\"", found: value.found, expected: expected)
    }

    private func narrow(_ list: [some FixedWidthInteger], _ key: String) throws(AlpacaError) -> [Int32] {
        var result: [Int32] = []
        result.reserveCapacity(list.count)
        for (i, element) in list.enumerated() {
            guard let number = Int32(exactly: element) else {
                throw AlpacaError(.badFormat, "metadata key \"\(key)\": found \(element) as element \(i), expected a number of 32 bits")
            }
            result.append(number)
        }
        return result
    }
}

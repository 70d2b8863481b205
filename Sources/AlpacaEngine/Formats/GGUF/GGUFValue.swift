/// The types of metadata values; raw values are the numbers in the file.
package enum GGUFValueType: UInt32, Sendable, CaseIterable, CustomStringConvertible {
    case uint8 = 0
    case int8, uint16, int16, uint32, int32, float32, bool, string, array
    // From version 2 on:
    case uint64, int64, float64

    /// Bytes of a value in the file, the least where they vary (version 1 has lengths of 4 bytes, later ones of 8).
    func minimumBytes(version: UInt32) -> Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string: version == 1 ? 4 : 8
        case .array: version == 1 ? 8 : 12
        }
    }

    package var description: String {
        switch self {
        case .uint8: "uint8"
        case .int8: "int8"
        case .uint16: "uint16"
        case .int16: "int16"
        case .uint32: "uint32"
        case .int32: "int32"
        case .float32: "float32"
        case .bool: "bool"
        case .string: "string"
        case .array: "array"
        case .uint64: "uint64"
        case .int64: "int64"
        case .float64: "float64"
        }
    }
}

/// A metadata value. Strings are bytes: they should be UTF-8, but names and pieces of real files are not always.
package enum GGUFValue: Sendable, Equatable {
    case uint8(UInt8), int8(Int8), uint16(UInt16), int16(Int16), uint32(UInt32), int32(Int32)
    case float32(Float), bool(Bool), string([UInt8]), array(GGUFArray)
    case uint64(UInt64), int64(Int64), float64(Double)

    package static func string(_ text: String) -> GGUFValue { .string(Array(text.utf8)) }

    package var type: GGUFValueType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .float32: .float32
        case .bool: .bool
        case .string: .string
        case .array: .array
        case .uint64: .uint64
        case .int64: .int64
        case .float64: .float64
        }
    }

    /// The value if it is an integer of any width that fits.
    package var integer: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(value)
        case .float32, .float64, .bool, .string, .array: nil
        }
    }

    package var isInteger: Bool {
        switch self {
        case .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: true
        case .float32, .float64, .bool, .string, .array: false
        }
    }

    /// The value as people read it: a string as it is, numbers, true and false, at most `limit` elements of an array.
    package func text(limit: Int = 8) -> String {
        switch self {
        case .uint8(let value): "\(value)"
        case .int8(let value): "\(value)"
        case .uint16(let value): "\(value)"
        case .int16(let value): "\(value)"
        case .uint32(let value): "\(value)"
        case .int32(let value): "\(value)"
        case .float32(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .string(let value): String(decoding: value, as: UTF8.self)
        case .array(let value): value.text(limit: limit)
        case .uint64(let value): "\(value)"
        case .int64(let value): "\(value)"
        case .float64(let value): "\(value)"
        }
    }

    /// What a message says was found: `the string "llama"`, `17`, `an array of 3 float32 values`.
    package var found: String {
        switch self {
        case .string(let value): "the string \(value.quoted(limit: 40))"
        case .array(let value): "an array of \(value.count) \(value.type) values"
        default: text()
        }
    }
}

/// An array of metadata values of one type. Arrays of arrays exist in the format, but in no model, and are refused.
package enum GGUFArray: Sendable, Equatable {
    case uint8([UInt8]), int8([Int8]), uint16([UInt16]), int16([Int16]), uint32([UInt32]), int32([Int32])
    case float32([Float]), bool([Bool]), string(GGUFStrings)
    case uint64([UInt64]), int64([Int64]), float64([Double])

    package var type: GGUFValueType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .float32: .float32
        case .bool: .bool
        case .string: .string
        case .uint64: .uint64
        case .int64: .int64
        case .float64: .float64
        }
    }

    package var count: Int {
        switch self {
        case .uint8(let values): values.count
        case .int8(let values): values.count
        case .uint16(let values): values.count
        case .int16(let values): values.count
        case .uint32(let values): values.count
        case .int32(let values): values.count
        case .float32(let values): values.count
        case .bool(let values): values.count
        case .string(let values): values.count
        case .uint64(let values): values.count
        case .int64(let values): values.count
        case .float64(let values): values.count
        }
    }

    /// Bytes that the elements take in a file.
    package var byteCount: Int {
        if case .string(let list) = self { list.bytes.count + 8 * list.count } else { 8 * count }
    }

    /// The first `limit` elements: `[1, 2, 3, ... 3941 in all]`.
    package func text(limit: Int) -> String {
        let shown: [String] =
            switch self {
            case .uint8(let values): values.prefix(limit).map { "\($0)" }
            case .int8(let values): values.prefix(limit).map { "\($0)" }
            case .uint16(let values): values.prefix(limit).map { "\($0)" }
            case .int16(let values): values.prefix(limit).map { "\($0)" }
            case .uint32(let values): values.prefix(limit).map { "\($0)" }
            case .int32(let values): values.prefix(limit).map { "\($0)" }
            case .float32(let values): values.prefix(limit).map { "\($0)" }
            case .bool(let values): values.prefix(limit).map { "\($0)" }
            case .string(let values): values.prefix(limit).map { $0.quoted(limit: 40) }
            case .uint64(let values): values.prefix(limit).map { "\($0)" }
            case .int64(let values): values.prefix(limit).map { "\($0)" }
            case .float64(let values): values.prefix(limit).map { "\($0)" }
            }
        let rest = count > shown.count ? (shown.isEmpty ? "" : ", ") + "... \(count) in all" : ""
        return "[" + shown.joined(separator: ", ") + rest + "]"
    }
}

import CAlpaca

/// An argument of any function, until its type is known.
struct Value {
    var bits: UInt = 0
    var number: Float = 0

    static let null = Value()
    init() {}
    init(_ number: Int) { bits = UInt(bitPattern: number) }
    init(_ number: Float) { self.number = number }
    init(_ pointer: UnsafeRawPointer?) { bits = UInt(bitPattern: pointer) }
    init(_ handle: OpaquePointer?) { bits = UInt(bitPattern: handle) }
}

/// A type of a parameter in the header.
protocol CType {
    static func make(_ value: Value) -> Self
    /// What no caller should hand over, and what is at the edge: 0, 1, the largest, negative numbers, NaN; NULL.
    static var hostile: [Value] { get }
}

extension Int: CType {
    static func make(_ value: Value) -> Int { Int(bitPattern: value.bits) }
    /// As size_t: 0, 1, SIZE_MAX, what is negative when it is signed.
    static var hostile: [Value] { [0, 1, -1, .min].map { Value($0) } }
}

extension Int32: CType {
    static func make(_ value: Value) -> Int32 { Int32(truncatingIfNeeded: value.bits) }
    static var hostile: [Value] { [0, 1, -1, .min, .max].map { Value(Int($0 as Int32)) } }
}

extension UInt32: CType {
    static func make(_ value: Value) -> UInt32 { UInt32(truncatingIfNeeded: value.bits) }
    static var hostile: [Value] { [0, 1, Int(UInt32.max)].map { Value($0) } }
}

extension Float: CType {
    static func make(_ value: Value) -> Float { value.number }
    static var hostile: [Value] { [0, 1, -1, .nan, .infinity].map { Value($0 as Float) } }
}

extension alpaca_status: CType {
    static func make(_ value: Value) -> alpaca_status { alpaca_status(rawValue: UInt32(truncatingIfNeeded: value.bits)) }
    static var hostile: [Value] { UInt32.hostile }
}

protocol CPointer { static func make(_ address: UInt) -> Self? }
extension UnsafePointer: CPointer { static func make(_ address: UInt) -> Self? { Self(bitPattern: address) } }
extension UnsafeMutablePointer: CPointer { static func make(_ address: UInt) -> Self? { Self(bitPattern: address) } }
extension UnsafeMutableRawPointer: CPointer { static func make(_ address: UInt) -> Self? { Self(bitPattern: address) } }
extension OpaquePointer: CPointer { static func make(_ address: UInt) -> Self? { Self(bitPattern: address) } }

extension Optional: CType where Wrapped: CPointer {
    static func make(_ value: Value) -> Wrapped? { Wrapped.make(value.bits) }
    static var hostile: [Value] { [.null] }
}

/// What a function gives.
enum Answer: Equatable {
    case nothing
    case status(alpaca_status)
    /// A number or an address.
    case value(UInt)
}

protocol CResult { var answer: Answer { get } }
extension alpaca_status: CResult { var answer: Answer { .status(self) } }
extension Int: CResult { var answer: Answer { .value(UInt(bitPattern: self)) } }
extension Int32: CResult { var answer: Answer { .value(UInt(truncatingIfNeeded: self)) } }
extension Optional: CResult where Wrapped: CPointer { var answer: Answer { .value(unsafeBitCast(self, to: UInt.self)) } }

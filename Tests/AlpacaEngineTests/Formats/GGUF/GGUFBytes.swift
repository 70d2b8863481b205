/// Little-endian bytes, piece by piece: test files are put together by hand, not by the writer that is tested elsewhere.
enum GGUFBytes {
    static func join(_ parts: [UInt8]...) -> [UInt8] { Array(parts.joined()) }

    static func integer<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> T(8 * $0)) }
    }

    static func u8(_ value: UInt8) -> [UInt8] { [value] }
    static func u16(_ value: UInt16) -> [UInt8] { integer(value) }
    static func u32(_ value: UInt32) -> [UInt8] { integer(value) }
    static func u64(_ value: UInt64) -> [UInt8] { integer(value) }
    static func f32(_ value: Float) -> [UInt8] { integer(value.bitPattern) }
    static func f64(_ value: Double) -> [UInt8] { integer(value.bitPattern) }

    /// A length or count: 4 bytes in version 1, 8 later.
    static func word(_ value: Int, _ version: UInt32 = 3) -> [UInt8] { version == 1 ? u32(UInt32(value)) : u64(UInt64(value)) }

    static func string(_ text: String, _ version: UInt32 = 3) -> [UInt8] { word(text.utf8.count, version) + Array(text.utf8) }

    static func header(version: UInt32 = 3, tensors: Int = 0, keys: Int = 0) -> [UInt8] {
        join(Array("GGUF".utf8), u32(version), word(tensors, version), word(keys, version))
    }

    /// A key, the number of its value's type, and the value's bytes.
    static func key(_ name: String, _ type: UInt32, _ value: [UInt8], _ version: UInt32 = 3) -> [UInt8] {
        join(string(name, version), u32(type), value)
    }

    /// - Parameter dims: innermost first, as in the file.
    static func tensor(_ name: String, dims: [Int], type: UInt32 = 0, offset: UInt64 = 0, _ version: UInt32 = 3) -> [UInt8] {
        join(
            string(name, version), u32(UInt32(dims.count)), dims.flatMap { word($0, version) }, u32(type), u64(offset))
    }

    static func padded(_ bytes: [UInt8], to alignment: Int = 32) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    }
}

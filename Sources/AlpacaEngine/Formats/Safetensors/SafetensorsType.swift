/// An element type of safetensors files, by its name in the header.
struct SafetensorsType: Equatable {
    let name: String
    /// Bits of an element; the newest types have fewer than 8.
    let bits: Int
    /// Ours; nil for types that no weights of a model come in.
    let type: TensorType?

    private init(_ name: String, _ bits: Int, _ type: TensorType? = nil) {
        self.name = name
        self.bits = bits
        self.type = type
    }

    /// In the order of the library's own list, by which it sorts the tensors of a file: the last one first.
    static let all: [SafetensorsType] = [
        .init("BOOL", 8), .init("F4", 4), .init("F6_E2M3", 6), .init("F6_E3M2", 6), .init("U8", 8), .init("I8", 8),
        .init("F8_E5M2", 8), .init("F8_E4M3", 8), .init("F8_E8M0", 8), .init("F8_E4M3FNUZ", 8), .init("F8_E5M2FNUZ", 8),
        .init("I16", 16), .init("U16", 16), .init("F16", 16, .f16), .init("BF16", 16, .bf16),
        .init("I32", 32), .init("U32", 32), .init("F32", 32, .f32), .init("C64", 64), .init("F64", 64), .init("I64", 64), .init("U64", 64),
    ]

    init?(named name: String) {
        guard let found = Self.all.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    init?(_ type: TensorType) {
        guard let found = Self.all.first(where: { $0.type == type }) else { return nil }
        self = found
    }

    /// Bytes of `shape`.
    func byteCount(_ shape: [Int]) throws(AlpacaError) -> Int {
        let elements = try CheckedMath.product(shape, of: "elements")
        let bits = try CheckedMath.product(elements, bits, of: "bits")
        guard bits % 8 == 0 else { throw AlpacaError(.badFormat, "\(elements) elements of \(self.bits) bits are no whole number of bytes") }
        return bits / 8
    }
}

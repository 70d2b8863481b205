/// What is known of a tensor type, but for what its bits mean: that is in C, `CAlpacaKernels/types`. The rows there (`types.def`) say the
/// same of each type; TensorTypeTests compares them.
package struct TensorTypeFacts: Sendable {
    /// As ggml's tools write it.
    package let name: StaticString
    /// Weights that share a block's scales.
    package let elementsPerBlock: Int
    package let bytesPerBlock: Int
    /// What takes the place of this type where a row is not whole blocks; nil where every row is.
    package let fallback: TensorType?
    /// Whether errors can be weighted by how much each input matters.
    package let heedsImportance: Bool
    /// GGUF's `general.file_type` of a file that was quantized to this name. Where the name alone means a mix, that mix (Q4_K: Q4_K_M).
    package let fileType: UInt32

    fileprivate init(
        _ name: StaticString, _ elementsPerBlock: Int, _ bytesPerBlock: Int, fallback: TensorType? = nil, heedsImportance: Bool = true,
        fileType: UInt32
    ) {
        self.name = name
        self.elementsPerBlock = elementsPerBlock
        self.bytesPerBlock = bytesPerBlock
        self.fallback = fallback
        self.heedsImportance = heedsImportance
        self.fileType = fileType
    }
}

extension TensorType {
    /// The table: a row for each type.
    package var facts: TensorTypeFacts {
        switch self {
        case .f32: .init("F32", 1, 4, heedsImportance: false, fileType: 0)
        case .f16: .init("F16", 1, 2, heedsImportance: false, fileType: 1)
        case .bf16: .init("BF16", 1, 2, heedsImportance: false, fileType: 32)
        // Without importance the bytes of these five are those of ggml's reference quantizers, which search nothing.
        case .q4_0: .init("Q4_0", 32, 18, fallback: .f16, fileType: 2)
        case .q4_1: .init("Q4_1", 32, 20, fallback: .f16, fileType: 3)
        case .q5_0: .init("Q5_0", 32, 22, fallback: .f16, fileType: 8)
        case .q5_1: .init("Q5_1", 32, 24, fallback: .f16, fileType: 9)
        case .q8_0: .init("Q8_0", 32, 34, fallback: .f16, heedsImportance: false, fileType: 7)
        // Searched, with errors below those of ggml's. Fallbacks are ggml's: the type of blocks of 32 that is next in size.
        case .q2_K: .init("Q2_K", 256, 84, fallback: .q4_0, fileType: 10)
        case .q3_K: .init("Q3_K", 256, 110, fallback: .q4_0, fileType: 12)
        case .q4_K: .init("Q4_K", 256, 144, fallback: .q5_0, fileType: 15)
        case .q5_K: .init("Q5_K", 256, 176, fallback: .q5_1, fileType: 17)
        case .q6_K: .init("Q6_K", 256, 210, fallback: .q8_0, fileType: 18)
        case .iq4_NL: .init("IQ4_NL", 32, 18, fallback: .f16, fileType: 25)
        }
    }
}

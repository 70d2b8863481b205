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
    /// Whether rows can be converted to this type.
    package let isWritable: Bool
    /// Whether errors can be weighted by how much each input matters.
    package let heedsImportance: Bool
    /// GGUF's `general.file_type` of a file that was quantized to this name. Where the name alone means a mix, that mix (Q4_K: Q4_K_M).
    package let fileType: UInt32

    fileprivate init(
        _ name: StaticString, _ elementsPerBlock: Int, _ bytesPerBlock: Int, fallback: TensorType? = nil, heedsImportance: Bool = true,
        isWritable: Bool = true, fileType: UInt32
    ) {
        self.name = name
        self.elementsPerBlock = elementsPerBlock
        self.bytesPerBlock = bytesPerBlock
        self.fallback = fallback
        self.isWritable = isWritable
        self.heedsImportance = heedsImportance && isWritable
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
        case .iq4_XS: .init("IQ4_XS", 256, 136, fallback: .iq4_NL, fileType: 30)
        case .mxfp4: .init("MXFP4", 32, 17, fallback: .f16, fileType: 38)
        // Bytes as ggml's: for models that have no other weights than these types'.
        case .tq1_0: .init("TQ1_0", 256, 54, fallback: .q4_0, heedsImportance: false, fileType: 36)
        case .tq2_0: .init("TQ2_0", 256, 66, fallback: .q4_0, heedsImportance: false, fileType: 37)
        // Only read. The file type of IQ2_S's name is a mix of IQ2_XS and IQ3_S.
        case .iq3_S: .init("IQ3_S", 256, 110, fallback: .iq4_NL, isWritable: false, fileType: 26)
        case .iq3_XXS: .init("IQ3_XXS", 256, 98, fallback: .iq4_NL, isWritable: false, fileType: 23)
        case .iq2_S: .init("IQ2_S", 256, 82, fallback: .iq4_NL, isWritable: false, fileType: 28)
        case .iq2_XS: .init("IQ2_XS", 256, 74, fallback: .iq4_NL, isWritable: false, fileType: 20)
        case .iq2_XXS: .init("IQ2_XXS", 256, 66, fallback: .iq4_NL, isWritable: false, fileType: 19)
        case .iq1_M: .init("IQ1_M", 256, 56, fallback: .iq4_NL, isWritable: false, fileType: 31)
        case .iq1_S: .init("IQ1_S", 256, 50, fallback: .iq4_NL, isWritable: false, fileType: 24)
        }
    }
}

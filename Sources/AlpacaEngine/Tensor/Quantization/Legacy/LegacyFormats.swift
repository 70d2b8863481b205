// The types of 32 weights a block. Their bytes are those of ggml's reference quantizers, which search nothing; with importance the least
// weighted error is searched, as for the K types (Q8_0 has no use for it).

/// 4.5 bits a weight: d * (q - 8).
enum Q4_0Format: BlockFormat {
    static let type = TensorType.q4_0
    static let fallback: TensorType? = .f16
    static let heedsImportance = true
}

/// 5 bits a weight: d * q + m.
enum Q4_1Format: BlockFormat {
    static let type = TensorType.q4_1
    static let fallback: TensorType? = .f16
    static let heedsImportance = true
}

/// 5.5 bits a weight: d * (q - 16).
enum Q5_0Format: BlockFormat {
    static let type = TensorType.q5_0
    static let fallback: TensorType? = .f16
    static let heedsImportance = true
}

/// 6 bits a weight: d * q + m.
enum Q5_1Format: BlockFormat {
    static let type = TensorType.q5_1
    static let fallback: TensorType? = .f16
    static let heedsImportance = true
}

/// 8.5 bits a weight: d * q.
enum Q8_0Format: BlockFormat {
    static let type = TensorType.q8_0
    static let fallback: TensorType? = .f16
}

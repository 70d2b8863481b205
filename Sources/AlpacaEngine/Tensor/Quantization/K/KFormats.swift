// The types of 256 weights a block, whose sub-blocks have rounded scales of their own. The search (`core/quantize_search.h`) gives errors
// below those of ggml's. Rows that are not whole blocks go to the type of blocks of 32 that is next in size, as ggml has it.

/// 2.625 bits a weight: 16 sub-blocks of scale and minimum, 4 bits each.
enum Q2_KFormat: BlockFormat {
    static let type = TensorType.q2_K
    static let fallback: TensorType? = .q4_0
    static let heedsImportance = true
}

/// 3.4375 bits a weight: 16 sub-blocks with scales of 6 bits.
enum Q3_KFormat: BlockFormat {
    static let type = TensorType.q3_K
    static let fallback: TensorType? = .q4_0
    static let heedsImportance = true
}

/// 4.5 bits a weight: 8 sub-blocks of scale and minimum, 6 bits each.
enum Q4_KFormat: BlockFormat {
    static let type = TensorType.q4_K
    static let fallback: TensorType? = .q5_0
    static let heedsImportance = true
}

/// 5.5 bits a weight: 8 sub-blocks of scale and minimum, 6 bits each.
enum Q5_KFormat: BlockFormat {
    static let type = TensorType.q5_K
    static let fallback: TensorType? = .q5_1
    static let heedsImportance = true
}

/// 6.5625 bits a weight: 16 sub-blocks with scales of 8 bits.
enum Q6_KFormat: BlockFormat {
    static let type = TensorType.q6_K
    static let fallback: TensorType? = .q8_0
    static let heedsImportance = true
}

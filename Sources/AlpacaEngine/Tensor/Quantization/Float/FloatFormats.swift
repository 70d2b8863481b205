/// 32 bits: the weight itself.
enum F32Format: BlockFormat { static let type = TensorType.f32 }

/// 16 bits, rounded to nearest even: 11 significant bits, from 6e-8 to 65504.
enum F16Format: BlockFormat { static let type = TensorType.f16 }

/// 16 bits, rounded to nearest even: 8 significant bits, the range of F32.
enum BF16Format: BlockFormat { static let type = TensorType.bf16 }

/// The types whose numbers stand alone.
package enum FloatType: Sendable {
    case f32, f16, bf16

    package init?(_ type: TensorType) {
        switch type {
        case .f32: self = .f32
        case .f16: self = .f16
        case .bf16: self = .bf16
        default: return nil
        }
    }

    package var tensorType: TensorType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        }
    }

    var raw: Int32 { Int32(bitPattern: tensorType.rawValue) }

    package var byteCount: Int { self == .f32 ? 4 : 2 }
}

/// Everything that a pickle may name: what `torch.save` writes for a dictionary of tensors. Each is a case here and nothing else; no name is
/// ever looked up in anything that could be called.
enum TorchGlobal: Equatable {
    case orderedDict
    case rebuildTensor
    /// The same of before version 0.4, without the last two arguments.
    case rebuildTensorV1
    case rebuildParameter
    case size
    case device
    /// A type of storage, and so of the elements.
    case storage(TorchElement)
    /// An element type by itself ("torch.float16"), as some checkpoints note it beside the tensors.
    case dtype

    init?(module: some StringProtocol, name: some StringProtocol) {
        switch (String(module), String(name)) {
        case ("collections", "OrderedDict"): self = .orderedDict
        case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
        case ("torch._utils", "_rebuild_tensor"): self = .rebuildTensorV1
        case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
        case ("torch", "Size"): self = .size
        case ("torch", "device"): self = .device
        case ("torch", let name):
            if let element = TorchElement(storage: name) {
                self = .storage(element)
            } else if TorchElement.allCases.contains(where: { $0.dtypes.contains(name) }) {
                self = .dtype
            } else {
                return nil
            }
        default: return nil
        }
    }
}

/// The element types of PyTorch's storages.
package enum TorchElement: String, Sendable, CaseIterable, CustomStringConvertible {
    case float32 = "FloatStorage"
    case float16 = "HalfStorage"
    case bfloat16 = "BFloat16Storage"
    case float64 = "DoubleStorage"
    case int64 = "LongStorage"
    case int32 = "IntStorage"
    case int16 = "ShortStorage"
    case int8 = "CharStorage"
    case uint8 = "ByteStorage"
    case bool = "BoolStorage"

    init?(storage name: String) { self.init(rawValue: name) }

    /// The type that the engine computes with; nil for those which weights don't have.
    package var type: TensorType? {
        switch self {
        case .float32: .f32
        case .float16: .f16
        case .bfloat16: .bf16
        default: nil
        }
    }

    var byteCount: Int {
        switch self {
        case .float64, .int64: 8
        case .float32, .int32: 4
        case .float16, .bfloat16, .int16: 2
        case .int8, .uint8, .bool: 1
        }
    }

    /// The name as PyTorch prints it, without "torch.".
    package var description: String { "\(dtypes[0])" }

    fileprivate var dtypes: [String] {
        switch self {
        case .float32: ["float32", "float"]
        case .float16: ["float16", "half"]
        case .bfloat16: ["bfloat16"]
        case .float64: ["float64", "double"]
        case .int64: ["int64", "long"]
        case .int32: ["int32", "int"]
        case .int16: ["int16", "short"]
        case .int8: ["int8"]
        case .uint8: ["uint8"]
        case .bool: ["bool"]
        }
    }
}

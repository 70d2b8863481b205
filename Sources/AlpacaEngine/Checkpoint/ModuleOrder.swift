// The order in which transformers 4.28.1 lists the parameters of a model. Files made by way of it have their tensors in this order, also the
// pth files of the official merge script, which walks through such files.

package enum ModuleOrder {
    /// Attention comes first, four tensors and the buffer ``RotaryBuffer``; norms are declared last.
    private static let layer: [TensorRole.Kind] = [
        .query, .key, .value, .attentionOutput, .gate, .down, .up, .attentionNorm, .feedForwardNorm,
    ]

    /// The tensors of the model in the order of its modules.
    ///
    /// - Throws: for families that came later: nothing of that time has files of them.
    package static func specs(_ model: ModelConfiguration) throws(AlpacaError) -> [TensorSpec] {
        let architecture = Architectures.make(model)
        var roles: [TensorRole] = [.tokenEmbedding]
        for number in 0..<model.layerCount { roles += layer.map { TensorRole($0, layer: number) } }
        roles += [.outputNorm, .output]
        let specs = roles.compactMap { architecture.spec(of: $0) }
        // Rotary factors are left out as well: the tensors that GGUF alone has.
        let others = architecture.tensors.filter { $0.names.huggingFace != nil && !layer.contains($0.role.kind) && $0.role.layer != nil }
        guard let other = others.first else { return specs }
        throw AlpacaError(
            .unsupported,
            "tensor \(other.names.gguf.quoted()) has no place in files of 2023: convert to a Hugging Face folder with safetensors (hf) or to GGUF"
        )
    }
}

/// The rotary frequencies that files of transformers before 4.31 hold for each layer. Readers ignore them; they count for a file's SHA-256.
package enum RotaryBuffer {
    package static func name(layer: Int) -> String { "model.layers.\(layer).self_attn.rotary_emb.inv_freq" }

    /// - Parameter type: that of the model: the buffer was rounded with it.
    package static func info(_ model: ModelConfiguration, type: TensorType, layer: Int) throws(AlpacaError) -> TensorInfo {
        try TensorInfo(name: name(layer: layer), type: type, shape: [model.headDimension / 2])
    }

    /// `1 / theta^(2i / headDimension)`, in F32 step by step as torch computes it, then rounded to `type`.
    package static func bytes(_ model: ModelConfiguration, type: TensorType) -> [UInt8] {
        var bytes: [UInt8] = []
        for i in 0..<model.headDimension / 2 {
            let exponent = Float(2 * i) / Float(model.headDimension)
            let value = 1 / Float(Numerics.power(model.ropeTheta, Double(exponent)))
            switch type {
            case .f16: bytes.append(littleEndian: Float16(value).bitPattern)
            case .bf16:
                // To the nearest, ties to even; the values are finite and far from overflow.
                let bits = value.bitPattern
                bytes.append(littleEndian: UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16))
            default: bytes.append(littleEndian: value.bitPattern)
            }
        }
        return bytes
    }
}

// The order in which transformers 4.28.1 lists the parameters of a model. Files made by way of it have their tensors in this order, also the
// pth files of the official merge script, which walks through such files.

extension TensorRole {
    /// The tensors of the model in the order of its modules.
    package static func moduleOrder(_ model: ModelConfiguration) -> [TensorRole] {
        var roles: [TensorRole] = [.tokenEmbedding]
        for layer in 0..<model.layerCount { roles += moduleOrder(layer: layer) }
        roles.append(.outputNorm)
        if !model.isOutputTied { roles.append(.output) }
        return roles
    }

    /// Attention comes first, four tensors and the buffer ``RotaryBuffer``; norms are declared last.
    static func moduleOrder(layer: Int) -> [TensorRole] {
        [
            .query(layer), .key(layer), .value(layer), .attentionOutput(layer), .gate(layer), .down(layer), .up(layer),
            .attentionNorm(layer), .feedForwardNorm(layer),
        ]
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

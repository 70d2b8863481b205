/// What families with experts have in common: the tensors of a layer's experts, and what GGUF files say of them.
enum ExpertTensors {
    /// In the forms of GGUF files: all experts of a layer in one; of some also gates and ups together. And in a form of Hugging Face's files.
    static let joins = [
        TensorJoin(.gguf, "blk.*.ffn_gate_exps.weight", [.gateExperts], isOfExperts: true),
        TensorJoin(.gguf, "blk.*.ffn_up_exps.weight", [.upExperts], isOfExperts: true),
        TensorJoin(.gguf, "blk.*.ffn_down_exps.weight", [.downExperts], isOfExperts: true),
        TensorJoin(.gguf, "blk.*.ffn_gate_up_exps.weight", [.gateExperts, .upExperts], isOfExperts: true),
        TensorJoin(.huggingFace, "model.layers.*.mlp.experts.gate_up_proj", [.gateExperts, .upExperts], isOfExperts: true),
        TensorJoin(.huggingFace, "model.layers.*.mlp.experts.down_proj", [.downExperts], isOfExperts: true),
    ]

    static func router(_ name: String, aliases: [String] = []) -> TensorPattern {
        TensorPattern(
            .router, TensorNames("blk.*.ffn_gate_inp.weight", name, nil), [\.expertCount, \.embeddingLength], inExpertLayers: true,
            aliases: aliases)
    }

    static func gate(_ name: String) -> TensorPattern {
        TensorPattern(
            .gateExperts, TensorNames("blk.*.ffn_gate.*.weight", name, nil), [\.expertFeedForwardLength, \.embeddingLength],
            inExpertLayers: true)
    }

    static func up(_ name: String) -> TensorPattern {
        TensorPattern(
            .upExperts, TensorNames("blk.*.ffn_up.*.weight", name, nil), [\.expertFeedForwardLength, \.embeddingLength],
            inExpertLayers: true)
    }

    static func down(_ name: String) -> TensorPattern {
        TensorPattern(
            .downExperts, TensorNames("blk.*.ffn_down.*.weight", name, nil), [\.embeddingLength, \.expertFeedForwardLength],
            inExpertLayers: true)
    }

    /// - Parameter lengthKey: the key that has the width of an expert.
    static func experts(
        _ metadata: GGUFMetadata, _ architecture: String, lengthKey: String
    ) throws(AlpacaError) -> ModelConfiguration.Experts {
        let limits = ModelConfiguration.Limits.self
        let count = try metadata.uint(GGUFKey.expertCount(architecture), in: limits.expertCount)
        return ModelConfiguration.Experts(
            count: count, usedCount: try metadata.uint(GGUFKey.expertUsedCount(architecture), in: 1...count),
            feedForwardLength: try metadata.uint(lengthKey, in: limits.feedForwardLength),
            isNormalized: try metadata.boolIfPresent(GGUFKey.expertWeightsNorm(architecture)) ?? true)
    }
}

extension TensorRole.Kind {
    /// Chooses a token's experts. Small, and never quantized: a wrong choice costs more than a wrong number.
    package static let router = Self("ffn_gate_inp")
    package static let gateExperts = Self("ffn_gate_exps")
    package static let upExperts = Self("ffn_up_exps")
    package static let downExperts = Self("ffn_down_exps")

    /// Whether each expert of a layer has one of its own.
    package var isOfExperts: Bool { Architectures.table[self]?.isOfExperts == true }
}

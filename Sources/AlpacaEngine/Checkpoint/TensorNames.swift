// The tensors of the Llama architecture, and what three kinds of files call them. Q and K differ in more than the name: Meta and GGUF
// files interleave the pairs that are rotated, Hugging Face files have the two halves one after the other.

/// Whose names: those of ggml's files, of Hugging Face's, or of Meta's `consolidated.NN.pth`.
package enum TensorNaming: Sendable, CaseIterable {
    case gguf, huggingFace, meta
}

/// What a tensor is in the model. The number is the layer, from 0.
package enum TensorRole: Hashable, Sendable {
    case tokenEmbedding, outputNorm, output
    /// Divisors of the rotary frequencies; exists in GGUF only.
    case ropeFactors
    case attentionNorm(Int), query(Int), key(Int), value(Int), attentionOutput(Int)
    case feedForwardNorm(Int), gate(Int), up(Int), down(Int)
}

extension TensorRole {
    /// The name in files of a kind; nil where such files have no such tensor.
    package func name(in naming: TensorNaming) -> String? {
        for row in TensorNames.model where row.role == self { return row.names[naming] }
        guard let layer, let row = TensorNames.layer.first(where: { $0.role(layer) == self }) else { return nil }
        return row.names[naming].map { "\(TensorNames.layerPrefix(naming))\(layer).\($0)" }
    }

    /// The role of the tensor called `name`; nil when the architecture has none of that name.
    package init?(_ name: String, in naming: TensorNaming) {
        if let role = TensorNames.model.first(where: { $0.names[naming] == name })?.role {
            self = role
            return
        }
        let prefix = TensorNames.layerPrefix(naming)
        guard name.hasPrefix(prefix) else { return nil }
        let rest = name.dropFirst(prefix.count)
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        let part = String(rest.dropFirst(digits.count + 1))
        // At most four digits, and no zero in front: "blk.00" is not another name of "blk.0".
        guard digits.count <= 4, digits == "0" || digits.first != "0", let layer = Int(digits),
            layer < ModelConfiguration.Limits.layerCount.upperBound, rest.dropFirst(digits.count).first == ".",
            let row = TensorNames.layer.first(where: { $0.names[naming] == part })
        else { return nil }
        self = row.role(layer)
    }

    /// The layer that the tensor belongs to; nil for those of the whole model.
    package var layer: Int? {
        switch self {
        case .tokenEmbedding, .outputNorm, .output, .ropeFactors: nil
        case .attentionNorm(let layer), .query(let layer), .key(let layer), .value(let layer), .attentionOutput(let layer),
            .feedForwardNorm(let layer), .gate(let layer), .up(let layer), .down(let layer):
            layer
        }
    }

    /// The shape that the tensor has, outermost first: a matrix is [outputs, inputs].
    package func shape(_ model: ModelConfiguration) -> [Int] {
        switch self {
        case .tokenEmbedding, .output: [model.vocabularySize, model.embeddingLength]
        case .outputNorm, .attentionNorm, .feedForwardNorm: [model.embeddingLength]
        case .ropeFactors: [model.ropeDimension / 2]
        case .query: [model.queryLength, model.embeddingLength]
        case .key, .value: [model.keyValueLength, model.embeddingLength]
        case .attentionOutput: [model.embeddingLength, model.queryLength]
        case .gate, .up: [model.feedForwardLength, model.embeddingLength]
        case .down: [model.embeddingLength, model.feedForwardLength]
        }
    }

    /// The tensors that a model of this configuration has, no more and no fewer.
    package static func all(_ model: ModelConfiguration) -> [TensorRole] {
        var roles: [TensorRole] = [.tokenEmbedding]
        if model.hasRopeFactors { roles.append(.ropeFactors) }
        for layer in 0..<model.layerCount { roles += TensorNames.layer.map { $0.role(layer) } }
        roles.append(.outputNorm)
        if !model.isOutputTied { roles.append(.output) }
        return roles
    }

    /// Tensors that some files carry and no reader needs: rotary frequencies, which follow from the configuration.
    package static func isIgnored(_ name: String) -> Bool {
        name == "rope.freqs" || name.hasSuffix(".rope.freqs") || name.hasSuffix(".rotary_emb.inv_freq")
    }
}

/// The table.
private enum TensorNames {
    struct Names: Sendable {
        let gguf: String
        let huggingFace: String?
        let meta: String?

        init(_ gguf: String, _ huggingFace: String?, _ meta: String?) {
            self.gguf = gguf
            self.huggingFace = huggingFace
            self.meta = meta
        }

        subscript(naming: TensorNaming) -> String? {
            switch naming {
            case .gguf: gguf
            case .huggingFace: huggingFace
            case .meta: meta
            }
        }
    }

    static func layerPrefix(_ naming: TensorNaming) -> String {
        switch naming {
        case .gguf: "blk."
        case .huggingFace: "model.layers."
        case .meta: "layers."
        }
    }

    static let model: [(role: TensorRole, names: Names)] = [
        (.tokenEmbedding, Names("token_embd.weight", "model.embed_tokens.weight", "tok_embeddings.weight")),
        (.outputNorm, Names("output_norm.weight", "model.norm.weight", "norm.weight")),
        (.output, Names("output.weight", "lm_head.weight", "output.weight")),
        (.ropeFactors, Names("rope_freqs.weight", nil, nil)),
    ]

    /// Behind the prefix and the layer's number.
    static let layer: [(role: @Sendable (Int) -> TensorRole, names: Names)] = [
        ({ .attentionNorm($0) }, Names("attn_norm.weight", "input_layernorm.weight", "attention_norm.weight")),
        ({ .query($0) }, Names("attn_q.weight", "self_attn.q_proj.weight", "attention.wq.weight")),
        ({ .key($0) }, Names("attn_k.weight", "self_attn.k_proj.weight", "attention.wk.weight")),
        ({ .value($0) }, Names("attn_v.weight", "self_attn.v_proj.weight", "attention.wv.weight")),
        ({ .attentionOutput($0) }, Names("attn_output.weight", "self_attn.o_proj.weight", "attention.wo.weight")),
        ({ .feedForwardNorm($0) }, Names("ffn_norm.weight", "post_attention_layernorm.weight", "ffn_norm.weight")),
        ({ .gate($0) }, Names("ffn_gate.weight", "mlp.gate_proj.weight", "feed_forward.w1.weight")),
        ({ .up($0) }, Names("ffn_up.weight", "mlp.up_proj.weight", "feed_forward.w3.weight")),
        ({ .down($0) }, Names("ffn_down.weight", "mlp.down_proj.weight", "feed_forward.w2.weight")),
    ]
}

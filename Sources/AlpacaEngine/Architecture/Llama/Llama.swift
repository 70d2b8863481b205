// LLaMA 1 and 2, Llama 3, and all that is made after them. Q and K differ in more than the name: Meta and GGUF files interleave the pairs that
// are rotated, Hugging Face files have the two halves one after the other.

package struct Llama: Architecture {
    package static let names = ArchitectureNames(
        title: "Llama", gguf: "llama", modelType: "llama",
        classes: ["LlamaForCausalLM", "LLaMAForCausalLM", "LlamaModel", "LLaMAModel"])

    package static let table = TensorTable(
        patterns.flatMap { pattern in [pattern] + biases.filter { $0.0 == pattern.kind }.map(\.1) }, joins: joins)

    /// Those of all models of the family, and of the families beside it.
    static let patterns = [
        TensorPattern(
            .tokenEmbedding, TensorNames("token_embd.weight", "model.embed_tokens.weight", "tok_embeddings.weight"),
            [\.vocabularySize, \.embeddingLength]),
        TensorPattern(
            .ropeFactors, TensorNames("rope_freqs.weight", nil, nil), [\.rotatedPairCount], if: \ModelConfiguration.hasRopeFactors),
        TensorPattern(
            .attentionNorm,
            TensorNames("blk.*.attn_norm.weight", "model.layers.*.input_layernorm.weight", "layers.*.attention_norm.weight"),
            [\.embeddingLength]),
        TensorPattern(
            .query, TensorNames("blk.*.attn_q.weight", "model.layers.*.self_attn.q_proj.weight", "layers.*.attention.wq.weight"),
            [\.queryLength, \.embeddingLength], hasHeads: true),
        TensorPattern(
            .key, TensorNames("blk.*.attn_k.weight", "model.layers.*.self_attn.k_proj.weight", "layers.*.attention.wk.weight"),
            [\.keyValueLength, \.embeddingLength], hasHeads: true),
        TensorPattern(
            .value, TensorNames("blk.*.attn_v.weight", "model.layers.*.self_attn.v_proj.weight", "layers.*.attention.wv.weight"),
            [\.keyValueLength, \.embeddingLength]),
        TensorPattern(
            .attentionOutput,
            TensorNames("blk.*.attn_output.weight", "model.layers.*.self_attn.o_proj.weight", "layers.*.attention.wo.weight"),
            [\.embeddingLength, \.queryLength]),
        TensorPattern(
            .feedForwardNorm,
            TensorNames("blk.*.ffn_norm.weight", "model.layers.*.post_attention_layernorm.weight", "layers.*.ffn_norm.weight"),
            [\.embeddingLength]),
        TensorPattern(
            .gate, TensorNames("blk.*.ffn_gate.weight", "model.layers.*.mlp.gate_proj.weight", "layers.*.feed_forward.w1.weight"),
            [\.feedForwardLength, \.embeddingLength]),
        TensorPattern(
            .up, TensorNames("blk.*.ffn_up.weight", "model.layers.*.mlp.up_proj.weight", "layers.*.feed_forward.w3.weight"),
            [\.feedForwardLength, \.embeddingLength]),
        TensorPattern(
            .down, TensorNames("blk.*.ffn_down.weight", "model.layers.*.mlp.down_proj.weight", "layers.*.feed_forward.w2.weight"),
            [\.embeddingLength, \.feedForwardLength]),
        TensorPattern(.outputNorm, TensorNames("output_norm.weight", "model.norm.weight", "norm.weight"), [\.embeddingLength]),
        TensorPattern(
            .output, TensorNames("output.weight", "lm_head.weight", "output.weight"), [\.vocabularySize, \.embeddingLength],
            if: \ModelConfiguration.hasOutput),
    ]

    /// Queries, keys and values in one: some converters write them so.
    static let joins = [
        TensorJoin(.gguf, "blk.*.attn_qkv.weight", [.query, .key, .value]),
        TensorJoin(.gguf, "blk.*.attn_qkv.bias", [.queryBias, .keyBias, .valueBias]),
    ]

    /// By the matrix that they belong to. Some models have them (`attention_bias`, `mlp_bias`).
    static let biases: [(TensorRole.Kind, TensorPattern)] = [
        (.query, bias(.queryBias, "attn_q", "self_attn.q_proj", \.queryLength, \.hasQueryBias, hasHeads: true)),
        (.key, bias(.keyBias, "attn_k", "self_attn.k_proj", \.keyValueLength, \.hasKeyBias, hasHeads: true)),
        (.value, bias(.valueBias, "attn_v", "self_attn.v_proj", \.keyValueLength, \.hasValueBias)),
        (
            .attentionOutput,
            bias(.attentionOutputBias, "attn_output", "self_attn.o_proj", \.embeddingLength, \.hasAttentionOutputBias)
        ),
        (.gate, bias(.gateBias, "ffn_gate", "mlp.gate_proj", \.feedForwardLength, \.hasGateBias)),
        (.up, bias(.upBias, "ffn_up", "mlp.up_proj", \.feedForwardLength, \.hasUpBias)),
        (.down, bias(.downBias, "ffn_down", "mlp.down_proj", \.embeddingLength, \.hasDownBias)),
    ]

    private static func bias(
        _ kind: TensorRole.Kind, _ gguf: String, _ module: String, _ length: TensorPattern.Size, _ condition: TensorPattern.Condition,
        hasHeads: Bool = false
    ) -> TensorPattern {
        TensorPattern(
            kind, TensorNames("blk.*.\(gguf).bias", "model.layers.*.\(module).bias", nil), [length], hasHeads: hasHeads, if: condition)
    }

    package static let assumedContextLength = 2_048

    package static let hasOptionalBiases = true

    package static func biases(_ config: JSONValue) throws(AlpacaError) -> ModelConfiguration.Biases {
        var biases: ModelConfiguration.Biases = []
        if try config.boolIfPresent("attention_bias") ?? false { biases.formUnion(.attention) }
        if try config.boolIfPresent("mlp_bias") ?? false { biases.formUnion(.feedForward) }
        return biases
    }

    package let configuration: ModelConfiguration

    package init(_ configuration: ModelConfiguration) { self.configuration = configuration }
}

extension TensorRole.Kind {
    package static let attentionOutputBias = Self("attn_output.bias")
    package static let gateBias = Self("ffn_gate.bias")
    package static let upBias = Self("ffn_up.bias")
    package static let downBias = Self("ffn_down.bias")
}

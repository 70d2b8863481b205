// LLaMA 1 and 2, Llama 3, and all that is made after them. Q and K differ in more than the name: Meta and GGUF files interleave the pairs that
// are rotated, Hugging Face files have the two halves one after the other.

package struct Llama: Architecture {
    package static let names = ArchitectureNames(
        title: "Llama", gguf: "llama", modelType: "llama",
        classes: ["LlamaForCausalLM", "LLaMAForCausalLM", "LlamaModel", "LLaMAModel"])

    package static let table = TensorTable([
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
    ])

    package static let assumedContextLength = 2_048

    package static func check(_ config: JSONValue) throws(AlpacaError) {
        for key in ["attention_bias", "mlp_bias"] where try config.boolIfPresent(key) ?? false {
            throw ModelConfiguration.refusal(config, key, "true", "false")
        }
    }

    package let configuration: ModelConfiguration

    package init(_ configuration: ModelConfiguration) { self.configuration = configuration }
}

// Qwen3 (arXiv:2505.09388): Llama with a norm of each head's queries and keys before they are turned, and a dimension of heads of its own. GGUF
// files leave rows in Hugging Face's order.

package struct Qwen3: Architecture {
    package static let names = ArchitectureNames(
        title: "Qwen3", gguf: "qwen3", modelType: "qwen3", classes: ["Qwen3ForCausalLM", "Qwen3Model"])

    /// Llama's, the matrices of queries and keys each followed by the norm of what they give.
    package static let table = TensorTable(patterns, joins: Llama.joins)

    static let patterns = Llama.patterns.filter { $0.kind != .ropeFactors }.flatMap { pattern in
        [pattern] + headNorms.filter { $0.0 == pattern.kind }.map(\.1)
    }

    package static let ropePairing = RopePairing.halves
    package static let assumedContextLength = 32_768

    private static let headNorms: [(TensorRole.Kind, TensorPattern)] = [
        (.query, headNorm(.queryNorm, "q")), (.key, headNorm(.keyNorm, "k")),
    ]

    private static func headNorm(_ kind: TensorRole.Kind, _ letter: String) -> TensorPattern {
        TensorPattern(
            kind, TensorNames("blk.*.attn_\(letter)_norm.weight", "model.layers.*.self_attn.\(letter)_norm.weight", nil),
            [\.headDimension])
    }

    package static func check(_ config: JSONValue) throws(AlpacaError) {
        for key in ["use_sliding_window", "attention_bias"] where try config.boolIfPresent(key) ?? false {
            throw ModelConfiguration.refusal(config, key, "true", "false")
        }
    }

    package let configuration: ModelConfiguration

    package init(_ configuration: ModelConfiguration) { self.configuration = configuration }
}

extension TensorRole.Kind {
    package static let queryNorm = Self("attn_q_norm")
    package static let keyNorm = Self("attn_k_norm")
}

// Qwen2, Qwen2.5, and DeepSeek's models distilled into them (arXiv:2407.10671): Llama with biases on queries, keys and values. GGUF files leave
// rows in Hugging Face's order, so that pairs are halves there too.

package struct Qwen2: Architecture {
    package static let names = ArchitectureNames(
        title: "Qwen2", gguf: "qwen2", modelType: "qwen2", classes: ["Qwen2ForCausalLM", "Qwen2Model"])

    /// Llama's, each of the three matrices followed by its bias.
    package static let table = TensorTable(
        Llama.patterns.filter { $0.kind != .ropeFactors }.flatMap { pattern in
            [pattern] + biases.filter { $0.0 == pattern.kind }.map(\.1)
        }, joins: Llama.joins)

    package static let ropePairing = RopePairing.halves
    package static let assumedContextLength = 32_768

    private static let biases: [(TensorRole.Kind, TensorPattern)] = [
        (.query, bias(.queryBias, "q", \.queryLength)), (.key, bias(.keyBias, "k", \.keyValueLength)),
        (.value, bias(.valueBias, "v", \.keyValueLength)),
    ]

    private static func bias(_ kind: TensorRole.Kind, _ letter: String, _ length: TensorPattern.Size) -> TensorPattern {
        TensorPattern(
            kind, TensorNames("blk.*.attn_\(letter).bias", "model.layers.*.self_attn.\(letter)_proj.bias", nil), [length])
    }

    /// A window for some of the layers: published models have the key, set to false.
    package static func check(_ config: JSONValue) throws(AlpacaError) {
        guard try config.boolIfPresent("use_sliding_window") ?? false else { return }
        throw ModelConfiguration.refusal(config, "use_sliding_window", "true", "false")
    }

    package let configuration: ModelConfiguration

    package init(_ configuration: ModelConfiguration) { self.configuration = configuration }
}

extension TensorRole.Kind {
    package static let queryBias = Self("attn_q.bias")
    package static let keyBias = Self("attn_k.bias")
    package static let valueBias = Self("attn_v.bias")
}

// The names of tensors in PEFT's files. A module's name in the model has prefixes of the wrappers before it, and what the tensor is to the
// module behind it: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight. States that were saved without PEFT's export have the
// adapter's own name in between (lora_A.default.weight).

/// A name, understood.
package struct AdapterKey: Sendable, Equatable {
    package enum Part: Sendable {
        case loraA, loraB, embeddingA, embeddingB, magnitude
        /// The whole tensor, trained.
        case saved
        /// The tensor of the base under an update, stored with it (as PEFT does for embeddings).
        case base
        case bias
        /// The base's own, kept beside what replaces it.
        case ignored
    }

    /// Its name in Hugging Face's models, "model.layers.0.self_attn.q_proj".
    package let module: String
    package let part: Part
    /// The tensor that is changed; nil when the architecture has none of that name.
    package let role: TensorRole?

    private static let prefix = "base_model.model."

    /// What may end a name, longest first where one ends with another. `*` stands for nothing or the adapter's name.
    private static let suffixes: [(text: String, part: Part)] =
        ["", ".default"].flatMap { adapter -> [(String, Part)] in
            [
                (".lora_A\(adapter).weight", .loraA), (".lora_B\(adapter).weight", .loraB), (".lora_B\(adapter).bias", .bias),
                (".lora_embedding_A\(adapter)", .embeddingA), (".lora_embedding_B\(adapter)", .embeddingB),
                (".lora_embedding_A\(adapter).weight", .embeddingA), (".lora_embedding_B\(adapter).weight", .embeddingB),
                (".lora_magnitude_vector\(adapter)", .magnitude), (".lora_magnitude_vector\(adapter).weight", .magnitude),
                (".modules_to_save\(adapter).weight", .saved), (".modules_to_save\(adapter).bias", .bias),
            ]
        } + [
            (".original_module.weight", .ignored), (".base_layer.weight", .base), (".base_layer.bias", .bias), (".bias", .bias),
            (".weight", .saved),
        ]

    /// nil: no name that an adapter's tensor has.
    package init?(_ name: String) {
        var rest = Substring(name)
        for _ in 0..<2 where rest.hasPrefix(AdapterKey.prefix) { rest = rest.dropFirst(AdapterKey.prefix.count) }
        if Architectures.isIgnored(String(rest)) {
            (module, part, role) = (String(rest), .ignored, nil)
            return
        }
        guard let suffix = AdapterKey.suffixes.first(where: { rest.hasSuffix($0.text) }) else { return nil }
        let module = String(rest.dropLast(suffix.text.count))
        // Adapters of the model without its head lack the first component.
        for candidate in [module, "model.\(module)"] {
            guard let role = TensorRole("\(candidate).weight", in: .huggingFace) else { continue }
            (self.module, part, self.role) = (candidate, suffix.part, role)
            return
        }
        guard !module.isEmpty, !module.contains("lora_"), !module.hasSuffix(".base_layer") else { return nil }
        (self.module, part, role) = (module, suffix.part, nil)
    }
}

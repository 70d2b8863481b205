// The names of tensors in PEFT's files. A module's name in the model has prefixes of the wrappers before it, and what the tensor is to the
// module behind it: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight. States that were saved without PEFT's export have the
// adapter's own name in between (lora_A.default.weight), and those of other wrappers (compiled, distributed) their words.

/// A name, understood.
package struct AdapterKey: Sendable, Equatable {
    package enum Part: Sendable {
        case loraA, loraB, embeddingA, embeddingB, magnitude
        /// The whole tensor, trained.
        case saved
        /// The tensor of the base under an update, stored with it (as PEFT does for embeddings).
        case base
        case bias
        /// Rows of embeddings, trained alone.
        case tokens
        /// The base's own, kept beside what replaces it.
        case ignored
    }

    /// Its name in Hugging Face's models, "model.layers.0.self_attn.q_proj".
    package let module: String
    package let part: Part
    /// The tensor that is changed; nil when the architecture has none of that name.
    package let role: TensorRole?
    /// What the adapter is called, where the name says it: "default".
    package let adapter: String?

    private static let prefix = "base_model.model."

    /// Wrappers of PyTorch that put a word into names: `torch.compile`, DistributedDataParallel, FSDP, recomputed activations.
    private static let wrappers: Set<Substring> = ["_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]

    /// Words behind a module's name: before the adapter's name, if it is there, and behind it.
    private static let named: [(before: String, behind: [String], part: Part)] = [
        ("lora_A", ["weight"], .loraA), ("lora_B", ["weight"], .loraB), ("lora_B", ["bias"], .bias),
        ("lora_embedding_A", ["", "weight"], .embeddingA), ("lora_embedding_B", ["", "weight"], .embeddingB),
        ("lora_magnitude_vector", ["", "weight"], .magnitude),
        ("modules_to_save", ["weight"], .saved), ("modules_to_save", ["bias"], .bias),
        ("token_adapter.trainable_tokens_delta", [""], .tokens), ("token_adapter.trainable_tokens_original", [""], .ignored),
    ]

    private static let plain: [(text: String, part: Part)] = [
        (".token_adapter.base_layer.weight", .base), (".original_module.weight", .ignored), (".base_layer.weight", .base),
        (".base_layer.bias", .bias), (".bias", .bias), (".weight", .saved),
    ]

    /// nil: no name that an adapter's tensor has.
    package init?(_ name: String) {
        let rest = AdapterKey.bare(name)
        if Architectures.isIgnored(String(rest)) {
            (module, part, role, adapter) = (String(rest), .ignored, nil, nil)
            return
        }
        guard let (module, part, adapter) = AdapterKey.divided(rest) else { return nil }
        // Adapters of the model without its head lack the first component.
        for candidate in [module, "model.\(module)"] {
            guard let role = TensorRole("\(candidate).weight", in: .huggingFace) else { continue }
            (self.module, self.part, self.role, self.adapter) = (candidate, part, role, adapter)
            return
        }
        guard !module.isEmpty, !module.contains("lora_"), !module.hasSuffix(".base_layer"), !module.contains("token_adapter") else {
            return nil
        }
        (self.module, self.part, role, self.adapter) = (module, part, nil, adapter)
    }

    /// A name without prefixes, and without what wrappers put into it.
    private static func bare(_ name: String) -> Substring {
        var rest = Substring(
            name.split(separator: ".", omittingEmptySubsequences: false).filter { !Self.wrappers.contains($0) }
                .joined(separator: "."))
        for _ in 0..<2 where rest.hasPrefix(AdapterKey.prefix) { rest = rest.dropFirst(AdapterKey.prefix.count) }
        return rest
    }

    /// A name in its three parts, whatever module it is of.
    static func parsed(_ name: String) -> (module: String, part: Part, adapter: String?)? { divided(bare(name)) }

    /// A name without prefixes in its three parts.
    private static func divided(_ rest: Substring) -> (module: String, part: Part, adapter: String?)? {
        for (before, behind, part) in named {
            let word = ".\(before)"
            for tail in behind {
                let tail = tail.isEmpty ? "" : ".\(tail)"
                guard rest.hasSuffix(tail) else { continue }
                let front = rest.dropLast(tail.count)
                if front.hasSuffix(word) { return (String(front.dropLast(word.count)), part, nil) }
                // One component more: the adapter's name, which is no word of the list.
                guard let dot = front.lastIndex(of: "."), front[..<dot].hasSuffix(word) else { continue }
                let name = String(front[front.index(after: dot)...])
                guard !name.isEmpty, name != "weight", name != "bias" else { continue }
                return (String(front[..<dot].dropLast(word.count)), part, name)
            }
        }
        guard let suffix = plain.first(where: { rest.hasSuffix($0.text) }) else { return nil }
        return (String(rest.dropLast(suffix.text.count)), suffix.part, nil)
    }
}

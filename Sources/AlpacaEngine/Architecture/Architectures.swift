/// The families of models that this version knows. To add one: a folder beside this file, and its type in ``families``
/// (docs/extending.md).
package enum Architectures {
    /// Of two with one name in GGUF files, the one that asks for more in a file comes first.
    package static let families: [any Architecture.Type] = [
        Mixtral.self, Mistral.self, Llama.self, Qwen2.self, Qwen3.self, Qwen3MoE.self,
    ]

    /// All kinds of tensors, for files that don't say which family they are of: adapters, and weights without a configuration.
    package static let table = TensorTable(
        families.flatMap { $0.table.patterns }, joins: families.flatMap { $0.table.joins })

    /// The architecture of a model.
    package static func make(_ configuration: ModelConfiguration) -> any Architecture { family(configuration).init(configuration) }

    package static func family(_ configuration: ModelConfiguration) -> any Architecture.Type {
        // One of them made it.
        families.first { $0.names.modelType == configuration.modelType } ?? Llama.self
    }

    /// The family of a GGUF file.
    static func family(_ metadata: GGUFMetadata) throws(AlpacaError) -> any Architecture.Type {
        let name = try metadata.string(GGUFKey.architecture)
        guard let family = families.first(where: { $0.names.gguf == name && $0.isMeant(by: metadata) }) else {
            throw AlpacaError(
                .unsupported,
                "metadata key \"\(GGUFKey.architecture)\": found \(name.quoted()), supported are \(list(families.map { $0.names.gguf }))")
        }
        return family
    }

    /// The family of a `config.json`, by its `model_type`, else by the class under `architectures`.
    static func family(_ config: JSONValue) throws(AlpacaError) -> any Architecture.Type {
        let type = try config.stringIfPresent("model_type")
        let classes = try config.memberIfPresent("architectures")
        var names: [String] = []
        if let classes { for name in try classes.array() { names.append(try name.string()) } }
        guard type != nil || classes != nil else {
            _ = try config.object()
            throw config.wrong("a model's configuration, with \"model_type\"")
        }
        let family: (any Architecture.Type)?
        if let type {
            family = families.first { $0.names.modelType == type.lowercased() }
            guard family != nil else {
                throw ModelConfiguration.refusal(config, "model_type", type.quoted(), list(families.map { $0.names.modelType }))
            }
        } else {
            family = names.first.flatMap { name in families.first { $0.names.classes.contains(name) } }
        }
        let known = family.map { [$0] } ?? families
        for name in names where !known.contains(where: { $0.names.classes.contains(name) }) {
            throw ModelConfiguration.refusal(config, "architectures", name.quoted(), list(known.compactMap { $0.names.classes.first }))
        }
        guard let family else { throw config.wrong("a model's configuration, with \"model_type\"") }
        return family
    }

    /// The family of a `params.json`, which has no name for it: one whose own numbers are there, else Llama.
    static func family(parameters: JSONValue) -> any Architecture.Type {
        families.first { family in family.numbers.contains { $0.meta.flatMap { parameters[$0] } != nil } } ?? Llama.self
    }

    /// "a", "b" and "c"
    private static func list(_ names: [String]) -> String {
        let quoted = Set(names).sorted().map { $0.quoted() }
        guard let last = quoted.last, quoted.count > 1 else { return quoted.first ?? "none" }
        return "\(quoted.dropLast().joined(separator: ", ")) and \(last)"
    }

    /// Tensors that some files carry and no reader needs: rotary frequencies, which follow from the configuration.
    package static func isIgnored(_ name: String) -> Bool {
        name == "rope.freqs" || name.hasSuffix(".rope.freqs") || name.hasSuffix(".rotary_emb.inv_freq")
    }
}

extension TensorRole {
    /// The name in files of a kind; nil where such files have no such tensor.
    package func name(in naming: TensorNaming) -> String? { Architectures.table.name(of: self, in: naming) }

    /// The role of the tensor called `name`; nil when no family has one of that name. That of a layer's experts together is of none of them.
    package init?(_ name: String, in naming: TensorNaming) {
        if let role = Architectures.table.role(of: name, in: naming) {
            self = role
        } else if let (join, layer) = Architectures.table.join(named: name, in: naming), join.isOfExperts, join.kinds.count == 1 {
            self.init(join.kinds[0], layer: layer)
        } else {
            return nil
        }
    }
}

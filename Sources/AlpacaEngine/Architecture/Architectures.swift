/// The families of models that this version knows. To add one: a folder beside this file, and its type in ``families``
/// (docs/extending-architecture.part.md).
package enum Architectures {
    package static let families: [any Architecture.Type] = [Llama.self]

    /// All kinds of tensors, for files that don't say which family they are of: adapters, and weights without a configuration.
    package static let table = TensorTable(families.flatMap { $0.table.patterns })

    /// The architecture of a model.
    package static func make(_ configuration: ModelConfiguration) -> any Architecture {
        let family = families.first { $0.names.gguf == configuration.architecture } ?? Llama.self
        return family.init(configuration)
    }

    /// Tensors that some files carry and no reader needs: rotary frequencies, which follow from the configuration.
    package static func isIgnored(_ name: String) -> Bool {
        name == "rope.freqs" || name.hasSuffix(".rope.freqs") || name.hasSuffix(".rotary_emb.inv_freq")
    }
}

extension TensorRole {
    /// The name in files of a kind; nil where such files have no such tensor.
    package func name(in naming: TensorNaming) -> String? { Architectures.table.name(of: self, in: naming) }

    /// The role of the tensor called `name`; nil when no family has one of that name.
    package init?(_ name: String, in naming: TensorNaming) {
        guard let role = Architectures.table.role(of: name, in: naming) else { return nil }
        self = role
    }

    /// The shape that the tensor has in a model, outermost first; empty where such models have none.
    package func shape(_ model: ModelConfiguration) -> [Int] {
        type(of: Architectures.make(model)).table[kind]?.shape(in: model) ?? []
    }
}

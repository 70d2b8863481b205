/// A kind of tensor as the models of a family have it, once or once a layer: a row of the family's ``TensorTable``. With a configuration it
/// becomes a ``TensorSpec`` a layer.
package struct TensorPattern: Sendable {
    /// A size of the model. That of a family's own is a property that the family adds to the configuration.
    package typealias Size = any KeyPath<ModelConfiguration, Int> & Sendable
    package typealias Condition = any KeyPath<ModelConfiguration, Bool> & Sendable

    package let kind: TensorRole.Kind
    package let names: TensorNames
    /// Outermost first: a matrix is [outputs, inputs].
    package let shape: [Size]
    /// Whether the rows are heads whose components are rotated in pairs (``RopePairing``).
    package let hasHeads: Bool
    /// Which models have the tensor; nil: all.
    package let condition: Condition?
    /// Whether a file without it is incomplete.
    package let isRequired: Bool
    /// Which layers of a model with experts have it: those with experts, those without; nil: all.
    package let inExpertLayers: Bool?
    /// Names that some files of Hugging Face's kind have for it.
    package let aliases: [String]

    package init(
        _ kind: TensorRole.Kind, _ names: TensorNames, _ shape: [Size], hasHeads: Bool = false, if condition: Condition? = nil,
        isRequired: Bool = true, inExpertLayers: Bool? = nil, aliases: [String] = []
    ) {
        self.kind = kind
        self.names = names
        self.shape = shape
        self.hasHeads = hasHeads
        self.condition = condition
        self.isRequired = isRequired
        self.inExpertLayers = inExpertLayers
        self.aliases = aliases
        numberCount = names.gguf.split(separator: ".").count { $0 == "*" }
    }

    /// How many numbers the names have: 1 for a tensor of each layer, 2 for one of each expert.
    let numberCount: Int

    /// Whether each expert of a layer has one.
    var isOfExperts: Bool { numberCount == 2 }

    func isPresent(in model: ModelConfiguration, layer: Int?) -> Bool {
        guard condition.map({ model[keyPath: $0] }) ?? true else { return false }
        guard let inExpertLayers, let layer else { return true }
        return model.hasExperts(layer) == inExpertLayers
    }

    /// The same tensor for a family whose layers may have experts or not.
    func inLayers(withExperts: Bool) -> TensorPattern {
        TensorPattern(
            kind, names, shape, hasHeads: hasHeads, if: condition, isRequired: isRequired, inExpertLayers: withExperts, aliases: aliases)
    }

    /// Which side of a tensor of this kind is as long as the model is wide; nil where none is.
    var widthAxis: Int? { shape.firstIndex(of: \.embeddingLength) }

    func spec(_ role: TensorRole, in model: ModelConfiguration) -> TensorSpec {
        TensorSpec(
            role: role, shape: shape.map { model[keyPath: $0] }, names: names.numbered(role),
            hasHeadOrder: hasHeads && model.ropePairing == .interleaved, isRequired: isRequired,
            expertCount: isOfExperts && role.expert == nil ? model.experts?.count : nil)
    }
}

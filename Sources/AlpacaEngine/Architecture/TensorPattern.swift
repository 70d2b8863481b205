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

    package init(
        _ kind: TensorRole.Kind, _ names: TensorNames, _ shape: [Size], hasHeads: Bool = false, if condition: Condition? = nil,
        isRequired: Bool = true
    ) {
        self.kind = kind
        self.names = names
        self.shape = shape
        self.hasHeads = hasHeads
        self.condition = condition
        self.isRequired = isRequired
    }

    /// How many numbers the names have: 1 for a tensor of each layer, 2 for one of each expert.
    var numberCount: Int { names.gguf.split(separator: ".").count { $0 == "*" } }

    func isPresent(in model: ModelConfiguration) -> Bool { condition.map { model[keyPath: $0] } ?? true }

    /// Which side of a tensor of this kind is as long as the model is wide; nil where none is.
    var widthAxis: Int? { shape.firstIndex(of: \.embeddingLength) }

    func spec(_ role: TensorRole, in model: ModelConfiguration) -> TensorSpec {
        TensorSpec(
            role: role, shape: shape.map { model[keyPath: $0] }, names: names.numbered(role),
            hasHeadOrder: hasHeads && model.ropePairing == .interleaved, isRequired: isRequired)
    }
}

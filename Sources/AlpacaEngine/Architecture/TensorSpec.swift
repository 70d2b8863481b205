/// A tensor of one model: what it is, how large, and what files call it.
package struct TensorSpec: Hashable, Sendable {
    package let role: TensorRole
    /// Outermost first: a matrix is [outputs, inputs].
    package let shape: [Int]
    package let names: TensorNames
    /// Whether its rows are in another order in Hugging Face's files than in GGUF and Meta's (``RopePairing``).
    package let hasHeadOrder: Bool
    /// Whether a file without it is incomplete.
    package let isRequired: Bool
    /// Set where this stands for the tensors of all experts of a layer, each of this shape: how many there are. A model of many experts has
    /// tens of thousands of tensors, so that lists have a spec for all of a layer.
    package var expertCount: Int?

    /// The spec of each expert's tensor; of others itself.
    package var parts: [TensorSpec] {
        guard let expertCount else { return [self] }
        return (0..<expertCount).map { expert in
            var role = role
            role.expert = expert
            return TensorSpec(
                role: role, shape: shape, names: names.numbered(expert: expert), hasHeadOrder: hasHeadOrder, isRequired: isRequired)
        }
    }
}

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
}

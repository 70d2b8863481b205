// Mistral 7B and what is made after it (arXiv:2310.06825): Llama in which a position sees a window of those before it. Versions from 0.2 on
// have no window, and are Llama but for the name. GGUF files call both "llama"; llama.cpp's converter leaves the window out, ours writes it.

package struct Mistral: Architecture {
    package static let names = ArchitectureNames(
        title: "Mistral", gguf: Llama.names.gguf, modelType: "mistral", classes: ["MistralForCausalLM", "MistralModel"])

    package static let table = Llama.table
    package static let assumedContextLength = 131_072
    package static let numbers = [slidingWindow]
    /// GGUF files alone can tell of any.
    package static let hasOptionalBiases = true

    static let slidingWindow = FamilyNumber(
        gguf: "attention.sliding_window", huggingFace: "sliding_window", meta: "sliding_window",
        limits: ModelConfiguration.Limits.contextLength, assumed: 4_096)

    package static func isMeant(by metadata: GGUFMetadata) -> Bool { metadata["\(names.gguf).\(slidingWindow.gguf)"] != nil }

    package let configuration: ModelConfiguration

    package init(_ configuration: ModelConfiguration) { self.configuration = configuration }
}

extension ModelConfiguration {
    /// Positions that a position sees, itself included; nil: all before it.
    public var slidingWindow: Int? { self[Mistral.slidingWindow] }
}

// Mixtral 8x7B and 8x22B, Chinese-Mixtral (arXiv:2401.04088): Llama whose layers have several feed-forward parts. GGUF files call it "llama"
// too. A file has the matrices of a layer's experts in one tensor, or, until 2024-04, in one each.

package struct Mixtral: Architecture {
    package static let names = ArchitectureNames(
        title: "Mixtral", gguf: Llama.names.gguf, modelType: "mixtral", classes: ["MixtralForCausalLM", "MixtralModel"])

    package static let table = TensorTable(
        Llama.table.patterns.flatMap { pattern -> [TensorPattern] in
            switch pattern.kind {
            case .gate: experts
            case .up, .down, .gateBias, .upBias, .downBias: []
            default: [pattern]
            }
        }, joins: Llama.joins + ExpertTensors.joins)

    private static let experts = [
        ExpertTensors.router("model.layers.*.block_sparse_moe.gate.weight", aliases: ["model.layers.*.mlp.gate.weight"]),
        ExpertTensors.gate("model.layers.*.block_sparse_moe.experts.*.w1.weight"),
        ExpertTensors.up("model.layers.*.block_sparse_moe.experts.*.w3.weight"),
        ExpertTensors.down("model.layers.*.block_sparse_moe.experts.*.w2.weight"),
    ]

    package static let assumedContextLength = 131_072
    package static let hasOptionalBiases = true
    /// The first configurations had a window; transformers heeds it.
    package static let numbers = [
        FamilyNumber(
            gguf: Mistral.slidingWindow.gguf, huggingFace: Mistral.slidingWindow.huggingFace, meta: nil,
            limits: Mistral.slidingWindow.limits, assumed: nil)
    ]

    package static func isMeant(by metadata: GGUFMetadata) -> Bool {
        metadata[GGUFKey.expertCount(names.gguf)].map { $0.integer != 0 } ?? false
    }

    package static func check(_ metadata: GGUFMetadata) throws(AlpacaError) {}
    package static func biases(_ config: JSONValue) throws(AlpacaError) -> ModelConfiguration.Biases { [] }

    package static func experts(
        _ metadata: GGUFMetadata, layerCount: Int, hasTensor: (String) -> Bool
    ) throws(AlpacaError) -> ModelConfiguration.Experts? {
        try ExpertTensors.experts(metadata, names.gguf, lengthKey: GGUFKey.feedForwardLength(names.gguf))
    }

    package static func experts(_ config: JSONValue, layerCount: Int) throws(AlpacaError) -> ModelConfiguration.Experts? {
        let count = try config.intIfPresent("num_local_experts", in: ModelConfiguration.Limits.expertCount) ?? 8
        return ModelConfiguration.Experts(
            count: count, usedCount: try config.intIfPresent("num_experts_per_tok", in: 1...count) ?? 2,
            feedForwardLength: try config.int("intermediate_size", in: ModelConfiguration.Limits.feedForwardLength))
    }

    package let configuration: ModelConfiguration

    package init(_ configuration: ModelConfiguration) { self.configuration = configuration }
}

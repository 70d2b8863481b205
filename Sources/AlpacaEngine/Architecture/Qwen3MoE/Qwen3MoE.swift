// Qwen3 30B-A3B and 235B-A22B (arXiv:2505.09388): Qwen3 whose layers, all or some of them, have experts, which are narrower than a dense layer.

package struct Qwen3MoE: Architecture {
    package static let names = ArchitectureNames(
        title: "Qwen3 MoE", gguf: "qwen3moe", modelType: "qwen3_moe", classes: ["Qwen3MoeForCausalLM", "Qwen3MoeModel"])

    /// Qwen3's; a layer has one feed-forward part or experts.
    package static let table = TensorTable(
        Qwen3.patterns.flatMap { pattern -> [TensorPattern] in
            switch pattern.kind {
            case .gate: [pattern.inLayers(withExperts: false)] + experts
            case .up, .down: [pattern.inLayers(withExperts: false)]
            default: [pattern]
            }
        }, joins: Llama.joins + ExpertTensors.joins)

    private static let experts = [
        ExpertTensors.router("model.layers.*.mlp.gate.weight"),
        ExpertTensors.gate("model.layers.*.mlp.experts.*.gate_proj.weight"),
        ExpertTensors.up("model.layers.*.mlp.experts.*.up_proj.weight"),
        ExpertTensors.down("model.layers.*.mlp.experts.*.down_proj.weight"),
    ]

    package static let ropePairing = RopePairing.halves
    package static let assumedContextLength = 32_768
    package static let statesExpertLength = true

    package static func check(_ metadata: GGUFMetadata) throws(AlpacaError) {}
    package static func check(_ config: JSONValue) throws(AlpacaError) { try Qwen3.check(config) }

    /// Keys tell of no layers without experts; their tensors do.
    package static func experts(
        _ metadata: GGUFMetadata, layerCount: Int, hasTensor: (String) -> Bool
    ) throws(AlpacaError) -> ModelConfiguration.Experts? {
        var experts = try ExpertTensors.experts(metadata, names.gguf, lengthKey: GGUFKey.expertFeedForwardLength(names.gguf))
        experts.denseLayers = (0..<layerCount).filter { layer in
            func has(_ kind: TensorRole.Kind) -> Bool { table.name(of: TensorRole(kind, layer: layer), in: .gguf).map(hasTensor) ?? false }
            return has(.gate) && !has(.router)
        }
        return experts
    }

    package static func experts(_ config: JSONValue, layerCount: Int) throws(AlpacaError) -> ModelConfiguration.Experts? {
        let limits = ModelConfiguration.Limits.self
        // Transformers 4 has the one name, 5 the other.
        var count = try config.intIfPresent("num_experts", in: limits.expertCount)
        if count == nil { count = try config.intIfPresent("num_local_experts", in: limits.expertCount) }
        let known = count ?? 128
        let step = try config.intIfPresent("decoder_sparse_step", in: 1...limits.layerCount.upperBound) ?? 1
        var dense = Set((0..<layerCount).filter { ($0 + 1) % step != 0 })
        if let listed = try config.memberIfPresent("mlp_only_layers") {
            for layer in try listed.array() { dense.insert(try layer.int(in: 0...layerCount - 1)) }
        }
        return ModelConfiguration.Experts(
            count: known, usedCount: try config.intIfPresent("num_experts_per_tok", in: 1...known) ?? min(8, known),
            feedForwardLength: try config.intIfPresent("moe_intermediate_size", in: limits.feedForwardLength) ?? 768,
            isNormalized: try config.boolIfPresent("norm_topk_prob") ?? false, denseLayers: dense.sorted())
    }

    package let configuration: ModelConfiguration

    package init(_ configuration: ModelConfiguration) { self.configuration = configuration }
}

/// What the rules of the mixes need to know of a model, from its tensors' names and shapes.
struct MixShape {
    var layers = 0
    /// Query heads that share a pair of key and value heads.
    var group = 1
    var experts = 0
    var hasOutput = false

    init(_ tensors: [TensorInfo]) {
        var queries: Int?, keys: Int?
        for info in tensors {
            if info.name == "output.weight" { hasOutput = true }
            guard let place = Place(info) else { continue }
            layers = max(layers, place.layer + 1)
            if place.isOfExperts, place.part == "ffn_down", let count = place.expert.map({ $0 + 1 }) ?? info.shape.first {
                experts = max(experts, count)
            }
            guard place.layer == 0 else { continue }
            if place.part == "attn_q" { queries = info.rows }
            if place.part == "attn_k" { keys = info.rows }
        }
        if let queries, let keys, keys > 0 { group = max(1, queries / keys) }
    }

    /// What a matrix of a layer is called: `blk.LAYER.PART.weight`, of experts `blk.LAYER.PART_exps.weight`, or until 2024
    /// `blk.LAYER.PART.EXPERT.weight`.
    struct Place {
        let layer: Int
        let part: String
        let expert: Int?
        let isOfExperts: Bool

        init?(_ info: TensorInfo) {
            let words = info.name.split(separator: ".", omittingEmptySubsequences: false)
            guard words.count == 4 || words.count == 5, words.first == "blk", words.last == "weight", let layer = Int(words[1]),
                (0...1_000_000).contains(layer)
            else { return nil }
            let isStack = words[2].hasSuffix("_exps")
            self.layer = layer
            part = String(isStack ? words[2].dropLast(5) : words[2])
            expert = words.count == 5 ? Int(words[3]).flatMap { (0...1_000_000).contains($0) ? $0 : nil } : nil
            isOfExperts = isStack || expert != nil
        }
    }
}

/// Which type a matrix gets in a mix that llama.cpp's users know by name: theirs, for each kind of model. The tests compare with what
/// llama-quantize gave.
struct MixRules {
    let fileType: GGUFFileType
    /// Whether errors will be weighted by an importance matrix.
    let hasImportance: Bool
    let model: MixShape

    func type(of info: TensorInfo) -> TensorType {
        let base = fileType.baseType
        if info.name == "output.weight" || (info.name == "token_embd.weight" && !model.hasOutput) {
            return base == .q8_0 || fileType == .mxfp4_MoE ? .q8_0 : .q6_K
        }
        let place = MixShape.Place(info)
        if fileType == .mxfp4_MoE { return place?.isOfExperts == true ? .mxfp4 : .q8_0 }
        if info.name == "token_embd.weight" { return base == .tq1_0 || base == .tq2_0 ? .q4_K : base }
        guard let place else { return base }
        switch place.part {
        case "attn_v": return typeOfValues(place.layer)
        // Eight experts: what all of them share costs next to nothing.
        case "attn_k": return model.experts == 8 ? .q8_0 : base
        case "attn_output": return model.experts == 8 ? typeOfOutputOfEight : typeOfOutput
        case "ffn_down": return typeOfDown(place.layer)
        default: return base
        }
    }

    private func typeOfValues(_ layer: Int) -> TensorType {
        if model.experts == 8 { return .q8_0 }
        let type: TensorType =
            switch fileType {
            case .q2_K: model.group >= 4 ? .q4_K : .q3_K
            case .q2_K_S: model.group >= 4 ? .q4_K : .q2_K
            case .q3_K_M: layer < 2 ? .q5_K : .q4_K
            case .q3_K_L: .q5_K
            case .q4_K_S: layer < 4 ? .q5_K : .q4_K
            case .q4_K_M, .q5_K_M: isSensitive(layer) ? .q6_K : fileType.baseType
            case .iq4_NL, .iq4_XS: model.group >= 4 ? .q5_K : fileType.baseType
            default: fileType.baseType
            }
        // 70B: so few values serve so many queries that larger ones cost next to nothing.
        return model.layers == 80 && model.group > 1 && (type == .q3_K || type == .q4_K) ? .q5_K : type
    }

    private func typeOfDown(_ layer: Int) -> TensorType {
        let isFirst = layer < model.layers / 8
        return switch fileType {
        case .q2_K: .q3_K
        case .q2_K_S: isFirst ? .q4_K : .q2_K
        case .q3_K_M: layer < model.layers / 16 ? .q5_K : .q4_K
        case .q3_K_L: .q5_K
        case .q4_K_S: isFirst ? .q5_K : .q4_K
        case .q4_K_M, .q5_K_M: isSensitive(layer) ? .q6_K : fileType.baseType
        case .iq4_NL, .iq4_XS: isFirst && !hasImportance ? .q5_K : fileType.baseType
        case GGUFFileType(.q4_0): isFirst && hasImportance ? .q4_1 : .q4_0
        case GGUFFileType(.q5_0): isFirst && hasImportance ? .q5_1 : .q5_0
        default: fileType.baseType
        }
    }

    private var typeOfOutput: TensorType {
        switch fileType {
        case .q2_K: .q3_K
        case .q3_K_M: .q4_K
        case .q3_K_L: .q5_K
        default: fileType.baseType
        }
    }

    private var typeOfOutputOfEight: TensorType {
        switch fileType {
        case .q2_K, .q3_K_S, .q3_K_M, .q4_K_S, .q4_K_M, .iq4_NL, .iq4_XS, .q5_K_S, .q5_K_M: .q5_K
        default: fileType.baseType
        }
    }

    /// The first and the last eighth of the layers, and every third between.
    private func isSensitive(_ layer: Int) -> Bool {
        let layers = model.layers
        return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
    }
}

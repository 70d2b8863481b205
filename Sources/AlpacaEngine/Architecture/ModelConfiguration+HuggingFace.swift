// config.json, as transformers wrote it from 4.28 (2023) to 5. Tokens' ids are read elsewhere (TokenizerSettings): those of the first LLaMA
// uploads are wrong there.

extension ModelConfiguration {
    /// Reads the configuration from a `config.json`.
    ///
    /// - Parameter shape: the shape of the checkpoint's tensor of that name (Hugging Face's), nil where there is none.
    /// - Returns: with what should be told to the user, such as a vocabulary that is not what the file says.
    package static func huggingFace(
        _ document: JSONDocument, shape: (String) -> [Int]?
    ) throws(AlpacaError) -> (configuration: ModelConfiguration, warnings: [String]) {
        do {
            return try huggingFace(document.root, shape)
        } catch {
            throw error.inFile(document.root.documentName)
        }
    }

    private static func huggingFace(
        _ config: JSONValue, _ shape: (String) -> [Int]?
    ) throws(AlpacaError) -> (configuration: ModelConfiguration, warnings: [String]) {
        let family = try Architectures.family(config)
        try refuse(config, family)
        let embeddingLength = try config.int("hidden_size", in: Limits.embeddingLength)
        let headCount = try config.int("num_attention_heads", in: Limits.headCount)
        let headDimension: Int
        if let stated = try config.intIfPresent("head_dim", in: Limits.headDimension) {
            headDimension = stated
        } else {
            headDimension = try Self.headDimension(embeddingLength: embeddingLength, headCount: headCount)
        }
        var warnings: [String] = []
        let vocabularySize = try vocabularySize(
            config.intIfPresent("vocab_size", in: Limits.vocabularySize), "vocab_size", rows: rows(.tokenEmbedding, .huggingFace, shape),
            &warnings)
        // The first configurations had the old name.
        var contextLength = try config.intIfPresent("max_position_embeddings", in: Limits.contextLength)
        if contextLength == nil { contextLength = try config.intIfPresent("max_sequence_length", in: Limits.contextLength) }
        let context = contextLength ?? family.assumedContextLength
        var numbers: [String: Int] = [:]
        for number in family.numbers { numbers[number.gguf] = try number.read(config) }
        let rope = try HuggingFaceRope(config, contextLength: context)
        let layerCount = try config.int("num_hidden_layers", in: Limits.layerCount)
        let model = try ModelConfiguration(
            family, vocabularySize: vocabularySize, contextLength: context, embeddingLength: embeddingLength,
            layerCount: layerCount, headCount: headCount,
            keyValueHeadCount: config.intIfPresent("num_key_value_heads", in: 1...headCount) ?? headCount, headDimension: headDimension,
            feedForwardLength: config.int("intermediate_size", in: Limits.feedForwardLength),
            normEpsilon: config.doubleIfPresent("rms_norm_eps", in: Limits.normEpsilon) ?? 1e-6, ropeTheta: rope.theta,
            ropeDimension: headDimension, ropeScaling: rope.scaling, isOutputTied: isTied(config, shape, &warnings),
            experts: family.experts(config, layerCount: layerCount), biases: family.biases(config), numbers: numbers)
        return (model, warnings)
    }

    /// The matrix's own rows decide: configurations of merged models often still have the base's vocabulary.
    static func vocabularySize(_ stated: Int?, _ key: String, rows: Int?, _ warnings: inout [String]) throws(AlpacaError) -> Int {
        guard let rows else {
            guard let stated else {
                throw AlpacaError(.missing, "\"\(key)\" is missing, and so are the embeddings: how large is the vocabulary?")
            }
            return stated
        }
        if let stated, stated != rows {
            warnings.append("\"\(key)\" is \(stated), but the embeddings have \(rows) rows: \(rows) is taken")
        }
        return rows
    }

    static func rows(_ role: TensorRole, _ naming: TensorNaming, _ shape: (String) -> [Int]?) -> Int? {
        guard let found = role.name(in: naming).flatMap(shape), found.count == 2 else { return nil }
        return found[0]
    }

    /// A model whose file has an output matrix uses it.
    private static func isTied(_ config: JSONValue, _ shape: (String) -> [Int]?, _ warnings: inout [String]) throws(AlpacaError) -> Bool {
        guard try config.boolIfPresent("tie_word_embeddings") ?? false else { return false }
        guard let name = TensorRole.output.name(in: .huggingFace), shape(name) != nil else { return true }
        warnings.append("\"tie_word_embeddings\" is true, but there is a tensor \(name.quoted()): it is taken as the output matrix")
        return false
    }

    // MARK: What this version can't run

    /// What no family has, then what this one hasn't.
    private static func refuse(_ config: JSONValue, _ family: any Architecture.Type) throws(AlpacaError) {
        if let quantization = try config.memberIfPresent("quantization_config") {
            let method = (try? quantization.stringIfPresent("quant_method")) ?? nil
            throw refusal(
                config, "quantization_config", method.map { "weights quantized by \($0.quoted(limit: 40))" } ?? "quantized weights",
                "F16, BF16 and F32: take the model from which it was quantized")
        }
        try family.check(config)
        if let activation = try config.stringIfPresent("hidden_act"), activation != "silu", activation != "swish" {
            throw refusal(config, "hidden_act", activation.quoted(), "\"silu\"")
        }
        if let factor = try config.doubleIfPresent("partial_rotary_factor"), factor != 1 {
            throw refusal(config, "partial_rotary_factor", "\(factor)", "1")
        }
    }

    static func refusal(_ value: JSONValue, _ key: String, _ found: String, _ supported: String) -> AlpacaError {
        AlpacaError(.unsupported, path: value.documentName, "\"\(key)\": found \(found), supported is \(supported)")
    }
}

/// The angles' part of a `config.json`: `rope_theta` and `rope_scaling` up to transformers 4, `rope_parameters` with both from 5 on.
private struct HuggingFaceRope {
    let theta: Double
    let scaling: ModelConfiguration.RopeScaling

    init(_ config: JSONValue, contextLength: Int) throws(AlpacaError) {
        let limits = ModelConfiguration.Limits.ropeTheta
        var key = "rope_parameters"
        var settings = try config.memberIfPresent(key)
        var theta = try settings?.doubleIfPresent("rope_theta", in: limits)
        if settings == nil {
            key = "rope_scaling"
            settings = try config.memberIfPresent(key)
        }
        if theta == nil { theta = try config.doubleIfPresent("rope_theta", in: limits) }
        self.theta = theta ?? 10_000
        guard let settings else {
            scaling = .none
            return
        }
        if let share = try settings.doubleIfPresent("partial_rotary_factor"), share != 1 {
            throw ModelConfiguration.refusal(config, "\(key).partial_rotary_factor", "\(share)", "1")
        }
        var type = try settings.stringIfPresent("rope_type")
        if type == nil { type = try settings.stringIfPresent("type") }
        switch type {
        case nil where settings["factor"] == nil, "default"?: scaling = .none
        case "linear"?:
            let factor = try settings.double("factor", in: ModelConfiguration.Limits.ropeScalingFactor)
            scaling = factor == 1 ? .none : .linear(factor: factor)
        case "yarn"?: scaling = try Self.yarn(settings, contextLength)
        case "dynamic"?:
            // transformers takes no other length than the model's own here.
            scaling = .dynamic(
                ModelConfiguration.DynamicNTK(
                    factor: try settings.double("factor", in: ModelConfiguration.Limits.ropeScalingFactor),
                    originalContextLength: contextLength))
        case "llama3"?:
            scaling = .llama3(
                ModelConfiguration.Llama3(
                    factor: try settings.double("factor", in: ModelConfiguration.Limits.ropeScalingFactor),
                    lowFrequencyFactor: try settings.double("low_freq_factor", in: ModelConfiguration.Limits.ropeScalingFactor),
                    highFrequencyFactor: try settings.double("high_freq_factor", in: ModelConfiguration.Limits.ropeScalingFactor),
                    originalContextLength: try settings.int(
                        "original_max_position_embeddings", in: ModelConfiguration.Limits.contextLength)))
        case let type:
            throw ModelConfiguration.refusal(
                config, "\(key).rope_type", type.map { $0.quoted(limit: 40) } ?? "nothing",
                "\"linear\", \"dynamic\", \"yarn\" and \"llama3\"")
        }
    }

    /// Without an original context the model's own is meant, without a factor the quotient of the two.
    private static func yarn(_ settings: JSONValue, _ contextLength: Int) throws(AlpacaError) -> ModelConfiguration.RopeScaling {
        let limits = ModelConfiguration.Limits.ropeScalingFactor
        let original = try settings.intIfPresent("original_max_position_embeddings", in: ModelConfiguration.Limits.contextLength)
        var factor = try settings.doubleIfPresent("factor", in: limits)
        if factor == nil, let original { factor = Double(contextLength) / Double(original) }
        guard let factor else { throw AlpacaError(.missing, "\"factor\" of YaRN is missing, and so is the original context") }
        var yarn = ModelConfiguration.YaRN(factor: factor, originalContextLength: original ?? contextLength)
        // 0 counts as not given.
        if let beta = try settings.doubleIfPresent("beta_fast"), beta != 0 { yarn.betaFast = beta }
        if let beta = try settings.doubleIfPresent("beta_slow"), beta != 0 { yarn.betaSlow = beta }
        yarn.attentionFactor = try settings.doubleIfPresent("attention_factor", in: limits)
        yarn.mscale = try settings.doubleIfPresent("mscale", in: 0...1e4)
        yarn.mscaleAllDim = try settings.doubleIfPresent("mscale_all_dim", in: 0...1e4)
        yarn.truncates = try settings.boolIfPresent("truncate") ?? true
        yarn.isFinetuned = try settings.boolIfPresent("finetuned")
        return yarn.changesNothing ? .none : .yarn(yarn)
    }
}

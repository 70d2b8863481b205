/// Writes `config.json` and `generation_config.json` so that transformers reads the same from them in all its versions from 4.28 to 5: with
/// the names that 4 used, which 5 still knows.
package struct HuggingFaceConfig: Sendable {
    package let model: ModelConfiguration
    /// What the weights are stored in: F16, BF16 or F32.
    package let type: TensorType
    package let bos: TokenID?
    package let eos: TokenID?
    package let pad: TokenID?
    /// Tokens that end an answer beside ``eos``.
    package let ends: [TokenID]

    package init(_ model: ModelConfiguration, type: TensorType, bos: TokenID?, eos: TokenID?, pad: TokenID?, ends: [TokenID] = []) {
        self.model = model
        self.type = type
        self.bos = bos
        self.eos = eos
        self.pad = pad
        self.ends = ends
    }

    /// The bytes of `config.json`.
    package func config() throws(AlpacaError) -> [UInt8] {
        guard model.ropeDimension == model.headDimension, !model.hasRopeFactors else {
            throw AlpacaError(
                .unsupported,
                model.hasRopeFactors
                    ? "rotary factors of single frequencies can't be told in a config.json"
                    : "rotation of \(model.ropeDimension) of \(model.headDimension) components can't be told in a config.json")
        }
        let family = Architectures.family(model)
        guard model.biases.isSubset(of: [.attention, .feedForward]),
            model.biases.intersection(.attention) == .attention || model.biases.isDisjoint(with: .attention),
            model.biases.intersection(.feedForward) == .feedForward || model.biases.isDisjoint(with: .feedForward)
        else {
            throw AlpacaError(
                .unsupported,
                "a config.json tells of biases for all matrices of attention, or of the feed-forward part, or for none; this model has them "
                    + "for some: convert to GGUF")
        }
        var json = JSONWriter()
        json.beginObject()
        json.beginArray("architectures")
        json.value(family.names.classes.first)
        json.end()
        if family.hasOptionalBiases, !model.biases.isEmpty { json.member("attention_bias", !model.biases.isDisjoint(with: .attention)) }
        if let bos { json.member("bos_token_id", bos) }
        if model.experts != nil, family.statesExpertLength { json.member("decoder_sparse_step", 1) }
        if let eos { json.member("eos_token_id", eos) }
        // Versions that don't know it take the quotient of the two.
        if model.queryLength != model.embeddingLength { json.member("head_dim", model.headDimension) }
        json.member("hidden_act", "silu")
        json.member("hidden_size", model.embeddingLength)
        json.member("initializer_range", 0.02)
        json.member("intermediate_size", model.feedForwardLength)
        json.member("max_position_embeddings", model.contextLength)
        if family.hasOptionalBiases, !model.biases.isEmpty { json.member("mlp_bias", !model.biases.isDisjoint(with: .feedForward)) }
        if let experts = model.experts, family.statesExpertLength {
            json.beginArray("mlp_only_layers")
            for layer in experts.denseLayers { json.value(layer) }
            json.end()
        }
        json.member("model_type", family.names.modelType)
        if let experts = model.experts, family.statesExpertLength {
            json.member("moe_intermediate_size", experts.feedForwardLength)
            json.member("norm_topk_prob", experts.isNormalized)
        }
        json.member("num_attention_heads", model.headCount)
        if let experts = model.experts {
            // Two names for one thing: one is that of transformers 4 for some families, the other that of 5.
            if family.statesExpertLength { json.member("num_experts", experts.count) }
            json.member("num_experts_per_tok", experts.usedCount)
        }
        json.member("num_hidden_layers", model.layerCount)
        json.member("num_key_value_heads", model.keyValueHeadCount)
        if let experts = model.experts { json.member("num_local_experts", experts.count) }
        if let pad { json.member("pad_token_id", pad) }
        json.member("rms_norm_eps", model.normEpsilon)
        model.ropeScaling.write(to: &json)
        json.member("rope_theta", model.ropeTheta)
        // Null is written too: without the key, transformers would assume a number.
        for number in family.numbers where model[number] != nil || number.assumed != nil { json.member(number.huggingFace, model[number]) }
        json.member("tie_word_embeddings", model.isOutputTied)
        json.member("torch_dtype", try typeName())
        json.member("use_cache", true)
        json.member("vocab_size", model.vocabularySize)
        json.end()
        return Array(json.text.utf8) + [0x0a]
    }

    /// The bytes of `generation_config.json`.
    package func generationConfig() -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        // Several ends are in no config.json of ours.
        if ends.isEmpty { json.member("_from_model_config", true) }
        if let bos { json.member("bos_token_id", bos) }
        if ends.isEmpty {
            if let eos { json.member("eos_token_id", eos) }
        } else {
            json.beginArray("eos_token_id")
            for id in ([eos].compactMap { $0 } + ends) { json.value(id) }
            json.end()
        }
        if let pad { json.member("pad_token_id", pad) }
        json.end()
        return Array(json.text.utf8) + [0x0a]
    }

    private func typeName() throws(AlpacaError) -> String {
        switch type {
        case .f16: "float16"
        case .bf16: "bfloat16"
        case .f32: "float32"
        default: throw AlpacaError(.unsupported, "weights of type \(type) can't be stored in a Hugging Face folder")
        }
    }
}

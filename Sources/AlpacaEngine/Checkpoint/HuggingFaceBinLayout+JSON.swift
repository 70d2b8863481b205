// The json files beside the weights. Where the base has them, the official script reads them, changes a number, and writes them again.

extension HuggingFaceBinLayout {
    /// Bytes of all tensors, the rotary buffers too.
    package var tensorByteCount: Int { shards.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.byteCount } } }

    /// The bytes of pytorch_model.bin.index.json; nil for a single file of weights, which needs none.
    ///
    /// - Parameter base: the base's index, where its files are kept.
    package func index(base: JSONDocument? = nil) -> [UInt8]? {
        if let base {
            return Array(PythonJSON.text(of: base, changing: [PythonJSON.Change(["metadata", "total_size"], tensorByteCount)]).utf8)
        }
        guard shards.count > 1 else { return nil }
        let names = shards.flatMap { shard in shard.tensors.map { (name: $0.name, file: shard.fileName) } }
        var json = JSONWriter()
        json.beginObject()
        json.beginObject("metadata")
        json.member("total_size", tensorByteCount)
        json.end()
        json.beginObject("weight_map")
        // transformers sorted the names; the script kept their order.
        for (name, file) in names.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) { json.member(name, file) }
        json.end()
        json.end()
        return Array(json.text.utf8)
    }

    /// The bytes of config.json: the base's, with the vocabulary's new size.
    ///
    /// - Parameter eos: an end that is not the base's.
    package static func configuration(base: JSONDocument, vocabularySize: Int, eos: TokenID? = nil) -> [UInt8] {
        var changes = [PythonJSON.Change(["vocab_size"], vocabularySize)]
        // What is no number there stays.
        if let eos, (try? base.root["eos_token_id"]?.int()) != nil { changes.append(PythonJSON.Change(["eos_token_id"], Int(eos))) }
        return Array(PythonJSON.text(of: base, changing: changes).utf8)
    }

    /// The bytes of generation_config.json: the base's.
    package static func generationConfiguration(base: JSONDocument) -> [UInt8] { Array(PythonJSON.text(of: base).utf8) }

    /// The bytes of config.json as transformers 4.28.1 made it of a Meta folder, names sorted. What LLaMA 1 lacks (fewer key heads, another
    /// theta, scaled positions) is added under the names of later versions.
    package static func configuration(
        of model: ModelConfiguration, type: TensorType, bos: TokenID = 1, eos: TokenID = 2
    ) throws(AlpacaError) -> [UInt8] {
        guard model.modelType == Llama.names.modelType else {
            throw AlpacaError(
                .unsupported,
                "transformers of the time of these files (hf-bin) knew no \(Architectures.family(model).names.title) models: convert to a "
                    + "folder with safetensors (hf)")
        }
        var json = JSONWriter()
        json.beginObject()
        json.beginArray("architectures")
        json.value("LlamaForCausalLM")
        json.end()
        json.member("bos_token_id", bos)
        json.member("eos_token_id", eos)
        if model.headDimension * model.headCount != model.embeddingLength { json.member("head_dim", model.headDimension) }
        json.member("hidden_act", "silu")
        json.member("hidden_size", model.embeddingLength)
        json.member("initializer_range", 0.02)
        json.member("intermediate_size", model.feedForwardLength)
        json.member("max_position_embeddings", model.contextLength)
        json.member("model_type", "llama")
        json.member("num_attention_heads", model.headCount)
        json.member("num_hidden_layers", model.layerCount)
        if model.keyValueHeadCount != model.headCount { json.member("num_key_value_heads", model.keyValueHeadCount) }
        json.member("pad_token_id", 0)
        json.member("rms_norm_eps", model.normEpsilon)
        model.ropeScaling.write(to: &json)
        if model.ropeTheta != 10000 { json.member("rope_theta", model.ropeTheta) }
        json.member("tie_word_embeddings", model.isOutputTied)
        json.member("torch_dtype", type == .f32 ? "float32" : type == .bf16 ? "bfloat16" : "float16")
        json.member("transformers_version", "4.28.1")
        json.member("use_cache", true)
        json.member("vocab_size", model.vocabularySize)
        json.end()
        return Array(json.text.utf8)
    }

    /// The bytes of generation_config.json as transformers 4.28.1 made it of such a configuration.
    package static func generationConfiguration() -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.member("_from_model_config", true)
        json.member("bos_token_id", 1)
        json.member("eos_token_id", 2)
        json.member("pad_token_id", 0)
        json.member("transformers_version", "4.28.1")
        json.end()
        return Array(json.text.utf8)
    }
}

/// A Hugging Face folder with safetensors.
enum HuggingFaceOutput {
    static func make(_ request: OutputRequest) throws(AlpacaError) -> Output {
        let type = try request.floatType()
        let model = try request.configurationWithoutFactors()
        var output = Output()
        let infos = try Architectures.make(model).tensors.flatMap(\.parts).map { (spec) throws(AlpacaError) in
            (spec: spec, info: try info(spec, request.floatType(of: spec.role, type)))
        }
        let files = try ShardDivision.divide(
            infos.map(\.info.byteCount), most: request.options.maximumShardByteCount ?? ShardDivision.defaultByteCount)
        var places: [(tensor: String, shard: String)] = []
        var total = 0
        for (file, numbers) in files.enumerated() {
            let group = infos[numbers]
            let name = ShardDivision.name("model", ".safetensors", number: file, of: files.count)
            output.files.append(Output.File(name: name, layout: try SafetensorsLayout.make(group.map(\.info))))
            for (part, (spec, info)) in group.enumerated() {
                output.tensors.append(
                    OutputTensor(
                        source: try request.index(of: spec.role), info: info,
                        order: spec.hasHeadOrder ? (.halves, model.headDimension) : nil,
                        pieces: [.init(file: file, part: part, rows: 0..<info.rows, columns: 0..<info.columns)]))
                places.append((info.name, name))
                total = try CheckedMath.sum(total, info.byteCount, of: "size of the tensors")
            }
        }
        if files.count > 1 {
            output.extras.append(("model.safetensors.index.json", ShardIndex.encode(places, totalSize: total)))
        }
        let tasks = request.tasks
        let ends = if let tasks { tasks.ends } else { try request.baseEnds() }
        func id(_ found: TokenID?, _ key: String, _ usual: TokenID) -> TokenID? {
            if let found { return found }
            // Without a tokenizer of its kind the base's metadata still tell; of others nothing is known but what Llama has.
            let told = request.base.metadata[key]?.integer.flatMap { TokenID(exactly: $0) }
            return request.options.omitsTokenizer || request.base.metadata[GGUFKey.tokens] != nil ? told : usual
        }
        let config = HuggingFaceConfig(
            model, type: type, bos: id(tasks?.bos, GGUFKey.bosToken, 1), eos: id(tasks?.eos, GGUFKey.eosToken, 2),
            pad: tasks == nil ? id(nil, GGUFKey.paddingToken, -1).flatMap { $0 < 0 ? nil : $0 } : tasks?.pad, ends: ends)
        output.extras.append(("config.json", try config.config()))
        output.extras.append(("generation_config.json", config.generationConfig()))
        try TokenizerFiles.add(to: &output, request)
        output.addMark(request.provenance)
        output.quantization = type.description
        if request.options.quantization == nil, let warning = SourceTypes.mixed(request.base.weights.tensors, keeps: true) {
            output.warnings.append(warning)
        }
        return output
    }

    private static func info(_ spec: TensorSpec, _ type: TensorType) throws(AlpacaError) -> TensorInfo {
        guard let name = spec.names.huggingFace else {
            throw AlpacaError(
                .unsupported, "tensor \"\(spec.names.gguf)\" has no place in a Hugging Face folder; convert to GGUF")
        }
        return try TensorInfo(name: name, type: type, shape: spec.shape)
    }
}

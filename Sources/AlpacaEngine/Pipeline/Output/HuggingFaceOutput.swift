/// A Hugging Face folder with safetensors.
enum HuggingFaceOutput {
    static func make(_ request: OutputRequest) throws(AlpacaError) -> Output {
        let type = try request.floatType()
        let model = request.configuration
        var output = Output()
        let infos = try TensorRole.all(model).map { (role) throws(AlpacaError) in (role: role, info: try info(role, model, type)) }
        let files = try ShardDivision.divide(
            infos.map(\.info.byteCount), most: request.options.maximumShardByteCount ?? ShardDivision.defaultByteCount)
        var places: [(tensor: String, shard: String)] = []
        var total = 0
        for (file, numbers) in files.enumerated() {
            let group = infos[numbers]
            let name = ShardDivision.name("model", ".safetensors", number: file, of: files.count)
            output.files.append(Output.File(name: name, layout: try SafetensorsLayout.make(group.map(\.info))))
            for (part, (role, info)) in group.enumerated() {
                output.tensors.append(
                    OutputTensor(
                        source: try request.index(of: role), info: info,
                        order: role.hasHeadOrder ? (.halves, model.headDimension) : nil,
                        pieces: [.init(file: file, part: part, rows: 0..<info.rows, columns: 0..<info.columns)]))
                places.append((info.name, name))
                total = try CheckedMath.sum(total, info.byteCount, of: "size of the tensors")
            }
        }
        if files.count > 1 {
            output.extras.append(("model.safetensors.index.json", ShardIndex.encode(places, totalSize: total)))
        }
        let tokens = request.tokenizer?.model
        let config = HuggingFaceConfig(
            model, type: type, bos: tokens?.bos ?? 1, eos: tokens?.eos ?? 2, pad: tokens.flatMap { GGUFMetadata.paddingPiece($0) })
        output.extras.append(("config.json", try config.config()))
        output.extras.append(("generation_config.json", config.generationConfig()))
        output.extras += TokenizerFiles.make(request)
        output.extras.append(("alpaca.json", request.provenance.json()))
        output.quantization = type.description
        return output
    }

    static func info(_ role: TensorRole, _ model: ModelConfiguration, _ type: TensorType) throws(AlpacaError) -> TensorInfo {
        guard let name = role.name(in: .huggingFace) else {
            throw AlpacaError(
                .unsupported, "tensor \"\(role.name(in: .gguf) ?? "")\" has no place in a Hugging Face folder; convert to GGUF")
        }
        return try TensorInfo(name: name, type: type, shape: role.shape(model))
    }
}

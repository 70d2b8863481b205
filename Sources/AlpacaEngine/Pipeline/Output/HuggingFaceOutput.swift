/// A Hugging Face folder with safetensors.
enum HuggingFaceOutput {
    /// Bytes of a file at most.
    static let defaultShardSize = 10_000_000_000

    static func make(_ request: OutputRequest) throws(AlpacaError) -> Output {
        let type = try request.floatType()
        let model = request.configuration
        var output = Output()
        let most = request.options.maximumShardByteCount ?? defaultShardSize
        guard most > 0 else { throw AlpacaError(.invalidArgument, "shard size: found \(most), expected more than 0") }
        var roles: [[TensorRole]] = [[]]
        var size = 0
        for role in TensorRole.all(model) {
            let bytes = try info(role, model, type).byteCount
            if size > 0, bytes > most - size {
                roles.append([])
                size = 0
            }
            roles[roles.count - 1].append(role)
            size = try CheckedMath.sum(size, bytes, of: "size of the tensors")
        }
        var places: [(tensor: String, shard: String)] = []
        var total = 0
        for (file, group) in roles.enumerated() {
            let name = fileName(file, of: roles.count)
            let infos = try group.map { (role) throws(AlpacaError) in try info(role, model, type) }
            output.files.append(Output.File(name: name, layout: try SafetensorsLayout.make(infos)))
            for (part, (role, info)) in zip(group, infos).enumerated() {
                output.tensors.append(
                    OutputTensor(
                        source: try request.index(of: role), info: info,
                        order: role.hasHeadOrder ? (.halves, model.headDimension) : nil,
                        pieces: [.init(file: file, part: part, rows: 0..<info.rows, columns: 0..<info.columns)]))
                places.append((info.name, name))
                total = try CheckedMath.sum(total, info.byteCount, of: "size of the tensors")
            }
        }
        if roles.count > 1 {
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

    private static func fileName(_ number: Int, of count: Int) -> String {
        func five(_ value: Int) -> String { String(repeating: "0", count: max(0, 5 - "\(value)".count)) + "\(value)" }
        return count == 1 ? "model.safetensors" : "model-\(five(number + 1))-of-\(five(count)).safetensors"
    }
}

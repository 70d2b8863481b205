/// A Meta folder, as the official merge script writes it.
enum MetaOutput {
    static func make(_ request: OutputRequest) throws(AlpacaError) -> Output {
        let type = try request.floatType()
        let model = request.configuration
        // Where output and embeddings are one matrix, Meta's readers want it twice.
        let untied = try model.resized(vocabularySize: model.vocabularySize, isOutputTied: false)
        let architecture = Architectures.make(untied)
        if let other = architecture.tensors.first(where: { $0.names.meta == nil }) {
            throw AlpacaError(
                .unsupported,
                "tensor \(other.names.gguf.quoted()) has no place in a Meta folder; convert to a Hugging Face folder or to GGUF")
        }
        // Readers divide the width by the heads.
        guard model.headCount * model.headDimension == model.embeddingLength else {
            throw AlpacaError(
                .unsupported,
                "params.json has no place for \(model.headCount) heads of \(model.headDimension) components in a width of "
                    + "\(model.embeddingLength); convert to a Hugging Face folder or to GGUF")
        }
        var output = Output()
        let layout = try MetaFolderLayout(try tensors(request, architecture, type), of: model, shardCount: request.options.shardCount)
        var places: [TensorRole: [OutputTensor.Piece]] = [:]
        var order: [TensorRole] = []
        for (file, shard) in layout.shards.enumerated() {
            output.files.append(Output.File(name: shard.fileName, layout: shard.file))
            for (part, piece) in shard.pieces.enumerated() {
                if places[piece.role] == nil { order.append(piece.role) }
                places[piece.role, default: []].append(.init(file: file, part: part, rows: piece.rows, columns: piece.columns))
            }
        }
        for role in order {
            guard let spec = architecture.spec(of: role), let name = spec.names.meta else { continue }
            let source = role == .output && model.isOutputTied ? TensorRole.tokenEmbedding : role
            output.tensors.append(
                OutputTensor(
                    source: try request.index(of: source), info: try TensorInfo(name: name, type: type, shape: spec.shape),
                    pieces: places[role] ?? []))
        }
        output.extras.append(("params.json", layout.parameters))
        if let tasks = request.tasks, !tasks.ends.isEmpty {
            // The only file that can list several ends.
            let config = HuggingFaceConfig(model, type: type, bos: tasks.bos, eos: tasks.eos, pad: tasks.pad, ends: tasks.ends)
            output.extras.append(("generation_config.json", config.generationConfig()))
        }
        try TokenizerFiles.add(to: &output, request)
        output.addMark(request.provenance)
        output.quantization = type.description
        if request.options.quantization == nil, let warning = SourceTypes.mixed(request.base.weights.tensors, keeps: false) {
            output.warnings.append(warning)
        }
        if model.ropeScaling != .none {
            output.warnings.append("params.json has no place for scaled positions: readers of Meta folders will not know of them")
        }
        return output
    }

    /// In the order of a base of `.bin` files, which the official script keeps; else in that of its usual base.
    private static func tensors(
        _ request: OutputRequest, _ architecture: any Architecture, _ type: TensorType
    ) throws(AlpacaError) -> [TensorInfo] {
        var result: [TensorInfo] = []
        if let files = HuggingFaceBinOutput.files(of: request.base) {
            for name in files.flatMap(\.names) {
                guard let spec = architecture.spec(named: name, in: .huggingFace), let meta = spec.names.meta else { continue }
                result.append(try TensorInfo(name: meta, type: type, shape: spec.shape))
            }
        } else {
            result = try MetaFolderLayout.tensors(of: architecture.configuration, type: type)
        }
        if let spec = architecture.spec(of: .output), let name = spec.names.meta, !result.contains(where: { $0.name == name }) {
            result.append(try TensorInfo(name: name, type: type, shape: spec.shape))
        }
        return result
    }
}

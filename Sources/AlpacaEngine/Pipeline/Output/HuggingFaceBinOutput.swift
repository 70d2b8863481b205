/// A Hugging Face folder with PyTorch files, as the official merge script writes it.
enum HuggingFaceBinOutput {
    /// The files of a base of `.bin` files, with the names in their dicts; nil for other bases.
    static func files(of base: ModelSource) -> [(file: String, names: [String])]? {
        guard let folder = base.folder, folder.naming == .huggingFace, folder.weightFiles.allSatisfy({ $0.hasSuffix(".bin") }) else {
            return nil
        }
        return folder.tensorNames
    }

    static func make(_ request: OutputRequest) throws(AlpacaError) -> Output {
        let type = try request.floatType()
        let model = try request.configurationWithoutFactors()
        let architecture = Architectures.make(model)
        var output = Output()
        let layout = try layout(request, type)
        for (file, shard) in layout.shards.enumerated() {
            output.files.append(Output.File(name: shard.fileName, layout: shard.file))
            for (part, info) in shard.tensors.enumerated() {
                guard let spec = architecture.spec(named: info.name, in: .huggingFace) else {
                    output.constants.append(.init(file: file, part: part, bytes: try buffer(info, request)))
                    continue
                }
                output.tensors.append(
                    OutputTensor(
                        source: try request.index(of: spec.role), info: info,
                        order: spec.hasHeadOrder ? (.halves, model.headDimension) : nil,
                        pieces: [.init(file: file, part: part, rows: 0..<info.rows, columns: 0..<info.columns)]))
            }
        }
        let folder = files(of: request.base) == nil ? nil : request.base.folder
        if let index = layout.index(base: folder?.index) {
            output.extras.append(("pytorch_model.bin.index.json", index))
        }
        let tasks = request.tasks, usual = HuggingFaceConfig(model, type: type, bos: 1, eos: 2, pad: 0)
        if let base = folder?.configuration {
            let eos = HuggingFaceBinOutput.isKept(tasks, request) ? nil : tasks?.eos
            output.extras.append(
                ("config.json", HuggingFaceBinLayout.configuration(base: base, vocabularySize: model.vocabularySize, eos: eos)))
        } else {
            output.extras.append(
                (
                    "config.json",
                    try HuggingFaceBinLayout.configuration(of: model, type: type, bos: tasks?.bos ?? 1, eos: tasks?.eos ?? 2)
                ))
        }
        if let base = folder?.generationConfiguration, HuggingFaceBinOutput.isKept(tasks, request) {
            output.extras.append(("generation_config.json", HuggingFaceBinLayout.generationConfiguration(base: base)))
        } else if let tasks, tasks.bos != usual.bos || tasks.eos != usual.eos || !tasks.ends.isEmpty {
            let config = HuggingFaceConfig(model, type: type, bos: tasks.bos, eos: tasks.eos, pad: tasks.pad, ends: tasks.ends)
            output.extras.append(("generation_config.json", config.generationConfig()))
        } else {
            output.extras.append(("generation_config.json", HuggingFaceBinLayout.generationConfiguration()))
        }
        try TokenizerFiles.add(to: &output, request)
        output.addMark(request.provenance)
        output.quantization = type.description
        if request.options.quantization == nil, let warning = SourceTypes.mixed(request.base.weights.tensors, keeps: false) {
            output.warnings.append(warning)
        }
        return output
    }

    /// Whether the base's own files say what is true of the result's ends.
    private static func isKept(_ tasks: TaskTokens?, _ request: OutputRequest) -> Bool {
        guard let tasks else { return true }
        let base = request.base.metadata, ends = (try? request.baseEnds()) ?? []
        return base[GGUFKey.eosToken]?.integer == tasks.eos.map { Int($0) } && ends == tasks.ends
    }

    private static func layout(_ request: OutputRequest, _ type: TensorType) throws(AlpacaError) -> HuggingFaceBinLayout {
        let model = try request.configurationWithoutFactors()
        let architecture = Architectures.make(model)
        if let files = files(of: request.base), let folder = request.base.folder {
            return try HuggingFaceBinLayout(
                files: try files.map { (file) throws(AlpacaError) in
                    var infos: [TensorInfo] = []
                    for name in file.names {
                        if let spec = architecture.spec(named: name, in: .huggingFace) {
                            infos.append(try TensorInfo(name: name, type: type, shape: spec.shape))
                        } else if let index = folder.weights.index(of: name) {
                            infos.append(folder.weights.tensors[index])
                        }
                    }
                    return (file.file, infos)
                })
        }
        let tensors = try HuggingFaceBinLayout.tensors(of: model, type: type)
        // The official script's base was divided into files before its vocabulary grew.
        let before = try model.resized(vocabularySize: try request.base.configuration().vocabularySize)
        let sizes = try HuggingFaceBinLayout.tensors(of: before, type: type).map(\.byteCount)
        let size = request.options.maximumShardByteCount ?? ShardDivision.defaultByteCount
        return try HuggingFaceBinLayout(tensors, baseByteCounts: sizes.count == tensors.count ? sizes : nil, shardSize: size)
    }

    /// Rotary frequencies, which such files repeat in each layer: the base's own bytes where it has them.
    private static func buffer(_ info: TensorInfo, _ request: OutputRequest) throws(AlpacaError) -> [UInt8] {
        if let folder = request.base.folder, let index = folder.weights.index(of: info.name),
            folder.weights.tensors[index].type == info.type
        {
            return try folder.weights.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) in
                // Bound: the span's own bytes.
                let stored = unsafe bytes.withUnsafeBytes { unsafe StoredNumbers(info.type, $0) }
                guard stored.isEmpty || request.options.allowsNonfinite else {
                    throw AlpacaError(
                        .badFormat, path: folder.weights.origins(of: index).first?.file ?? folder.path,
                        "tensor \(info.name.quoted()) has numbers that are infinite or NaN (`--allow-nonfinite` writes them nevertheless)")
                }
                return unsafe bytes.withUnsafeBytes { unsafe Array($0) }
            }
        }
        return RotaryBuffer.bytes(request.configuration, type: info.type)
    }
}

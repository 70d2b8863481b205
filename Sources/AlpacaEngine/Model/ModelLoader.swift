/// What a model file holds, ready to run.
struct LoadedModel {
    let configuration: ModelConfiguration
    let tokenizer: Tokenizer
    let llama: LlamaModel
    let description: ModelDescription
}

/// Opens a model from a path, whatever its format.
enum ModelLoader {
    static func load(_ path: String, _ options: ModelOptions) throws(AlpacaError) -> LoadedModel {
        let source = try CheckpointReader.open(path)
        do throws(AlpacaError) {
            switch source {
            case let reader as GGUFReader: return try load(reader, options)
            case let reader as LegacyGGMLReader: return try load(reader, options)
            default: throw AlpacaError(.unsupported, "weights of this format can't be run yet; convert the model to GGUF")
            }
        } catch {
            throw error.inFile(path)
        }
    }

    private static func load(_ reader: GGUFReader, _ options: ModelOptions) throws(AlpacaError) -> LoadedModel {
        let configuration = try ModelConfiguration(reader)
        // Before anything is mapped or read.
        try configuration.checkRunnable()
        try refuseForeign(reader.tensors, .gguf, configuration)
        let tokenizer = try tokenizer(reader.metadata, configuration)
        let store = try GGUFWeightStore(reader, options)
        return LoadedModel(
            configuration: configuration, tokenizer: tokenizer, llama: try LlamaModel(configuration, store: store),
            description: ModelDescription(reader))
    }

    private static func load(_ reader: LegacyGGMLReader, _ options: ModelOptions) throws(AlpacaError) -> LoadedModel {
        let configuration = try ModelConfiguration(reader)
        // Before anything is mapped or read.
        try configuration.checkRunnable()
        try refuseForeign(reader.tensors, .meta, configuration)
        let tokenizer = try tokenizer(reader.metadata, configuration)
        let store = try LegacyGGMLWeightStore(reader, options)
        return LoadedModel(
            configuration: configuration, tokenizer: tokenizer, llama: try LlamaModel(configuration, store: store),
            description: ModelDescription(reader))
    }

    /// A tensor that is passed over would make the model another one.
    private static func refuseForeign(
        _ tensors: [TensorInfo], _ naming: TensorNaming, _ configuration: ModelConfiguration
    ) throws(AlpacaError) {
        for tensor in tensors where !TensorRole.isIgnored(tensor.name) {
            guard let role = TensorRole(tensor.name, in: naming) else {
                throw AlpacaError(
                    .unsupported, "tensor \(tensor.name.quoted()) has no place in the Llama architecture as this version runs it")
            }
            guard (role.layer ?? 0) < configuration.layerCount else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(tensor.name.quoted()): found a layer beyond those that the header tells, \(configuration.layerCount)")
            }
        }
    }

    private static func tokenizer(
        _ metadata: GGUFMetadata, _ configuration: ModelConfiguration
    ) throws(AlpacaError) -> Tokenizer {
        let tokenizer = try Tokenizer(metadata)
        guard tokenizer.count == configuration.vocabularySize else {
            throw AlpacaError(
                .shapeMismatch,
                "the tokenizer has \(tokenizer.count) pieces, the model's embedding has \(configuration.vocabularySize) rows; "
                    + "the file was put together from parts that do not belong together")
        }
        return tokenizer
    }
}

/// The tensors of a GGUF file, where they lie in it.
final class GGUFWeightStore: WeightStore {
    private let reader: GGUFReader
    private let data: MappedFile

    init(_ reader: GGUFReader, _ options: ModelOptions) throws(AlpacaError) {
        self.reader = reader
        data = try MappedFile(reader.file, mode: options.usesMemoryMap ? .map : .read, progress: options.progress)
        if options.prefetches || options.locksMemory {
            let all = try unsafe data.region(at: 0, count: data.count, of: "the file")
            unsafe data.advise(all, willNeed: true)
            if options.locksMemory { try data.lock() }
        }
    }

    func info(_ role: TensorRole) -> TensorInfo? { index(role).map { reader.tensors[$0] } }

    @unsafe func bytes(_ role: TensorRole) throws(AlpacaError) -> UnsafeRawBufferPointer {
        guard let index = index(role) else { throw AlpacaError(.missing, "tensor \"\(role.name(in: .gguf) ?? "")\" is missing") }
        let info = reader.tensors[index]
        return try unsafe data.region(at: reader.offset(of: index), count: info.byteCount, of: "tensor \(info.name.quoted())")
    }

    private func index(_ role: TensorRole) -> Int? { role.name(in: .gguf).flatMap { reader.index(of: $0) } }
}

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
        guard let reader = source as? GGUFReader else {
            throw AlpacaError(.unsupported, "\(path): weights of this format can't be run yet; convert the model to GGUF")
        }
        do {
            return try load(reader, options)
        } catch {
            throw error.inFile(path)
        }
    }

    private static func load(_ reader: GGUFReader, _ options: ModelOptions) throws(AlpacaError) -> LoadedModel {
        let configuration = try ModelConfiguration(reader)
        // A tensor that is passed over would make the model another one.
        for tensor in reader.tensors where TensorRole(tensor.name, in: .gguf) == nil && !TensorRole.isIgnored(tensor.name) {
            throw AlpacaError(.unsupported, "tensor \(tensor.name.quoted()) has no place in the Llama architecture as this version runs it")
        }
        let tokenizer = try Tokenizer(reader.metadata)
        guard tokenizer.count == configuration.vocabularySize else {
            throw AlpacaError(
                .shapeMismatch,
                "the tokenizer has \(tokenizer.count) pieces, the model's embedding has \(configuration.vocabularySize) rows; "
                    + "the file was put together from parts that do not belong together")
        }
        let store = try GGUFWeightStore(reader, options)
        return LoadedModel(
            configuration: configuration, tokenizer: tokenizer, llama: try LlamaModel(configuration, store: store),
            description: ModelDescription(reader))
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

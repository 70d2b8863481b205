// What is in a file or folder, whichever of the kinds that this library reads it is. The content decides: names are asked only where files
// belong together.

/// What a file or folder is and holds: for `alpaca inspect`, `alpaca_inspect` and programs.
///
/// What can be read but not used is described too, with the reason as its `problem`; what is damaged is an error.
public enum Inspection: Sendable {
    /// A model in any format: one file or a folder.
    case model(ModelDescription)
    /// A LoRA adapter: a folder, or a zip archive.
    case adapter(AdapterDescription)
    /// A `tokenizer.model`, or a `tokenizer.json`.
    case tokenizer(TokenizerDescription)
    /// What llama-imatrix writes.
    case importanceMatrix(ImportanceMatrixDescription)
    /// Weights without what makes a model of them.
    case weights(WeightsDescription)

    /// Reads the headers of what is at `path`, or of what was downloaded from the Hugging Face hub under that name ("owner/name").
    ///
    /// - Throws: ``AlpacaError`` when it can't be read, is damaged, or none of these.
    public init(path: String) throws(AlpacaError) {
        let path = try HubCache.resolve(path)
        do throws(AlpacaError) {
            self = try FolderListing.isFolder(path) ? .open(FolderFiles(path: path)) : .open(FileRegion(InputFile(path: path)))
        } catch {
            throw error.inFile(path)
        }
    }

    /// "model", "adapter", "tokenizer", "importance_matrix" or "weights".
    public var kind: String {
        switch self {
        case .model: "model"
        case .adapter: "adapter"
        case .tokenizer: "tokenizer"
        case .importanceMatrix: "importance_matrix"
        case .weights: "weights"
        }
    }

    /// Why it can't be used as what it is; nil when nothing is wrong with its headers.
    public var problem: String? {
        switch self {
        case .model(let model): model.problem
        case .tokenizer(let tokenizer): tokenizer.problem
        case .weights(let weights): weights.problem
        case .adapter(let adapter): adapter.problem
        case .importanceMatrix: nil
        }
    }

    /// The files of tensors, with all tensors; none of a tokenizer.
    public var files: [WeightsFile] {
        switch self {
        case .model(let model): model.files
        case .adapter(let adapter): [adapter.file]
        case .tokenizer: []
        case .importanceMatrix(let matrix): [matrix.file]
        case .weights(let weights): [weights.file]
        }
    }

    /// The same facts as JSON; keys are those of the C interface.
    ///
    /// - Parameters:
    ///   - indent: spaces a level; 0 gives one line.
    ///   - listsTensors: adds `tensors`, all of them with name, type, shape and file.
    public func json(indent: Int = 2, listsTensors: Bool = false) -> String {
        var json = JSONWriter(indent: indent)
        switch self {
        case .model(let model): return model.json(indent: indent, listsTensors: listsTensors)
        case .adapter(let adapter): adapter.write(to: &json, listsTensors: listsTensors)
        case .tokenizer(let tokenizer): tokenizer.write(to: &json)
        case .importanceMatrix(let matrix): matrix.write(to: &json, listsTensors: listsTensors)
        case .weights(let weights): weights.write(to: &json, listsTensors: listsTensors)
        }
        return json.text
    }
}

extension Inspection: CustomStringConvertible {
    /// A table for people, a line a fact.
    public var description: String { text() }

    /// The same, if it is wanted with all tensors behind it.
    public func text(listsTensors: Bool = false) -> String {
        let text =
            switch self {
            case .model(let model): model.description
            case .adapter(let adapter): FactTable.text(adapter.path, adapter.facts)
            case .tokenizer(let tokenizer): FactTable.text(tokenizer.path, tokenizer.facts)
            case .importanceMatrix(let matrix): FactTable.text(matrix.file.path, matrix.facts)
            case .weights(let weights): FactTable.text(weights.file.path, weights.facts)
            }
        return listsTensors && !files.isEmpty ? text + "\n" + files.tensorTables : text
    }
}

// MARK: Which of them it is

extension Inspection {
    private static let configurations = ["config.json", "params.json"]

    /// A folder or an archive.
    static func open(_ files: some FileCollection) throws(AlpacaError) -> Inspection {
        let names = files.names
        let isModel = ModelFolder.isModel(files)
        if LoRAAdapter.isAdapter(files) {
            // Beside a whole model, adapter_config.json alone is what was left of a merge.
            let isLeftover = isModel && names.contains("config.json") && !names.contains { $0.hasPrefix("adapter_model.") }
            if !isLeftover { return .adapter(try AdapterDescription(LoRAAdapter(files))) }
        }
        let hasConfiguration = names.contains { configurations.contains($0) }
        if !isModel, !hasConfiguration, let region = try files.open("tokenizer.model") {
            return .tokenizer(try TokenizerDescription(region))
        }
        let folder = try ModelFolder(files)
        return .model(try model(ModelSource(folder), refusal: files.archive.flatMap { ModelSource.archiveRefusal(FileRegion($0)) }))
    }

    private static func model(_ source: ModelSource, refusal: AlpacaError? = nil) throws(AlpacaError) -> ModelDescription {
        // A model of another kind can be described; without a word of the sizes there is nothing but a heap of weights.
        if source.folder != nil, case .failure(let error) = source.configured, error.code == .missing || error.code == .badFormat {
            throw error
        }
        return try ModelDescription(source, refusal: refusal)
    }

    static func open(_ reader: GGUFReader) throws(AlpacaError) -> Inspection {
        if ImportanceMatrix.isOne(reader) { return .importanceMatrix(try ImportanceMatrixDescription(reader)) }
        if let error = reader.metadata.otherKind {
            return .weights(WeightsDescription(FileRegion(reader.file), reader, problem: error.inFile(reader.file.path).message))
        }
        return .model(try model(ModelSource(reader)))
    }

    static func open(_ reader: LegacyGGMLReader) throws(AlpacaError) -> Inspection { .model(try model(ModelSource(reader))) }

    private static func open(_ region: FileRegion) throws(AlpacaError) -> Inspection {
        if ImportanceMatrix.isLegacy(region.file) { return .importanceMatrix(try ImportanceMatrixDescription(legacy: region.file)) }
        if let parts = try ByteLevelTokenizer.Parts(tiktoken: region) { return .tokenizer(try TokenizerDescription(region, parts)) }
        switch try CheckpointKind(region) {
        case .gguf: return try open(GGUFReader(region.file))
        case .legacyGGML: return try open(LegacyGGMLReader(region.file))
        case .sentencePiece: return .tokenizer(try TokenizerDescription(region))
        case .torchZip:
            // What is no PyTorch file may be an archive of what a folder would hold.
            if let files = try? ZipFiles(region), !files.names.contains("data.pkl"),
                LoRAAdapter.isAdapter(files) || ModelFolder.isModel(files)
            {
                return try open(files)
            }
            return try openWeights(region)
        case .safetensors, .torchPickle: return try openWeights(region)
        case .json:
            if let root = try json(region), TokenizerJSON.isOne(root) { return .tokenizer(try TokenizerDescription(region, root)) }
            // Says that it is one.
            return .weights(WeightsDescription(region, try CheckpointReader.open(region), problem: nil))
        }
    }

    /// The content of a JSON file; nil when it is broken.
    private static func json(_ region: FileRegion) throws(AlpacaError) -> JSONValue? {
        do throws(AlpacaError) {
            return try TokenizerJSON.root(region)
        } catch {
            guard error.code == .outOfMemory else { return nil }
            throw error
        }
    }

    /// A file of weights: the model or adapter that it belongs to, or else the tensors alone.
    private static func openWeights(_ region: FileRegion) throws(AlpacaError) -> Inspection {
        let path = region.file.path
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let weights = try CheckpointReader.open(region)
        guard let files = try? FolderFiles(path: path.contains("/") ? String(path.dropLast(name.count)) : ".") else {
            return .weights(WeightsDescription(region, weights, problem: WeightsDescription.alone))
        }
        if LoRAAdapter.weightNames.contains(name), files.names.contains("adapter_config.json") { return try open(files) }
        var problem = WeightsDescription.alone
        if files.names.contains(where: { configurations.contains($0) }), ModelFolder.isModel(files) {
            do throws(AlpacaError) {
                let folder = try ModelFolder(files)
                if folder.weightFiles.contains(name) { return .model(try model(ModelSource(folder))) }
            } catch {
                problem = "the model that the file belongs to can't be opened: \(error.message)"
            }
        }
        return .weights(WeightsDescription(region, weights, problem: problem))
    }
}

// Models as folders: Hugging Face's (config.json beside safetensors or PyTorch files, perhaps in shards under an index) and Meta's (params.json
// beside consolidated.NN.pth). Which one it is, the weights' files tell.

/// A folder with a model's weights, opened.
package struct ModelFolder: Sendable {
    package let path: String
    /// Whose names the tensors have: `.huggingFace` or `.meta`.
    package let naming: TensorNaming
    package let weights: any TensorSource
    /// "Hugging Face folder (safetensors, 2 files)"
    package let format: String
    /// The names of the weights' files.
    package let weightFiles: [String]
    /// For each of them the names of its tensors, in the file's order.
    package let tensorNames: [(file: String, names: [String])]
    /// The weights' files, opened.
    package let files: [WeightsFile]
    /// What the model was made from, as alpaca.json says; nil where there is none, or one of another program.
    package let origin: ModelOrigin?
    /// The chat templates that lie in the folder.
    package let templates: TemplateTexts
    /// The template's name that alpaca.json has; nil where there is none, or the text was changed since.
    package let templateName: String?
    /// What the folder and its files call the model and what it was made from.
    package let names: [String]
    /// The index of files in shards; nil where there is one file, or none is needed.
    package let index: JSONDocument?
    /// generation_config.json; nil where it is missing.
    package let generationConfiguration: JSONDocument?
    /// config.json or params.json; nil where it is missing.
    package let configuration: JSONDocument?
    package let tokenizer: SentencePieceModel?
    /// The folder's tokenizer, if it is one of byte-level pieces.
    let byteLevel: ByteLevelTokenizer.Parts?
    /// tokenizer.model, where there is one, else a tokenizer.json that means the same.
    package let tokenizerFile: FileRegion?
    /// Why the tokenizer.json that is there can't be used; nil where it can, or there is none.
    package let tokenizerRefusal: AlpacaError?
    /// Tokens that were added to the tokenizer, where the embeddings have rows for them.
    package let addedTokens: AddedTokens
    /// What the small files say of tokens with a task.
    package let tokenizerSettings: TokenizerSettings
    /// What is unusual of the small files, in sentences.
    package let warnings: [String]

    private static let metaPrefix = "consolidated."
    private static let indexNames = ["model.safetensors.index.json", "pytorch_model.bin.index.json"]
    private static let singleNames = ["model.safetensors", "pytorch_model.bin"]

    package init(_ files: some FileCollection) throws(AlpacaError) {
        path = files.path
        let names = files.names
        let shards = names.filter { $0.hasPrefix(ModelFolder.metaPrefix) && $0.hasSuffix(".pth") }
        let index = ModelFolder.indexNames.first { names.contains($0) }
        let single = ModelFolder.singleNames.first { names.contains($0) }
        var opened: [(name: String, region: FileRegion, source: any TensorSource)] = []
        if index == nil, single == nil, !shards.isEmpty {
            naming = .meta
            opened = try ModelFolder.openMeta(shards, files)
            weights = try MetaShards(opened.map { ($0.region.name, $0.source) })
            configuration = try ModelFolder.json("params.json", files)
            self.index = nil
        } else {
            naming = .huggingFace
            if let index, let region = try files.open(index) {
                let document = try JSONDocument(region)
                let table = try ShardIndex(document, name: region.name)
                for name in table.shards {
                    // What is missing, the source says.
                    guard let shard = try files.open(name) else { continue }
                    opened.append((name, shard, try CheckpointReader.open(shard)))
                }
                weights = try ShardedSource(
                    table, opened.map { ShardedSource.Shard(name: $0.name, source: $0.source, others: $0.source.others) })
                self.index = document
            } else if let single, let region = try files.open(single) {
                weights = try CheckpointReader.open(region)
                opened = [(single, region, weights)]
                self.index = nil
            } else {
                throw ModelFolder.noModel(files)
            }
            configuration = try ModelFolder.json("config.json", files)
        }
        generationConfiguration = try ModelFolder.json("generation_config.json", files)
        weightFiles = naming == .meta ? shards : opened.map(\.name)
        tensorNames = opened.map { ($0.name, $0.source.tensors.map(\.name)) }
        self.files = opened.map { WeightsFile($0.region, $0.source) }
        let mark = try? ModelFolder.json(OwnOutput.mark, files)
        origin = mark.flatMap { ModelOrigin($0) }
        let texts = TemplateTexts(files)
        templates = texts
        templateName = mark.flatMap { ModelFolder.templateName($0, texts, files) }
        self.names = ModelFolder.modelNames(files, configuration, origin)
        let kind = weightFiles.first?.hasSuffix(".safetensors") == true ? "safetensors" : "PyTorch"
        let count = weightFiles.count == 1 ? "1 file" : "\(weightFiles.count) files"
        format = "\(naming == .meta ? "Meta" : "Hugging Face") folder (\(kind), \(count))"
        var found: FolderTokenizer?
        var refusal: AlpacaError?
        var byteLevel: ByteLevelTokenizer.Parts?
        do throws(AlpacaError) {
            byteLevel = try ByteLevelTokenizer.Parts(files)
            if byteLevel == nil { found = try FolderTokenizer(files) }
        } catch {
            guard !names.contains("tokenizer.model"), names.contains("tokenizer.json"), error.code != .outOfMemory else { throw error }
            refusal = error
        }
        self.byteLevel = byteLevel
        tokenizerFile = found?.file
        tokenizer = found?.model
        tokenizerRefusal = refusal
        var rows = 0
        if let name = TensorRole.tokenEmbedding.name(in: naming), let index = weights.index(of: name) { rows = weights.tensors[index].rows }
        // Where there is no other text, the template says so.
        var warnings = texts.isEmpty ? [] : texts.warnings
        tokenizerSettings = found == nil ? TokenizerSettings() : TokenizerSettings(files)
        // One file that can't be read is told of once.
        if texts.problem == nil { warnings += tokenizerSettings.warnings }
        do throws(AlpacaError) {
            addedTokens = found == nil ? AddedTokens() : try AddedTokens(files)
        } catch {
            // Where there are no rows for any, a bad list does no harm.
            guard let found, found.model.pieces.count >= rows, error.code != .outOfMemory else { throw error }
            if texts.problem == nil { warnings.append("\(error.message): what was added to the tokenizer is not known") }
            addedTokens = AddedTokens()
        }
        // Meta's downloads have it there; a Hugging Face folder has its own.
        if naming == .huggingFace, !files.names.contains("tokenizer.model"), let tokenizerFile,
            tokenizerFile.name.hasSuffix("tokenizer.model")
        {
            warnings.append(
                "\(files.path): there is no tokenizer.model; the one beside the folder is taken for its own, \(tokenizerFile.name.quoted())"
            )
        }
        self.warnings = warnings
    }

    /// The template that a conversion has written down, unless somebody has given the folder another text since.
    private static func templateName(_ mark: JSONDocument, _ texts: TemplateTexts, _ files: some FileCollection) -> String? {
        guard let name = (try? mark.root.stringIfPresent("template")) ?? nil else { return nil }
        guard !texts.isEmpty else { return name }
        let size = mark.root[OwnOutput.filesMember].flatMap { $0[texts.origin] }.flatMap { try? $0.int() }
        return size != nil && size == (try? files.open(texts.origin))??.count ? name : nil
    }

    private static func modelNames(_ files: some FileCollection, _ configuration: JSONDocument?, _ origin: ModelOrigin?) -> [String] {
        var names: [String] = []
        // Where transformers loaded it from before it was saved.
        if let name = (try? configuration?.root.stringIfPresent("_name_or_path")) ?? nil { names.append(PathName.last(name)) }
        if let origin { names += origin.adapters.map(\.name) + [origin.base] }
        return names + [PathName.of(files.path)]
    }

    /// The sizes, from config.json or params.json and the tensors' shapes; with what is unusual.
    package func modelConfiguration() throws(AlpacaError) -> (configuration: ModelConfiguration, warnings: [String]) {
        guard let configuration else {
            let name = naming == .meta ? "params.json" : "config.json"
            throw AlpacaError(.missing, path: path, "\(name) is missing, which tells the model's sizes")
        }
        func shape(_ name: String) -> [Int]? { weights.index(of: name).map { weights.tensors[$0].shape } }
        guard naming == .meta else { return try ModelConfiguration.huggingFace(configuration, shape: shape) }
        try checkShardCount(configuration)
        var found = try ModelConfiguration.meta(configuration, shape: shape)
        found.warnings += (weights as? MetaShards)?.warnings ?? []
        return found
    }

    /// The embeddings are cut between columns: fewer than the model's width means that the last files are missing.
    private func checkShardCount(_ parameters: JSONDocument) throws(AlpacaError) {
        guard let width = try parameters.root.intIfPresent("dim", in: ModelConfiguration.Limits.embeddingLength),
            let index = weights.index(of: "tok_embeddings.weight"), weights.tensors[index].shape.count == 2
        else { return }
        let columns = weights.tensors[index].columns
        guard columns > 0, columns < width, width % columns == 0 else { return }
        let count = weightFiles.count * (width / columns)
        throw AlpacaError(
            .missing, path: path,
            "\(ModelFolder.metaPrefix)\(weightFiles.count < 10 ? "0" : "")\(weightFiles.count).pth is missing: found "
                + "\(weightFiles.count) of \(count) files, which hold \(columns) of \(width) columns (is the download complete?)")
    }

    /// Whether a folder has what `init` looks for.
    package static func isModel(_ files: some FileCollection) -> Bool {
        files.names.contains { name in
            indexNames.contains(name) || singleNames.contains(name) || name.hasPrefix(metaPrefix) && name.hasSuffix(".pth")
        }
    }

    private static func openMeta(
        _ names: [String], _ files: some FileCollection
    ) throws(AlpacaError) -> [(name: String, region: FileRegion, source: any TensorSource)] {
        var shards: [(name: String, region: FileRegion, source: any TensorSource)] = []
        for i in names.indices {
            let name = "\(metaPrefix)\(i < 10 ? "0" : "")\(i).pth"
            guard let region = try files.open(name) else {
                throw AlpacaError(
                    .missing, path: files.path, "\(name) is missing, found \(names.joined(separator: ", ")) (is the download complete?)")
            }
            shards.append((name, region, try CheckpointReader.open(region)))
        }
        return shards
    }

    private static func json(_ name: String, _ files: some FileCollection) throws(AlpacaError) -> JSONDocument? {
        guard let region = try files.open(name) else { return nil }
        return try JSONDocument(region)
    }

    /// What the folder is instead.
    private static func noModel(_ files: some FileCollection) -> AlpacaError {
        let names = files.names
        if names.contains("adapter_config.json") || names.contains(where: { $0.hasPrefix("adapter_model.") }) {
            return AlpacaError(
                .unsupported, path: files.path,
                "this is a LoRA adapter, not a model: name the base that it belongs to, and this as its adapter "
                    + "(`alpaca convert BASE --adapter ADAPTER`)")
        }
        let gguf = names.filter { $0.hasSuffix(".gguf") }
        if !gguf.isEmpty {
            return AlpacaError(.unsupported, path: files.path, "this is a folder with GGUF files: name one, such as \(gguf[0].quoted())")
        }
        let listed = names.prefix(6).map { $0.quoted() }.joined(separator: ", ") + (names.count > 6 ? ", ..." : "")
        let found = names.isEmpty ? "nothing" : listed
        return AlpacaError(
            .missing, path: files.path,
            "found \(found), expected a model: model.safetensors or pytorch_model.bin (or shards with an index) and "
                + "config.json, or consolidated.00.pth and params.json")
    }
}

// A model in files of any format, seen as if it were a GGUF file: what it is, and the tensors and metadata that such a file would have. What
// runs models and what converts them reads them through this, and knows no format.

/// What a model's files say of it, and its tensors.
package final class ModelSource: Sendable {
    package let path: String
    /// "GGUF version 3", "Meta folder (PyTorch, 2 files)", ...
    package let format: String
    /// Bytes of the weights' files.
    package let byteCount: Int
    /// The weights' files, with the tensors under the names that they have there.
    package let files: [WeightsFile]
    package let metadata: GGUFMetadata
    /// The sizes; an error where the files don't tell them, or tell of a model that can't be used.
    package let configured: Result<ModelConfiguration, AlpacaError>
    package let weights: ModelTensors
    /// The tokenizer, as a `tokenizer.model`; nil for GGUF and older files, whose metadata have it, and where there is none.
    package let tokenizerFile: FileRegion?
    package let tokenizer: SentencePieceModel?
    /// Why a folder has no tokenizer that can be used; nil when it has, and for other files.
    package let tokenizerProblem: AlpacaError?
    /// The folder, when it is one.
    package let folder: ModelFolder?
    /// What is unusual, in sentences.
    package let warnings: [String]

    /// Opens a model: a GGUF or older llama.cpp file, a Hugging Face or a Meta folder, or a file in one.
    package convenience init(path: String) throws(AlpacaError) {
        do throws(AlpacaError) {
            if try FolderListing.isFolder(path) {
                try self.init(ModelFolder(FolderFiles(path: path)))
                return
            }
            let file = try InputFile(path: path)
            switch try CheckpointReader.open(FileRegion(file)) {
            case let gguf as GGUFReader: self.init(gguf)
            case let legacy as LegacyGGMLReader: self.init(legacy)
            default:
                // A file of a folder stands for the folder.
                let files = try FolderFiles(path: ModelSource.parent(of: path))
                guard ModelFolder.isModel(files) else {
                    throw AlpacaError(
                        .unsupported, path: path,
                        "weights alone are no model: found neither an index nor a usual name in \(files.path.quoted())")
                }
                try self.init(ModelFolder(files))
            }
        } catch {
            throw error.inFile(path)
        }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    package convenience init(_ gguf: GGUFReader) {
        let configured = Result { () throws(AlpacaError) in try ModelConfiguration(gguf) }
        self.init(
            path: gguf.file.path, format: "GGUF version \(gguf.version)", weights: gguf, naming: .gguf, metadata: gguf.metadata,
            configured: configured, files: [WeightsFile(FileRegion(gguf.file), gguf)])
    }

    package convenience init(_ legacy: LegacyGGMLReader) {
        let configured = Result { () throws(AlpacaError) in try ModelConfiguration(legacy) }
        self.init(
            path: legacy.files[0].path, format: "\(legacy.container)", weights: legacy, naming: .meta, metadata: legacy.metadata,
            configured: configured,
            files: legacy.files.enumerated().map { number, file in
                WeightsFile(path: file.path, byteCount: file.size, tensors: legacy.tensors(inFile: number))
            })
    }

    package convenience init(_ folder: ModelFolder) throws(AlpacaError) {
        let configured = Result { () throws(AlpacaError) in try folder.modelConfiguration() }
        var metadata = GGUFMetadata()
        var problem: AlpacaError?
        if case .success(let found) = configured {
            let types = folder.weights.tensors.filter { $0.shape.count > 1 }.map(\.type)
            func make(_ tokenizer: SentencePieceModel?) throws(AlpacaError) -> GGUFMetadata {
                try GGUFMetadata(
                    found.configuration, tokenizer: tokenizer, name: ModelSource.name(of: folder.path),
                    fileType: types.first == .f32 ? .f32 : types.first == .bf16 ? .bf16 : .f16)
            }
            do throws(AlpacaError) {
                metadata = try make(folder.tokenizer)
                if folder.tokenizer == nil {
                    problem = AlpacaError(.missing, "tokenizer.model is missing in the folder; without it no text can be read or written")
                }
            } catch {
                problem = error
                metadata = try make(nil)
            }
        }
        self.init(
            path: folder.path, format: folder.format, weights: folder.weights, naming: folder.naming, metadata: metadata,
            configured: configured.map(\.configuration), files: folder.files, folder: folder, tokenizerProblem: problem,
            warnings: (try? configured.get().warnings) ?? [])
    }

    /// The last part of a path that says something.
    private static func name(of path: String) -> String {
        PathText.shown(path.split(separator: "/").last { $0 != "." && $0 != ".." }.map(String.init) ?? path)
    }

    private init(
        path: String, format: String, weights: any TensorSource, naming: TensorNaming, metadata: GGUFMetadata,
        configured: Result<ModelConfiguration, AlpacaError>, files: [WeightsFile], folder: ModelFolder? = nil,
        tokenizerProblem: AlpacaError? = nil, warnings: [String] = []
    ) {
        self.path = path
        self.format = format
        self.weights = ModelTensors(weights, naming, try? configured.get())
        self.metadata = metadata
        self.configured = configured
        self.files = files
        self.folder = folder
        self.warnings = warnings
        self.tokenizerProblem = tokenizerProblem
        tokenizer = folder?.tokenizer
        tokenizerFile = folder?.tokenizerFile
        byteCount = weights.inputs.reduce(0) { $0 &+ $1.size }
    }

    // MARK: What it is

    package func configuration() throws(AlpacaError) -> ModelConfiguration { try configured.get() }

    /// The configuration of a model whose tensors are as they have to be, and which this version can run. Its tokenizer may be of a kind that
    /// can't be used: ``tokenizerProblem``.
    package func runnableConfiguration() throws(AlpacaError) -> ModelConfiguration {
        let configuration = try configuration()
        try configuration.checkRunnable()
        try weights.check(configuration)
        return configuration
    }
}

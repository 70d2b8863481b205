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
    /// Its chat templates' texts, which ``metadata`` have too; the template that prompts get; what its files call the model.
    package let templates: TemplateTexts
    package let template: ModelTemplate
    package let names: [String]
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
            let opened: any TensorSource
            do throws(AlpacaError) {
                opened = try CheckpointReader.open(FileRegion(file))
            } catch {
                throw ModelSource.archiveRefusal(FileRegion(file)) ?? error
            }
            switch opened {
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

    /// Why an archive of what a model's folder would hold is no model; nil for everything else.
    package static func archiveRefusal(_ region: FileRegion) -> AlpacaError? {
        guard (try? CheckpointKind(region)) == .torchZip, let files = try? ZipFiles(region), !files.names.contains("data.pkl"),
            ModelFolder.isModel(files)
        else { return nil }
        return AlpacaError(
            .unsupported, path: region.name,
            "this is a zip archive with a model in it, which can be looked at but not used: unpack it (`unzip`)")
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    package convenience init(_ gguf: GGUFReader) {
        var configured = Result { () throws(AlpacaError) in try ModelConfiguration(gguf) }
        var metadata = gguf.metadata
        var warnings: [String] = []
        if case .success(let found) = configured {
            do throws(AlpacaError) {
                warnings = try metadata.extendVocabulary(to: found.vocabularySize).map { ["\(gguf.file.path): \($0)"] } ?? []
            } catch {
                configured = .failure(error.inFile(gguf.file.path))
            }
        }
        self.init(
            path: gguf.file.path, format: "GGUF version \(gguf.version)", weights: gguf, naming: .gguf, metadata: metadata,
            configured: configured, files: [WeightsFile(FileRegion(gguf.file), gguf)], warnings: warnings)
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
        var warnings = (try? configured.get().warnings) ?? []
        if case .success(let found) = configured {
            // One tensor in another type does not decide over all.
            let type = TensorType.mostUsed(folder.weights.tensors.filter { $0.shape.count > 1 })
            let tasks = folder.tokenizer.map {
                TaskTokens(folder.tokenizerSettings, .init($0, folder.addedTokens, rows: found.configuration.vocabularySize))
            }
            func make(_ tokenizer: SentencePieceModel?) throws(AlpacaError) -> GGUFMetadata {
                try GGUFMetadata(
                    found.configuration, tokenizer: tokenizer, added: folder.addedTokens, tasks: tasks, name: PathName.of(folder.path),
                    fileType: type == .f32 ? .f32 : type == .bf16 ? .bf16 : .f16)
            }
            do throws(AlpacaError) {
                metadata = try make(folder.tokenizer)
                let rows = found.configuration.vocabularySize
                if let tokenizer = folder.tokenizer {
                    warnings += folder.addedTokens.warnings(pieces: tokenizer.pieces, rows: rows, path: folder.path)
                    warnings += tasks?.warnings.map { "\(folder.path): \($0)" } ?? []
                    let known = tokenizer.pieces.count + folder.addedTokens.listed(in: tokenizer.pieces.count..<rows).count
                    warnings += GGUFMetadata.unusedRows(rows, known: known).map { ["\(folder.path): \($0)"] } ?? []
                } else if var parts = folder.byteLevel {
                    guard parts.pieces.count <= rows else { throw GGUFMetadata.tooManyPieces(parts.pieces.count, rows: rows) }
                    warnings += parts.warnings
                    if let id = parts.strangers.first {
                        warnings.append(
                            "\(folder.path): \"eos_token_id\" has \(id), the vocabulary has \(parts.pieces.count) tokens: it is passed over"
                        )
                    }
                    // Rows behind the tokens are usual there: vocabularies are rounded up.
                    parts.pad(to: rows)
                    try metadata.setTokenizer(parts)
                } else {
                    problem =
                        folder.tokenizerRefusal
                        ?? AlpacaError(.missing, "tokenizer.model is missing in the folder; without it no text can be read or written")
                }
            } catch {
                problem = error.inFile(folder.tokenizerFile?.name ?? folder.path)
                metadata = try make(nil)
            }
        }
        folder.templates.set(in: &metadata)
        if let name = folder.templateName { metadata[GGUFKey.alpacaTemplate] = .string(Array(name.utf8)) }
        self.init(
            path: folder.path, format: folder.format, weights: folder.weights, naming: folder.naming, metadata: metadata,
            configured: configured.map(\.configuration), files: folder.files, folder: folder, tokenizerProblem: problem,
            warnings: warnings + folder.warnings)
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
        self.tokenizerProblem = tokenizerProblem
        tokenizer = folder?.tokenizer
        tokenizerFile = folder?.tokenizerFile
        byteCount = weights.inputs.reduce(0) { $0 &+ $1.size }
        templates = folder?.templates ?? TemplateTexts(metadata)
        let names = folder?.names ?? ModelTemplate.names(in: metadata)
        self.names = names
        let rope = (try? configured.get()).map { RopeWarnings.warnings($0, names: names + [PathName.of(path)]) } ?? []
        self.warnings =
            warnings + rope.map { "\(path): \($0)" }
            + (folder == nil && !templates.isEmpty ? templates.warnings.map { "\(path): \($0)" } : [])
        template = ModelTemplate(metadata, texts: templates, names: names)
    }

    // MARK: What it is

    /// Whether its pieces are of bytes.
    package var hasByteLevelTokenizer: Bool {
        guard case .string(let kind) = metadata[GGUFKey.tokenizerModel] else { return false }
        return ByteLevelTokenizer.ggufNames.contains { kind.elementsEqual($0.utf8) }
    }

    package func configuration() throws(AlpacaError) -> ModelConfiguration { try configured.get() }

    /// The configuration of a model whose tensors are as they have to be, and which this version can run. Its tokenizer may be of a kind that
    /// can't be used: ``tokenizerProblem``.
    package func runnableConfiguration() throws(AlpacaError) -> ModelConfiguration {
        let configuration = try configuration()
        try weights.check(configuration)
        return configuration
    }

    /// What a model that is to be used has to have, all that headers tell: the only judge, so that descriptions and what runs models agree.
    package func opened() throws(AlpacaError) -> (configuration: ModelConfiguration, tokenizer: Tokenizer) {
        let configuration = try runnableConfiguration()
        if let tokenizerProblem { throw tokenizerProblem }
        let tokenizer = try Tokenizer(metadata)
        guard tokenizer.count == configuration.vocabularySize else {
            throw AlpacaError(
                .shapeMismatch,
                "the tokenizer has \(tokenizer.count) pieces, the model's embedding has \(configuration.vocabularySize) rows; "
                    + "the file was put together from parts that do not belong together")
        }
        if configuration.hasRopeFactors, let index = weights.index(of: TensorRole(.ropeFactors)) {
            let survey = try weights.origins(of: index).map { (origin) throws(AlpacaError) in try NumberSurvey(origin, ScratchArena()) }
            guard survey.allSatisfy({ $0.strange == 0 && $0.least > 0 }) else {
                throw AlpacaError(
                    .badFormat, "tensor \(weights.fileName(of: index).quoted()): every factor must be a positive number")
            }
            // Smaller ones make angles that are no numbers.
            let least = ModelConfiguration.Limits.ropeScalingFactor.lowerBound
            if let found = survey.map(\.least).min(), Double(found) < least {
                throw AlpacaError(
                    .badFormat, "tensor \(weights.fileName(of: index).quoted()): found the factor \(found), expected \(least) or more")
            }
        }
        return (configuration, tokenizer)
    }
}

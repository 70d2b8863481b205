// A model in files of any format, seen as if it were a GGUF file: the tensors under GGUF's names, rows of queries and keys interleaved, the
// metadata that such a file would have. What runs models and what converts them reads them through this, and knows no format.

/// A model's tensors and what its files say of it.
package final class ModelSource: TensorSource {
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
    /// GGUF's names; those that are no tensor of the architecture keep their own.
    package let tensors: [TensorInfo]
    /// The tokenizer, as a `tokenizer.model`; nil for GGUF and older files, whose metadata have it, and where there is none.
    package let tokenizerFile: FileRegion?
    package let tokenizer: SentencePieceModel?
    /// Why a folder has no tokenizer that can be used; nil when it has, and for other files.
    package let tokenizerProblem: AlpacaError?
    /// The folder, when it is one.
    package let folder: ModelFolder?
    /// What is unusual, in sentences.
    package let warnings: [String]

    private let weights: any TensorSource
    private let naming: TensorNaming
    private let entries: [Entry]
    private let indexByName: [String: Int]

    private struct Entry: Sendable {
        let index: Int
        /// Set where rows have to be brought into GGUF's order: the dimension of a head.
        let headDimension: Int?
    }

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
        path.split(separator: "/").last { $0 != "." && $0 != ".." }.map(String.init) ?? path
    }

    private init(
        path: String, format: String, weights: any TensorSource, naming: TensorNaming, metadata: GGUFMetadata,
        configured: Result<ModelConfiguration, AlpacaError>, files: [WeightsFile], folder: ModelFolder? = nil,
        tokenizerProblem: AlpacaError? = nil, warnings: [String] = []
    ) {
        self.path = path
        self.format = format
        self.weights = weights
        self.metadata = metadata
        self.configured = configured
        self.files = files
        self.naming = naming
        self.folder = folder
        self.warnings = warnings
        self.tokenizerProblem = tokenizerProblem
        tokenizer = folder?.tokenizer
        tokenizerFile = folder?.tokenizerFile
        byteCount = weights.inputs.reduce(0) { $0 &+ $1.size }
        let head = (try? configured.get())?.headDimension
        var tensors: [TensorInfo] = []
        var entries: [Entry] = []
        for (i, role) in ModelSource.order(weights.tensors, naming) {
            let info = weights.tensors[i]
            var headDimension: Int?
            if naming == .huggingFace, let head, let role, Architectures.table[role.kind]?.hasHeads == true, info.shape.count == 2, info.rows % head == 0, head % 2 == 0 {
                headDimension = head
            }
            let name = role?.name(in: .gguf) ?? info.name
            // The shape is the same, so that nothing can be out of range.
            tensors.append((try? TensorInfo(name: name, type: info.type, shape: info.shape)) ?? info)
            entries.append(Entry(index: i, headDimension: headDimension))
        }
        self.tensors = tensors
        self.entries = entries
        indexByName = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The tensors' numbers in the order in which they are to be listed, with their roles: GGUF files keep theirs, others get the model's.
    private static func order(_ tensors: [TensorInfo], _ naming: TensorNaming) -> [(Int, TensorRole?)] {
        let all = tensors.indices.map { ($0, TensorRole(tensors[$0].name, in: naming)) }
        guard naming != .gguf else { return all }
        let known = all.filter { !Architectures.isIgnored(tensors[$0.0].name) }.map { ($0, Architectures.table.place(of: $0.1)) }
        return known.sorted { $0.1 == $1.1 ? $0.0.0 < $1.0.0 : $0.1 < $1.1 }.map(\.0)
    }

    // MARK: What it is

    package func configuration() throws(AlpacaError) -> ModelConfiguration { try configured.get() }

    /// Throws unless the tensors are those of the configuration, no more and no fewer, each of its shape.
    package func checkTensors() throws(AlpacaError) {
        let configuration = try configuration()
        for (i, info) in tensors.enumerated() where !Architectures.isIgnored(info.name) {
            let name = fileName(of: i).quoted()
            guard let role = TensorRole(info.name, in: .gguf) else {
                throw AlpacaError(
                    .unsupported, "tensor \(name) has no place in the Llama architecture as this version runs it")
            }
            guard (role.layer ?? 0) < configuration.layerCount else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(name): found a layer beyond those that the header tells, \(configuration.layerCount)")
            }
        }
        for spec in Architectures.make(configuration).tensors {
            let expected = spec.shape
            guard let index = index(of: spec.role) else {
                let name = spec.names[naming] ?? "\(spec.role)"
                // There, but of no type that weights have.
                if let other = others.first(where: { $0.name == name }) { throw other.refusal }
                throw AlpacaError(
                    .missing,
                    "tensor \(name.quoted()) is missing: expected shape \(TensorInfo.text(expected)) "
                        + "(is the file complete?)")
            }
            guard tensors[index].shape == expected else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(fileName(of: index).quoted()): found shape \(tensors[index].shapeText), expected "
                        + "\(TensorInfo.text(expected))")
            }
        }
    }

    /// The name that messages give a tensor: that in the files.
    package func fileName(of index: Int) -> String { weights.tensors[entries[index].index].name }

    // MARK: Tensors

    package var others: [ForeignTensor] { weights.others }
    package var inputs: [InputFile] { weights.inputs }
    package func index(of name: String) -> Int? { indexByName[name] }
    package func index(of role: TensorRole) -> Int? { role.name(in: .gguf).flatMap { indexByName[$0] } }

    package func place(of index: Int) -> FileRegion? {
        guard entries.indices.contains(index), entries[index].headDimension == nil else { return nil }
        return weights.place(of: entries[index].index)
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        let entry = entries[index]
        guard let head = entry.headDimension else {
            return try unsafe weights.read(entry.index, rows: rows, into: target, scratch: scratch)
        }
        try unsafe readReordered(
            weights, entry.index, rows: rows, order: .interleaved, headDimension: head, into: target, scratch: scratch)
    }
}

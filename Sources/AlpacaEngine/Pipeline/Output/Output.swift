/// Everything that a conversion is going to write, in any format: known before the first tensor is read.
struct Output: Sendable {
    /// The files with weights.
    var files: [File] = []
    var tensors: [OutputTensor] = []
    /// Tensors that no source has.
    var constants: [Constant] = []
    /// Small files beside them; folders only.
    var extras: [(name: String, bytes: [UInt8])] = []
    /// The recipe's name, "Q4_K_M".
    var quantization = ""
    var warnings: [String] = []

    struct File: Sendable {
        /// Empty where the output is a single file.
        let name: String
        let layout: FileLayout
    }

    struct Constant: Sendable {
        let file: Int
        /// Its number among the tensors of the file's layout.
        let part: Int
        let bytes: [UInt8]
    }

    /// Says what a folder was made of.
    private var provenance: Provenance?

    /// Adds the file that says what the folder was made of and which files it has: the last of them.
    mutating func addMark(_ provenance: Provenance) {
        self.provenance = provenance
        extras.append((OwnOutput.mark, mark([:])))
    }

    /// The bytes of that file, as many whatever the marks are.
    ///
    /// - Parameter marks: ``ContentMark`` of the files, by name, once they are written.
    func mark(_ marks: [String: String]) -> [UInt8] {
        let others =
            files.map { ($0.name, $0.layout.byteCount) }
            + extras.filter { $0.name != OwnOutput.mark }.map { ($0.name, $0.bytes.count) }
        return provenance?.json(others, marks: marks) ?? []
    }

    /// Makes the output of a format.
    static func make(_ request: OutputRequest) throws(AlpacaError) -> Output {
        switch request.options.format {
        case .gguf: try GGUFOutput.make(request)
        case .huggingFace: try HuggingFaceOutput.make(request)
        case .huggingFaceBin: try HuggingFaceBinOutput.make(request)
        case .meta: try MetaOutput.make(request)
        }
    }
}

/// What the formats make their output of.
struct OutputRequest: Sendable {
    let options: ConversionOptions
    let base: ModelSource
    /// GGUF's names and order of heads.
    let source: MergedSource
    /// The result's sizes.
    let configuration: ModelConfiguration
    let tokenizer: ChosenTokenizer?
    /// What was added to the vocabulary of a base whose metadata keep theirs.
    let added: AddedTokens
    /// What the adapters say of tokens with a task.
    let settings: TokenizerSettings
    let provenance: Provenance
    let template: ResultTemplate

    /// The result's tokens with a task; nil without a tokenizer.
    var tasks: TaskTokens? { tokenizer?.tasks(rows: configuration.vocabularySize) }

    /// The number of a role's tensor in the source.
    func index(of role: TensorRole) throws(AlpacaError) -> Int {
        guard let index = Architectures.table.name(of: role, in: .gguf).flatMap({ source.index(of: $0) }) else {
            throw AlpacaError(.missing, "tensor \"\(role.name(in: .gguf) ?? "")\" is missing")
        }
        return index
    }

    /// The further ends that the base has, for an output without a tokenizer.
    func baseEnds() throws(AlpacaError) -> [TokenID] { try base.metadata.furtherEnds().compactMap { TokenID(exactly: $0) } }

    /// The type of all tensors in the formats of PyTorch's world: the one that was asked for, else the one that most of the base is in.
    func floatType() throws(AlpacaError) -> TensorType {
        guard options.overrides.isEmpty, options.importanceMatrix == nil else {
            throw AlpacaError(
                .invalidArgument, "overrides and importance are for GGUF files; a \(options.format.rawValue) folder has one type")
        }
        guard let name = options.quantization else {
            guard !base.weights.tensors.contains(where: { $0.type.isQuantized }) else { return .f16 }
            return SourceTypes.dominant(base.weights.tensors) ?? .f16
        }
        switch name.uppercased() {
        case "F16": return .f16
        case "BF16": return .bf16
        case "F32": return .f32
        default:
            throw AlpacaError(
                .invalidArgument,
                "found the type \(name.quoted()), expected F16, BF16 or F32: \(options.format.rawValue) folders can't hold quantized weights, "
                    + "GGUF files can")
        }
    }
}

extension OutputRequest {
    /// The type of one tensor where a format lets each have its own: as the base has it, unless one is asked for. Vectors of GGUF files are
    /// F32 whatever the model is; they go back to its type.
    func floatType(of role: TensorRole, _ type: TensorType) -> TensorType {
        guard options.quantization == nil, let index = base.weights.index(of: role),
            !base.weights.tensors.contains(where: { $0.type.isQuantized })
        else { return type }
        let info = base.weights.tensors[index]
        guard FloatType(info.type) != nil, base.folder != nil || info.shape.count > 1 && role.kind != .router else { return type }
        return info.type
    }
}

/// The output's tokenizer, and where it was found.
struct ChosenTokenizer: Sendable {
    let path: String
    let model: SentencePieceModel
    /// Tokens behind its pieces.
    let added: AddedTokens
    /// What files say of its tokens with a task.
    let settings: TokenizerSettings

    func tasks(rows: Int) -> TaskTokens { TaskTokens(settings, TaskTokens.Known(model, added, rows: rows)) }

    /// Pieces, and added tokens that have one of the rows.
    func tokenCount(rows: Int) -> Int {
        let count = model.pieces.count
        return count + added.listed(in: count..<max(count, rows)).count
    }

    /// The `tokenizer.model` itself.
    var bytes: [UInt8] { model.source }
}

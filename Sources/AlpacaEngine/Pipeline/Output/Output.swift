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
    let provenance: Provenance

    /// The number of a role's tensor in the source.
    func index(of role: TensorRole) throws(AlpacaError) -> Int {
        guard let index = Architectures.table.name(of: role, in: .gguf).flatMap({ source.index(of: $0) }) else {
            throw AlpacaError(.missing, "tensor \"\(role.name(in: .gguf) ?? "")\" is missing")
        }
        return index
    }

    /// The type of all tensors in the formats of PyTorch's world: the one that was asked for, else that of the base.
    func floatType() throws(AlpacaError) -> TensorType {
        guard options.overrides.isEmpty, options.importanceMatrix == nil else {
            throw AlpacaError(
                .invalidArgument, "overrides and importance are for GGUF files; a \(options.format.rawValue) folder has one type")
        }
        guard let name = options.quantization else {
            let found = try source.tensors[index(of: .tokenEmbedding)].type
            return FloatType(found) == nil || base.weights.tensors.contains { $0.type.isQuantized } ? .f16 : found
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

/// The output's tokenizer, and where it was found.
struct ChosenTokenizer: Sendable {
    let path: String
    let model: SentencePieceModel
    /// Tokens behind its pieces.
    let added: AddedTokens

    /// Pieces, and added tokens that have one of the rows.
    func tokenCount(rows: Int) -> Int {
        let count = model.pieces.count
        return count + added.listed(in: count..<max(count, rows)).count
    }

    /// The `tokenizer.model` itself.
    var bytes: [UInt8] { model.source }
}

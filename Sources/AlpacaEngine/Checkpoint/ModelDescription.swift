/// What is in a model's file: for `alpaca inspect`, `alpaca_model_describe` and programs. A file that can't be run is described too, as far
/// as its header goes; ``problem`` then says why.
public struct ModelDescription: Sendable {
    public let path: String
    /// "GGUF version 3"
    public let format: String
    /// Bytes of the file.
    public let byteCount: Int
    /// The file's own words; nil where it has none.
    public let architecture: String?
    public let name: String?
    /// The recipe of the weights, such as "Q4_K_M": what the file says, else the type that takes most bytes.
    public let quantization: String?
    /// The sizes, when the model can be run.
    public let configuration: ModelConfiguration?
    /// Why the model can't be run, nil when nothing is wrong with its header.
    public let problem: String?
    public let tensors: [TensorInfo]
    /// The files of weights, with the tensors under the names that they have there.
    public let files: [WeightsFile]
    /// What is unusual, in sentences.
    public let warnings: [String]
    /// What it was made from, where it was made by this library; nil elsewhere.
    public let origin: ModelOrigin?
    public let tokenizer: TokenizerSummary?
    /// The chat template that is used when none is asked for, "none" for models that only continue texts, "unknown" for a template that this
    /// version doesn't know; nil when nobody has chosen.
    public var template: String?
    /// Why this template.
    public var templateReason: String?
    /// Where the template's text is: a metadata key, or a file of the folder; nil where there is none. The text itself is in the metadata.
    public var templateSource: String?

    let metadata: GGUFMetadata

    /// The tensors of one type together.
    public struct TypeSummary: Sendable, Equatable {
        public let type: TensorType
        public let tensorCount: Int
        public let byteCount: Int
    }

    /// The vocabulary, as the file's metadata tell.
    public struct TokenizerSummary: Sendable, Equatable {
        /// "llama" (SentencePiece BPE) or "gpt2" (byte-level BPE), as in the file.
        public let kind: String
        public let count: Int
        /// Ids of the special tokens by their short names: bos, eos, eot, unk, pad.
        public let specials: [(name: String, id: Int)]

        public static func == (a: TokenizerSummary, b: TokenizerSummary) -> Bool {
            a.kind == b.kind && a.count == b.count && a.specials.elementsEqual(b.specials) { $0 == $1 }
        }
    }

    /// Reads the header of the file at `path`.
    ///
    /// - Throws: ``AlpacaError`` when the file can't be read or is no model.
    public init(path: String) throws(AlpacaError) {
        try self.init(ModelSource(path: path))
    }

    /// - Parameter refusal: why the source can't be used as it is, whatever is in it.
    /// - Throws: `outOfMemory`; what else is wrong is the ``problem``.
    package init(_ source: ModelSource, refusal: AlpacaError? = nil) throws(AlpacaError) {
        var configuration: ModelConfiguration?
        var problem = refusal
        do throws(AlpacaError) {
            // What can't be run can still be described.
            configuration = try source.configuration()
            _ = try source.opened()
        } catch {
            guard error.code != .outOfMemory else { throw error }
            problem = problem ?? error
        }
        self.init(source, configuration, problem: problem?.message)
    }

    /// - Parameters:
    ///   - configuration: nil where the files don't tell it.
    ///   - problem: nil for a model that was opened.
    package init(_ source: ModelSource, _ configuration: ModelConfiguration?, problem: String? = nil) {
        self.init(
            path: source.path, format: source.format, byteCount: source.byteCount, metadata: source.metadata,
            tensors: source.weights.listed,
            configuration: configuration, problem: problem, files: source.files,
            warnings: source.warnings + [source.template.warning].compactMap { $0 }, origin: source.folder?.origin)
        template = source.template.name
        templateReason = source.template.reason
        templateSource = source.template.origin
    }

    package init(
        path: String, format: String, byteCount: Int, metadata: GGUFMetadata, tensors: [TensorInfo], configuration: ModelConfiguration?,
        problem: String? = nil, files: [WeightsFile] = [], warnings: [String] = [], origin: ModelOrigin? = nil
    ) {
        self.path = path
        self.format = format
        self.byteCount = byteCount
        self.metadata = metadata
        self.tensors = tensors
        self.configuration = configuration
        self.problem = problem
        self.files = files
        self.warnings = warnings
        self.origin = origin ?? ModelOrigin(metadata)
        architecture = Self.text(metadata, GGUFKey.architecture)
        name = Self.text(metadata, GGUFKey.name)
        tokenizer = Self.summarize(metadata)
        let declared = metadata[GGUFKey.fileType]?.integer.flatMap { UInt32(exactly: $0) }.flatMap { GGUFFileType(rawValue: $0) }
        quantization = declared?.description ?? Self.summarize(tensors).max { $0.byteCount < $1.byteCount }?.type.description
    }

    /// Weights in all tensors together.
    public var parameterCount: Int { tensors.parameterCount }

    /// Weights that a token is multiplied with: of experts those that it takes.
    public var activeParameterCount: Int {
        guard let experts = configuration?.experts else { return parameterCount }
        let all = tensors.filter { TensorRole($0.name, in: .gguf)?.kind.isOfExperts == true }.parameterCount
        // Each layer has as many as any other. Bound: experts are at least 1.
        return parameterCount - all + all / experts.count * experts.usedCount
    }

    /// The types of the tensors, the one that takes most bytes first.
    public var types: [TypeSummary] { Self.types(tensors) }

    package static func types(_ tensors: [TensorInfo]) -> [TypeSummary] { summarize(tensors).sorted { $0.byteCount > $1.byteCount } }

    /// The metadata in the order of the file; long values and arrays shortened.
    public var metadataTexts: [(key: String, value: String)] {
        metadata.keys.map { key in
            let value = metadata[key]
            if case .string(let bytes) = value { return (key, bytes.quoted()) }
            return (key, value?.text() ?? "")
        }
    }

    package static func summarize(_ tensors: [TensorInfo]) -> [TypeSummary] {
        TensorType.allCases.compactMap { type in
            let ofType = tensors.filter { $0.type == type }
            guard !ofType.isEmpty else { return nil }
            return TypeSummary(type: type, tensorCount: ofType.count, byteCount: ofType.reduce(0) { $0 + $1.byteCount })
        }
    }

    private static func summarize(_ metadata: GGUFMetadata) -> TokenizerSummary? {
        guard let kind = text(metadata, GGUFKey.tokenizerModel) else { return nil }
        let keys = [
            ("bos", GGUFKey.bosToken), ("eos", GGUFKey.eosToken), ("eot", GGUFKey.eotToken), ("unk", GGUFKey.unknownToken),
            ("pad", GGUFKey.paddingToken),
        ]
        var count = 0
        if case .array(let list) = metadata[GGUFKey.tokens] { count = list.count }
        return TokenizerSummary(
            kind: kind, count: count, specials: keys.compactMap { name, key in metadata[key]?.integer.map { (name, $0) } })
    }

    private static func text(_ metadata: GGUFMetadata, _ key: String) -> String? {
        guard case .string(let bytes) = metadata[key] else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension [TensorInfo] {
    /// Weights in all tensors together.
    package var parameterCount: Int {
        // Quantized tensors have more elements than bytes: a sparse file of 2^62 bytes could hold too many to count.
        reduce(0) { sum, tensor in
            let (next, overflow) = sum.addingReportingOverflow(tensor.elementCount)
            return overflow ? Int.max : next
        }
    }
}

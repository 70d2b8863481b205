/// What a conversion will read and write, and what it takes, known before it begins.
public struct ConversionPlan: Sendable {
    /// The base: its path, what it is ("Hugging Face folder, safetensors"), bytes of its weights.
    public let base: Input
    public let adapters: [Input]
    /// Where the output's tokenizer comes from, and its pieces; nil when the output has none.
    public let tokenizer: (path: String, pieceCount: Int)?
    public let configuration: ModelConfiguration
    public let output: String
    public let format: OutputFormat
    /// "Q4_K_M"
    public let quantization: String
    public let files: [(name: String, byteCount: Int)]
    /// The output's tensors by type, as ``ModelDescription/TypeSummary``.
    public let types: [ModelDescription.TypeSummary]
    /// Tensors that adapters change or replace.
    public let mergedTensorCount: Int
    public let parameterCount: Int
    /// Bytes of memory that the work takes, about: buffers of the threads and the adapters' small matrices.
    public let memoryByteCount: Int
    /// Bytes that are free where the output goes; nil where the system does not tell.
    public let freeByteCount: Int?
    /// Which published models the inputs and the output are, as far as hashes, names and sizes tell.
    public let models: [KnownModel]
    /// What is unusual, in sentences.
    public internal(set) var warnings: [String]

    public struct Input: Sendable {
        public let path: String
        public let format: String
        public let byteCount: Int
    }

    /// Bytes of all files of the output.
    public var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }
}

/// What a conversion did.
public struct ConversionReport: Sendable {
    public let plan: ConversionPlan
    /// Bytes written.
    public let byteCount: Int
    public let mergedTensorCount: Int
    public let seconds: Double
    /// The most private (anonymous) memory that the process had meanwhile, in bytes; nil where the system does not tell.
    public let peakMemoryByteCount: Int?
    public let warnings: [String]
    /// SHA-256 of the output's files of weights, when asked for, and what the published list calls them.
    public let files: [(path: String, sha256: String, published: String?)]
}

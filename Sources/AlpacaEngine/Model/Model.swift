/// A language model, open for use. It is immutable and may be shared by any number of threads and sessions.
///
/// ```swift
/// let model = try Model(path: "models/mini/chinese-alpaca-mini-q8_0.gguf")
/// let session = try model.makeSession()
/// for try await piece in session.stream("写一首五言绝句，题目是《山中》") { print(piece, terminator: "") }
/// ```
public final class Model: Sendable {
    /// How a model is opened.
    public struct Options: Sendable {
        /// Weights are used where they lie in the file, shared with other processes and loaded when touched. When false the whole file is
        /// read into memory of its own: slower, but safe from a file that another process cuts short.
        public var usesMemoryMap = true
        /// Keeps the weights from being swapped out (`mlock`); fails when the system's limit is too low.
        public var locksMemory = false
        /// Asks the system to load the whole file ahead of its use.
        public var prefetches = false
        /// Called while the file is read; returning false stops with ``AlpacaError/Code/cancelled``.
        public var progress: (@Sendable (Progress) -> Bool)?

        public init() {}
    }

    /// The path that the model was opened from.
    public let path: String
    public let configuration: ModelConfiguration
    public let tokenizer: Tokenizer
    /// The template that prompts get when a call asks for `.automatic`, nil for a base model; and why this one.
    public let template: ChatTemplate?
    public let templateReason: String
    /// Bytes of the model's file.
    public let byteCount: Int

    let llama: LlamaModel
    let metadata: GGUFMetadata
    let tensors: [TensorInfo]

    /// Opens a model file. Headers are read and checked; the weights are not touched.
    ///
    /// - Throws: ``AlpacaError`` with the file's name, what was found and what was expected.
    public init(path: String, options: Options = Options()) throws(AlpacaError) {
        let loaded = try ModelLoader.load(path, options)
        self.path = path
        configuration = loaded.configuration
        tokenizer = loaded.tokenizer
        llama = loaded.llama
        metadata = loaded.metadata
        tensors = loaded.tensors
        byteCount = loaded.byteCount
        (template, templateReason) = ChatTemplate.detect(metadata: loaded.metadata, tokenizer: loaded.tokenizer)
    }

    /// The value of a metadata key as text, nil when the file has no such key.
    public func metadata(_ key: String) -> String? { metadata[key]?.text() }

    /// Parameters in all tensors.
    public var parameterCount: Int { tensors.reduce(0) { $0 + $1.elementCount } }

    /// A conversation with this model. See ``Session``.
    public func makeSession(_ options: Session.Options = .init()) throws(AlpacaError) -> Session {
        try Session(self, options)
    }
}

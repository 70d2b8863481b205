/// A language model, open for use. It is immutable and may be shared by any number of threads and sessions.
///
/// ```swift
/// let model = try Model(path: "models/mini/chinese-alpaca-mini-q8_0.gguf")
/// let session = try model.makeSession()
/// for try await piece in session.generate("写一首五言绝句，题目是《山中》") { print(piece, terminator: "") }
/// ```
public final class Model: Sendable {
    public typealias Options = ModelOptions

    /// The path that the model was opened from.
    public let path: String
    public let configuration: ModelConfiguration
    public let tokenizer: Tokenizer
    /// What is in the file, for people and programs.
    public let description: ModelDescription
    /// The template that prompts get when a call asks for `.automatic`, nil for a base model and for one whose template is none that can be
    /// rendered; and why this one.
    public let template: ChatTemplate?
    public let templateReason: String
    /// What the model's files say of its template: its name, text and place.
    public let modelTemplate: ModelTemplate

    let runnable: RunnableModel
    /// Templates for special uses, as far as they were asked for.
    let namedTemplates = Lock<[String: ChatTemplate]>([:])

    /// Opens a model: a file, a folder, or the name on the Hugging Face hub of one that was downloaded ("owner/name"). Headers are read and
    /// checked; the weights are not touched.
    ///
    /// - Throws: ``AlpacaError`` with the file's name, what was found and what was expected.
    public init(path: String, options: Options = Options()) throws(AlpacaError) {
        let path = try HubCache.resolve(path)
        let loaded = try FloatState.standard { () throws(AlpacaError) in try ModelLoader.load(path, options) }
        self.path = path
        configuration = loaded.configuration
        tokenizer = loaded.tokenizer
        runnable = loaded.runnable
        description = loaded.description
        modelTemplate = loaded.template
        let told = loaded.template
        if let jinja = told.jinja, let source = told.source {
            template = ChatTemplate(source, jinja, known: told.known)
        } else {
            template = told.known.map { ChatTemplate($0) }
        }
        templateReason = loaded.template.reason
    }

    /// What is in a model's file or folder; also of one that can't be run, as far as it can be told. ``Inspection`` describes any file.
    public static func inspect(path: String) throws(AlpacaError) -> ModelDescription {
        try ModelDescription(path: HubCache.resolve(path))
    }

    /// The value of a metadata key as text, nil when the file has no such key. Long arrays are shortened.
    public func metadata(_ key: String) -> String? { description.metadata[key]?.text() }

    /// A conversation with this model. See ``Session``.
    public func makeSession(_ options: Session.Options = .init()) throws(AlpacaError) -> Session {
        try Session(self, options)
    }
}

/// Which template a prompt gets.
public enum TemplateChoice: Sendable, Equatable {
    /// The model's own, see ``Model/template``.
    case automatic
    /// The text goes in as it is.
    case none
    case named(ChatTemplate)
    /// A known one, or one of the model's files for a special use, such as "tool_use".
    case byName(String)
}

/// What a call that writes text is asked for.
public struct GenerationParameters: Sendable {
    /// Tokens to write at most (`max_new_tokens`); 0 or -1 for as many as the context holds.
    public var maxNewTokens = 512
    public var sampling = SamplingParameters()
    /// Texts at which the answer ends; they are not part of it.
    public var stop: [String] = []
    public var template = TemplateChoice.automatic
    /// What the template gets beside the messages.
    public var templateInput = TemplateInput()
    /// System text of a prompt, and of a conversation without a system message of its own. Without a template it is the first line.
    public var systemPrompt: String?
    /// Likeliest tokens to report with each token (`n_probs`), 0 ... 100; above 0 tokens also tell their own logprob.
    public var candidateCount = 0
    /// When the context is full: false ends with ``FinishReason/contextFull``; true forgets the older half of what follows the first
    /// ``keepTokens`` tokens and goes on. Of a conversation that doesn't fit, true leaves out the oldest turns.
    public var contextShift = false
    /// First tokens that a shift keeps (`n_keep`); -1 for the prompt, as long as it takes at most half of the context.
    public var keepTokens = -1
    /// Goes on when the model ends its answer.
    public var ignoresEndOfSequence = false
    /// Shows special tokens of the answer by their names.
    public var showsSpecialTokens = false

    public init() {}

    package func validate(vocabularySize: Int) throws(AlpacaError) {
        try sampling.validate(vocabularySize: vocabularySize)
        guard maxNewTokens >= -1 else {
            throw AlpacaError(.invalidArgument, "max_new_tokens: found \(maxNewTokens), expected -1 or more")
        }
        guard (0...100).contains(candidateCount) else {
            throw AlpacaError(.invalidArgument, "n_probs: found \(candidateCount), expected 0 to 100")
        }
        guard keepTokens >= -1 else { throw AlpacaError(.invalidArgument, "n_keep: found \(keepTokens), expected -1 or more") }
        guard stop.count <= 64, stop.allSatisfy({ $0.utf8.count <= 1024 }) else {
            throw AlpacaError(.invalidArgument, "stop: expected at most 64 texts of at most 1024 bytes")
        }
    }
}

/// Why a text ended. The numbers are those of `alpaca_finish_reason` in `alpaca.h`.
public enum FinishReason: Int32, Sendable, CaseIterable {
    /// The model ended its answer.
    case endOfSequence = 0
    case stopString = 1
    /// `maxNewTokens` were written.
    case length = 2
    case contextFull = 3
    /// The callback said so.
    case callback = 4
    /// ``Session/cancel()`` was called.
    case cancelled = 5

    public var name: String {
        switch self {
        case .endOfSequence: "end_of_sequence"
        case .stopString: "stop_string"
        case .length: "length"
        case .contextFull: "context_full"
        case .callback: "callback"
        case .cancelled: "cancelled"
        }
    }
}

/// A token that was just written. It is valid inside the callback only.
public struct TokenEvent: ~Escapable {
    public let id: TokenID
    /// 0 for the answer's first token.
    public let index: Int
    /// Whole UTF-8 characters; empty while a character or a possible stop string is incomplete.
    public let text: Span<UInt8>
    /// Logarithm of the model's own probability of the token; not a number unless `candidateCount` is above 0.
    public let logprob: Float
    /// The likeliest tokens, likeliest first: `candidateCount` of them.
    public let candidates: [Candidate]

    @_lifetime(copy text)
    init(id: TokenID, index: Int, text: Span<UInt8>, logprob: Float, candidates: [Candidate]) {
        self.id = id
        self.index = index
        self.text = text
        self.logprob = logprob
        self.candidates = candidates
    }
}

/// How a call that wrote text ended.
public struct GenerationResult: Sendable, Equatable {
    public var finishReason = FinishReason.length
    /// Tokens of the prompt, and how many of them were in the session already.
    public var promptTokens = 0
    public var cachedTokens = 0
    /// Tokens written, the one that ends the answer not counted.
    public var generatedTokens = 0
    public var promptNanoseconds: UInt64 = 0
    public var generationNanoseconds: UInt64 = 0
    /// The stop string that was met.
    public var stopString: String?
    /// Messages at the conversation's beginning that were left out of the prompt because they did not fit, neighbours of one role counted as
    /// one.
    public var leftOutMessages = 0

    /// Speed of reading what was not cached, and of writing; 0 when nothing was measured.
    public var promptTokensPerSecond: Double { GenerationResult.rate(promptTokens - cachedTokens, promptNanoseconds) }
    public var generatedTokensPerSecond: Double { GenerationResult.rate(generatedTokens, generationNanoseconds) }

    private static func rate(_ count: Int, _ nanoseconds: UInt64) -> Double {
        nanoseconds == 0 ? 0 : Double(count) * 1e9 / Double(nanoseconds)
    }
}

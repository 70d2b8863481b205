/// How the next token is chosen from a model's logits. The defaults are those of the Chinese-Alpaca project's scripts.
///
/// The steps are taken in this order, each on what the one before left: logit bias, repetition penalty, presence and frequency penalty,
/// temperature, top k, softmax, top p, min p, draw.
public struct SamplingParameters: Sendable, Equatable {
    /// Divides the logits; 0 always takes the likeliest token (greedy). 0 or more.
    public var temperature: Float = 0.2
    /// Keeps the k likeliest tokens; 0 keeps all.
    public var topK = 40
    /// Keeps the likeliest tokens whose probabilities first add up to this (nucleus sampling, arXiv:1904.09751). 0 ... 1; 1 keeps all.
    public var topP: Float = 0.9
    /// Leaves out tokens less likely than this share of the likeliest one's probability. 0 ... 1; 0 keeps all.
    public var minP: Float = 0
    /// Divides positive and multiplies negative logits of tokens that occurred (arXiv:1909.05858, section 4.1). Above 0; 1 does nothing.
    public var repetitionPenalty: Float = 1.1
    /// Tokens, counted from the end, that the three penalties look back on; 0 for none, -1 for all of the session's.
    public var repeatLastN = 64
    /// Taken from the logit of each token that occurred.
    public var presencePenalty: Float = 0
    /// Taken from the logit of a token once for each time that it occurred.
    public var frequencyPenalty: Float = 0
    /// Added to the logits of these tokens. Minus infinity forbids one.
    public var logitBias: [TokenID: Float] = [:]
    /// The same seed draws the same tokens: what is drawn at a position depends on the seed, the position, the logits, these parameters and
    /// the tokens that the penalties look back on, and on nothing else. Nil draws with the session's own random numbers.
    public var seed: UInt64?

    public init() {}

    /// Always the likeliest token, without penalties.
    public static var greedy: SamplingParameters {
        var parameters = SamplingParameters()
        parameters.temperature = 0
        parameters.repetitionPenalty = 1
        return parameters
    }

    /// - Throws: `invalidArgument` naming the field, what was found and what is expected.
    public func validate(vocabularySize: Int) throws(AlpacaError) {
        func require(_ holds: Bool, _ field: String, _ found: some CustomStringConvertible, _ expected: String) throws(AlpacaError) {
            guard holds else { throw AlpacaError(.invalidArgument, "\(field): found \(found), expected \(expected)") }
        }
        try require(temperature.isFinite && temperature >= 0, "temperature", temperature, "0 or more")
        try require(topK >= 0, "top_k", topK, "0 or more")
        try require(topP >= 0 && topP <= 1, "top_p", topP, "0 to 1")
        try require(minP >= 0 && minP <= 1, "min_p", minP, "0 to 1")
        try require(repetitionPenalty.isFinite && repetitionPenalty > 0, "repetition_penalty", repetitionPenalty, "more than 0")
        try require(repeatLastN >= -1, "repeat_last_n", repeatLastN, "-1 or more")
        try require(presencePenalty.isFinite, "presence_penalty", presencePenalty, "a finite number")
        try require(frequencyPenalty.isFinite, "frequency_penalty", frequencyPenalty, "a finite number")
        for (id, bias) in logitBias {
            try require(id >= 0 && Int(id) < vocabularySize, "logit_bias", "token id \(id)", "0 to \(vocabularySize - 1)")
            try require(!bias.isNaN && bias != .infinity, "logit_bias of token \(id)", bias, "a number, or minus infinity")
        }
    }
}

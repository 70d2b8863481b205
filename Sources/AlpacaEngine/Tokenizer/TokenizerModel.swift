/// What a family of tokenizers gives: text becomes ids, ids become bytes, and the vocabulary tells of its pieces. ``Tokenizer`` is the face
/// over it, which puts BOS, EOS and named control tokens around.
///
/// A family is a folder beside this file and a line in ``TokenizerRegistry``. Calls go through a table of functions, once a text or once a
/// token, never once a byte. Instances don't change: any number of threads use them.
protocol TokenizerModel: AnyObject, Sendable {
    /// What GGUF files call the family (`tokenizer.ggml.model`).
    static var ggufNames: [String] { get }

    /// From the metadata of a GGUF file whose `tokenizer.ggml.model` is one of ``ggufNames``.
    init(_ gguf: GGUFMetadata) throws(AlpacaError)

    /// What descriptions call it, such as "sentencepiece-bpe".
    var kindName: String { get }
    /// Tokens in the vocabulary, at least one.
    var count: Int { get }
    var specials: SpecialTokens { get }
    /// Whether a text gets a blank in front.
    var addsSpacePrefix: Bool { get }
    /// Pieces that are tokens only where a caller asks for it, with their text, longest first.
    var controlPieces: [(bytes: [UInt8], id: TokenID)] { get }
    /// Tokens that end an answer.
    var endings: [TokenID] { get }
    /// Special tokens as a text names them, where a text may name them.
    var specialTokens: [AddedToken] { get }
    /// Rows of a model that are no tokens: no text becomes them, and none is drawn.
    var unused: [TokenID] { get }

    /// Appends the tokens of `text`, which is not empty and may be any bytes. Control pieces in it are text.
    ///
    /// - Parameter isBeginning: false where the text goes on after tokens that are there: it gets no blank in front then.
    /// - Returns: why the ids are not all there, where large memory is asked for (``EncodingTerms/mayAsk``); else nil.
    func encode(_ text: Span<UInt8>, isBeginning: Bool, terms: EncodingTerms, to ids: inout [TokenID]) -> AlpacaError?

    /// The text of `ids` as the family's own library decodes them, always valid UTF-8. Ids outside the vocabulary are passed over.
    func decode(_ ids: [TokenID]) -> [UInt8]
    /// No less than the bytes that ``decode(_:)`` gives for `ids`.
    func mostBytes(of ids: [TokenID]) -> Int

    // `id` is one of the vocabulary in all that follows.

    /// Appends what a token adds to a text that others began: bytes, which may be a part of a character; nothing for a control token.
    func appendBytes(of id: TokenID, to bytes: inout [UInt8])
    /// The piece as the vocabulary has it.
    func piece(_ id: TokenID) -> String
    func kind(_ id: TokenID) -> TokenKind
    /// 0 where the family knows none.
    func score(_ id: TokenID) -> Float
    /// The token of a piece, of any kind; nil if there is none.
    func id(ofPiece piece: [UInt8]) -> TokenID?
}

extension TokenizerModel {
    var unused: [TokenID] { [] }
    var endings: [TokenID] { [specials.eos, specials.eot].compactMap { $0 } }
    var specialTokens: [AddedToken] { controlPieces.map { AddedToken(content: $0.bytes, id: $0.id, isSpecial: true) } }
}

/// Tokens with a task, nil where there is none; all are of the vocabulary.
struct SpecialTokens {
    /// Begin and end a text, stand for what is unknown, fill up batches, end a turn.
    var bos, eos, unknown, pad, eot: TokenID?
    /// Further tokens that end an answer.
    var ends: [TokenID] = []
    /// Whether a prompt is meant to begin with ``bos``, and to end with ``eos``.
    var addsBOS = false
    var addsEOS = false
}

/// What an encoding heeds besides the text.
struct EncodingTerms {
    /// Looked at often; when it is set, what is appended is of no use.
    var stop: CancelFlag?
    /// Whether large memory is asked for.
    var mayAsk = false
    /// Whether names of special tokens in the text are those tokens, for families that look for them themselves
    /// (``TokenizerModel/controlPieces`` is empty then).
    var parsesSpecial = false
}

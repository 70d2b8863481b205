/// Turns text into a model's tokens and back. Immutable, shared by any number of threads.
///
/// Ids and texts are those of the library that the model was trained with. With sentencepiece, which all models of the family used, blanks
/// are written as U+2581, a text gets a blank in front, and what is in no piece is spelled in bytes.
public final class Tokenizer: Sendable {
    /// Tokens in the vocabulary.
    public let count: Int
    /// The tokens that begin and end a text, stand for what is unknown, fill up batches, and end a turn; nil where there is none.
    public let bos: TokenID?
    public let eos: TokenID?
    public let unknown: TokenID?
    public let pad: TokenID?
    public let eot: TokenID?
    /// Tokens that end an answer: ``eos``, ``eot``, and what is called so in vocabularies of several ends.
    package let endings: [TokenID]
    /// Whether a prompt is meant to begin with ``bos``, and to end with ``eos``.
    public let addsBOS: Bool
    public let addsEOS: Bool
    /// Whether a text gets a blank in front.
    public let addsSpacePrefix: Bool
    /// "sentencepiece-bpe".
    public var kindName: String { model.kindName }

    let model: any TokenizerModel
    /// Control pieces that `parseSpecial` finds in text, longest first.
    private let special: [(bytes: [UInt8], id: TokenID)]
    /// What a chat template can name.
    let templateTokens: AddedTokenFinder

    init(_ model: any TokenizerModel) {
        self.model = model
        count = model.count
        let specials = model.specials
        bos = specials.bos
        eos = specials.eos
        unknown = specials.unknown
        pad = specials.pad
        eot = specials.eot
        endings = model.endings
        addsBOS = specials.addsBOS
        addsEOS = specials.addsEOS
        addsSpacePrefix = model.addsSpacePrefix
        special = model.controlPieces
        templateTokens = AddedTokenFinder(Tokenizer.namedTokens(model))
    }

    /// From the metadata of a GGUF file.
    package convenience init(_ gguf: GGUFMetadata) throws(AlpacaError) { try self.init(TokenizerRegistry.model(of: gguf)) }

    /// Opens a `tokenizer.model` of sentencepiece or of Meta's Llama 3, a `tokenizer.json`, or a folder with one of them and the tokens that were
    /// added to it, or takes the tokenizer of a model's file: what the file holds decides.
    public convenience init(file path: String) throws(AlpacaError) {
        let path = try HubCache.resolve(path)
        guard try FolderListing.isFolder(path) else {
            try self.init(plainFile: path)
            return
        }
        let files = try FolderFiles(path: path)
        if let parts = try ByteLevelTokenizer.Parts(files) {
            try self.init(ByteLevelTokenizer(parts))
            return
        }
        let found: FolderTokenizer?
        do throws(AlpacaError) {
            found = try FolderTokenizer(files)
        } catch {
            // A tokenizer.json that is no sentencepiece model in other words may still be used by itself; not a model's, which needs that.
            guard error.code == .unsupported, !files.names.contains("config.json"), !files.names.contains("tokenizer.model"),
                let region = try files.open("tokenizer.json")
            else { throw error }
            self.init(try Tokenizer.model(ofJSON: region))
            return
        }
        guard let found else { throw FolderTokenizer.missing(files) }
        do { try self.init(found, files) } catch { throw error.inFile(found.file.name) }
    }

    private convenience init(plainFile path: String) throws(AlpacaError) {
        let file = try InputFile(path: path)
        do {
            // Meta's list of ranks is a text, which is no kind of checkpoint.
            if let parts = try ByteLevelTokenizer.Parts(tiktoken: FileRegion(file)) {
                try self.init(ByteLevelTokenizer(parts))
                return
            }
            switch try CheckpointKind(file) {
            case .gguf: try self.init(GGUFReader(file).metadata)
            case .legacyGGML: try self.init(LegacyGGMLReader(file).metadata)
            case .json: self.init(try Tokenizer.model(ofJSON: FileRegion(file)))
            default: try self.init(path: path)
            }
        } catch {
            throw error.inFile(path)
        }
    }

    // MARK: - Text to tokens

    /// The tokens of `text`.
    ///
    /// - Parameters:
    ///   - addBOS, addEOS: put the tokens that begin and end a text around it.
    ///   - parseSpecial: lets the names of control tokens ("</s>") in the text be those tokens. Never do that with what a user typed.
    /// - Returns: all tokens; only what follows a run of more than 2 GiB without a place to divide it is left out, from that run on.
    public func encode(_ text: String, addBOS: Bool = false, addEOS: Bool = false, parseSpecial: Bool = false) -> [TokenID] {
        encode(utf8: Array(text.utf8), addBOS: addBOS, addEOS: addEOS, parseSpecial: parseSpecial)
    }

    /// The tokens of any bytes; each byte that is not UTF-8 counts as U+FFFD, as in sentencepiece. Of a beginning of them when `stop` is set
    /// meanwhile.
    package func encode(
        utf8 text: [UInt8], addBOS: Bool = false, addEOS: Bool = false, parseSpecial: Bool = false, stop: CancelFlag? = nil
    ) -> [TokenID] {
        var ids: [TokenID] = []
        _ = encode(utf8: text, addBOS, addEOS, parseSpecial, terms: EncodingTerms(stop: stop, parsesSpecial: parseSpecial), to: &ids)
        return ids
    }

    /// The same for a text of any length.
    ///
    /// - Throws: `outOfMemory`, where the others end the process, as Swift's arrays do; `unsupported` for a run of more than 2 GiB that
    ///   nothing divides.
    package func ids(
        of text: [UInt8], addBOS: Bool = false, addEOS: Bool = false, parseSpecial: Bool = false, stop: CancelFlag? = nil
    ) throws(AlpacaError) -> [TokenID] {
        try askForIDs(of: text.count)
        var ids: [TokenID] = []
        let terms = EncodingTerms(stop: stop, mayAsk: true, parsesSpecial: parseSpecial)
        if let refusal = encode(utf8: text, addBOS, addEOS, parseSpecial, terms: terms, to: &ids) { throw refusal }
        return ids
    }

    package func ids(of text: String, addBOS: Bool = false, stop: CancelFlag? = nil) throws(AlpacaError) -> [TokenID] {
        try LargeMemory.ask(text.utf8.count, for: "text")
        return try ids(of: Array(text.utf8), addBOS: addBOS, stop: stop)
    }

    /// The tokens of a part of a text.
    ///
    /// - Parameter isBeginning: false for a part that goes on after others: without the blank in front.
    func ids(of text: String, isBeginning: Bool, stop: CancelFlag?) throws(AlpacaError) -> [TokenID] {
        try askForIDs(of: text.utf8.count)
        var ids: [TokenID] = []
        let terms = EncodingTerms(stop: stop, mayAsk: true)
        if let refusal = encode(part: Array(text.utf8)[...], isBeginning: isBeginning, terms: terms, to: &ids) { throw refusal }
        return ids
    }

    /// A byte of text is rarely more than one id; the list grows by doubling, and the text may have to be copied.
    private func askForIDs(of byteCount: Int) throws(AlpacaError) {
        try LargeMemory.ask(byteCount, of: 3 * MemoryLayout<TokenID>.size + 2, for: "tokens of a text")
    }

    /// - Returns: why there are not all ids, where large memory is asked for; else nil.
    private func encode(
        utf8 text: [UInt8], _ addBOS: Bool, _ addEOS: Bool, _ parseSpecial: Bool, terms: EncodingTerms, to ids: inout [TokenID]
    ) -> AlpacaError? {
        // A Chinese character takes three bytes and rarely more than one token.
        ids.reserveCapacity(text.count / 3 + 8)
        if addBOS, let bos { ids.append(bos) }
        if parseSpecial, !special.isEmpty {
            var start = 0
            var at = 0
            while at < text.count {
                if let match = special.first(where: {
                    $0.bytes.count <= text.count - at && text[at..<at + $0.bytes.count].elementsEqual($0.bytes)
                }) {
                    if let refusal = encode(part: text[start..<at], isBeginning: true, terms: terms, to: &ids) { return refusal }
                    ids.append(match.id)
                    at += match.bytes.count
                    start = at
                } else {
                    at += 1
                }
            }
            if let refusal = encode(part: text[start...], isBeginning: true, terms: terms, to: &ids) { return refusal }
        } else if let refusal = encode(part: text[...], isBeginning: true, terms: terms, to: &ids) {
            return refusal
        }
        if addEOS, let eos { ids.append(eos) }
        return nil
    }

    func encode(part: ArraySlice<UInt8>, isBeginning: Bool, terms: EncodingTerms, to ids: inout [TokenID]) -> AlpacaError? {
        guard !part.isEmpty else { return nil }
        return model.encode(part.span, isBeginning: isBeginning, terms: terms, to: &ids)
    }

    // MARK: - Tokens to text

    /// The text of `ids`, as sentencepiece decodes them: without control tokens and without the blank in front. Ids outside the vocabulary
    /// are passed over.
    public func decode(_ ids: [TokenID]) -> String { String(decoding: model.decode(ids), as: UTF8.self) }

    /// The text of ids that are in the vocabulary.
    ///
    /// - Throws: `outOfMemory`, where ``decode(_:)`` ends the process.
    package func text(of ids: [TokenID]) throws(AlpacaError) -> String {
        // Put together by doubling, then copied.
        try LargeMemory.ask(model.mostBytes(of: ids), of: 4, for: "text of \(ids.count) tokens")
        return decode(ids)
    }

    /// Appends what a token adds to a text: its piece with blanks for U+2581, the byte of a byte piece, nothing for a control token.
    package func appendBytes(of id: TokenID, to bytes: inout [UInt8]) {
        if holds(id) { model.appendBytes(of: id, to: &bytes) }
    }

    // MARK: - The vocabulary

    private func holds(_ id: TokenID) -> Bool { id >= 0 && Int(id) < count }

    /// The piece as the vocabulary has it, with U+2581 for blanks; nil outside the vocabulary.
    public func piece(_ id: TokenID) -> String? { holds(id) ? model.piece(id) : nil }
    public func kind(_ id: TokenID) -> TokenKind? { holds(id) ? model.kind(id) : nil }
    public func score(_ id: TokenID) -> Float? { holds(id) ? model.score(id) : nil }

    /// The token of a piece, nil if there is none.
    public func id(ofPiece piece: String) -> TokenID? { piece.isEmpty ? nil : model.id(ofPiece: Array(piece.utf8)) }
}

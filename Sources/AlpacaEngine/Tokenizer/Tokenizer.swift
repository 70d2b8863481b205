/// Turns text into a model's tokens and back. Immutable, shared by any number of threads.
///
/// Ids and texts are those of sentencepiece, to which all models of the family were trained: blanks are written as U+2581, a text gets a
/// blank in front, and what is in no piece is spelled in bytes.
public final class Tokenizer: Sendable {
    /// Tokens in the vocabulary.
    public var count: Int { vocabulary.count }
    /// The tokens that begin and end a text, stand for what is unknown, fill up batches, and end a turn; nil where there is none.
    public let bos: TokenID?
    public let eos: TokenID?
    public let unknown: TokenID?
    public let pad: TokenID?
    public let eot: TokenID?
    /// Whether a prompt is meant to begin with ``bos``, and to end with ``eos``.
    public let addsBOS: Bool
    public let addsEOS: Bool
    /// Whether a text gets a blank in front.
    public let addsSpacePrefix: Bool
    /// "sentencepiece-bpe".
    public var kindName: String { "sentencepiece-bpe" }

    let vocabulary: Vocabulary
    /// The `tokenizer.model` that this was made of, nil for one out of a model's file.
    let sentencePiece: SentencePieceModel?
    let encoder: SentencePieceBPE
    /// Control pieces that `parseSpecial` finds in text, longest first.
    private let special: [(bytes: [UInt8], id: TokenID)]

    /// Opens a sentencepiece `tokenizer.model`.
    public convenience init(path: String) throws(AlpacaError) {
        let file = try InputFile(path: path)
        do {
            try self.init(SentencePieceModel(file))
        } catch {
            throw error.inFile(path)
        }
    }

    /// Opens a sentencepiece `tokenizer.model`, or takes the tokenizer of a model's file: what the file holds decides.
    public convenience init(file path: String) throws(AlpacaError) {
        let path = try Tokenizer.file(at: path)
        let file = try InputFile(path: path)
        do {
            switch try CheckpointKind(file) {
            case .gguf: try self.init(GGUFReader(file).metadata)
            case .legacyGGML: try self.init(LegacyGGMLReader(file).metadata)
            default: try self.init(path: path)
            }
        } catch {
            throw error.inFile(path)
        }
    }

    /// The file that `path` stands for: in a folder, or under a name of the hub, its `tokenizer.model`.
    private static func file(at path: String) throws(AlpacaError) -> String {
        let found = try HubCache.resolve(path)
        guard (try? FolderListing.isFolder(found)) == true else { return found }
        return found.hasSuffix("/") ? found + "tokenizer.model" : found + "/tokenizer.model"
    }

    package convenience init(_ model: SentencePieceModel) throws(AlpacaError) {
        guard model.hasTrainerSettings else {
            throw AlpacaError(.missing, "tokenizer: found no trainer settings (trainer_spec), which say what kind of model it is")
        }
        guard model.kind == .bpe else {
            throw AlpacaError(.unsupported, "tokenizer: found a sentencepiece model of kind \(model.kind), supported is bpe")
        }
        guard !model.hasNormalizerRules, !model.removesExtraSpaces, model.escapesSpaces else {
            throw AlpacaError(
                .unsupported, "tokenizer: found the normalizer \(model.normalizer.quoted()), supported is identity that keeps all blanks")
        }
        try self.init(
            pieces: model.pieces, scores: model.scores, kinds: model.kinds, bos: model.bos, eos: model.eos, unknown: model.unknown,
            pad: model.pad, eot: nil, addsBOS: true, addsEOS: false, addsSpacePrefix: model.addsDummyPrefix, sentencePiece: model)
        // What sentencepiece's own library refuses.
        if let duplicate = vocabulary.duplicate {
            throw AlpacaError(
                .badFormat, "vocabulary: piece \(duplicate), \(model.pieces.text(Int(duplicate)).quoted()), has the text of one before it")
        }
        let unknown = model.kinds.count { $0 == .unknown }
        guard unknown <= 1 else { throw AlpacaError(.badFormat, "vocabulary: found \(unknown) unknown pieces, expected one") }
        guard !model.fallsBackToBytes || vocabulary.hasByteFallback else {
            throw AlpacaError(.badFormat, "vocabulary: found no byte pieces, but byte_fallback is set: expected 256")
        }
    }

    /// From the metadata of a GGUF file.
    package convenience init(_ gguf: GGUFMetadata) throws(AlpacaError) {
        let kind = try gguf.string(GGUFKey.tokenizerModel)
        guard kind == "llama" else {
            if kind == "gpt2" { try gguf.checkBytePairs() }
            throw AlpacaError(.unsupported, "metadata key \"\(GGUFKey.tokenizerModel)\": found \(kind.quoted()), supported is \"llama\"")
        }
        let pieces = try gguf.strings(GGUFKey.tokens)
        let scores = try gguf.floats(GGUFKey.scores)
        let types = try gguf.ints(GGUFKey.tokenTypes)
        var kinds: [TokenKind] = []
        try kinds.makeRoom(for: types.count, of: "vocabulary")
        for (index, type) in types.enumerated() {
            guard let kind = UInt8(exactly: type).flatMap(TokenKind.init(rawValue:)) else {
                throw AlpacaError(.badFormat, "metadata key \"\(GGUFKey.tokenTypes)\": found \(type) for token \(index), expected 1 to 6")
            }
            kinds.append(kind)
        }
        func id(_ key: String) throws(AlpacaError) -> TokenID? {
            guard let value = try gguf.uintIfPresent(key, in: 0...Int(UInt32.max)) else { return nil }
            // Some converters write -1, as 32 bits, for "none".
            guard value != Int(UInt32.max) else { return nil }
            guard value < pieces.count else {
                throw AlpacaError(.badFormat, "metadata key \"\(key)\": found \(value), expected 0 to \(pieces.count - 1)")
            }
            return TokenID(value)
        }
        try self.init(
            pieces: pieces, scores: scores, kinds: kinds, bos: try id(GGUFKey.bosToken) ?? 1, eos: try id(GGUFKey.eosToken) ?? 2,
            unknown: try id(GGUFKey.unknownToken) ?? 0, pad: try id(GGUFKey.paddingToken), eot: try id(GGUFKey.eotToken),
            addsBOS: try gguf.boolIfPresent(GGUFKey.addBOS) ?? true, addsEOS: try gguf.boolIfPresent(GGUFKey.addEOS) ?? false,
            addsSpacePrefix: try gguf.boolIfPresent(GGUFKey.addSpacePrefix) ?? true)
    }

    init(
        pieces: GGUFStrings, scores: [Float], kinds: [TokenKind], bos: TokenID?, eos: TokenID?, unknown: TokenID?, pad: TokenID?,
        eot: TokenID?, addsBOS: Bool, addsEOS: Bool, addsSpacePrefix: Bool, sentencePiece: SentencePieceModel? = nil
    ) throws(AlpacaError) {
        self.sentencePiece = sentencePiece
        vocabulary = try Vocabulary(pieces: pieces, scores: scores, kinds: kinds)
        func valid(_ id: TokenID?) -> TokenID? { id.flatMap { $0 >= 0 && Int($0) < pieces.count ? $0 : nil } }
        self.bos = valid(bos)
        self.eos = valid(eos)
        self.unknown = valid(unknown)
        self.pad = valid(pad)
        self.eot = valid(eot)
        self.addsBOS = addsBOS
        self.addsEOS = addsEOS
        self.addsSpacePrefix = addsSpacePrefix
        guard vocabulary.hasByteFallback || self.unknown != nil else {
            throw AlpacaError(.missing, "vocabulary: neither byte pieces nor an unknown piece; some text could not be written in tokens")
        }
        encoder = SentencePieceBPE(vocabulary, unknown: self.unknown ?? 0)
        var special: [(bytes: [UInt8], id: TokenID)] = []
        for id in 0..<pieces.count where kinds[id] == .control && !pieces[id].isEmpty {
            special.append((Array(pieces[id]), TokenID(id)))
        }
        self.special = special.sorted { $0.bytes.count > $1.bytes.count }
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
        _ = encode(utf8: text, addBOS, addEOS, parseSpecial, terms: EncodingTerms(stop: stop), to: &ids)
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
        let terms = EncodingTerms(stop: stop, mayAsk: true)
        if let refusal = encode(utf8: text, addBOS, addEOS, parseSpecial, terms: terms, to: &ids) { throw refusal }
        return ids
    }

    package func ids(of text: String, addBOS: Bool = false, stop: CancelFlag? = nil) throws(AlpacaError) -> [TokenID] {
        try LargeMemory.ask(text.utf8.count, for: "text")
        return try ids(of: Array(text.utf8), addBOS: addBOS, stop: stop)
    }

    /// The tokens of a text that goes on after others: without the blank in front.
    func ids(of text: String, addsSpacePrefix: Bool, stop: CancelFlag) throws(AlpacaError) -> [TokenID] {
        try askForIDs(of: text.utf8.count)
        var ids: [TokenID] = []
        let terms = EncodingTerms(stop: stop, mayAsk: true)
        if let refusal = encode(part: Array(text.utf8)[...], addsSpacePrefix: addsSpacePrefix, terms: terms, to: &ids) { throw refusal }
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
                    let refusal = encode(part: text[start..<at], addsSpacePrefix: addsSpacePrefix, terms: terms, to: &ids)
                    if let refusal { return refusal }
                    ids.append(match.id)
                    at += match.bytes.count
                    start = at
                } else {
                    at += 1
                }
            }
            if let refusal = encode(part: text[start...], addsSpacePrefix: addsSpacePrefix, terms: terms, to: &ids) { return refusal }
        } else if let refusal = encode(part: text[...], addsSpacePrefix: addsSpacePrefix, terms: terms, to: &ids) {
            return refusal
        }
        if addEOS, let eos { ids.append(eos) }
        return nil
    }

    private func encode(part: ArraySlice<UInt8>, addsSpacePrefix: Bool, terms: EncodingTerms, to ids: inout [TokenID]) -> AlpacaError? {
        guard !part.isEmpty else { return nil }
        return encoder.encode(part.span, startsWithBlank: addsSpacePrefix, terms: terms, to: &ids)
    }

    // MARK: - Tokens to text

    /// The text of `ids`, as sentencepiece decodes them: without control tokens and without the blank in front. Ids outside the vocabulary
    /// are passed over.
    public func decode(_ ids: [TokenID]) -> String {
        var text: [UInt8] = []
        var run: [UInt8] = []
        // Whether a blank may still be the one in front, and whether it has been taken away.
        var isStart = true
        var hadBlank = false
        func endRun() {
            var at = 0
            while at < run.count {
                let (scalar, length) = UTF8Text.decode(run.span, at, run.count)
                if scalar == 0xFFFD, length == 1 { text += [0xEF, 0xBF, 0xBD] } else { text += run[at..<at + length] }
                at += length
            }
            run.removeAll()
        }
        for id in ids where id >= 0 && Int(id) < count {
            if vocabulary.kinds[Int(id)] == .byte {
                appendBytes(of: id, to: &run)
                continue
            }
            endRun()
            if hadBlank || !text.isEmpty { isStart = false }
            hadBlank = false
            switch vocabulary.kinds[Int(id)] {
            case .control: break
            case .unknown: text += Array(" \u{2047} ".utf8)
            default:
                let before = text.count
                appendBytes(of: id, to: &text)
                if isStart, addsSpacePrefix, text.count > before, text[before] == 0x20, vocabulary.pieces[Int(id)].first == 0xE2 {
                    text.remove(at: before)
                    hadBlank = true
                }
            }
        }
        endRun()
        return String(decoding: text, as: UTF8.self)
    }

    /// The text of ids that are in the vocabulary.
    ///
    /// - Throws: `outOfMemory`, where ``decode(_:)`` ends the process.
    package func text(of ids: [TokenID]) throws(AlpacaError) -> String {
        var size = 0
        for id in ids where id >= 0 && Int(id) < count { size += max(6, vocabulary.pieces.range(of: Int(id)).count) }
        // Put together by doubling, then copied.
        try LargeMemory.ask(size, of: 4, for: "text of \(ids.count) tokens")
        return decode(ids)
    }

    /// Appends what a token adds to a text: its piece with blanks for U+2581, the byte of a byte piece, nothing for a control token.
    package func appendBytes(of id: TokenID, to bytes: inout [UInt8]) {
        guard id >= 0, Int(id) < count else { return }
        switch vocabulary.kinds[Int(id)] {
        case .control: return
        case .unknown: bytes += Array(" \u{2047} ".utf8)
        case .byte:
            if let byte = Vocabulary.byte(vocabulary.pieces[Int(id)]) { bytes.append(byte) }
        case .normal, .userDefined, .unused:
            let all = vocabulary.pieces.bytes
            let range = vocabulary.pieces.range(of: Int(id))
            var at = range.lowerBound
            while at < range.upperBound {
                if all[at] == 0xE2, at + 2 < range.upperBound, all[at + 1] == 0x96, all[at + 2] == 0x81 {
                    bytes.append(0x20)
                    at += 3
                } else {
                    bytes.append(all[at])
                    at += 1
                }
            }
        }
    }

    // MARK: - The vocabulary

    /// The piece as the vocabulary has it, with U+2581 for blanks; nil outside the vocabulary.
    public func piece(_ id: TokenID) -> String? { id >= 0 && Int(id) < count ? vocabulary.pieces.text(Int(id)) : nil }
    public func kind(_ id: TokenID) -> TokenKind? { id >= 0 && Int(id) < count ? vocabulary.kinds[Int(id)] : nil }
    public func score(_ id: TokenID) -> Float? { id >= 0 && Int(id) < count ? vocabulary.scores[Int(id)] : nil }

    /// The token of a piece, nil if there is none.
    public func id(ofPiece piece: String) -> TokenID? {
        let bytes = Array(piece.utf8)
        guard !bytes.isEmpty else { return nil }
        let id = vocabulary.token(bytes, 0..<bytes.count)
        if id >= 0 { return id }
        // Control, unknown and byte pieces are in no table: they are few and asked for rarely.
        let found = (0..<count).first { vocabulary.pieces[$0].elementsEqual(bytes) }
        return found.map { TokenID($0) }
    }
}

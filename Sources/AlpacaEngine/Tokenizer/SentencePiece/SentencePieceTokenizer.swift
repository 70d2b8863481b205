/// Tokenizers of sentencepiece with byte-pair encoding: LLaMA's, LLaMA-2's, and the Chinese ones that extend them.
final class SentencePieceTokenizer: TokenizerModel {
    static let ggufNames = ["llama"]

    let kindName = "sentencepiece-bpe"
    let specials: SpecialTokens
    let addsSpacePrefix: Bool
    let controlPieces: [(bytes: [UInt8], id: TokenID)]
    let unused: [TokenID]
    let endings: [TokenID]
    let vocabulary: Vocabulary
    let encoder: SentencePieceBPE
    /// Whether the unknown piece is a special token like others (``SentencePieceModel/namesUnknown``).
    private let namesUnknown: Bool
    /// The `tokenizer.model` that this was made of, nil for one out of a model's file.
    let file: SentencePieceModel?

    var count: Int { vocabulary.count }

    /// - Parameter specials: ids outside the vocabulary count as none.
    init(
        pieces: GGUFStrings, scores: [Float], kinds: [TokenKind], specials: SpecialTokens, addsSpacePrefix: Bool,
        file: SentencePieceModel? = nil
    ) throws(AlpacaError) {
        self.file = file
        self.addsSpacePrefix = addsSpacePrefix
        vocabulary = try Vocabulary(pieces: pieces, scores: scores, kinds: kinds)
        func valid(_ id: TokenID?) -> TokenID? { id.flatMap { $0 >= 0 && Int($0) < pieces.count ? $0 : nil } }
        let unknown = valid(specials.unknown)
        self.specials = SpecialTokens(
            bos: valid(specials.bos), eos: valid(specials.eos), unknown: unknown, pad: valid(specials.pad), eot: valid(specials.eot),
            ends: specials.ends.compactMap(valid), addsBOS: specials.addsBOS, addsEOS: specials.addsEOS)
        guard vocabulary.hasByteFallback || unknown != nil else {
            throw AlpacaError(.missing, "vocabulary: neither byte pieces nor an unknown piece; some text could not be written in tokens")
        }
        encoder = SentencePieceBPE(vocabulary, unknown: unknown ?? 0)
        var control: [(bytes: [UInt8], id: TokenID)] = []
        namesUnknown = file?.namesUnknown ?? false
        for id in 0..<pieces.count where kinds[id] == .control || namesUnknown && kinds[id] == .unknown {
            guard !pieces[id].isEmpty else { continue }
            control.append((Array(pieces[id]), TokenID(id)))
        }
        // What is called as the end of a turn is one, whatever the files say; but for the end of a text, which they may name otherwise.
        var named: [TokenID] = []
        for id in 0..<pieces.count where kinds[id] == .control || kinds[id] == .userDefined {
            if pieces[id].count <= EndNames.longest, EndNames.ofTurns.contains(pieces.text(id)) { named.append(TokenID(id)) }
        }
        endings = [self.specials.eos, self.specials.eot].compactMap { $0 } + self.specials.ends + named
        controlPieces = control.sorted { $0.bytes.count > $1.bytes.count }
        unused = (0..<pieces.count).filter { kinds[$0] == .unused }.map { TokenID($0) }
    }

    // MARK: - Text to tokens

    func encode(_ text: Span<UInt8>, isBeginning: Bool, terms: EncodingTerms, to ids: inout [TokenID]) -> AlpacaError? {
        encoder.encode(text, startsWithBlank: isBeginning && addsSpacePrefix, terms: terms, to: &ids)
    }

    // MARK: - Tokens to text

    /// Without control tokens and without the blank in front.
    func decode(_ ids: [TokenID]) -> [UInt8] {
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
            case .unknown: appendBytes(of: id, to: &text)
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
        return text
    }

    func mostBytes(of ids: [TokenID]) -> Int {
        var size = 0
        for id in ids where id >= 0 && Int(id) < count { size += max(6, vocabulary.pieces.range(of: Int(id)).count) }
        return size
    }

    func appendBytes(of id: TokenID, to bytes: inout [UInt8]) {
        switch vocabulary.kinds[Int(id)] {
        case .control: return
        case .unknown: if !namesUnknown { bytes += Array(" \u{2047} ".utf8) }
        case .byte:
            if let byte = TokenKind.byte(vocabulary.pieces[Int(id)]) { bytes.append(byte) }
        case .normal, .userDefined, .unused:
            vocabulary.pieces.appendText(of: Int(id), to: &bytes)
        }
    }

    // MARK: - The vocabulary

    func piece(_ id: TokenID) -> String { vocabulary.pieces.text(Int(id)) }
    func kind(_ id: TokenID) -> TokenKind { vocabulary.kinds[Int(id)] }
    func score(_ id: TokenID) -> Float { vocabulary.scores[Int(id)] }

    func id(ofPiece piece: [UInt8]) -> TokenID? {
        let id = vocabulary.token(piece, 0..<piece.count)
        if id >= 0 { return id }
        // Control, unknown and byte pieces are in no table: they are few and asked for rarely.
        let found = (0..<count).first { vocabulary.pieces[$0].elementsEqual(piece) }
        return found.map { TokenID($0) }
    }
}

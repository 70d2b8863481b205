/// The tokenizer that a LLaMA-shaped tokenizer.json describes where it is no sentencepiece model in other words: characters are joined by a list
/// of merges, blanks are U+2581, and what is in no piece is spelled in bytes. The ids are those of the library `tokenizers`.
///
/// A model needs sentencepiece's ids instead: the usual conversion of an extended vocabulary gives others (all its added pieces have one score, of
/// which sentencepiece takes the leftmost, a list of merges the first). So this opens such a file by itself only.
final class MergedTokenizer: TokenizerModel {
    /// No GGUF file can say it.
    static let ggufNames: [String] = []

    let kindName = "character-bpe"
    let specials: SpecialTokens
    /// None: added tokens are found in here.
    let controlPieces: [(bytes: [UInt8], id: TokenID)] = []
    var addsSpacePrefix: Bool { prefix != .never }

    /// When a text gets U+2581 in front.
    enum Prefix {
        case never
        /// Each part between added tokens.
        case each
        /// Each part that does not begin with it; or only the part at the very beginning.
        case eachThatLacks
        case firstThatLacks
    }

    private let pieces: GGUFStrings
    private let kinds: [TokenKind]
    private let isHidden: [Bool]
    private let table: PieceTable
    private let byteTokens: [TokenID]
    private let merges: MergeTable
    private let prefix: Prefix
    /// Whether decoding takes a blank in front away.
    private let stripsBlank: Bool
    private let rawTokens: AddedTokenFinder
    private let normalizedTokens: AddedTokenFinder

    /// What it is made of.
    struct Parts {
        var pieces = GGUFStrings()
        var kinds: [TokenKind] = []
        var merges: [(left: TokenID, right: TokenID, to: TokenID)] = []
        var added: [AddedToken] = []
        var prefix = Prefix.never
        /// Whether blanks become U+2581 before added tokens are looked for that ask for it.
        var normalizes = false
        var stripsBlank = false
        var specials = SpecialTokens()
    }

    init(_ gguf: GGUFMetadata) throws(AlpacaError) {
        throw AlpacaError(.unsupported, "a GGUF file can't hold a tokenizer of characters with a list of merges")
    }

    init(_ parts: Parts) throws(AlpacaError) {
        pieces = parts.pieces
        kinds = parts.kinds
        specials = parts.specials
        prefix = parts.prefix
        stripsBlank = parts.stripsBlank
        table = try PieceTable(parts.pieces)
        var bytes = [TokenID](repeating: -1, count: 256)
        var hidden = [Bool](repeating: false, count: parts.kinds.count)
        for token in parts.added where token.isSpecial { hidden[Int(token.id)] = true }
        isHidden = hidden
        for id in parts.pieces.indices where !parts.pieces[id].isEmpty {
            _ = table.add(TokenID(id), score: 0)
            if let byte = TokenKind.byte(parts.pieces[id]), bytes[Int(byte)] < 0 { bytes[Int(byte)] = TokenID(id) }
        }
        guard bytes.allSatisfy({ $0 >= 0 }) else {
            throw AlpacaError(.unsupported, "vocabulary: found \(bytes.count { $0 >= 0 }) of the 256 byte pieces, expected all of them")
        }
        byteTokens = bytes
        merges = try MergeTable(count: parts.merges.count)
        for (rank, merge) in parts.merges.enumerated() { merges.add(merge.left, merge.right, rank: rank, to: merge.to) }
        rawTokens = AddedTokenFinder(parts.added.filter { !$0.isNormalized })
        normalizedTokens = AddedTokenFinder(
            parts.added.filter(\.isNormalized).map { token in
                var token = token
                if parts.normalizes { token.content = MergedTokenizer.escaped(token.content.span, prefixed: parts.prefix == .each) }
                return token
            })
        normalizes = parts.normalizes
    }

    private let normalizes: Bool
    var count: Int { kinds.count }

    // MARK: - Text to tokens

    private static let blank: [UInt8] = [0xE2, 0x96, 0x81]

    /// A text with U+2581 for blanks, and one in front where `prefixed`.
    private static func escaped(_ text: Span<UInt8>, prefixed: Bool) -> [UInt8] {
        var result: [UInt8] = prefixed ? blank : []
        result.reserveCapacity(text.count + 16)
        for i in text.indices { if text[i] == 0x20 { result += blank } else { result.append(text[i]) } }
        return result
    }

    func encode(_ text: Span<UInt8>, isBeginning: Bool, terms: EncodingTerms, to ids: inout [TokenID]) -> AlpacaError? {
        // Blanks take three bytes instead of one, and so does a byte that is no character.
        if terms.mayAsk { do throws(AlpacaError) { try LargeMemory.ask(text.count, of: 7, for: "text") } catch { return error } }
        if (try? UTF8Span(validating: text)) == nil {
            let repaired = unsafe text.withUnsafeBufferPointer { bytes in unsafe Array(String(decoding: bytes, as: UTF8.self).utf8) }
            return encode(valid: repaired.span, isBeginning, terms, &ids)
        }
        return encode(valid: text, isBeginning, terms, &ids)
    }

    private func encode(valid text: Span<UInt8>, _ isBeginning: Bool, _ terms: EncodingTerms, _ ids: inout [TokenID]) -> AlpacaError? {
        var word = LongWord()
        return rawTokens.cut(text, special: terms.parsesSpecial) { range, token in
            if let token {
                ids.append(token)
                return nil
            }
            let isFirst = isBeginning && range.lowerBound == 0
            let begins = isBeginning || range.lowerBound > 0
            let plain = text.extracting(range)
            if normalizes {
                // Before added tokens are looked for a second time.
                let part = MergedTokenizer.escaped(plain, prefixed: prefix == .each && begins)
                return normalizedTokens.cut(part.span, special: terms.parsesSpecial) { range, token in
                    if let token {
                        ids.append(token)
                        return nil
                    }
                    return join(part.span.extracting(range), &word, terms, &ids)
                }
            }
            return normalizedTokens.cut(plain, special: terms.parsesSpecial) { range, token in
                if let token {
                    ids.append(token)
                    return nil
                }
                var part = MergedTokenizer.escaped(plain.extracting(range), prefixed: false)
                let wants =
                    prefix == .eachThatLacks
                    ? begins || range.lowerBound > 0 : prefix == .firstThatLacks && isFirst && range.lowerBound == 0
                if wants, !part.starts(with: MergedTokenizer.blank) { part.insert(contentsOf: MergedTokenizer.blank, at: 0) }
                return join(part.span, &word, terms, &ids)
            }
        }
    }

    private func join(_ text: Span<UInt8>, _ word: inout LongWord, _ terms: EncodingTerms, _ ids: inout [TokenID]) -> AlpacaError? {
        if let refusal = word.begin(text.count, terms) { return refusal }
        var at = 0
        while at < text.count {
            let end = at + UTF8Character(text, at).length
            let token = table.find(text.extracting(at..<end)).token
            if token >= 0 {
                word.append(token)
            } else {
                for i in at..<end { word.append(byteTokens[Int(text[i])]) }
            }
            at = end
        }
        word.join(merges, terms, &ids)
        return nil
    }

    // MARK: - Tokens to text

    /// A run of bytes that is no UTF-8 becomes as many U+FFFD as it has bytes, as the library has it.
    func decode(_ ids: [TokenID]) -> [UInt8] {
        var text: [UInt8] = []
        var run: [UInt8] = []
        func endRun() {
            if String(validating: run, as: UTF8.self) != nil {
                text += run
            } else {
                for _ in run { text += [0xEF, 0xBF, 0xBD] }
            }
            run.removeAll()
        }
        for id in ids where id >= 0 && Int(id) < count && !isHidden[Int(id)] {
            if kinds[Int(id)] != .byte { endRun() }
            if kinds[Int(id)] == .byte { appendBytes(of: id, to: &run) } else { appendBytes(of: id, to: &text) }
        }
        endRun()
        if stripsBlank, text.first == 0x20 { text.removeFirst() }
        return text
    }

    func mostBytes(of ids: [TokenID]) -> Int {
        var size = 0
        for id in ids where id >= 0 && Int(id) < count { size += pieces.range(of: Int(id)).count }
        return size
    }

    func appendBytes(of id: TokenID, to bytes: inout [UInt8]) {
        guard !isHidden[Int(id)] else { return }
        if kinds[Int(id)] == .byte {
            if let byte = TokenKind.byte(pieces[Int(id)]) { bytes.append(byte) }
            return
        }
        pieces.appendText(of: Int(id), to: &bytes)
    }

    // MARK: - The vocabulary

    func piece(_ id: TokenID) -> String { pieces.text(Int(id)) }
    func kind(_ id: TokenID) -> TokenKind { kinds[Int(id)] }
    func score(_ id: TokenID) -> Float { 0 }

    func id(ofPiece piece: [UInt8]) -> TokenID? {
        let id = piece.isEmpty ? -1 : table.find(piece.span).token
        return id >= 0 ? id : nil
    }
}

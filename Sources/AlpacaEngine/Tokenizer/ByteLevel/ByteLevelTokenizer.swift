/// Tokenizers of byte-level BPE: Llama 3's, Qwen's, SmolLM's, GPT-2's, deepseek-llm's. A text is cut into words by a pattern (``SplitRule``),
/// and a word's bytes are joined to tokens (``ByteLevelBPE``). Before that added tokens are looked for. Decoding gives
/// back each byte.
final class ByteLevelTokenizer: TokenizerModel {
    static let ggufNames = ["gpt2"]

    let kindName = "byte-level-bpe"
    let specials: SpecialTokens
    let endings: [TokenID]
    let unused: [TokenID]
    let specialTokens: [AddedToken]
    let addsSpacePrefix = false
    /// None: added tokens are found in here.
    let controlPieces: [(bytes: [UInt8], id: TokenID)] = []
    let rule: SplitRule
    let normalizes: Bool

    /// The pieces as the vocabulary writes them, in letters; added tokens as their text.
    private let pieces: GGUFStrings
    /// The bytes that each token adds to a text.
    private let contents: GGUFStrings
    private let kinds: [TokenKind]
    let bpe: ByteLevelBPE
    /// Those that are searched before the text is normalized, and after.
    private let rawTokens: AddedTokenFinder
    private let normalizedTokens: AddedTokenFinder

    /// Text between two looks at whether to stop: some milliseconds.
    private static let bytesBetweenLooks = 1 << 16

    /// What a tokenizer is made of, whatever file it comes from.
    struct Parts {
        var pieces: GGUFStrings
        /// One a piece. What is neither control nor user-defined nor unused is a piece of letters.
        var kinds: [TokenKind]
        /// Pieces that are joined, the earliest first.
        var merges: [(left: TokenID, right: TokenID, to: TokenID)]
        var added: [AddedToken]
        var rule: SplitRule
        /// Whether a text is put into normalization form C first.
        var normalizes = false
        var ignoresMerges = false
        var specials = SpecialTokens()
        /// Ids that files name as ends, and that are no tokens.
        var strangers: [Int] = []
        /// What the files beside say of tokens and can't mean.
        var warnings: [String] = []
    }

    init(_ parts: Parts) throws(AlpacaError) {
        let count = parts.pieces.count
        guard count > 0, count <= VocabularyLimit.count, parts.kinds.count == count else {
            throw AlpacaError(
                .badFormat,
                "vocabulary: found \(count) pieces and \(parts.kinds.count) types, expected as many of each, 1 to \(VocabularyLimit.count)")
        }
        // Bytes in pieces, bytes in contents, and a table of slots.
        try LargeMemory.ask(parts.pieces.bytes.count + 64 * count, for: "vocabulary")
        var contents = GGUFStrings()
        var isLetters = [Bool](repeating: false, count: count)
        for id in 0..<count {
            let piece = parts.pieces[id]
            if parts.kinds[id] != .control, parts.kinds[id] != .userDefined, let bytes = ByteLetters.bytes(of: piece) {
                isLetters[id] = true
                contents.append(bytes)
            } else {
                contents.append(piece)
            }
        }
        let table = try PieceTable(contents)
        var byteTokens = [TokenID](repeating: -1, count: 256)
        for id in 0..<count where isLetters[id] && parts.kinds[id] != .unused {
            let content = contents[id]
            guard let first = content.first else { continue }
            if content.count == 1, byteTokens[Int(first)] < 0 { byteTokens[Int(first)] = TokenID(id) }
            _ = table.add(TokenID(id), score: 0)
        }
        guard byteTokens.contains(where: { $0 >= 0 }) else {
            throw AlpacaError(.badFormat, "vocabulary: found no piece of a single byte, expected bytes that are written in letters")
        }
        let merges = try MergeTable(count: parts.merges.count)
        for (rank, merge) in parts.merges.enumerated() { merges.add(merge.left, merge.right, rank: rank, to: merge.to) }
        bpe = try ByteLevelBPE(
            merges: merges, pieces: table, byteTokens: byteTokens, ignoresMerges: parts.ignoresMerges, count: count)
        pieces = parts.pieces
        kinds = parts.kinds
        self.contents = contents
        rule = parts.rule
        normalizes = parts.normalizes
        specials = parts.specials
        unused = (0..<count).filter { parts.kinds[$0] == .unused }.map { TokenID($0) }
        var endings =
            [parts.specials.eos, parts.specials.eot].compactMap { $0 } + parts.specials.ends.filter { $0 >= 0 && Int($0) < count }
        for token in parts.added {
            if EndNames.all.contains(String(decoding: token.content, as: UTF8.self)) { endings.append(token.id) }
        }
        self.endings = endings
        specialTokens = parts.added.filter(\.isSpecial)
        rawTokens = AddedTokenFinder(parts.added.filter { !$0.isNormalized })
        let form = parts.normalizes ? NormalizationFormC.shared : nil
        normalizedTokens = AddedTokenFinder(
            parts.added.filter(\.isNormalized).map { token in
                var token = token
                if let form { token.content = form.normalized(token.content.span) }
                return token
            })
    }

    var count: Int { kinds.count }

    // MARK: - Text to tokens

    func encode(_ text: Span<UInt8>, isBeginning: Bool, terms: EncodingTerms, to ids: inout [TokenID]) -> AlpacaError? {
        var scratch = ByteLevelBPE.Scratch()
        // What is not UTF-8 becomes U+FFFD, one for each maximal part of a character, as Python's decoder has it.
        if (try? UTF8Span(validating: text)) == nil {
            if terms.mayAsk { do throws(AlpacaError) { try LargeMemory.ask(text.count, of: 4, for: "text") } catch { return error } }
            let repaired = unsafe text.withUnsafeBufferPointer { bytes in unsafe Array(String(decoding: bytes, as: UTF8.self).utf8) }
            return encode(valid: repaired.span, terms, &scratch, &ids)
        }
        return encode(valid: text, terms, &scratch, &ids)
    }

    private func encode(
        valid text: Span<UInt8>, _ terms: EncodingTerms, _ scratch: inout ByteLevelBPE.Scratch, _ ids: inout [TokenID]
    ) -> AlpacaError? {
        guard !rawTokens.isEmpty else { return encode(raw: text, terms, &scratch, &ids) }
        return rawTokens.cut(text, special: terms.parsesSpecial) { range, token in
            if let token {
                ids.append(token)
                return nil
            }
            return encode(raw: text.extracting(range), terms, &scratch, &ids)
        }
    }

    /// Text without added tokens that are searched raw.
    private func encode(
        raw text: Span<UInt8>, _ terms: EncodingTerms, _ scratch: inout ByteLevelBPE.Scratch, _ ids: inout [TokenID]
    ) -> AlpacaError? {
        guard normalizes, !NormalizationFormC.isSettled(text) else { return encode(normalized: text, terms, &scratch, &ids) }
        // Parts of a character take eight bytes each while they are put in order.
        if terms.mayAsk { do throws(AlpacaError) { try LargeMemory.ask(text.count, of: 16, for: "text") } catch { return error } }
        return encode(normalized: NormalizationFormC.shared.normalized(text).span, terms, &scratch, &ids)
    }

    private func encode(
        normalized text: Span<UInt8>, _ terms: EncodingTerms, _ scratch: inout ByteLevelBPE.Scratch, _ ids: inout [TokenID]
    ) -> AlpacaError? {
        guard !normalizedTokens.isEmpty else { return encode(words: text, terms, &scratch, &ids) }
        return normalizedTokens.cut(text, special: terms.parsesSpecial) { range, token in
            if let token {
                ids.append(token)
                return nil
            }
            return encode(words: text.extracting(range), terms, &scratch, &ids)
        }
    }

    private func encode(
        words text: Span<UInt8>, _ terms: EncodingTerms, _ scratch: inout ByteLevelBPE.Scratch, _ ids: inout [TokenID]
    ) -> AlpacaError? {
        var scanner = WordScanner(rule, text)
        var at = 0
        var nextLook = Self.bytesBetweenLooks
        while at < text.count {
            let end = scanner.end(text, from: at)
            if let refusal = bpe.encode(text.extracting(at..<end), terms, &scratch, &ids) { return refusal }
            at = end
            if at >= nextLook {
                if terms.stop?.isSet == true { return nil }
                nextLook = at + Self.bytesBetweenLooks
            }
        }
        return nil
    }

    // MARK: - Tokens to text

    func decode(_ ids: [TokenID]) -> [UInt8] {
        var bytes: [UInt8] = []
        for id in ids where id >= 0 && Int(id) < count { appendBytes(of: id, to: &bytes) }
        // A part of a character becomes U+FFFD.
        return Array(String(decoding: bytes, as: UTF8.self).utf8)
    }

    func mostBytes(of ids: [TokenID]) -> Int {
        var size = 0
        // A byte that is no character takes three.
        for id in ids where id >= 0 && Int(id) < count { size += 3 * contents.range(of: Int(id)).count }
        return size
    }

    func appendBytes(of id: TokenID, to bytes: inout [UInt8]) {
        guard kinds[Int(id)] != .control else { return }
        let all = contents.bytes
        bytes.append(contentsOf: all[contents.range(of: Int(id))])
    }

    // MARK: - The vocabulary

    func piece(_ id: TokenID) -> String { pieces.text(Int(id)) }
    func kind(_ id: TokenID) -> TokenKind { kinds[Int(id)] }
    func score(_ id: TokenID) -> Float { 0 }

    func id(ofPiece piece: [UInt8]) -> TokenID? {
        if let bytes = ByteLetters.bytes(of: piece), !bytes.isEmpty {
            let id = bpe.pieces.find(bytes.span).token
            if id >= 0, pieces[Int(id)].elementsEqual(piece) { return id }
        }
        // Added tokens are in no table of pieces; they are few and asked for rarely.
        return (0..<count).first { kinds[$0] != .normal && pieces[$0].elementsEqual(piece) }.map { TokenID($0) }
    }
}

/// The pieces of a vocabulary and the way from text to piece.
struct Vocabulary: Sendable {
    let pieces: GGUFStrings
    let scores: [Float]
    let kinds: [TokenKind]
    var count: Int { kinds.count }

    /// For each byte the token that stands for it, or -1.
    let byteTokens: [TokenID]
    let hasByteFallback: Bool
    /// A piece that text can become and that was there before; sentencepiece's own library refuses such models.
    let duplicate: TokenID?

    /// The pieces that text can become.
    let table: PieceTable

    static let most = 1 << 22

    /// - Throws: when lists differ in length, a byte piece is not `<0x00>` ... `<0xFF>`, or a score is no finite number.
    init(pieces: GGUFStrings, scores: [Float], kinds: [TokenKind]) throws(AlpacaError) {
        guard !pieces.isEmpty, pieces.count <= Vocabulary.most else {
            throw AlpacaError(.badFormat, "vocabulary: found \(pieces.count) pieces, expected 1 to \(Vocabulary.most)")
        }
        guard scores.count == pieces.count, kinds.count == pieces.count else {
            throw AlpacaError(
                .badFormat,
                "vocabulary: found \(pieces.count) pieces, \(scores.count) scores and \(kinds.count) types, expected as many of each")
        }
        var bytes = [TokenID](repeating: -1, count: 256)
        let table = try PieceTable(pieces)
        var duplicate: TokenID?
        let all = pieces.bytes
        for id in 0..<pieces.count {
            let range = pieces.range(of: id)
            switch kinds[id] {
            case .normal, .userDefined:
                guard scores[id].isFinite else { throw SentencePieceModel.noScore(pieces, id, scores[id]) }
                // No text becomes an empty piece.
                guard !range.isEmpty else { break }
                if !table.add(TokenID(id), score: scores[id]) { duplicate = duplicate ?? TokenID(id) }
            case .byte:
                guard let byte = TokenKind.byte(all[range]) else {
                    throw AlpacaError(
                        .badFormat, "vocabulary: byte piece \(id): found \(pieces.text(id).quoted()), expected \"<0x00>\" to \"<0xFF>\"")
                }
                if bytes[Int(byte)] < 0 { bytes[Int(byte)] = TokenID(id) }
            case .unknown, .control, .unused: break
            }
        }
        let known = bytes.count { $0 >= 0 }
        guard known == 0 || known == 256 else {
            throw AlpacaError(.badFormat, "vocabulary: found \(known) of the 256 byte pieces, expected all of them or none")
        }
        self.pieces = pieces
        self.scores = scores
        self.kinds = kinds
        self.duplicate = duplicate
        self.table = table
        byteTokens = bytes
        hasByteFallback = known == 256
    }

    /// The token that `range` of `text` is a piece of, -1 if none.
    func token(_ text: [UInt8], _ range: Range<Int>) -> TokenID { table.find(text.span.extracting(range)).token }
}

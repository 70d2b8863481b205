/// Extends a sentencepiece model by the pieces of another, the way the Chinese-LLaMA tokenizers were made: each piece that the base lacks is
/// added behind its own, in order, with score 0. The base's bytes stay as they are, so the result is the published file to the bit.
package enum VocabularyMerge {
    /// A piece to be added. Without a kind none is written, which means normal.
    package struct Piece: Sendable {
        package var text: [UInt8]
        package var score: Float
        package var kind: TokenKind?

        package init(text: [UInt8], score: Float = 0, kind: TokenKind? = nil) {
            self.text = text
            self.score = score
            self.kind = kind
        }
    }

    /// - Returns: the merged model as a `tokenizer.model` file.
    package static func merge(_ base: SentencePieceModel, adding extra: SentencePieceModel) throws(AlpacaError) -> [UInt8] {
        // A set of pieces, and a list of those that are added.
        try LargeMemory.ask(base.pieces.count + 2 * extra.pieces.count, of: 160, for: "merged vocabulary")
        var known: Set<[UInt8]> = []
        for i in base.pieces.indices { known.insert(Array(base.pieces[i])) }
        var added: [Piece] = []
        for i in extra.pieces.indices {
            let piece = Array(extra.pieces[i])
            if known.insert(piece).inserted { added.append(Piece(text: piece)) }
        }
        return try appending(added, to: base)
    }

    /// The model with `pieces` added behind its own. Scores are written out, also 0.
    package static func appending(_ pieces: [Piece], to base: SentencePieceModel) throws(AlpacaError) -> [UInt8] {
        // Beside its text a piece takes at most 22 bytes; the whole grows by doubling and is put together once more.
        let size = pieces.reduce(base.source.count) { $0 + $1.text.count + 22 }
        try LargeMemory.ask(size, of: 4, for: "merged vocabulary")
        var result = Array(base.source[..<base.piecesEnd])
        for piece in pieces {
            // 1: text, 2: score as F32, 3: type.
            var message: [UInt8] = [0x0A]
            message += varint(piece.text.count)
            message += piece.text
            message.append(0x15)
            for shift in [0, 8, 16, 24] { message.append(UInt8(truncatingIfNeeded: piece.score.bitPattern >> UInt32(shift))) }
            if let kind = piece.kind { message += [0x18, kind.rawValue] }
            result.append(0x0A)
            result += varint(message.count)
            result += message
        }
        return result + base.source[base.piecesEnd...]
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest > 0x7F {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}

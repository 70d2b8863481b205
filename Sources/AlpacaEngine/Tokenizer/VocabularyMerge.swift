/// Extends a sentencepiece model by the pieces of another, the way the Chinese-LLaMA tokenizers were made: each piece that the base lacks is
/// added behind its own, in order, with score 0. The base's bytes stay as they are, so the result is the published file to the bit.
package enum VocabularyMerge {
    /// - Returns: the merged model as a `tokenizer.model` file.
    package static func merge(_ base: SentencePieceModel, adding extra: SentencePieceModel) -> [UInt8] {
        var known: Set<[UInt8]> = []
        for i in base.pieces.indices { known.insert(Array(base.pieces[i])) }
        var added: [[UInt8]] = []
        for i in extra.pieces.indices {
            let piece = Array(extra.pieces[i])
            if known.insert(piece).inserted { added.append(piece) }
        }
        return appending(added, to: base)
    }

    /// The model with `pieces` added behind its own: score 0, written out; type left out, which means normal.
    package static func appending(_ pieces: [[UInt8]], to base: SentencePieceModel) -> [UInt8] {
        var result = Array(base.source[..<base.piecesEnd])
        for piece in pieces {
            var message: [UInt8] = [0x0A]
            message += varint(piece.count)
            message += piece
            message += [0x15, 0, 0, 0, 0]
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

extension SentencePieceModel {
    /// The `tokenizer.model` that a GGUF file's metadata came from, as far as they tell: the pieces with scores and types, LLaMA's settings.
    /// sentencepiece gives the same ids with it; the bytes are not those of the original.
    package init(_ metadata: GGUFMetadata) throws(AlpacaError) {
        let kind = try metadata.string(GGUFKey.tokenizerModel)
        guard kind == "llama" else {
            throw AlpacaError(
                .unsupported, "metadata key \"\(GGUFKey.tokenizerModel)\": a tokenizer of kind \(kind.quoted()) can't be a tokenizer.model")
        }
        let pieces = try metadata.strings(GGUFKey.tokens)
        let scores = try metadata.floats(GGUFKey.scores), types = try metadata.ints(GGUFKey.tokenTypes)
        guard scores.count == pieces.count, types.count == pieces.count else {
            throw AlpacaError(
                .badFormat, "\(pieces.count) pieces, \(scores.count) scores and \(types.count) types, expected as many of each")
        }
        var bytes = ProtobufWriter()
        for i in pieces.indices {
            var piece = ProtobufWriter()
            piece.bytes(1, pieces[i])
            piece.fixed32(2, scores[i].bitPattern)
            if types[i] != Int32(TokenKind.normal.rawValue) { piece.varint(3, UInt64(UInt32(bitPattern: types[i]))) }
            bytes.bytes(1, piece.message)
        }
        var trainer = ProtobufWriter()
        trainer.varint(3, UInt64(Kind.bpe.rawValue))
        trainer.varint(4, UInt64(pieces.count))
        // Byte fallback: without it sentencepiece spells nothing in bytes.
        if types.contains(Int32(TokenKind.byte.rawValue)) { trainer.varint(35, 1) }
        for (field, key) in [(40, GGUFKey.unknownToken), (41, GGUFKey.bosToken), (42, GGUFKey.eosToken)] {
            if let id = try metadata.uintIfPresent(key) { trainer.varint(field, UInt64(id)) }
        }
        bytes.bytes(2, trainer.message)
        var normalizer = ProtobufWriter()
        normalizer.bytes(1, Array("identity".utf8))
        normalizer.varint(3, try metadata.boolIfPresent(GGUFKey.addSpacePrefix) ?? true ? 1 : 0)
        normalizer.varint(4, 0)
        normalizer.varint(5, 1)
        bytes.bytes(3, normalizer.message)
        try self.init(bytes.message)
    }
}

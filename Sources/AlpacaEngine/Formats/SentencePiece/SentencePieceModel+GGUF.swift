extension SentencePieceModel {
    /// The `tokenizer.model` that a GGUF file's metadata came from, as far as they tell: the pieces with scores and types, LLaMA's settings; and
    /// what had been added to it. sentencepiece gives the same ids with it; the bytes are not those of the original.
    package static func divided(_ metadata: GGUFMetadata) throws(AlpacaError) -> (model: SentencePieceModel, added: AddedTokens) {
        let kind = try metadata.string(GGUFKey.tokenizerModel)
        guard kind == "llama" else {
            throw AlpacaError(
                .unsupported, "metadata key \"\(GGUFKey.tokenizerModel)\": a tokenizer of kind \(kind.quoted()) can't be a tokenizer.model")
        }
        let (list, added) = try PieceList(metadata).divided()
        func id(_ key: String) throws(AlpacaError) -> TokenID? { try metadata.uintIfPresent(key).flatMap { TokenID(exactly: $0) } }
        let model = try SentencePieceModel(
            list, unknown: id(GGUFKey.unknownToken), bos: id(GGUFKey.bosToken), eos: id(GGUFKey.eosToken),
            addsDummyPrefix: metadata.boolIfPresent(GGUFKey.addSpacePrefix) ?? true)
        return (model, added)
    }

    /// Byte-pair encoding with these pieces, as LLaMA's.
    init(_ list: PieceList, unknown: TokenID?, bos: TokenID?, eos: TokenID?, addsDummyPrefix: Bool) throws(AlpacaError) {
        var bytes = ProtobufWriter()
        for i in list.pieces.indices {
            var piece = ProtobufWriter()
            // sentencepiece takes no piece without a text; llama.cpp calls it so.
            if list.pieces[i].isEmpty { piece.bytes(1, Array("[EMPTY_\(i)]".utf8)) } else { piece.bytes(1, list.pieces[i]) }
            piece.fixed32(2, list.scores[i].bitPattern)
            let kind: TokenKind = list.pieces[i].isEmpty ? .unused : list.kinds[i]
            if kind != .normal { piece.varint(3, UInt64(kind.rawValue)) }
            bytes.bytes(1, piece.message)
        }
        var trainer = ProtobufWriter()
        trainer.varint(3, UInt64(Kind.bpe.rawValue))
        trainer.varint(4, UInt64(list.pieces.count))
        // Byte fallback: without it sentencepiece spells nothing in bytes.
        if list.kinds.contains(.byte) { trainer.varint(35, 1) }
        for (field, id) in [(40, unknown), (41, bos), (42, eos)] {
            if let id { trainer.varint(field, UInt64(id)) }
        }
        bytes.bytes(2, trainer.message)
        var normalizer = ProtobufWriter()
        normalizer.bytes(1, Array("identity".utf8))
        normalizer.varint(3, addsDummyPrefix ? 1 : 0)
        normalizer.varint(4, 0)
        normalizer.varint(5, 1)
        bytes.bytes(3, normalizer.message)
        try self.init(bytes.message)
    }
}

extension SentencePieceModel {
    static let paddingNames = ["[PAD]", "<pad>"]

    /// The piece that fills up batches: the one that the tokenizer names, else one that is called so.
    package var paddingPiece: TokenID? {
        if let pad { return pad }
        for name in SentencePieceModel.paddingNames {
            if let id = pieces.firstIndex(where: { $0.elementsEqual(name.utf8) }) { return TokenID(exactly: id) }
        }
        return nil
    }
}

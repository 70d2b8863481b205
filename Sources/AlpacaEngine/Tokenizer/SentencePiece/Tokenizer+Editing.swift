/// Vocabularies are extended the way the tokenizers of Chinese-LLaMA were made; what was there keeps its bytes and its ids.
extension Tokenizer {
    /// This tokenizer with the pieces of another `tokenizer.model` that it lacks behind its own, in their order, with score 0.
    ///
    /// - Parameter path: the other file, or a folder with one. Its pieces alone are taken: it may be of a kind that can't be opened as a tokenizer
    ///   here, such as the one that Chinese-LLaMA's pieces were trained as, which normalizes its text.
    public func merging(piecesOf path: String) throws(AlpacaError) -> Tokenizer {
        let own = try file("extended")
        var found = try HubCache.resolve(path)
        if (try? FolderListing.isFolder(found)) == true { found = FolderFiles.join(found, "tokenizer.model") }
        let extra = try SentencePieceModel(InputFile(path: found))
        var merged = try SentencePieceModel(try VocabularyMerge.merge(own, adding: extra))
        merged.origins = own.origins + extra.origins
        return try Tokenizer(merged)
    }

    /// This tokenizer with one more piece behind its own.
    ///
    /// - Parameters:
    ///   - piece: its text, U+2581 for blanks.
    ///   - kind: nil writes none, which means normal: so the `[PAD]` of Chinese-Alpaca was added.
    /// - Throws: `invalidArgument` when the vocabulary has the piece, or `score` is not a finite number.
    public func adding(piece: String, score: Float = 0, kind: TokenKind? = nil) throws(AlpacaError) -> Tokenizer {
        let own = try file("extended")
        guard !piece.isEmpty else { throw AlpacaError(.invalidArgument, "piece: found no text") }
        guard score.isFinite else { throw AlpacaError(.invalidArgument, "score: found \(score), expected a finite number") }
        if let id = id(ofPiece: piece) {
            throw AlpacaError(.invalidArgument, "piece: found \(piece.quoted()), which is in the vocabulary already, as token \(id)")
        }
        let added = VocabularyMerge.Piece(text: Array(piece.utf8), score: score, kind: kind)
        var extended = try SentencePieceModel(try VocabularyMerge.appending([added], to: own))
        extended.origins = own.origins
        return try Tokenizer(extended)
    }

    /// Writes the tokenizer as a `tokenizer.model`; it appears whole or not at all. What was opened is written byte for byte, with what was
    /// added behind its last piece.
    ///
    /// - Parameter overwrite: whether a `tokenizer.model` of that name may be replaced; a file of another kind never is, nor one that this
    ///   tokenizer was made from.
    public func save(to path: String, overwrite: Bool = false) throws(AlpacaError) {
        let file = try file("saved"), bytes = file.source
        if let found = FileIdentity(following: path), file.origins.contains(found) {
            throw AlpacaError(
                .invalidArgument, path: path,
                "the output is one of the inputs, from which the tokenizer was read: choose another name, and move the file afterwards")
        }
        let writer = try AtomicFileWriter(path: path, size: bytes.count, overwrite: overwrite, own: OwnOutput.tokenizer)
        try writer.write(bytes)
        try writer.finish()
    }

    private func file(_ done: String) throws(AlpacaError) -> SentencePieceModel {
        guard model is SentencePieceTokenizer else {
            throw AlpacaError(
                .unsupported,
                "this tokenizer is of byte pairs with a list of merges (\(kindName)), not a sentencepiece tokenizer.model; only one of those can be "
                    + "\(done)")
        }
        guard let file = (model as? SentencePieceTokenizer)?.file else {
            throw AlpacaError(
                .unsupported,
                "this tokenizer is a model's, which does not hold its tokenizer.model; "
                    + "only one that was opened from such a file can be \(done)")
        }
        return file
    }
}

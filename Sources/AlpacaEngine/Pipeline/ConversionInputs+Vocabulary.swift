// What is told of a result's vocabulary: rows and tokens that don't meet, names that mean nothing, pieces that stand where others were trained.

extension ConversionInputs {
    /// Sentences about rows of the result's embeddings that are no tokens, and tokens that have no row.
    func vocabularyWarnings(_ tokenizer: ChosenTokenizer?, _ model: ModelConfiguration) -> [String] {
        let rows = model.vocabularySize
        var warnings = strangeTokenizers()
        let pieces = tokenizer?.model.pieces ?? basePieces
        var known = addedTokens
        if tokenizer == nil, let pieces {
            // A GGUF file has what was added among its pieces.
            for id in pieces.indices { known.add(id, piece: pieces.text(id), isSpecial: false) }
        }
        for (adapter, _) in adapters where adapter.vocabularySize == nil && adapter.addedTokens.tokens.isEmpty {
            guard let pieces else { break }
            warnings += adapter.toldTokens.warnings(pieces: pieces, known: known, rows: rows, path: adapter.path)
        }
        let speaks = adapters.contains { $0.adapter.vocabularySize != nil || !$0.adapter.tokenizerSettings.isEmpty }
        guard speaks || givenTokenizer != nil else { return warnings }
        guard let tokenizer else {
            guard let pieces else { return warnings }
            let behind = addedTokens.warnings(pieces: pieces, rows: rows, path: base.path)
            return warnings + behind.filter { !base.warnings.contains($0) }
        }
        let unused = GGUFMetadata.unusedRows(rows, known: tokenizer.tokenCount(rows: rows)).map { ["\(tokenizer.path): \($0)"] } ?? []
        let told = tokenizer.added.warnings(pieces: tokenizer.model.pieces, rows: rows, path: tokenizer.path) + unused
        let tasks = tokenizer.tasks(rows: rows).warnings.filter { message in !base.warnings.contains { $0.hasSuffix(message) } }
        return warnings + told + tasks.map { "\(tokenizer.path): \($0)" }
    }

    private var basePieces: GGUFStrings? { base.tokenizer?.pieces ?? (try? base.metadata.stringsIfPresent(GGUFKey.tokens)) ?? nil }

    /// Tokenizers whose pieces are others than those that the embeddings were trained with, though as many.
    private func strangeTokenizers() -> [String] {
        var warnings: [String] = []
        var trained = basePieces
        func compare(_ pieces: GGUFStrings, _ path: String) {
            guard let trained else { return }
            let count = min(pieces.count, trained.count)
            let differing = (0..<count).filter { !pieces[$0].elementsEqual(trained[$0]) }
            guard let first = differing.first else { return }
            warnings.append(
                "\(path): \(differing.count) of \(count) pieces are others than those that the embeddings were trained with, the first of "
                    + "them \(first), \(pieces.text(first).quoted(limit: 40)) for \(trained.text(first).quoted(limit: 40)): is this the model's "
                    + "tokenizer?")
        }
        for (adapter, _) in adapters {
            if let tokenizer = adapter.tokenizer {
                if adapter.vocabularySize == nil { compare(tokenizer.pieces, adapter.tokenizerFile?.name ?? adapter.path) }
                // What comes with embeddings is what they were trained with.
                if adapter.vocabularySize != nil || trained == nil { trained = tokenizer.pieces }
            } else if adapter.vocabularySize != nil, adapter.vocabularySize != trained?.count {
                trained = nil
            }
        }
        if let givenTokenizer { compare(givenTokenizer.model.pieces, givenTokenizer.path) }
        return warnings
    }
}

// Where a tokenizer of sentencepiece comes from: a `tokenizer.model`, or a GGUF file.

extension SentencePieceTokenizer {
    /// From a `tokenizer.model`.
    convenience init(_ model: SentencePieceModel) throws(AlpacaError) {
        guard model.hasTrainerSettings else {
            throw AlpacaError(.missing, "tokenizer: found no trainer settings (trainer_spec), which say what kind of model it is")
        }
        guard model.kind == .bpe else {
            throw AlpacaError(.unsupported, "tokenizer: found a sentencepiece model of kind \(model.kind), supported is bpe")
        }
        guard !model.hasNormalizerRules, !model.removesExtraSpaces, model.escapesSpaces else {
            throw AlpacaError(
                .unsupported, "tokenizer: found the normalizer \(model.normalizer.quoted()), supported is identity that keeps all blanks")
        }
        try self.init(
            pieces: model.pieces, scores: model.scores, kinds: model.kinds,
            specials: SpecialTokens(bos: model.bos, eos: model.eos, unknown: model.unknown, pad: model.pad, addsBOS: true),
            addsSpacePrefix: model.addsDummyPrefix, file: model)
        // What sentencepiece's own library refuses.
        if let empty = model.pieces.indices.first(where: { model.pieces[$0].isEmpty }) {
            throw AlpacaError(.badFormat, "vocabulary: piece \(empty) is empty")
        }
        if let duplicate = vocabulary.duplicate {
            throw AlpacaError(
                .badFormat, "vocabulary: piece \(duplicate), \(model.pieces.text(Int(duplicate)).quoted()), has the text of one before it")
        }
        let unknown = model.kinds.count { $0 == .unknown }
        guard unknown <= 1 else { throw AlpacaError(.badFormat, "vocabulary: found \(unknown) unknown pieces, expected one") }
        guard !model.fallsBackToBytes || vocabulary.hasByteFallback else {
            throw AlpacaError(.badFormat, "vocabulary: found no byte pieces, but byte_fallback is set: expected 256")
        }
    }

    /// From the metadata of a GGUF file.
    convenience init(_ gguf: GGUFMetadata) throws(AlpacaError) {
        let list = try PieceList(gguf)
        let pieces = list.pieces
        func id(_ key: String) throws(AlpacaError) -> TokenID? {
            guard let value = try gguf.uintIfPresent(key, in: 0...Int(UInt32.max)) else { return nil }
            // Some converters write -1, as 32 bits, for "none".
            guard value != Int(UInt32.max) else { return nil }
            guard value < pieces.count else {
                throw AlpacaError(.badFormat, "metadata key \"\(key)\": found \(value), expected 0 to \(pieces.count - 1)")
            }
            return TokenID(value)
        }
        let specials = SpecialTokens(
            bos: try id(GGUFKey.bosToken) ?? 1, eos: try id(GGUFKey.eosToken) ?? 2, unknown: try id(GGUFKey.unknownToken) ?? 0,
            pad: try id(GGUFKey.paddingToken), eot: try id(GGUFKey.eotToken),
            ends: try gguf.furtherEnds().compactMap { TokenID(exactly: $0) }, addsBOS: try gguf.boolIfPresent(GGUFKey.addBOS) ?? true,
            addsEOS: try gguf.boolIfPresent(GGUFKey.addEOS) ?? false)
        try self.init(
            pieces: pieces, scores: list.scores, kinds: list.kinds, specials: specials,
            addsSpacePrefix: try gguf.boolIfPresent(GGUFKey.addSpacePrefix) ?? true)
    }
}

extension Tokenizer {
    /// Opens a sentencepiece `tokenizer.model`.
    public convenience init(path: String) throws(AlpacaError) {
        let file = try InputFile(path: path)
        do {
            try self.init(SentencePieceModel(file))
        } catch {
            throw error.inFile(path)
        }
    }

    package convenience init(_ model: SentencePieceModel) throws(AlpacaError) { try self.init(SentencePieceTokenizer(model)) }

    /// The tokenizer of a folder, with the tokens that were added to it.
    convenience init(_ folder: FolderTokenizer, _ files: some FileCollection) throws(AlpacaError) {
        let model = try SentencePieceTokenizer(folder.model)
        let added = AddedTokens(try AddedTokens(files).listed(in: model.count..<model.count + FolderTokenizer.mostAdded))
        let rows = max(model.count, (added.tokens.keys.max() ?? 0) + 1)
        let tasks = TaskTokens(TokenizerSettings(files), TaskTokens.Known(folder.model, added, rows: rows))
        var list = PieceList(folder.model)
        try list.extend(by: added, to: rows)
        try self.init(
            SentencePieceTokenizer(
                pieces: list.pieces, scores: list.scores, kinds: list.kinds, specials: SpecialTokens(tasks),
                addsSpacePrefix: model.addsSpacePrefix, file: rows == model.count ? folder.model : nil))
    }
}

extension SpecialTokens {
    init(_ tasks: TaskTokens) {
        self.init(
            bos: tasks.bos, eos: tasks.eos, unknown: tasks.unknown, pad: tasks.pad, eot: tasks.ends.first,
            ends: Array(tasks.ends.dropFirst()),
            addsBOS: tasks.addsBOS, addsEOS: tasks.addsEOS)
    }
}

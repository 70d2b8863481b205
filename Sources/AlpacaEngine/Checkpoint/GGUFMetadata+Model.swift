extension GGUFMetadata {
    /// The metadata of a GGUF file of this model, in the order of llama.cpp's converters.
    ///
    /// - Parameters:
    ///   - tokenizer: nil for metadata without one.
    ///   - fileType: the recipe of the weights. Quantizing changes it later.
    ///   - padsVocabulary: lets the embeddings have more rows than there are pieces; unused pieces are added for the rest.
    package init(
        _ model: ModelConfiguration, tokenizer: SentencePieceModel?, name: String?, fileType: GGUFFileType, padsVocabulary: Bool = false
    ) throws(AlpacaError) {
        self.init()
        let architecture = model.architecture
        self[GGUFKey.architecture] = .string(architecture)
        if let name { self[GGUFKey.name] = .string(name) }
        setNumber(GGUFKey.vocabularySize(architecture), model.vocabularySize)
        setNumber(GGUFKey.contextLength(architecture), model.contextLength)
        setNumber(GGUFKey.embeddingLength(architecture), model.embeddingLength)
        setNumber(GGUFKey.layerCount(architecture), model.layerCount)
        setNumber(GGUFKey.feedForwardLength(architecture), model.feedForwardLength)
        setNumber(GGUFKey.ropeDimension(architecture), model.ropeDimension)
        self[GGUFKey.ropeTheta(architecture)] = .float32(Float(model.ropeTheta))
        setScaling(model)
        setNumber(GGUFKey.headCount(architecture), model.headCount)
        setNumber(GGUFKey.keyValueHeadCount(architecture), model.keyValueHeadCount)
        if model.queryLength != model.embeddingLength {
            setNumber(GGUFKey.keyLength(architecture), model.headDimension)
            setNumber(GGUFKey.valueLength(architecture), model.headDimension)
        }
        for number in Architectures.family(model).numbers {
            if let value = model[number] { setNumber("\(architecture).\(number.gguf)", value) }
        }
        self[GGUFKey.normEpsilon(architecture)] = .float32(model.normEpsilon)
        self[GGUFKey.fileType] = .uint32(fileType.rawValue)
        if let tokenizer { try setTokenizer(tokenizer, vocabularySize: model.vocabularySize, padsVocabulary: padsVocabulary) }
    }

    private mutating func setNumber(_ key: String, _ value: Int) {
        // Bound: the limits of a configuration lie far below 2^32, ids below 2^31.
        self[key] = .uint32(UInt32(clamping: value))
    }

    private mutating func setScaling(_ model: ModelConfiguration) {
        let architecture = model.architecture
        switch model.ropeScaling {
        case .none: break
        case .linear(let factor):
            self[GGUFKey.ropeScalingType(architecture)] = .string("linear")
            self[GGUFKey.ropeScalingFactor(architecture)] = .float32(Float(factor))
        case .yarn(let factor, let original):
            self[GGUFKey.ropeScalingType(architecture)] = .string("yarn")
            self[GGUFKey.ropeScalingFactor(architecture)] = .float32(Float(factor))
            setNumber(GGUFKey.ropeOriginalContextLength(architecture), original)
            self[GGUFKey.ropeFinetuned(architecture)] = .bool(true)
        }
    }

    // MARK: Tokenizer

    /// Puts a tokenizer in place of the one that is there.
    package mutating func setTokenizer(
        _ tokenizer: SentencePieceModel, vocabularySize: Int, padsVocabulary: Bool = false
    ) throws(AlpacaError) {
        // Throws for models whose pieces mean something else than GGUF's "llama" tokenizer makes of them.
        _ = try Tokenizer(tokenizer)
        var pieces = tokenizer.pieces
        var scores = tokenizer.scores
        var kinds = tokenizer.kinds.map { Int32($0.rawValue) }
        guard pieces.count == vocabularySize || pieces.count < vocabularySize && padsVocabulary else {
            throw AlpacaError(
                .shapeMismatch,
                "the tokenizer has \(pieces.count) pieces, the model's embeddings have \(vocabularySize) rows: they do not belong together")
        }
        // Texts, ends, scores and kinds, which are copied when something is put behind them and grow by doubling.
        try LargeMemory.ask(vocabularySize, of: 80, for: "vocabulary")
        try LargeMemory.ask(pieces.bytes.count, of: 3, for: "vocabulary")
        let padding = GGUFMetadata.paddingPiece(tokenizer)
        for id in pieces.count..<vocabularySize {
            // As llama.cpp's converter names and scores them.
            pieces.append("[PAD\(id)]".utf8)
            scores.append(-1_000)
            kinds.append(Int32(TokenKind.unused.rawValue))
        }
        self[GGUFKey.tokenizerModel] = .string("llama")
        self[GGUFKey.tokenizerPre] = .string("default")
        self[GGUFKey.tokens] = .array(.string(pieces))
        self[GGUFKey.scores] = .array(.float32(scores))
        self[GGUFKey.tokenTypes] = .array(.int32(kinds))
        let ids = [
            (GGUFKey.bosToken, tokenizer.bos), (GGUFKey.eosToken, tokenizer.eos), (GGUFKey.unknownToken, tokenizer.unknown),
            (GGUFKey.paddingToken, padding),
        ]
        for (key, id) in ids {
            guard let id, tokenizer.pieces.indices.contains(Int(id)) else { continue }
            setNumber(key, Int(id))
        }
        self[GGUFKey.addBOS] = .bool(true)
        self[GGUFKey.addEOS] = .bool(false)
        if !tokenizer.addsDummyPrefix { self[GGUFKey.addSpacePrefix] = .bool(false) }
    }

    /// The piece that fills up batches: the one that the tokenizer names, else one that is called so.
    package static func paddingPiece(_ tokenizer: SentencePieceModel) -> TokenID? {
        if let pad = tokenizer.pad { return pad }
        for name in ["[PAD]", "<pad>"] {
            if let id = tokenizer.pieces.firstIndex(where: { $0.elementsEqual(name.utf8) }) { return TokenID(exactly: id) }
        }
        return nil
    }
}

extension GGUFMetadata {
    /// The metadata of a GGUF file of this model, in the order of llama.cpp's converters.
    ///
    /// - Parameters:
    ///   - tokenizer: nil for metadata without one.
    ///   - fileType: the recipe of the weights. Quantizing changes it later.
    ///   - tasks: its tokens with a task; nil for those that it names itself.
    ///   - added: what was added to the tokenizer; rows of the embeddings that nothing tells of get unused pieces.
    package init(
        _ model: ModelConfiguration, tokenizer: SentencePieceModel?, added: AddedTokens = .init(), tasks: TaskTokens? = nil, name: String?,
        fileType: GGUFFileType
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
        if let experts = model.experts {
            setNumber(GGUFKey.expertCount(architecture), experts.count)
            setNumber(GGUFKey.expertUsedCount(architecture), experts.usedCount)
            if Architectures.family(model).statesExpertLength {
                setNumber(GGUFKey.expertFeedForwardLength(architecture), experts.feedForwardLength)
            }
            // Readers take the shares for normalized where nothing is said.
            if !experts.isNormalized { self[GGUFKey.expertWeightsNorm(architecture)] = .bool(false) }
        }
        for number in Architectures.family(model).numbers {
            if let value = model[number] { setNumber("\(architecture).\(number.gguf)", value) }
        }
        self[GGUFKey.normEpsilon(architecture)] = .float32(model.normEpsilon)
        self[GGUFKey.fileType] = .uint32(fileType.rawValue)
        if let tokenizer { try setTokenizer(tokenizer, added: added, tasks: tasks, vocabularySize: model.vocabularySize) }
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
        case .yarn(let yarn):
            self[GGUFKey.ropeScalingType(architecture)] = .string("yarn")
            self[GGUFKey.ropeScalingFactor(architecture)] = .float32(Float(yarn.factor))
            setNumber(GGUFKey.ropeOriginalContextLength(architecture), yarn.originalContextLength)
            self[GGUFKey.ropeFinetuned(architecture)] = yarn.isFinetuned.map { .bool($0) }
            if yarn.attentionFactor != nil || yarn.mscale != nil {
                self[GGUFKey.ropeAttentionFactor(architecture)] = .float32(Float(yarn.attentionScale))
            }
            if yarn.betaFast != 32 { self[GGUFKey.ropeBetaFast(architecture)] = .float32(Float(yarn.betaFast)) }
            if yarn.betaSlow != 1 { self[GGUFKey.ropeBetaSlow(architecture)] = .float32(Float(yarn.betaSlow)) }
            if !yarn.truncates { self[GGUFKey.alpacaRopeTruncates] = .bool(false) }
        // A tensor tells (``TensorRole/Kind/ropeFactors``).
        case .llama3: break
        case .dynamic(let dynamic):
            if let factor = dynamic.factor { self[GGUFKey.alpacaRopeDynamic] = .float32(Float(factor)) }
        // A session's own, no model's.
        case .ntk: break
        }
    }

    // MARK: Tokenizer

    /// Puts a tokenizer in place of the one that is there.
    package mutating func setTokenizer(
        _ tokenizer: SentencePieceModel, added: AddedTokens = .init(), tasks: TaskTokens? = nil, vocabularySize: Int
    ) throws(AlpacaError) {
        // Throws for models whose pieces mean something else than GGUF's "llama" tokenizer makes of them.
        _ = try Tokenizer(tokenizer)
        var list = PieceList(tokenizer)
        guard list.pieces.count <= vocabularySize else { throw GGUFMetadata.tooManyPieces(list.pieces.count, rows: vocabularySize) }
        try list.extend(by: added, to: vocabularySize)
        self[GGUFKey.tokenizerModel] = .string("llama")
        self[GGUFKey.tokenizerPre] = .string("default")
        setPieces(list)
        setTasks(
            tasks ?? TaskTokens(TokenizerSettings(), TaskTokens.Known(tokenizer, added, rows: vocabularySize)), count: list.pieces.count)
        if !tokenizer.addsDummyPrefix { self[GGUFKey.addSpacePrefix] = .bool(false) }
    }

    private mutating func setPieces(_ list: PieceList) {
        self[GGUFKey.tokens] = .array(.string(list.pieces))
        self[GGUFKey.scores] = .array(.float32(list.scores))
        self[GGUFKey.tokenTypes] = .array(.int32(list.kinds.map { Int32($0.rawValue) }))
    }

    /// Adds pieces until there is one for each row of the embeddings.
    ///
    /// - Returns: what is unusual: rows that nothing tells of.
    @discardableResult
    package mutating func extendVocabulary(to rows: Int, by added: AddedTokens = .init()) throws(AlpacaError) -> String? {
        guard let count = try stringsIfPresent(GGUFKey.tokens)?.count, count != rows else { return nil }
        guard count < rows else { throw GGUFMetadata.tooManyPieces(count, rows: rows) }
        let hadScores = self[GGUFKey.scores] != nil
        var list = try PieceList(self)
        try list.extend(by: added, to: rows)
        setPieces(list)
        // Vocabularies of other kinds have none.
        if !hadScores { self[GGUFKey.scores] = nil }
        return GGUFMetadata.unusedRows(rows, known: count + added.listed(in: count..<rows).count)
    }

    static func tooManyPieces(_ pieces: Int, rows: Int) -> AlpacaError {
        AlpacaError(
            .shapeMismatch,
            "the tokenizer has \(pieces) pieces, the model's embeddings have \(rows) rows, so that the last pieces have none: they do not belong "
                + "together")
    }

    /// A sentence about rows of the embeddings that are no tokens; nil where there are none.
    static func unusedRows(_ rows: Int, known: Int) -> String? {
        guard rows > known else { return nil }
        return "the tokenizer tells of \(known) tokens, the embeddings have \(rows) rows: the others are taken as unused, and never written"
    }
}

/// What a GGUF file of the same model would say. Legacy headers leave out a good deal, which follows from the tensors or from what was
/// trained at the time.
enum LegacyMetadata {
    private static let architecture = "llama"

    static func make(_ header: LegacyGGMLHeader, tensor: (String) -> TensorInfo?) throws(AlpacaError) -> GGUFMetadata {
        let numbers = header.parameters
        var result = GGUFMetadata()
        func set(_ key: String, _ value: Int) { result[key] = .uint32(UInt32(clamping: value)) }

        guard numbers.layerCount <= header.tensors.count else {
            throw AlpacaError(
                .badFormat, "n_layer: found \(numbers.layerCount), but the file has only \(header.tensors.count) tensors (is it complete?)")
        }
        let head = numbers.embeddingLength / numbers.headCount
        guard numbers.embeddingLength % numbers.headCount == 0 else {
            throw AlpacaError(.badFormat, "n_head: found \(numbers.headCount), which does not divide n_embd, \(numbers.embeddingLength)")
        }
        guard numbers.ropeDimension == head else {
            throw AlpacaError(.badFormat, "n_rot: found \(numbers.ropeDimension), expected n_embd / n_head, \(head)")
        }
        let keyHeads = try keyValueHeadCount(numbers, head, tensor("layers.0.attention.wk.weight"))
        let isGrouped = keyHeads != numbers.headCount
        // LLaMA 2, of which nothing tells but its users: 55296 tokens are those of Chinese-LLaMA-2, only LLaMA 2 has groups.
        let isSecond = isGrouped || numbers.vocabularySize == 55_296

        result[GGUFKey.architecture] = .string(architecture)
        if let type = fileType(header) { result[GGUFKey.fileType] = .uint32(type.rawValue) }
        set(GGUFKey.vocabularySize(architecture), numbers.vocabularySize)
        set(GGUFKey.contextLength(architecture), isSecond ? 4_096 : 2_048)
        set(GGUFKey.embeddingLength(architecture), numbers.embeddingLength)
        set(GGUFKey.layerCount(architecture), numbers.layerCount)
        set(
            GGUFKey.feedForwardLength(architecture),
            try feedForwardLength(numbers, isGrouped: isGrouped, tensor("layers.0.feed_forward.w1.weight")))
        set(GGUFKey.headCount(architecture), numbers.headCount)
        set(GGUFKey.keyValueHeadCount(architecture), keyHeads)
        set(GGUFKey.ropeDimension(architecture), head)
        result[GGUFKey.normEpsilon(architecture)] = .float32(isSecond ? 1e-5 : 1e-6)
        LegacyVocabulary.add(header, to: &result)
        return result
    }

    private static func keyValueHeadCount(
        _ numbers: LegacyGGMLParameters, _ head: Int, _ key: TensorInfo?
    ) throws(AlpacaError) -> Int {
        // A missing tensor is named when the weights are bound.
        guard let key else { return numbers.headCount }
        let heads = key.rows / head
        guard key.rows % head == 0, (1...numbers.headCount).contains(heads) else {
            throw AlpacaError(
                .shapeMismatch,
                "tensor \(key.name.quoted()): found \(key.rows) rows, expected \(numbers.embeddingLength) or fewer whole heads of \(head)")
        }
        return heads
    }

    /// The header has only what the width was rounded up to. Models with groups of heads are wider than the rule says.
    private static func feedForwardLength(
        _ numbers: LegacyGGMLParameters, isGrouped: Bool, _ gate: TensorInfo?
    ) throws(AlpacaError) -> Int {
        // Bound: each number is below 2^31.
        let least = 2 * (4 * numbers.embeddingLength) / 3
        let rule = (least + numbers.multiple - 1) / numbers.multiple * numbers.multiple
        guard let gate, gate.rows != rule else { return rule }
        guard isGrouped else {
            throw AlpacaError(
                .shapeMismatch,
                "tensor \(gate.name.quoted()): found \(gate.rows) rows, expected \(rule) (n_mult is \(numbers.multiple))")
        }
        return gate.rows
    }

    /// The recipe, if what is read is still what the file says. Thousands count versions of the quantization.
    private static func fileType(_ header: LegacyGGMLHeader) -> GGUFFileType? {
        guard header.parameters.fileType >= 0 else { return nil }
        switch header.parameters.fileType % 1_000 {
        // Q4_2 and Q4_3 become F16.
        case 5, 6: return .f16
        case let type: return GGUFFileType(rawValue: UInt32(clamping: type))
        }
    }
}

/// The pieces, as they were before a legacy file was written: there blanks stand for U+2581, bytes for "<0x0A>", and nothing for control
/// pieces.
enum LegacyVocabulary {
    /// LLaMA's own pieces; those of Chinese-LLaMA were put behind them with score 0.
    private static let llamaPieces = 32_000
    /// The first byte piece, behind <unk>, <s>, </s>.
    private static let firstByte = 3

    static func add(_ header: LegacyGGMLHeader, to metadata: inout GGUFMetadata) {
        let count = header.pieces.count
        let hasBytes =
            count >= firstByte + 256
            && (0..<256).allSatisfy { header.pieces[firstByte + $0].elementsEqual(CollectionOfOne(UInt8(truncatingIfNeeded: $0))) }
        var pieces = GGUFStrings()
        var kinds: [Int32] = []
        for (id, piece) in header.pieces.enumerated() {
            let (text, kind) = restore(piece, id, hasBytes: hasBytes)
            pieces.append(text)
            kinds.append(Int32(kind.rawValue))
        }
        metadata[GGUFKey.tokenizerModel] = .string("llama")
        metadata[GGUFKey.tokens] = .array(.string(pieces))
        metadata[GGUFKey.scores] = .array(.float32(header.container.hasScores ? header.scores : (0..<count).map(score)))
        metadata[GGUFKey.tokenTypes] = .array(.int32(kinds))
        for (key, id) in [(GGUFKey.unknownToken, 0), (GGUFKey.bosToken, 1), (GGUFKey.eosToken, 2)] where id < count {
            metadata[key] = .uint32(UInt32(id))
        }
    }

    private static func restore(_ piece: ArraySlice<UInt8>, _ id: Int, hasBytes: Bool) -> (text: [UInt8], kind: TokenKind) {
        if id == 0, piece.isEmpty || piece.elementsEqual(" \u{2047} ".utf8) { return (Array("<unk>".utf8), .unknown) }
        if piece.isEmpty {
            return (id == 1 ? Array("<s>".utf8) : id == 2 ? Array("</s>".utf8) : [], .control)
        }
        if hasBytes, (firstByte..<firstByte + 256).contains(id) {
            let number = String(id - firstByte, radix: 16, uppercase: true)
            return (Array("<0x\(number.count < 2 ? "0" : "")\(number)>".utf8), .byte)
        }
        return (piece.flatMap { $0 == 0x20 ? [0xe2, 0x96, 0x81] : [$0] }, .normal)
    }

    /// Files without scores: sentencepiece's BPE numbers merges in the order in which they were learnt, and so does LLaMA's tokenizer.
    private static func score(_ id: Int) -> Float {
        let first = firstByte + 256
        return id > first && id < llamaPieces ? -Float(id - first) : 0
    }
}

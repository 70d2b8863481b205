extension ModelConfiguration {
    /// Reads the configuration from a GGUF file's metadata; the names of its tensors tell whether the output is tied and whether there are
    /// rotary factors.
    package init(_ gguf: GGUFReader) throws(AlpacaError) {
        do throws(AlpacaError) {
            if let error = gguf.metadata.otherKind { throw error }
            let embeddings = TensorRole.tokenEmbedding.name(in: .gguf).flatMap { gguf.index(of: $0) }
            let shape = embeddings.map { gguf.tensors[$0].shape } ?? []
            try self.init(gguf.metadata, rows: shape.count == 2 ? shape[0] : nil) { gguf.index(of: $0) != nil }
        } catch {
            throw error.inFile(gguf.file.path)
        }
    }

    /// Reads the configuration of a model in a format before GGUF.
    package init(_ legacy: LegacyGGMLReader) throws(AlpacaError) {
        do {
            try self.init(legacy.metadata) { name in
                TensorRole(name, in: .gguf)?.name(in: .meta).flatMap { legacy.index(of: $0) } != nil
            }
        } catch {
            throw error.inFile(legacy.files[0].path)
        }
    }

    /// - Parameter rows: of the embeddings; nil where nothing but the metadata tells them.
    init(_ metadata: GGUFMetadata, rows: Int? = nil, hasTensor: (String) -> Bool) throws(AlpacaError) {
        let family = try Architectures.family(metadata)
        let name = family.names.gguf
        try Self.refuseParts(metadata)
        try family.check(metadata)
        var numbers: [String: Int] = [:]
        for number in family.numbers { numbers[number.gguf] = try metadata.uintIfPresent("\(name).\(number.gguf)", in: number.limits) }
        let embeddingLength = try metadata.uint(GGUFKey.embeddingLength(name), in: Limits.embeddingLength)
        let headCount = try metadata.uint(GGUFKey.headCount(name), in: Limits.headCount)
        let headDimension = try Self.headDimension(metadata, name, embeddingLength: embeddingLength, headCount: headCount)
        let layerCount = try metadata.uint(GGUFKey.layerCount(name), in: Limits.layerCount)
        try self.init(
            family,
            vocabularySize: Self.vocabularySize(metadata, name, rows: rows),
            contextLength: metadata.uint(GGUFKey.contextLength(name), in: Limits.contextLength),
            embeddingLength: embeddingLength,
            layerCount: layerCount,
            headCount: headCount,
            keyValueHeadCount: metadata.uintIfPresent(GGUFKey.keyValueHeadCount(name), in: 1...headCount) ?? headCount,
            headDimension: headDimension,
            feedForwardLength: metadata.uint(GGUFKey.feedForwardLength(name), in: Limits.feedForwardLength),
            normEpsilon: metadata.float(GGUFKey.normEpsilon(name), in: Limits.normEpsilon),
            ropeTheta: metadata.floatIfPresent(GGUFKey.ropeTheta(name), in: Limits.ropeTheta) ?? 10_000,
            ropeDimension: metadata.uintIfPresent(GGUFKey.ropeDimension(name), in: 2...headDimension) ?? headDimension,
            ropeScaling: Self.ropeScaling(metadata, name),
            hasRopeFactors: family.table.name(of: .ropeFactors, in: .gguf).map(hasTensor) ?? false,
            isOutputTied: !(family.table.name(of: .output, in: .gguf).map(hasTensor) ?? false),
            experts: family.experts(metadata, layerCount: layerCount, hasTensor: hasTensor),
            biases: family.hasOptionalBiases ? Biases(family.table, hasTensor: hasTensor) : [], numbers: numbers)
    }

    /// A model cut into several files can't be run from one of them.
    private static func refuseParts(_ metadata: GGUFMetadata) throws(AlpacaError) {
        guard let parts = try metadata.uintIfPresent(GGUFKey.splitCount), parts > 1 else { return }
        let number = try metadata.uintIfPresent(GGUFKey.splitNumber) ?? 0
        throw AlpacaError(
            .unsupported,
            "this is part \(number) (counted from 0) of a model in \(parts) files: put them together with `llama-gguf-split --merge`")
    }

    /// The embeddings' own rows decide: lists of tokens may be shorter, where rows were added to reach a multiple.
    private static func vocabularySize(_ metadata: GGUFMetadata, _ name: String, rows: Int?) throws(AlpacaError) -> Int {
        let key = GGUFKey.vocabularySize(name)
        let declared = try metadata.uintIfPresent(key, in: Limits.vocabularySize)
        guard let pieces = try metadata.stringsIfPresent(GGUFKey.tokens)?.count else {
            guard let size = rows ?? declared else {
                throw AlpacaError(.missing, "metadata keys \"\(GGUFKey.tokens)\" and \"\(key)\" are missing: how large is the vocabulary?")
            }
            return size
        }
        let size = rows ?? max(declared ?? pieces, pieces)
        guard pieces <= size, rows != nil || declared ?? pieces >= pieces else {
            throw AlpacaError(
                .shapeMismatch,
                "metadata key \"\(GGUFKey.tokens)\": found \(pieces) pieces, but "
                    + (rows.map { "the embeddings have \($0) rows" } ?? "\(key) is \(declared ?? 0)") + ": the last pieces have none")
        }
        return size
    }

    private static func headDimension(
        _ metadata: GGUFMetadata, _ name: String, embeddingLength: Int, headCount: Int
    ) throws(AlpacaError) -> Int {
        let keys = try metadata.uintIfPresent(GGUFKey.keyLength(name), in: Limits.headDimension)
        let values = try metadata.uintIfPresent(GGUFKey.valueLength(name), in: Limits.headDimension)
        let result: Int
        if let keys { result = keys } else { result = try headDimension(embeddingLength: embeddingLength, headCount: headCount) }
        guard values == nil || values == result else {
            throw AlpacaError(
                .unsupported,
                "metadata key \"\(GGUFKey.valueLength(name))\": found \(values ?? 0), supported is the length of keys, \(result)")
        }
        try check(result, Limits.headDimension, "head dimension")
        return result
    }

    /// Files without a type but with a factor mean linear scaling: so did all of them before `rope.scaling.type` came.
    private static func ropeScaling(_ metadata: GGUFMetadata, _ name: String) throws(AlpacaError) -> RopeScaling {
        let key = GGUFKey.ropeScalingType(name)
        let type = try metadata.stringIfPresent(key)
        var factor = try metadata.floatIfPresent(GGUFKey.ropeScalingFactor(name), in: Limits.ropeScalingFactor)
        if factor == nil { factor = try metadata.floatIfPresent(GGUFKey.ropeScaleLinear(name), in: Limits.ropeScalingFactor) }
        if type == nil || type == "none", let dynamic = try metadata.floatIfPresent(GGUFKey.alpacaRopeDynamic, in: Limits.ropeScalingFactor)
        {
            let context = try metadata.uint(GGUFKey.contextLength(name), in: Limits.contextLength)
            return .dynamic(DynamicNTK(factor: dynamic, originalContextLength: context))
        }
        switch type {
        case "none": return .none
        case nil:
            guard let factor, factor != 1 else { return .none }
            return .linear(factor: factor)
        case "linear"?, "yarn"?:
            guard let factor else {
                throw AlpacaError(
                    .missing, "metadata key \"\(GGUFKey.ropeScalingFactor(name))\" is missing (\(key) is \((type ?? "").quoted()))")
            }
            guard type == "yarn" else { return factor == 1 ? .none : .linear(factor: factor) }
            let original = try metadata.uintIfPresent(GGUFKey.ropeOriginalContextLength(name), in: Limits.contextLength)
            // Without it llama.cpp takes the context itself.
            let context = try metadata.uint(GGUFKey.contextLength(name), in: Limits.contextLength)
            var yarn = YaRN(factor: factor, originalContextLength: original ?? context)
            // Written by converters, and meant as config.json has them; llama.cpp itself passes over them for most architectures.
            let limits = Limits.ropeScalingFactor
            if let beta = try metadata.floatIfPresent(GGUFKey.ropeBetaFast(name), in: 0...limits.upperBound), beta != 0 {
                yarn.betaFast = beta
            }
            if let beta = try metadata.floatIfPresent(GGUFKey.ropeBetaSlow(name), in: 0...limits.upperBound), beta != 0 {
                yarn.betaSlow = beta
            }
            // Less than 0: as usual. With 0 llama.cpp stretches all frequencies alike; nothing but 1 is written by converters.
            if let ramp = try metadata.floatIfPresent(GGUFKey.ropeExtFactor(name), in: -limits.upperBound...limits.upperBound), ramp >= 0,
                ramp != 1
            {
                throw AlpacaError(
                    .unsupported, at: "metadata key \"\(GGUFKey.ropeExtFactor(name))\"", found: "\(ramp)", expected: "1")
            }
            yarn.attentionFactor = try metadata.floatIfPresent(GGUFKey.ropeAttentionFactor(name), in: limits)
            // Times what follows from the factor, or from the key before.
            if let scale = try metadata.floatIfPresent(GGUFKey.ropeAttentionScale(name), in: limits), scale != 1 {
                yarn.attentionFactor = yarn.attentionScale * scale
            }
            yarn.truncates = try metadata.boolIfPresent(GGUFKey.alpacaRopeTruncates) ?? true
            yarn.isFinetuned = try metadata.boolIfPresent(GGUFKey.ropeFinetuned(name))
            return yarn.changesNothing ? .none : .yarn(yarn)
        case let type?:
            throw AlpacaError(
                .unsupported, "metadata key \"\(key)\": found \(type.quoted()), supported are \"none\", \"linear\" and \"yarn\"")
        }
    }
}

extension ModelConfiguration {
    /// Reads the configuration from the `params.json` of Meta's folders, which leaves out much that the tensors tell.
    ///
    /// - Parameter shape: the shape of the checkpoint's tensor of that name (Meta's), put together from all shards; nil where there is none.
    /// - Returns: with what should be told to the user.
    package static func meta(
        _ document: JSONDocument, shape: (String) -> [Int]?
    ) throws(AlpacaError) -> (configuration: ModelConfiguration, warnings: [String]) {
        do {
            return try meta(document.root, shape)
        } catch {
            throw error.inFile(document.root.documentName)
        }
    }

    private static func meta(
        _ params: JSONValue, _ shape: (String) -> [Int]?
    ) throws(AlpacaError) -> (configuration: ModelConfiguration, warnings: [String]) {
        if try params.memberIfPresent("moe") != nil { throw refusal(params, "moe", "a mixture of experts", "none") }
        if try params.boolIfPresent("use_scaled_rope") ?? false { throw refusal(params, "use_scaled_rope", "true", "false") }
        let width = try params.int("dim", in: Limits.embeddingLength)
        let headCount = try params.int("n_heads", in: Limits.headCount)
        let headDimension = try Self.headDimension(embeddingLength: width, headCount: headCount)
        let epsilon = try params.double("norm_eps", in: Limits.normEpsilon)
        var warnings: [String] = []
        // -1: the tokenizer of the time was asked.
        let stated = try params.intIfPresent("vocab_size", in: -1...Limits.vocabularySize.upperBound).flatMap { $0 > 0 ? $0 : nil }
        let length: Int
        if let rows = rows(.gate(0), .meta, shape) { length = rows } else { length = try feedForwardLength(params, width: width) }
        let family = Architectures.family(parameters: params)
        var numbers: [String: Int] = [:]
        for number in family.numbers {
            if let key = number.meta { numbers[number.gguf] = try params.intIfPresent(key, in: number.limits) }
        }
        let model = try ModelConfiguration(
            family, vocabularySize: vocabularySize(stated, "vocab_size", rows: rows(.tokenEmbedding, .meta, shape), &warnings),
            // Nothing tells LLaMA 1 from 2 but this. (The 65B model of LLaMA 1 has 1e-5 too, and half the context.)
            contextLength: epsilon == 1e-5 ? 4_096 : 2_048,
            embeddingLength: width, layerCount: params.int("n_layers", in: Limits.layerCount), headCount: headCount,
            keyValueHeadCount: params.intIfPresent("n_kv_heads", in: 1...headCount) ?? headCount, headDimension: headDimension,
            feedForwardLength: length, normEpsilon: epsilon,
            ropeTheta: params.doubleIfPresent("rope_theta", in: Limits.ropeTheta) ?? 10_000, ropeDimension: headDimension,
            numbers: numbers)
        return (model, warnings)
    }

    /// Meta's rule: two thirds of four widths, times a factor where there is one, rounded up to a multiple.
    private static func feedForwardLength(_ params: JSONValue, width: Int) throws(AlpacaError) -> Int {
        let multiple = try params.int("multiple_of", in: Limits.feedForwardLength)
        // Bound: the width is at most 2^17, the factor at most 64.
        var length = 2 * (4 * width) / 3
        if let factor = try params.doubleIfPresent("ffn_dim_multiplier", in: 0.01...64) { length = Int(factor * Double(length)) }
        return (length + multiple - 1) / multiple * multiple
    }
}

/// How an importance matrix is measured, and where it goes.
public struct ImportanceOptions: Sendable {
    /// The file to be written.
    public var output: String
    public var format = ImportanceFormat.gguf
    /// Tokens of a chunk (`n_ctx`), 4 or more: the text is cut into as long pieces, and each is read by itself.
    public var chunkSize = 512
    /// The first chunk that is read, and how many at most; nil for all.
    public var firstChunk = 0
    public var chunkCount: Int?
    /// Whether the output matrix is measured too. Its file is larger than it need be for most mixes, which keep the output in a large type.
    public var includesOutput = false
    /// Whether the perplexity of the text is measured along, for the second half of each chunk.
    public var measuresPerplexity = true
    /// Whether texts such as `<|eot_id|>` are the special tokens that they name.
    public var parsesSpecial = false
    /// Importance matrices of the same model, of either form, to which this one is added.
    public var inputs: [String] = []
    /// What the text is called in the file.
    public var dataset = ""
    /// The file is also written after each so many chunks; 0 for at the end only.
    public var saveInterval = 0
    /// Whether a file under the output's name may be replaced, if it is an importance matrix of ours.
    public var overwrites = false

    public init(output: String) { self.output = output }

    func validate() throws(AlpacaError) {
        func require(_ isGood: Bool, _ name: String, _ found: Int, _ expected: String) throws(AlpacaError) {
            guard isGood else { throw AlpacaError(.invalidArgument, "\(name): found \(found), expected \(expected)") }
        }
        try require((4...Session.mostContext).contains(chunkSize), "n_ctx", chunkSize, "4 to \(Session.mostContext)")
        try require((0...Int(Int32.max)).contains(firstChunk), "first_chunk", firstChunk, "0 to \(Int32.max)")
        if let chunkCount { try require((1...Int(Int32.max)).contains(chunkCount), "n_chunks", chunkCount, "1 to \(Int32.max), or none") }
        try require(saveInterval >= 0, "save_interval", saveInterval, "0 or more")
        guard dataset.utf8.count <= 4096 else {
            throw AlpacaError(.invalidArgument, "dataset: found \(dataset.utf8.count) bytes, expected at most 4096")
        }
    }
}

/// What was measured, and written.
public struct ImportanceReport: Sendable {
    public let output: String
    public let format: ImportanceFormat
    /// The texts that the file tells of.
    public let datasets: [String]
    /// Chunks that were read, and tokens in them; those of the inputs are not counted.
    public let chunkCount: Int
    public let chunkSize: Int
    public let tokenCount: Int
    /// Matrices in the file.
    public let matrixCount: Int
    /// Nil where it wasn't measured.
    public let perplexity: Perplexity?
    public let seconds: Double
    public let warnings: [String]

    /// A line for people.
    public var summary: String {
        let matrices = matrixCount == 1 ? "matrix" : "matrices"
        var line = "\(output): \(matrixCount) \(matrices), \(FactTable.count(chunkCount, "chunk")) of \(chunkSize) tokens"
        if let perplexity, perplexity.scoredCount > 0 {
            let (value, error) = (Decimal.text(perplexity.value, digits: 4), Decimal.text(perplexity.standardError, digits: 4))
            line += "; perplexity \(value) +/- \(error)"
        }
        return line
    }

    public func json() -> String {
        var json = JSONWriter()
        json.beginObject()
        json.member("output", PathText.shown(output))
        json.member("format", format.rawValue)
        json.strings("datasets", datasets)
        json.member("n_chunks", chunkCount)
        json.member("chunk_size", chunkSize)
        json.member("n_tokens", tokenCount)
        json.member("n_matrices", matrixCount)
        json.member("perplexity", perplexity?.value)
        json.member("standard_error", perplexity?.standardError)
        json.member("n_scored", perplexity?.scoredCount)
        json.member("seconds", seconds)
        json.strings("warnings", warnings)
        json.end()
        return json.text
    }
}

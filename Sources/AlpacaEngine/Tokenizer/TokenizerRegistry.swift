/// Which family a tokenizer is of: what the file says decides.
enum TokenizerRegistry {
    /// Every family that there is; a new one is a line here.
    static let families: [any TokenizerModel.Type] = [
        SentencePieceTokenizer.self, ByteLevelTokenizer.self,
    ]

    /// The tokenizer in the metadata of a GGUF file.
    static func model(of gguf: GGUFMetadata) throws(AlpacaError) -> any TokenizerModel {
        let kind = try gguf.string(GGUFKey.tokenizerModel)
        for family in families where family.ggufNames.contains(kind) { return try family.init(gguf) }
        let names = families.flatMap { $0.ggufNames.map { "\"\($0)\"" } }.joined(separator: ", ")
        throw AlpacaError(.unsupported, "metadata key \"\(GGUFKey.tokenizerModel)\": found \(kind.quoted()), supported is \(names)")
    }
}

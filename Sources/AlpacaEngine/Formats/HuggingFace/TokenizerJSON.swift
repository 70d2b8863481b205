// tokenizer.json of Hugging Face's `tokenizers`, as far as it is read here: byte-pair encoding, whose parts are checked against each other.
//
//   {"added_tokens": [{"id": 0, "content": "<s>", "special": true, ...}, ...],
//    "normalizer": null or {"type": ...}, "pre_tokenizer": null or {"type": ...},
//    "model": {"type": "BPE", "vocab": {"piece": id, ...}, "merges": ["a b", ...] or [["a", "b"], ...]}}

/// What a `tokenizer.json` holds. It can be described, not used: text is cut by its regular expressions before anything is joined.
struct TokenizerJSON {
    /// Tokens of the vocabulary, and what was added to it.
    let count: Int
    /// Added tokens that text never becomes, and those that it does.
    let controlCount: Int
    let userDefinedCount: Int
    let mergeCount: Int
    /// The name of what text goes through first; empty for none.
    let normalizer: String
    /// Whether pieces are of bytes, each written as a letter, rather than of characters.
    let isByteLevel: Bool

    /// Files of real vocabularies have up to some 30 MB, in which a merge takes three values.
    static let mostBytes = 128 << 20

    /// The root of such a file.
    static func root(_ region: FileRegion) throws(AlpacaError) -> JSONValue {
        try JSONDocument(region, limits: JSONDocument.Limits(bytes: mostBytes, values: 1 << 23)).root
    }

    private static let preTokenizers: Set<String> = [
        "BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength", "Metaspace", "Punctuation", "Sequence", "Split",
        "UnicodeScripts", "Whitespace", "WhitespaceSplit",
    ]
    private static let normalizers: Set<String> = [
        "BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend", "Replace", "Sequence",
        "Strip",
        "StripAccents",
    ]

    /// Whether a text is meant to be one.
    static func isOne(_ root: JSONValue) -> Bool { root["model"]?["vocab"] != nil }

    init(_ root: JSONValue) throws(AlpacaError) {
        let model = try root.member("model")
        if let type = try model.memberIfPresent("type"), try type.string() != "BPE" {
            throw AlpacaError(.unsupported, "\"model.type\": found \(try type.string().quoted(limit: 40)), supported is \"BPE\"")
        }
        let vocabulary = try model.member("vocab")
        var pieces: Set<String> = []
        // A string, in a table that grows by doubling.
        try LargeMemory.ask(vocabulary.count, of: 128, for: "vocabulary")
        for member in try vocabulary.object() {
            _ = try member.int(in: 0...VocabularyLimit.count - 1)
            pieces.insert(member.key)
        }
        guard !pieces.isEmpty else { throw AlpacaError(.missing, "\"model.vocab\" is empty, expected pieces and their ids") }
        mergeCount = try Self.checkMerges(model, pieces)

        var added: Set<String> = []
        var controls = 0
        for token in try root.memberIfPresent("added_tokens")?.array() ?? JSONValue.Children(value: nil) {
            _ = try token.member("id").int(in: 0...VocabularyLimit.count - 1)
            let content = try token.string("content")
            pieces.insert(content)
            if added.insert(content).inserted, try token.boolIfPresent("special") ?? false { controls += 1 }
        }
        count = pieces.count
        controlCount = controls
        userDefinedCount = added.count - controls
        normalizer = try Self.types(root, "normalizer", list: "normalizers", known: Self.normalizers).first ?? ""
        isByteLevel = try Self.types(root, "pre_tokenizer", list: "pretokenizers", known: Self.preTokenizers).contains("ByteLevel")
    }

    private static func checkMerges(_ model: JSONValue, _ pieces: Set<String>) throws(AlpacaError) -> Int {
        guard let merges = try model.memberIfPresent("merges") else { return 0 }
        for (number, merge) in try merges.array().enumerated() {
            var parts: [String] = []
            if merge.isArray {
                for part in merge.elements { parts.append(try part.string()) }
            } else {
                parts = BytePairs.parts(of: try merge.string())
            }
            try BytePairs.check(parts, merge: number, pieces)
        }
        return merges.count
    }

    /// The type of a step, or of the steps in a sequence.
    private static func types(_ root: JSONValue, _ key: String, list: String, known: Set<String>) throws(AlpacaError) -> [String] {
        guard let step = try root.memberIfPresent(key) else { return [] }
        var types: [String] = []
        func add(_ step: JSONValue) throws(AlpacaError) {
            let type = try step.string("type")
            guard known.contains(type) else {
                throw AlpacaError(.unsupported, "\"\(key)\": found the unknown type \(type.quoted(limit: 40))")
            }
            types.append(type)
        }
        try add(step)
        if types == ["Sequence"] { for part in try step.member(list).array() { try add(part) } }
        return types
    }
}

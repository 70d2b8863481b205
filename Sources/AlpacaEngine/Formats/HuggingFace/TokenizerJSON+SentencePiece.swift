// The tokenizer.json that transformers makes of LLaMA's tokenizer.model: sentencepiece's byte-pair encoding, written as merges. It is turned
// back where it says exactly the same, that is, where its merges are those that a list of pieces gives: for each piece every way to cut it
// into two others, piece after piece in the order of the vocabulary. Everything else joins text in other ways, and is refused by what it is.

extension TokenizerJSON {
    /// - Throws: what the file holds instead, and what is needed.
    static func sentencePieceModel(_ region: FileRegion) throws(AlpacaError) -> SentencePieceModel {
        let root = try TokenizerJSON.root(region)
        do throws(AlpacaError) {
            guard isOne(root) else {
                throw AlpacaError(.badFormat, "this is a JSON file, but no tokenizer.json: \"model.vocab\" is missing")
            }
            return try SentencePieceModel(MergedVocabulary(root))
        } catch {
            guard error.code == .unsupported else { throw error.inFile(region.name) }
            throw AlpacaError(
                .unsupported, path: region.name,
                "\(error.message): this tokenizer.json is no sentencepiece model written in another way, and this version reads no others: "
                    + "tokenizer.model is missing beside it")
        }
    }
}

/// A vocabulary out of a tokenizer.json, checked to be sentencepiece's.
private struct MergedVocabulary {
    var pieces = GGUFStrings()
    var kinds: [TokenKind] = []
    /// What pieces are joined by: the later in the vocabulary, the lower.
    var scores: [Float] = []
    var unknown, bos, eos: TokenID?
    let addsDummyPrefix: Bool
    /// Whether the unknown piece is one of the special tokens.
    private(set) var namesUnknown = false

    init(_ root: JSONValue) throws(AlpacaError) {
        let model = try root.member("model")
        if let type = try model.stringIfPresent("type"), type != "BPE" {
            throw Self.refusal("\"model.type\"", type.quoted(limit: 40), "\"BPE\"")
        }
        guard try model.boolIfPresent("byte_fallback") ?? false else {
            throw Self.refusal("\"model.byte_fallback\"", "false (byte-level or plain byte-pair encoding)", "true")
        }
        guard !(try model.boolIfPresent("ignore_merges") ?? false) else { throw Self.refusal("\"model.ignore_merges\"", "true", "false") }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = try model.stringIfPresent(key), !text.isEmpty {
                throw Self.refusal("\"model.\(key)\"", text.quoted(limit: 40), "none")
            }
        }
        addsDummyPrefix = try Self.dummyPrefix(root)
        let texts = try Self.texts(model)
        try readKinds(texts, root)
        try Self.checkMerges(texts, model, first: kinds.firstIndex(of: .normal) ?? texts.count)
        let unknownText = try model.stringIfPresent("unk_token") ?? "<unk>"
        func id(_ text: String) -> TokenID? { texts.firstIndex(of: text).map { TokenID($0) } }
        (unknown, bos, eos) = (id(unknownText), id("<s>"), id("</s>"))
        if let unknown {
            namesUnknown = kinds[Int(unknown)] == .control
            kinds[Int(unknown)] = .unknown
        }
        let first = kinds.firstIndex(of: .normal) ?? 0
        for (id, text) in texts.enumerated() {
            pieces.append(text.utf8)
            scores.append(kinds[id] == .normal ? -Float(id - first) : 0)
        }
    }

    private static func refusal(_ key: String, _ found: String, _ expected: String) -> AlpacaError {
        AlpacaError(.unsupported, at: key, found: found, expected: expected)
    }

    /// How blanks are written: U+2581, with one in front or not. Nothing else may be done to a text.
    private static func dummyPrefix(_ root: JSONValue) throws(AlpacaError) -> Bool {
        func steps(_ key: String, _ list: String) throws(AlpacaError) -> [JSONValue] {
            guard let step = try root.memberIfPresent(key) else { return [] }
            guard try step.string("type") == "Sequence" else { return [step] }
            return Array(try step.member(list).array())
        }
        let normalizers = try steps("normalizer", "normalizers"), cuts = try steps("pre_tokenizer", "pretokenizers")
        if normalizers.isEmpty, cuts.count == 1, let cut = cuts.first, try cut.string("type") == "Metaspace" {
            let replacement = try cut.stringIfPresent("replacement") ?? "\u{2581}", splits = try cut.boolIfPresent("split") ?? true
            guard replacement == "\u{2581}", !splits else {
                throw refusal("\"pre_tokenizer\"", "a Metaspace that cuts text into words", "\"split\": false")
            }
            return try cut.stringIfPresent("prepend_scheme") ?? "always" != "never"
        }
        if let cut = cuts.first { throw refusal("\"pre_tokenizer\"", try cut.string("type").quoted(limit: 40), "none") }
        var prepends = false, replaces = false
        for step in normalizers {
            let type = try step.string("type")
            let added = try step.stringIfPresent(type == "Prepend" ? "prepend" : "content")
            let replaced = try step.memberIfPresent("pattern")?.stringIfPresent("String")
            switch type {
            case "Prepend" where added == "\u{2581}" && !replaces: prepends = true
            case "Replace" where added == "\u{2581}" && replaced == " ": replaces = true
            default: throw refusal("\"normalizer\"", type.quoted(limit: 40), "U+2581 for blanks, and one in front")
            }
        }
        guard replaces else { throw refusal("\"normalizer\"", "blanks that stay blanks", "U+2581 for blanks") }
        return prepends
    }

    /// The pieces in the order of their ids, which have no gaps.
    private static func texts(_ model: JSONValue) throws(AlpacaError) -> [String] {
        let vocabulary = try model.member("vocab").object()
        let count = try model.member("vocab").count
        guard (1...VocabularyLimit.count).contains(count) else { throw AlpacaError(.badFormat, "\"model.vocab\" has \(count) pieces") }
        try LargeMemory.ask(count, of: 256, for: "vocabulary")
        var texts = [String?](repeating: nil, count: count)
        for member in vocabulary {
            let id = try member.int(in: 0...count - 1)
            guard texts[id] == nil else { throw AlpacaError(.badFormat, "\"model.vocab\": two pieces have the id \(id)") }
            texts[id] = member.key
        }
        return texts.compactMap { $0 }
    }

    private mutating func readKinds(_ texts: [String], _ root: JSONValue) throws(AlpacaError) {
        kinds = [TokenKind](repeating: .normal, count: texts.count)
        var bytes: Set<UInt8> = []
        for (id, text) in texts.enumerated() {
            guard let byte = TokenKind.byte(Array(text.utf8)[...]) else { continue }
            kinds[id] = .byte
            bytes.insert(byte)
        }
        guard bytes.count == 256 else { throw Self.refusal("\"model.vocab\"", "\(bytes.count) of the 256 byte pieces", "all of them") }
        for token in try root.memberIfPresent("added_tokens")?.array() ?? JSONValue.Children(value: nil) {
            let id = try token.int("id")
            guard texts.indices.contains(id), texts[id] == (try token.string("content")) else { continue }
            kinds[id] = try token.boolIfPresent("special") ?? false ? .control : .userDefined
        }
    }

    /// Sentencepiece joins the pair whose result has the best score, whatever its halves; merges have an order of pairs. The two are the same
    /// where all pairs of a result are there, and results follow each other as their pieces do.
    private static func checkMerges(_ texts: [String], _ model: JSONValue, first: Int) throws(AlpacaError) {
        try LargeMemory.ask(texts.count, of: 256, for: "vocabulary")
        var ids: [String: Int] = [:]
        for (id, text) in texts.enumerated() where id >= first { ids[text] = id }
        let merges = try model.member("merges")
        var last = -1
        var pairs: [Int: Int] = [:]
        for (number, merge) in try merges.array().enumerated() {
            var parts: [String] = []
            if merge.isArray {
                for part in merge.elements { parts.append(try part.string()) }
            } else {
                parts = BytePairs.parts(of: try merge.string())
            }
            guard parts.count == 2, ids[parts[0]] != nil, ids[parts[1]] != nil, let result = ids[parts[0] + parts[1]] else {
                throw AlpacaError(.badFormat, "\"model.merges\": number \(number) is no pair of pieces that join to another")
            }
            guard result >= last else {
                throw refusal("\"model.merges\"", "an order that is not that of the vocabulary, at number \(number)", "sentencepiece's")
            }
            last = result
            pairs[result, default: 0] += 1
        }
        for (id, text) in texts.enumerated() where id >= first {
            let scalars = text.unicodeScalars
            guard scalars.count > 1 else { continue }
            var ways = 0
            var cut = scalars.index(after: scalars.startIndex)
            while cut < scalars.endIndex {
                if ids[String(scalars[..<cut])] != nil, ids[String(scalars[cut...])] != nil { ways += 1 }
                cut = scalars.index(after: cut)
            }
            guard pairs[id, default: 0] == ways else {
                throw refusal(
                    "\"model.merges\"", "\(pairs[id, default: 0]) of the \(ways) ways to put \(text.quoted(limit: 40)) together",
                    "all of them, as sentencepiece has it")
            }
        }
    }
}

extension SentencePieceModel {
    /// A `tokenizer.model` that means what a tokenizer.json means.
    fileprivate init(_ vocabulary: MergedVocabulary) throws(AlpacaError) {
        var list = PieceList()
        (list.pieces, list.scores, list.kinds) = (vocabulary.pieces, vocabulary.scores, vocabulary.kinds)
        try self.init(
            list, unknown: vocabulary.unknown, bos: vocabulary.bos, eos: vocabulary.eos, addsDummyPrefix: vocabulary.addsDummyPrefix)
        namesUnknown = vocabulary.namesUnknown
    }
}

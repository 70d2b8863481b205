// Tokens that were added to a vocabulary beside its tokenizer.model, as the files of Hugging Face's tokenizers tell them:
//
//   tokenizer_config.json     "added_tokens_decoder": {"32000": {"content": "<|im_end|>", "special": true, ...}, ...}
//   tokenizer.json            "added_tokens": [{"id": 32000, "content": "<|im_end|>", "special": true, ...}, ...]
//   added_tokens.json         {"<|im_end|>": 32000, ...}
//   special_tokens_map.json   which of them are special, for those of added_tokens.json

/// Tokens by their ids.
package struct AddedTokens: Sendable, Equatable {
    package struct Token: Sendable, Equatable {
        /// As people write it.
        package let text: String
        /// Never found in what a user typed, and no text when it is decoded.
        package let isSpecial: Bool

        /// As a vocabulary has it: text is looked through for it once its blanks are U+2581, but for special tokens.
        var piece: [UInt8] { Array((isSpecial ? text : text.replacing(" ", with: "\u{2581}")).utf8) }
    }

    package private(set) var tokens: [Int: Token] = [:]
    /// Tokens that lost their id to another of the same id, in the order of the files.
    private(set) var losers: [Loser] = []

    /// A token without an id of its own.
    struct Loser: Sendable, Equatable {
        let id: Int
        let text: String
        /// The token that has the id.
        let winner: String
    }

    package init() {}

    package init(_ listed: [(id: Int, token: Token)]) {
        for (id, token) in listed { tokens[id] = token }
    }

    /// Reads what the files tell; of several that tell of an id, the first in the list above counts, as for transformers.
    package init(_ files: some FileCollection) throws(AlpacaError) {
        let configuration = try AddedTokens.json("tokenizer_config.json", files)
        let map = try AddedTokens.json("special_tokens_map.json", files)
        if let decoder = try configuration?.memberIfPresent("added_tokens_decoder") {
            for member in try decoder.object() {
                guard let id = Int(member.key) else { throw member.wrong("an id as its key") }
                try add(id, member, content: member.string("content"), isSpecial: member.boolIfPresent("special") ?? false)
            }
        }
        // As large as the whole vocabulary: only where nothing smaller tells the same.
        if tokens.isEmpty, let list = try AddedTokens.json("tokenizer.json", files)?.memberIfPresent("added_tokens") {
            for token in try list.array() {
                try add(token.int("id"), token, content: token.string("content"), isSpecial: token.boolIfPresent("special") ?? false)
            }
        }
        guard let plain = try AddedTokens.json("added_tokens.json", files) else { return }
        let special = AddedTokens.special(configuration).union(AddedTokens.special(map))
        for member in try plain.object() {
            try add(member.int(), member, content: member.key, isSpecial: special.contains(member.key))
        }
    }

    private mutating func add(_ id: Int, _ value: JSONValue, content: String, isSpecial: Bool) throws(AlpacaError) {
        guard (0..<VocabularyLimit.count).contains(id) else { throw value.wrong("an id, 0 to \(VocabularyLimit.count - 1)") }
        guard !content.isEmpty else { return }
        if let known = tokens[id] {
            let loser = Loser(id: id, text: content, winner: known.text)
            if known.text != content, !losers.contains(loser) { losers.append(loser) }
        } else {
            tokens[id] = Token(text: content, isSpecial: isSpecial)
        }
    }

    /// Adds a piece out of a vocabulary.
    mutating func add(_ id: Int, piece: String, isSpecial: Bool) {
        tokens[id] = Token(text: isSpecial ? piece : piece.replacing("\u{2581}", with: " "), isSpecial: isSpecial)
    }

    /// These, and those of `others` in their place where both tell of an id.
    package func merged(with others: AddedTokens) -> AddedTokens {
        var result = self
        result.tokens.merge(others.tokens) { $1 }
        result.losers += others.losers.filter { !losers.contains($0) }
        return result
    }

    /// Those with ids of `range`, in their order.
    package func listed(in range: Range<Int>) -> [(id: Int, token: Token)] {
        tokens.filter { range.contains($0.key) }.sorted { $0.key < $1.key }.map { (id: $0.key, token: $0.value) }
    }

    /// The first id of that text.
    package func id(of text: String) -> Int? { tokens.filter { $0.value.text == text }.keys.min() }

    private static func json(_ name: String, _ files: some FileCollection) throws(AlpacaError) -> JSONValue? {
        guard let region = try files.open(name) else { return nil }
        return try name == "tokenizer.json" ? TokenizerJSON.root(region) : JSONDocument(region).root
    }

    /// The texts of members such as "pad_token": a string, or an object with its content; and of lists of those.
    private static func special(_ root: JSONValue?) -> Set<String> {
        var texts: Set<String> = []
        func add(_ value: JSONValue) {
            if let text = (try? value.string()) ?? (try? value.string("content")) { texts.insert(text) }
        }
        guard let root, root.isObject else { return [] }
        for member in root.members {
            if member.key.hasSuffix("_token") { add(member) }
            if member.key.hasSuffix("special_tokens"), member.isArray { for element in member.elements { add(element) } }
        }
        return texts
    }
}

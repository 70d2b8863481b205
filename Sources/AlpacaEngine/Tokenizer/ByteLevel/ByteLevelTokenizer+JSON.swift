extension ByteLevelTokenizer {
    /// Whether a `tokenizer.json` means byte-level pieces; if not, it may be another kind's.
    static func isMeant(by root: JSONValue) -> Bool {
        func hasByteLevel(_ step: JSONValue?, _ depth: Int = 0) -> Bool {
            guard let step, step.isObject, depth < 3 else { return false }
            if (try? step.string("type")) == "ByteLevel" { return true }
            return step["pretokenizers"]?.elements.contains { hasByteLevel($0, depth + 1) } ?? false
        }
        // Vocabularies with pieces for bytes are sentencepiece's kind.
        let fallsBack = root["model"]?["byte_fallback"].flatMap { try? $0.bool() } ?? false
        return !fallsBack && hasByteLevel(root["pre_tokenizer"])
    }

    /// Pieces in the order of their ids, merges, added tokens. An id that no token has gets the piece `[PAD12]`, which text never becomes.
    static func vocabulary(_ model: JSONValue, _ root: JSONValue) throws(AlpacaError) -> Parts {
        let members = try model.member("vocab")
        // A key, a slot of a table that grows by doubling, a place in the list.
        try LargeMemory.ask(members.count, of: 256, for: "vocabulary")
        var ids: [ArraySlice<UInt8>: TokenID] = [:]
        ids.reserveCapacity(members.count)
        var pieces: [TokenID: [UInt8]] = [:]
        pieces.reserveCapacity(members.count)
        var end = 0
        for member in try members.object() {
            let id = try member.int(in: 0...VocabularyLimit.count - 1)
            let piece = Array(member.key.utf8)
            guard pieces.updateValue(piece, forKey: TokenID(id)) == nil else {
                throw AlpacaError(.badFormat, "\"model.vocab\": two pieces have the id \(id)")
            }
            ids[piece[...]] = TokenID(id)
            end = max(end, id + 1)
        }
        var kinds: [TokenID: TokenKind] = [:]
        var added: [AddedToken] = []
        for value in try root.memberIfPresent("added_tokens")?.array() ?? JSONValue.Children(value: nil) {
            let token = AddedToken(
                content: Array(try value.string("content").utf8),
                id: TokenID(try value.member("id").int(in: 0...VocabularyLimit.count - 1)),
                isSpecial: try value.boolIfPresent("special") ?? false, stripsLeft: try value.boolIfPresent("lstrip") ?? false,
                stripsRight: try value.boolIfPresent("rstrip") ?? false, isSingleWord: try value.boolIfPresent("single_word") ?? false,
                isNormalized: try value.boolIfPresent("normalized") ?? false)
            guard !token.content.isEmpty, token.content.count <= AddedTokenFinder.longest else {
                throw AlpacaError(
                    .badFormat,
                    "\"added_tokens\": token \(token.id): found a text of \(token.content.count) bytes, expected 1 to \(AddedTokenFinder.longest)"
                )
            }
            // Readers go by the vocabulary's ids, whatever stands here.
            if let known = ids[token.content[...]], known != token.id {
                throw AlpacaError(
                    .badFormat,
                    "\"added_tokens\": token \(token.content.quoted(limit: 40)): found the id \(token.id), expected \(known), as in \"model.vocab\""
                )
            }
            if let other = pieces[token.id], other != token.content {
                throw AlpacaError(
                    .badFormat,
                    "\"added_tokens\": token \(token.content.quoted(limit: 40)): found the id \(token.id), which \(other.quoted(limit: 40)) has"
                )
            }
            pieces[token.id] = token.content
            kinds[token.id] = token.isSpecial ? .control : .userDefined
            added.append(token)
            end = max(end, Int(token.id) + 1)
        }
        // Ids may have gaps, but a file of some bytes must not ask for a list of millions.
        guard end <= 2 * pieces.count + 65_536 else {
            throw AlpacaError(
                .badFormat, "\"model.vocab\": found \(pieces.count) pieces and the id \(end - 1), expected ids without such gaps")
        }
        var list = GGUFStrings()
        var types: [TokenKind] = []
        for id in 0..<TokenID(end) {
            list.append(pieces[id] ?? Array("[PAD\(id)]".utf8))
            types.append(kinds[id] ?? (pieces[id] == nil ? .unused : .normal))
        }
        var merges: [(left: TokenID, right: TokenID, to: TokenID)] = []
        for (rank, merge) in try model.member("merges").array().enumerated() {
            let pair = try ByteLevelTokenizer.parts(of: merge, rank)
            merges.append(try BytePairs.merge(pair.0, pair.1, number: rank) { ids[$0] })
        }
        return Parts(pieces: list, kinds: types, merges: merges, added: added, rule: .gpt2)
    }

    /// "a b", or since 2024 ["a", "b"].
    private static func parts(of merge: JSONValue, _ rank: Int) throws(AlpacaError) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
        if merge.isArray {
            var parts: [String] = []
            for part in merge.elements { parts.append(try part.string()) }
            guard parts.count == 2 else { throw AlpacaError(.badFormat, "merge \(rank): found \(parts.count) parts, expected two") }
            return (Array(parts[0].utf8)[...], Array(parts[1].utf8)[...])
        }
        let text = Array(try merge.string().utf8)
        guard let blank = text.dropFirst().firstIndex(of: 0x20) else {
            throw AlpacaError(.badFormat, "merge \(rank): found \(text.quoted(limit: 40)), expected two pieces with a blank between")
        }
        return (text[..<blank], text[(blank + 1)...])
    }
}

extension ByteLevelTokenizer.Parts {
    /// From a `tokenizer.json` of Hugging Face's `tokenizers`. What is not known of it is refused with its text, never guessed.
    ///
    /// - Throws: `unsupported` for what is no byte-level BPE or has a pattern that is not known.
    init(tokenizerJSON root: JSONValue) throws(AlpacaError) {
        let model = try root.member("model")
        if let type = try model.memberIfPresent("type"), try type.string() != "BPE" {
            throw AlpacaError(.unsupported, "\"model.type\": found \(try type.string().quoted(limit: 40)), supported is \"BPE\"")
        }
        for key in ["unk_token", "dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
            guard let value = try model.memberIfPresent(key) else { continue }
            let text = (try? value.string()) ?? "a value"
            guard text.isEmpty else {
                throw AlpacaError(.unsupported, "\"model.\(key)\": found \(text.quoted(limit: 40)), expected null")
            }
        }
        guard try model.boolIfPresent("byte_fallback") != true else {
            throw AlpacaError(
                .unsupported, "\"model.byte_fallback\": found true, expected a byte-level vocabulary, which has no such thing")
        }
        let steps = try JSONSteps(root)
        self = try ByteLevelTokenizer.vocabulary(model, root)
        rule = steps.rule
        normalizes = steps.normalizes
        ignoresMerges = try model.boolIfPresent("ignore_merges") ?? false
        func known(_ text: String?) throws(AlpacaError) -> TokenID? {
            guard let text else { return nil }
            if let id = id(ofAdded: text) { return id }
            throw AlpacaError(
                .badFormat, "\"post_processor\": found \(text.quoted(limit: 40)), which is not among \"added_tokens\"")
        }
        specials.bos = try known(steps.bos)
        specials.addsBOS = specials.bos != nil
        specials.eos = try known(steps.eos)
        specials.addsEOS = specials.eos != nil
    }
}

/// The steps of a `tokenizer.json` before and behind the model, as far as they are known.
private struct JSONSteps {
    var rule: SplitRule
    var normalizes = false
    /// What the post-processor puts before a text.
    var bos: String?
    /// And behind it.
    var eos: String?

    init(_ root: JSONValue) throws(AlpacaError) {
        for step in try JSONSteps.list(root, "normalizer", "normalizers") {
            let type = try step.string("type")
            guard type == "NFC" else {
                throw AlpacaError(.unsupported, "\"normalizer\": found \(type.quoted(limit: 40)), supported is \"NFC\"")
            }
            normalizes = true
        }
        rule = try JSONSteps.rule(try JSONSteps.list(root, "pre_tokenizer", "pretokenizers"))
        try readTemplate(root)
        // Another decoder, or none, would put other texts together than bytes do.
        for step in try JSONSteps.list(root, "decoder", "decoders") {
            let type = try step.string("type")
            guard type == "ByteLevel" || type == "Fuse" else {
                throw AlpacaError(.unsupported, "\"decoder\": found \(type.quoted(limit: 40)), supported is \"ByteLevel\"")
            }
        }
    }

    /// What is put around a text.
    private mutating func readTemplate(_ root: JSONValue) throws(AlpacaError) {
        for step in try JSONSteps.list(root, "post_processor", "processors") {
            let type = try step.string("type")
            // ByteLevel changes the places of tokens in a text, not the tokens.
            if type == "ByteLevel" { continue }
            guard type == "TemplateProcessing" else {
                throw AlpacaError(
                    .unsupported,
                    "\"post_processor\": found \(type.quoted(limit: 40)), supported are \"ByteLevel\" and \"TemplateProcessing\"")
            }
            let parts = Array(try step.member("single").array())
            guard let text = parts.firstIndex(where: { $0["Sequence"] != nil }) else {
                throw AlpacaError(.badFormat, "\"post_processor\": \"single\" has no place for the text")
            }
            guard text <= 1, parts.count - text <= 2 else {
                throw AlpacaError(
                    .unsupported,
                    "\"post_processor\": found \(parts.count - 1) tokens around a text, supported are one before and one behind")
            }
            if text == 1 { bos = try parts[0].member("SpecialToken").string("id") }
            if let last = parts.dropFirst(text + 1).first { eos = try last.member("SpecialToken").string("id") }
        }
    }

    /// The steps: none, one, or those of a sequence.
    private static func list(_ root: JSONValue, _ key: String, _ inner: String) throws(AlpacaError) -> [JSONValue] {
        guard let step = try root.memberIfPresent(key) else { return [] }
        guard try step.string("type") == "Sequence" else { return [step] }
        var steps: [JSONValue] = []
        for part in try step.member(inner).array() { steps.append(part) }
        return steps
    }

    private static func rule(_ steps: [JSONValue]) throws(AlpacaError) -> SplitRule {
        guard let last = steps.last, try last.string("type") == "ByteLevel" else {
            throw AlpacaError(.unsupported, "\"pre_tokenizer\": expected \"ByteLevel\" as its last step")
        }
        guard try last.boolIfPresent("add_prefix_space") != true else {
            throw AlpacaError(.unsupported, "\"pre_tokenizer\": \"add_prefix_space\": found true, supported is false")
        }
        let usesPattern = try last.boolIfPresent("use_regex") ?? true
        let before = steps.dropLast()
        if before.isEmpty, usesPattern { return .gpt2 }
        if before.count == 1, let step = before.first {
            let type = try step.string("type")
            if type == "Digits", usesPattern, try step.boolIfPresent("individual_digits") == true { return .smollm }
            if type == "Split", !usesPattern {
                let pattern = try JSONSteps.pattern(step)
                if pattern == SplitPatterns.llama { return .llama(digits: 3) }
                if pattern == SplitPatterns.qwen { return .llama(digits: 1) }
                throw AlpacaError(.unsupported, "\"pre_tokenizer\": the pattern \(pattern.quoted(limit: 200)) is not known")
            }
        }
        if before.count == 6, !usesPattern, try isDeepSeek(Array(before)) { return .deepseek }
        var types: [String] = []
        for step in steps { types.append(try step.string("type")) }
        throw AlpacaError(.unsupported, "\"pre_tokenizer\": the steps \(types.joined(separator: ", ").quoted(limit: 200)) are not known")
    }

    private static func pattern(_ step: JSONValue) throws(AlpacaError) -> String {
        guard try step.string("behavior") == "Isolated", try step.boolIfPresent("invert") != true else {
            throw AlpacaError(.unsupported, "\"pre_tokenizer\": \"Split\": supported is the behavior \"Isolated\", not inverted")
        }
        return try step.member("pattern").string("Regex")
    }

    /// Six steps, of which the second lists 2,729 letters; by its beginning it is known.
    private static func isDeepSeek(_ steps: [JSONValue]) throws(AlpacaError) -> Bool {
        var patterns: [String] = []
        for step in steps.prefix(5) {
            guard try step.string("type") == "Split" else { return false }
            patterns.append(try pattern(step))
        }
        let known = [(1, #"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿ"#), (2, #"\s?[!-/:-~！-／：-～‘-‟　-。]+"#), (3, #"\s+$"#), (4, "[一-龥ࠀ-一가-퟿]+")]
        guard patterns[0] == #"[\r\n]"#, known.allSatisfy({ patterns[$0].hasPrefix($1) }) else { return false }
        // llama.cpp has a pattern where the published file has a step; its vocabulary has no pieces of two digits, on which they would differ.
        let type = try steps[5].string("type")
        if type == "Split" { return try pattern(steps[5]) == #"\p{N}+"# }
        return type == "Digits"
    }
}

// A byte-level tokenizer as the `tokenizer.json` that the library `tokenizers` reads, all its versions: merges as texts with a blank.

extension ByteLevelTokenizer.Parts {
    /// The text of a `tokenizer.json` that gives the same ids.
    ///
    /// - Throws: `unsupported` where JSON can't say it: pieces that are no text, or two of one text.
    func tokenizerJSON() throws(AlpacaError) -> [UInt8] {
        let places = try ByteLevelPlaces(self)
        // The text as it grows, and as bytes.
        try LargeMemory.ask(pieces.bytes.count + 32 * pieces.count + 48 * merges.count, of: 4, for: "tokenizer.json")
        var json = JSONWriter()
        json.beginObject()
        json.member("version", "1.0")
        json.member("truncation", nil as String?)
        json.member("padding", nil as String?)
        json.beginArray("added_tokens")
        for token in places.added {
            json.beginObject()
            json.member("id", token.id)
            json.member("content", String(decoding: token.content, as: UTF8.self))
            json.member("single_word", token.isSingleWord)
            json.member("lstrip", token.stripsLeft)
            json.member("rstrip", token.stripsRight)
            json.member("normalized", token.isNormalized)
            json.member("special", token.isSpecial)
            json.end()
        }
        json.end()
        if normalizes {
            json.beginObject("normalizer")
            json.member("type", "NFC")
            json.end()
        } else {
            json.member("normalizer", nil as String?)
        }
        rule.write(to: &json)
        writePostProcessor(&json)
        json.beginObject("decoder")
        ByteLevelTokenizer.writeByteLevel(&json, usesPattern: true)
        json.end()
        json.beginObject("model")
        json.member("type", "BPE")
        for key in ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"] { json.member(key, nil as String?) }
        json.member("fuse_unk", false)
        json.member("byte_fallback", false)
        json.member("ignore_merges", ignoresMerges)
        json.beginObject("vocab")
        for id in places.vocabulary { json.member(pieces.text(Int(id)), id) }
        json.end()
        json.beginArray("merges")
        for merge in merges { json.value(pieces.text(Int(merge.left)) + " " + pieces.text(Int(merge.right))) }
        json.end()
        json.end()
        json.end()
        return Array(json.text.utf8) + [0x0a]
    }

    /// What is put around a text.
    private func writePostProcessor(_ json: inout JSONWriter) {
        let bos = specials.addsBOS ? specials.bos : nil, eos = specials.addsEOS ? specials.eos : nil
        guard bos != nil || eos != nil else {
            json.beginObject("post_processor")
            ByteLevelTokenizer.writeByteLevel(&json, usesPattern: true)
            json.end()
            return
        }
        json.beginObject("post_processor")
        json.member("type", "Sequence")
        json.beginArray("processors")
        json.beginObject()
        ByteLevelTokenizer.writeByteLevel(&json, usesPattern: true)
        json.end()
        json.beginObject()
        json.member("type", "TemplateProcessing")
        func item(_ kind: String, _ id: String, _ type: Int) {
            json.beginObject()
            json.beginObject(kind)
            json.member("id", id)
            json.member("type_id", type)
            json.end()
            json.end()
        }
        for (key, sequences) in [("single", ["A"]), ("pair", ["A", "B"])] {
            json.beginArray(key)
            for (type, sequence) in sequences.enumerated() {
                if let bos { item("SpecialToken", pieces.text(Int(bos)), type) }
                item("Sequence", sequence, type)
                if let eos { item("SpecialToken", pieces.text(Int(eos)), type) }
            }
            json.end()
        }
        json.beginObject("special_tokens")
        for id in Set([bos, eos].compactMap { $0 }).sorted() {
            let text = pieces.text(Int(id))
            json.beginObject(text)
            json.member("id", text)
            json.beginArray("ids")
            json.value(id)
            json.end()
            json.beginArray("tokens")
            json.value(text)
            json.end()
            json.end()
        }
        json.end()
        json.end()
        json.end()
        json.end()
    }
}

/// Which tokens stand in a tokenizer.json's vocabulary, and which are added behind it. `tokenizers` gives an added token that the vocabulary
/// lacks the next free id, whatever the file says: so only an unbroken run behind the vocabulary may be left out of it.
private struct ByteLevelPlaces {
    var vocabulary: [TokenID] = []
    var added: [AddedToken] = []

    init(_ parts: ByteLevelTokenizer.Parts) throws(AlpacaError) {
        let count = parts.pieces.count
        try LargeMemory.ask(count, of: 96, for: "vocabulary")
        let isAdded = { (id: Int) in parts.kinds[id] == .control || parts.kinds[id] == .userDefined }
        var flags: [TokenID: AddedToken] = [:]
        for token in parts.added { flags[token.id] = token }
        var known: Set<ArraySlice<UInt8>> = []
        // Of added tokens with one text only the first is ever found.
        var lost: Set<Int> = []
        for id in 0..<count where parts.kinds[id] != .unused {
            let piece = parts.pieces[id]
            guard String(validating: piece, as: UTF8.self) != nil else {
                throw AlpacaError(.unsupported, "piece \(id) is not valid UTF-8: a tokenizer.json can't have it")
            }
            guard known.insert(piece).inserted else {
                guard isAdded(id) else {
                    throw AlpacaError(.unsupported, "two pieces are \(piece.quoted(limit: 40)): a tokenizer.json can't have both")
                }
                lost.insert(id)
                continue
            }
            if isAdded(id), !piece.isEmpty {
                added.append(
                    flags[TokenID(id)] ?? AddedToken(content: Array(piece), id: TokenID(id), isSpecial: parts.kinds[id] == .control))
            }
        }
        let last = (0..<count).last { !isAdded($0) && parts.kinds[$0] != .unused } ?? -1
        let behind = added.filter { $0.id > last }
        let isUnbroken = zip(behind, last + 1..<count).allSatisfy { Int($0.id) == $1 } && lost.allSatisfy { $0 > last }
        let end = isUnbroken ? last + 1 : count
        for id in 0..<end where parts.kinds[id] != .unused || id <= last {
            if !lost.contains(id) { vocabulary.append(TokenID(id)) }
        }
    }
}

extension ByteLevelTokenizer {
    fileprivate static func writeByteLevel(_ json: inout JSONWriter, usesPattern: Bool) {
        json.member("type", "ByteLevel")
        json.member("add_prefix_space", false)
        json.member("trim_offsets", false)
        json.member("use_regex", usesPattern)
    }
}

extension SplitRule {
    /// The member "pre_tokenizer".
    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject("pre_tokenizer")
        defer { json.end() }
        if self == .gpt2 { return ByteLevelTokenizer.writeByteLevel(&json, usesPattern: true) }
        json.member("type", "Sequence")
        json.beginArray("pretokenizers")
        switch self {
        case .gpt2: break
        case .llama(let digits): split(digits == 1 ? SplitPatterns.qwen : SplitPatterns.llama, &json)
        case .smollm:
            json.beginObject()
            json.member("type", "Digits")
            json.member("individual_digits", true)
            json.end()
        case .deepseek: for pattern in SplitPatterns.deepseek() { split(pattern, &json) }
        }
        json.beginObject()
        ByteLevelTokenizer.writeByteLevel(&json, usesPattern: self == .smollm)
        json.end()
        json.end()
    }

    private func split(_ pattern: String, _ json: inout JSONWriter) {
        json.beginObject()
        json.member("type", "Split")
        json.beginObject("pattern")
        json.member("Regex", pattern)
        json.end()
        json.member("behavior", "Isolated")
        json.member("invert", false)
        json.end()
    }
}

/// The published patterns, as texts.
enum SplitPatterns {
    static let llama =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    static let qwen =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// deepseek-llm's six; the second lists the letters that have case.
    static func deepseek() -> [String] {
        var letters = ""
        var scalar: UInt32 = 0
        while scalar < 0x11_0000 {
            var end = scalar
            while end < 0x11_0000, UnicodeClasses.shared[end].contains(.cased) { end += 1 }
            if end > scalar, let first = Unicode.Scalar(scalar), let last = Unicode.Scalar(end - 1) {
                letters.unicodeScalars.append(first)
                if end - scalar > 2 { letters += "-" }
                if end - scalar > 1 { letters.unicodeScalars.append(last) }
            }
            scalar = end + 1
        }
        return [
            #"[\r\n]"#, #"\s?["# + letters + "]+", #"\s?[!-/:-~！-／：-～‘-‟　-。]+"#, #"\s+$"#, "[一-龥ࠀ-一가-\u{d7ff}]+",
            #"\p{N}+"#,
        ]
    }
}

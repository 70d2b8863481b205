extension GGUFMetadata {
    /// Puts a byte-level tokenizer in place of the one that is there.
    ///
    /// - Throws: `unsupported` when no name of ``GGUFKey/tokenizerPre`` means what it does.
    mutating func setTokenizer(_ parts: ByteLevelTokenizer.Parts) throws(AlpacaError) {
        guard let pre = parts.preName else {
            throw AlpacaError(.unsupported, "a GGUF file has no name for how this tokenizer cuts a text into words")
        }
        // A merge is two pieces and a blank.
        try LargeMemory.ask(parts.pieces.bytes.count + 48 * parts.merges.count, of: 2, for: "merges")
        var merges = GGUFStrings()
        for merge in parts.merges {
            merges.append(Array(parts.pieces[Int(merge.left)]) + [0x20] + Array(parts.pieces[Int(merge.right)]))
        }
        self[GGUFKey.tokenizerModel] = .string("gpt2")
        self[GGUFKey.tokenizerPre] = .string(Array(pre.utf8))
        self[GGUFKey.tokens] = .array(.string(parts.pieces))
        self[GGUFKey.scores] = nil
        self[GGUFKey.tokenTypes] = .array(.int32(parts.kinds.map { Int32($0.rawValue) }))
        self[GGUFKey.merges] = .array(.string(merges))
        let ids = [
            (GGUFKey.bosToken, parts.specials.bos), (GGUFKey.eosToken, parts.specials.eos), (GGUFKey.eotToken, parts.specials.eot),
            (GGUFKey.paddingToken, parts.specials.pad), (GGUFKey.unknownToken, parts.specials.unknown),
        ]
        for (key, id) in ids { self[key] = id.map { .uint32(UInt32(bitPattern: $0)) } }
        self[GGUFKey.addBOS] = .bool(parts.specials.addsBOS)
        let ends = parts.specials.ends.filter { $0 >= 0 && Int($0) < parts.pieces.count }
        self[GGUFKey.alpacaEnds] = ends.isEmpty ? nil : .array(.uint32(ends.map { UInt32($0) }))
        self[GGUFKey.addEOS] = parts.specials.addsEOS ? .bool(true) : nil
        self[GGUFKey.addSpacePrefix] = nil
    }
}

extension ByteLevelTokenizer.Parts {
    /// The name that means the same (``SplitRule/Named``); nil if none does.
    fileprivate var preName: String? {
        let name: String
        switch rule {
        case .llama(digits: 3): name = ignoresMerges ? "llama-bpe" : "smaug-bpe"
        case .llama: name = "qwen2"
        case .smollm: name = "smollm"
        case .gpt2: name = "gpt-2"
        case .deepseek: name = "deepseek-llm"
        }
        guard let named = SplitRule.Named.find(name) else { return nil }
        return named.rule == rule && named.normalizes == normalizes && named.ignoresMerges == ignoresMerges ? name : nil
    }

    /// Adds unused pieces, as llama.cpp's converters call them, until there are `count`.
    mutating func pad(to count: Int) {
        while pieces.count < count {
            pieces.append("[PAD\(pieces.count)]".utf8)
            kinds.append(.unused)
        }
    }

    /// The id of an added token by its text.
    func id(ofAdded text: String) -> TokenID? { added.first { $0.content.elementsEqual(text.utf8) }?.id }
}

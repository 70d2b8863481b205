extension MergedTokenizer.Parts {
    /// From a `tokenizer.json` of LLaMA's shape: bytes for what is in no piece, blanks as U+2581 by a normalizer or by Metaspace.
    ///
    /// - Throws: `unsupported` with the name of what is not known.
    init(tokenizerJSON root: JSONValue) throws(AlpacaError) {
        let model = try root.member("model")
        func refusal(_ key: String, _ found: String, _ expected: String) -> AlpacaError {
            AlpacaError(.unsupported, at: "\"\(key)\"", found: found, expected: expected)
        }
        let type = try model.stringIfPresent("type") ?? "BPE"
        guard type == "BPE" else { throw refusal("model.type", type.quoted(limit: 40), "\"BPE\"") }
        guard try model.boolIfPresent("byte_fallback") == true else { throw refusal("model.byte_fallback", "false", "true") }
        guard try model.boolIfPresent("ignore_merges") != true else { throw refusal("model.ignore_merges", "true", "false") }
        for key in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
            guard let value = try model.memberIfPresent(key) else { continue }
            let text = (try? value.string()) ?? "a value"
            guard text.isEmpty else { throw refusal("model.\(key)", text.quoted(limit: 40), "null") }
        }
        func steps(_ key: String, _ list: String) throws(AlpacaError) -> [JSONValue] {
            guard let step = try root.memberIfPresent(key) else { return [] }
            guard try step.string("type") == "Sequence" else { return [step] }
            return Array(try step.member(list).array())
        }
        for step in try steps("normalizer", "normalizers") {
            let type = try step.string("type")
            let text = try step.stringIfPresent(type == "Prepend" ? "prepend" : "content")
            let replaced = try step.memberIfPresent("pattern")?.stringIfPresent("String")
            switch type {
            case "Prepend" where text == "\u{2581}" && !normalizes: prefix = .each
            case "Replace" where text == "\u{2581}" && replaced == " ": normalizes = true
            default: throw refusal("normalizer", type.quoted(limit: 40), "U+2581 for blanks, and one in front")
            }
        }
        for step in try steps("pre_tokenizer", "pretokenizers") {
            let type = try step.string("type")
            guard type == "Metaspace", try step.stringIfPresent("replacement") ?? "\u{2581}" == "\u{2581}",
                try step.boolIfPresent("split") == false, !normalizes
            else { throw refusal("pre_tokenizer", type.quoted(limit: 40), "\"Metaspace\" with \"split\": false, or none") }
            switch try step.stringIfPresent("prepend_scheme") ?? "always" {
            case "always": prefix = .eachThatLacks
            case "first": prefix = .firstThatLacks
            case "never": prefix = .never
            case let other: throw refusal("pre_tokenizer.prepend_scheme", other.quoted(limit: 40), "\"always\", \"first\" or \"never\"")
            }
        }
        guard normalizes || root["pre_tokenizer"]?.isObject == true else {
            throw refusal("normalizer", "blanks that stay blanks", "U+2581")
        }
        for step in try steps("decoder", "decoders") {
            let type = try step.string("type")
            let isBlank = try step.stringIfPresent("content") == " "
            switch type {
            case "ByteFallback", "Fuse": break
            case "Replace" where isBlank: break
            case "Strip" where isBlank:
                let (start, stop) = (try step.int("start"), try step.int("stop"))
                guard start <= 1, start >= 0, stop == 0 else { throw refusal("decoder", "Strip of \(start) and \(stop)", "of 1 and 0") }
                stripsBlank = start == 1
            default: throw refusal("decoder", type.quoted(limit: 40), "\"Replace\", \"ByteFallback\", \"Fuse\" and \"Strip\" of one blank")
            }
        }
        let vocabulary = try ByteLevelTokenizer.vocabulary(model, root)
        (pieces, kinds, merges, added) = (vocabulary.pieces, vocabulary.kinds, vocabulary.merges, vocabulary.added)
        for id in pieces.indices where kinds[id] == .normal && TokenKind.byte(pieces[id]) != nil { kinds[id] = .byte }
        try readTemplate(root)
        if let text = try model.stringIfPresent("unk_token") { specials.unknown = id(text) }
        if specials.eos == nil { specials.eos = id("</s>") }
        if specials.bos == nil { specials.bos = id("<s>") }
    }

    private func id(_ text: String) -> TokenID? {
        added.first { $0.content.elementsEqual(text.utf8) }?.id
    }

    /// What is put around a text.
    private mutating func readTemplate(_ root: JSONValue) throws(AlpacaError) {
        var steps: [JSONValue] = []
        if let step = try root.memberIfPresent("post_processor") {
            steps = try step.string("type") == "Sequence" ? Array(try step.member("processors").array()) : [step]
        }
        for step in steps {
            let type = try step.string("type")
            guard type == "TemplateProcessing" else {
                throw AlpacaError(.unsupported, at: "\"post_processor\"", found: type.quoted(limit: 40), expected: "\"TemplateProcessing\"")
            }
            let parts = Array(try step.member("single").array())
            guard let text = parts.firstIndex(where: { $0["Sequence"] != nil }), text <= 1, parts.count - text <= 2 else {
                throw AlpacaError(.unsupported, "\"post_processor\": supported are one token before a text and one behind")
            }
            func token(_ part: JSONValue) throws(AlpacaError) -> TokenID {
                let text = try part.member("SpecialToken").string("id")
                if let id = id(text) { return id }
                throw AlpacaError(.badFormat, "\"post_processor\": found \(text.quoted(limit: 40)), which is not among \"added_tokens\"")
            }
            if text == 1 { (specials.bos, specials.addsBOS) = (try token(parts[0]), true) }
            if let last = parts.dropFirst(text + 1).first { (specials.eos, specials.addsEOS) = (try token(last), true) }
        }
    }
}

extension Tokenizer {
    /// A tokenizer.json by itself: of bytes, a sentencepiece model in other words, or characters with a list of merges.
    static func model(ofJSON region: FileRegion) throws(AlpacaError) -> any TokenizerModel {
        let root = try TokenizerJSON.root(region)
        if ByteLevelTokenizer.isMeant(by: root) { return try ByteLevelTokenizer(ByteLevelTokenizer.Parts(tokenizerJSON: root)) }
        // Metaspace puts nothing before a blank, where sentencepiece does.
        if try root.memberIfPresent("pre_tokenizer")?.stringIfPresent("type") == "Metaspace",
            let parts = try? MergedTokenizer.Parts(tokenizerJSON: root), parts.prefix != .never
        {
            return try MergedTokenizer(parts)
        }
        do throws(AlpacaError) {
            return try SentencePieceTokenizer(TokenizerJSON.sentencePieceModel(region))
        } catch {
            // The sentence says what a model would need; it is the better one where the file has another shape altogether.
            guard error.code == .unsupported, let parts = try? MergedTokenizer.Parts(tokenizerJSON: root) else { throw error }
            return try MergedTokenizer(parts)
        }
    }
}

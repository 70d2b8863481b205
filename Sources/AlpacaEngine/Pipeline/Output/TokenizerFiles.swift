/// The tokenizer's files in a model's folder.
enum TokenizerFiles {
    /// Adds tokenizer.model as it was, and the two small files in which transformers looks for settings and for the chat template.
    static func add(to output: inout Output, _ request: OutputRequest) throws(AlpacaError) {
        guard let tokenizer = request.tokenizer else {
            if let files = try ByteLevelFiles(request) { return try files.add(to: &output, request) }
            guard !request.options.omitsTokenizer else { return }
            output.warnings.append(
                "\(request.base.path): there is no tokenizer.model, and so none in the output: without one no text can be read or written")
            // What there is of it all the same.
            guard !request.template.texts.isEmpty else { return }
            var config = JSONWriter()
            config.beginObject()
            if let warning = request.template.texts.write(to: &config) { output.warnings.append(warning) }
            config.end()
            output.extras.append(("tokenizer_config.json", Array(config.text.utf8) + [0x0a]))
            return
        }
        let model = tokenizer.model
        for (key, what) in [
            (GGUFKey.removeExtraSpaces, "that runs of blanks become one"), (GGUFKey.normalizerRules, "how texts are normalized"),
        ] {
            guard request.base.folder == nil, let value = request.base.metadata[key], value != .bool(false) else { continue }
            output.warnings.append("\(request.base.path): the key \"\(key)\" tells \(what), which the tokenizer of the folder does not")
        }
        let tasks = tokenizer.tasks(rows: request.configuration.vocabularySize)
        func piece(_ id: TokenID?) -> String? {
            guard let id else { return nil }
            guard model.pieces.indices.contains(Int(id)) else { return tokenizer.added.tokens[Int(id)]?.text }
            return String(decoding: model.pieces[Int(id)], as: UTF8.self)
        }
        let special = [
            ("bos_token", piece(tasks.bos)), ("eos_token", piece(tasks.eos)), ("pad_token", piece(tasks.pad)),
            ("unk_token", piece(tasks.unknown)),
        ]
        var config = JSONWriter()
        config.beginObject()
        config.member("add_bos_token", tasks.addsBOS)
        config.member("add_eos_token", tasks.addsEOS)
        config.member("clean_up_tokenization_spaces", false)
        config.member("legacy", true)
        config.member("model_max_length", request.configuration.contextLength)
        // No "tokenizer_class": "LlamaTokenizer" of transformers 5 splits runs of blanks in another way than sentencepiece. Without a class
        // each version takes what it has for the model's type, which is right.
        for (key, piece) in special { config.member(key, piece) }
        let count = model.pieces.count
        let added = tokenizer.added.listed(in: count..<max(count, request.configuration.vocabularySize))
        writeDecoder(added, &config)
        if let warning = request.template.texts.write(to: &config) { output.warnings.append(warning) }
        config.end()
        var map = JSONWriter()
        map.beginObject()
        let names = added.filter(\.token.isSpecial).map(\.token.text)
        if !names.isEmpty { map.strings("additional_special_tokens", names) }
        for (key, piece) in special { map.member(key, piece) }
        map.end()
        output.extras +=
            [
                ("tokenizer.model", tokenizer.bytes), ("tokenizer_config.json", Array(config.text.utf8) + [0x0a]),
                ("special_tokens_map.json", Array(map.text.utf8) + [0x0a]),
            ] + list(added)
    }

    /// added_tokens.json, in which older versions look for tokens behind the pieces.
    private static func list(_ added: [(id: Int, token: AddedTokens.Token)]) -> [(name: String, bytes: [UInt8])] {
        guard !added.isEmpty else { return [] }
        var json = JSONWriter()
        json.beginObject()
        var known: Set<String> = []
        for (id, token) in added where known.insert(token.text).inserted { json.member(token.text, id) }
        json.end()
        return [("added_tokens.json", Array(json.text.utf8) + [0x0a])]
    }

    /// The same for newer versions, which also say what is special.
    private static func writeDecoder(_ added: [(id: Int, token: AddedTokens.Token)], _ json: inout JSONWriter) {
        guard !added.isEmpty else { return }
        json.beginObject("added_tokens_decoder")
        for (id, token) in added {
            json.beginObject(String(id))
            json.member("content", token.text)
            for key in ["lstrip", "normalized", "rstrip", "single_word"] { json.member(key, false) }
            json.member("special", token.isSpecial)
            json.end()
        }
        json.end()
    }
}

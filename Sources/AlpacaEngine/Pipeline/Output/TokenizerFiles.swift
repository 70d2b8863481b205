/// The tokenizer's files in a model's folder.
enum TokenizerFiles {
    /// tokenizer.model as it was, and the two small files in which transformers looks for settings.
    static func make(_ request: OutputRequest) -> [(name: String, bytes: [UInt8])] {
        guard let tokenizer = request.tokenizer else { return [] }
        let model = tokenizer.model
        func piece(_ id: TokenID?) -> String? {
            guard let id, model.pieces.indices.contains(Int(id)) else { return nil }
            return String(decoding: model.pieces[Int(id)], as: UTF8.self)
        }
        let special = [
            ("bos_token", piece(model.bos)), ("eos_token", piece(model.eos)), ("pad_token", piece(GGUFMetadata.paddingPiece(model))),
            ("unk_token", piece(model.unknown)),
        ]
        var config = JSONWriter()
        config.beginObject()
        config.member("add_bos_token", true)
        config.member("add_eos_token", false)
        config.member("clean_up_tokenization_spaces", false)
        config.member("legacy", true)
        config.member("model_max_length", request.configuration.contextLength)
        // No "tokenizer_class": "LlamaTokenizer" of transformers 5 splits runs of blanks in another way than sentencepiece. Without a class
        // each version takes what it has for the model's type, which is right.
        for (key, piece) in special { config.member(key, piece) }
        config.end()
        var map = JSONWriter()
        map.beginObject()
        for (key, piece) in special { map.member(key, piece) }
        map.end()
        return [
            ("tokenizer.model", tokenizer.bytes), ("tokenizer_config.json", Array(config.text.utf8) + [0x0a]),
            ("special_tokens_map.json", Array(map.text.utf8) + [0x0a]),
        ]
    }
}

/// The files of a byte-level tokenizer in a model's folder.
///
/// Where the base's folder has them and the vocabulary is still the same they are carried along, to the byte. Otherwise they are made of what is
/// known: of a GGUF file that is the pieces, their kinds and the merges, but no flags of added tokens.
struct ByteLevelFiles {
    private var parts: ByteLevelTokenizer.Parts
    /// The folder whose files may be carried along.
    private let folder: FolderFiles?

    /// nil where the result's tokenizer is of another kind, or there is none.
    init?(_ request: OutputRequest) throws(AlpacaError) {
        let base = request.base
        guard request.tokenizer == nil, !request.options.omitsTokenizer, base.hasByteLevelTokenizer else { return nil }
        var metadata = base.metadata
        do throws(AlpacaError) {
            let before = try metadata.strings(GGUFKey.tokens).count
            try metadata.extendVocabulary(to: request.configuration.vocabularySize, by: request.added)
            if !request.settings.isEmpty {
                let settings = try TokenizerSettings(metadata).merged(with: request.settings)
                metadata.setTasks(TaskTokens(settings, try .init(metadata)), count: try metadata.strings(GGUFKey.tokens).count)
            }
            parts = try ByteLevelTokenizer.Parts(metadata)
            // Throws for what no reader would take.
            _ = try ByteLevelTokenizer(parts)
            let isSame = before == parts.pieces.count && request.settings.isEmpty
            if isSame, let found = base.folder, found.byteLevel != nil { folder = try FolderFiles(path: found.path) } else { folder = nil }
        } catch {
            throw error.inFile(base.path)
        }
        guard let known = base.folder?.byteLevel else { return }
        // What GGUF has no place for.
        var flags: [TokenID: AddedToken] = [:]
        for token in known.added { flags[token.id] = token }
        parts.added = parts.added.map { token in flags[token.id].flatMap { $0.content == token.content ? $0 : nil } ?? token }
    }

    /// Adds the files to a folder.
    func add(to output: inout Output, _ request: OutputRequest) throws(AlpacaError) {
        if request.options.format == .meta, try addRanks(to: &output) { return }
        let files = folder
        if let bytes = try files?.bytes("tokenizer.json"), files?.names.contains("tokenizer.model") != true {
            output.extras.append(("tokenizer.json", bytes))
            for name in ["vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json"] {
                if let bytes = try files?.bytes(name) { output.extras.append((name, bytes)) }
            }
            let texts = request.template.texts
            let isKept = texts == request.base.templates && (texts.isEmpty || texts.origin == "tokenizer_config.json")
            if isKept, let bytes = try files?.bytes("tokenizer_config.json") {
                output.extras.append(("tokenizer_config.json", bytes))
                return
            }
            var before: JSONValue?
            if let region = try files?.open("tokenizer_config.json") { before = try JSONDocument(region).root }
            output.extras.append(("tokenizer_config.json", try configuration(&output, request, before: before)))
            return
        }
        output.extras.append(("tokenizer.json", try parts.tokenizerJSON()))
        output.extras.append(("tokenizer_config.json", try configuration(&output, request, before: nil)))
        var map = JSONWriter()
        map.beginObject()
        for (key, text) in specials { map.member(key, text) }
        map.end()
        output.extras.append(("special_tokens_map.json", Array(map.text.utf8) + [0x0a]))
        if request.options.format == .meta {
            output.warnings.append(
                "the tokenizer is no list of ranks, which Meta's readers need: the folder gets a tokenizer.json instead of a tokenizer.model"
            )
        }
    }

    /// Meta's own file: the base's, or one that gives the same ids.
    private func addRanks(to output: inout Output) throws(AlpacaError) -> Bool {
        if let bytes = try folder?.bytes("tokenizer.model"), TiktokenFile.isOne(bytes) {
            output.extras.append(("tokenizer.model", bytes))
            return true
        }
        guard let bytes = try TiktokenFile.bytes(of: parts) else { return false }
        output.extras.append(("tokenizer.model", bytes))
        return true
    }

    /// The texts of the tokens with a task.
    private var specials: [(String, String)] {
        let ids = [
            ("bos_token", parts.specials.bos), ("eos_token", parts.specials.eos), ("pad_token", parts.specials.pad),
            ("unk_token", parts.specials.unknown),
        ]
        return ids.compactMap { key, id in id.map { (key, parts.pieces.text(Int($0))) } }
    }

    /// tokenizer_config.json, with what another says beside the template.
    private func configuration(_ output: inout Output, _ request: OutputRequest, before: JSONValue?) throws(AlpacaError) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        if let before, before.isObject {
            for member in before.members where member.key != "chat_template" { try json.copy(member, key: member.key) }
        } else {
            if parts.specials.addsBOS { json.member("add_bos_token", true) }
            if parts.specials.addsEOS { json.member("add_eos_token", true) }
            json.beginObject("added_tokens_decoder")
            for token in parts.added.sorted(by: { $0.id < $1.id }) where !token.content.isEmpty {
                json.beginObject(String(token.id))
                json.member("content", String(decoding: token.content, as: UTF8.self))
                json.member("lstrip", token.stripsLeft)
                json.member("normalized", token.isNormalized)
                json.member("rstrip", token.stripsRight)
                json.member("single_word", token.isSingleWord)
                json.member("special", token.isSpecial)
                json.end()
            }
            json.end()
            for (key, text) in specials { json.member(key, text) }
            json.member("clean_up_tokenization_spaces", false)
            json.member("model_max_length", request.configuration.contextLength)
            // Other classes of transformers 5 build a tokenizer of their own instead of reading tokenizer.json.
            json.member("tokenizer_class", "PreTrainedTokenizerFast")
        }
        if let warning = request.template.texts.write(to: &json) { output.warnings.append(warning) }
        json.end()
        return Array(json.text.utf8) + [0x0a]
    }
}

extension FolderFiles {
    /// A small file's bytes; nil where there is none.
    fileprivate func bytes(_ name: String) throws(AlpacaError) -> [UInt8]? {
        guard let region = try open(name) else { return nil }
        guard region.count <= TokenizerJSON.mostBytes else {
            throw AlpacaError(
                .unsupported, path: region.name, "found \(region.count) bytes, expected at most \(TokenizerJSON.mostBytes)")
        }
        return try region.bytes(at: 0, count: region.count)
    }
}

extension JSONWriter {
    /// Writes a value as it is.
    fileprivate mutating func copy(_ value: JSONValue, key: String? = nil) throws(AlpacaError) {
        if value.isObject {
            beginObject(key)
            for member in value.members { try copy(member, key: member.key) }
            end()
        } else if value.isArray {
            beginArray(key)
            for element in value.elements { try copy(element) }
            end()
        } else {
            place(value, key)
        }
    }

    private mutating func place(_ value: JSONValue, _ key: String?) {
        func write(_ text: String?) { if let key { member(key, text) } else { self.value(text) } }
        if let text = try? value.string() { return write(text) }
        if let flag = try? value.bool() {
            if let key { member(key, flag) } else { self.value(flag) }
        } else if let number = try? value.int() {
            if let key { member(key, number) } else { self.value(number) }
        } else if let number = try? value.double() {
            if let key { member(key, number) } else { self.value(number) }
        } else {
            write(nil)
        }
    }
}

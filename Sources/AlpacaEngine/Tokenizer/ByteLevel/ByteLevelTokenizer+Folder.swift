extension ByteLevelTokenizer.Parts {
    /// The byte-level tokenizer among the files of a folder: Meta's tokenizer.model since Llama 3, or a tokenizer.json of byte-level pieces where
    /// there is no tokenizer.model. nil where the folder has another kind, or none.
    ///
    /// - Throws: when it is one of byte-level pieces and can't be used; the error names the file.
    init?(_ files: some FileCollection) throws(AlpacaError) {
        if let region = try files.open("tokenizer.model") {
            guard let parts = try ByteLevelTokenizer.Parts(tiktoken: region) else { return nil }
            self = parts
            return
        }
        guard let region = try files.open("tokenizer.json") else { return nil }
        let root = try TokenizerJSON.root(region)
        guard ByteLevelTokenizer.isMeant(by: root) else { return nil }
        do throws(AlpacaError) {
            self = try ByteLevelTokenizer.Parts(tokenizerJSON: root)
            if let settings = try files.open("tokenizer_config.json") { try take(JSONDocument(settings).root) }
            takeIDs(TokenizerSettings(files))
        } catch {
            throw error.inFile(region.name)
        }
    }

    /// Meta's file; nil where the file is another.
    init?(tiktoken region: FileRegion) throws(AlpacaError) {
        guard TiktokenFile.isOne(try region.bytes(at: 0, count: min(region.count, 16))) else { return nil }
        guard region.count <= SentencePieceModel.mostBytes else {
            throw AlpacaError(.badFormat, path: region.name, "found \(region.count) bytes, expected the ranks of a vocabulary")
        }
        do throws(AlpacaError) {
            self = try TiktokenFile.parts(region.bytes(at: 0, count: region.count))
        } catch {
            throw error.inFile(region.name)
        }
    }

    /// The ids of the tokens that begin and end a text, as config.json has them, where the tokenizer's own files don't tell; and all ends that
    /// generation_config.json lists, else config.json: models of several ends list them there.
    private mutating func takeIDs(_ settings: TokenizerSettings) {
        warnings += settings.warnings
        func token(_ id: Int?) -> TokenID? { id.flatMap { pieces.indices.contains($0) ? TokenID($0) : nil } }
        specials.bos = specials.bos ?? token(settings.configuration.bos) ?? token(settings.generation.bos)
        let listed = settings.generation.ends.isEmpty ? settings.configuration.ends : settings.generation.ends
        let ends = listed.compactMap(token)
        specials.eos = specials.eos ?? ends.first
        for id in ends where id != specials.eos && id != specials.eot && !specials.ends.contains(id) {
            // A piece of text ends nothing.
            guard kinds[Int(id)] != .normal || !settings.generation.isDerived && !settings.generation.ends.isEmpty else { continue }
            if specials.eot == nil { specials.eot = id } else { specials.ends.append(id) }
        }
        for id in listed where !pieces.indices.contains(id) { strangers.append(id) }
    }

    /// Which tokens have a task, as tokenizer_config.json says: a text, or an object with its content.
    private mutating func take(_ settings: JSONValue) throws(AlpacaError) {
        func id(_ key: String) throws(AlpacaError) -> TokenID? {
            guard let value = try settings.memberIfPresent(key) else { return nil }
            return self.id(ofAdded: value.isString ? try value.string() : try value.string("content"))
        }
        if let bos = try id("bos_token") { specials.bos = bos }
        specials.eos = try id("eos_token") ?? specials.eos
        specials.pad = try id("pad_token") ?? specials.pad
        specials.unknown = try id("unk_token") ?? specials.unknown
        // Early files of Llama 3 have no post-processor for it.
        if let adds = try settings.boolIfPresent("add_bos_token") { specials.addsBOS = adds && specials.bos != nil }
        if let adds = try settings.boolIfPresent("add_eos_token") { specials.addsEOS = adds && specials.eos != nil }
    }
}

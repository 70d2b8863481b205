// What the small files of a Hugging Face folder say of tokens with a task, and of what is put around a text:
//
//   tokenizer_config.json     "eos_token": "</s>" or {"content": "</s>", ...}; "add_bos_token": true
//   special_tokens_map.json   the same texts
//   generation_config.json    "eos_token_id": 2 or [2, 32000]
//   config.json               the same ids; in the first LLaMA uploads they are wrong (bos 0, eos 1, pad -1)

/// Names and ids of tokens with a task, as files tell them; ``TaskTokens`` decides what is to be believed.
package struct TokenizerSettings: Sendable, Equatable {
    package var bos, eos, pad, unknown: String?
    /// Texts of tokens that end an answer beside ``eos``.
    package var ends: [String] = []
    package var addsBOS, addsEOS: Bool?
    package var generation = IDs()
    package var configuration = IDs()
    /// What could not be read, in sentences.
    package private(set) var warnings: [String] = []

    /// The ids of one file.
    package struct IDs: Sendable, Equatable {
        package var bos, pad: Int?
        package var ends: [Int] = []
        /// Whether transformers made them of config.json: they are worth no more then.
        package var isDerived = false
    }

    package init() {}

    package init(_ files: some FileCollection) {
        let settings = read("tokenizer_config.json", files)
        for root in [settings, read("special_tokens_map.json", files)].compactMap({ $0 }) {
            bos = bos ?? TokenizerSettings.text(root, "bos_token")
            eos = eos ?? TokenizerSettings.text(root, "eos_token")
            pad = pad ?? TokenizerSettings.text(root, "pad_token")
            unknown = unknown ?? TokenizerSettings.text(root, "unk_token")
        }
        addsBOS = flag(settings, "add_bos_token")
        addsEOS = flag(settings, "add_eos_token")
        generation = ids("generation_config.json", files)
        configuration = ids("config.json", files)
    }

    /// What a GGUF file's metadata say, by the texts of its tokens.
    package init(_ metadata: GGUFMetadata) throws(AlpacaError) {
        guard let tokens = try metadata.stringsIfPresent(GGUFKey.tokens) else { return }
        func text(_ id: Int?) -> String? { id.flatMap { tokens.indices.contains($0) && !tokens[$0].isEmpty ? tokens.text($0) : nil } }
        bos = text(metadata[GGUFKey.bosToken]?.integer)
        eos = text(metadata[GGUFKey.eosToken]?.integer)
        pad = text(metadata[GGUFKey.paddingToken]?.integer)
        unknown = text(metadata[GGUFKey.unknownToken]?.integer)
        ends = try metadata.furtherEnds().compactMap(text)
        addsBOS = try metadata.boolIfPresent(GGUFKey.addBOS)
        addsEOS = try metadata.boolIfPresent(GGUFKey.addEOS)
    }

    /// Whether nothing is said.
    package var isEmpty: Bool { self == TokenizerSettings() }

    /// These, with what `others` say in their place.
    package func merged(with others: TokenizerSettings) -> TokenizerSettings {
        var result = self
        result.bos = others.bos ?? bos
        result.eos = others.eos ?? eos
        result.pad = others.pad ?? pad
        result.unknown = others.unknown ?? unknown
        if !others.ends.isEmpty { result.ends = others.ends }
        result.addsBOS = others.addsBOS ?? addsBOS
        result.addsEOS = others.addsEOS ?? addsEOS
        if others.generation != IDs() { result.generation = others.generation }
        if others.configuration != IDs() { result.configuration = others.configuration }
        result.warnings += others.warnings
        return result
    }

    private mutating func read(_ name: String, _ files: some FileCollection) -> JSONValue? {
        do throws(AlpacaError) {
            guard let region = try files.open(name) else { return nil }
            let root = try JSONDocument(region).root
            return root.isObject ? root : nil
        } catch {
            warnings.append("\(error.message): what it says of tokens is not known")
            return nil
        }
    }

    /// A text, or an object with its content; early files have empty texts, which say nothing.
    private static func text(_ root: JSONValue, _ key: String) -> String? {
        guard let value = root[key] else { return nil }
        let text = (try? value.string()) ?? (try? value.string("content"))
        return text?.isEmpty == false ? text : nil
    }

    private mutating func flag(_ root: JSONValue?, _ key: String) -> Bool? {
        do throws(AlpacaError) {
            return try root?.boolIfPresent(key)
        } catch {
            warnings.append("\(error.message): it is passed over")
            return nil
        }
    }

    private mutating func ids(_ name: String, _ files: some FileCollection) -> IDs {
        guard let root = read(name, files) else { return IDs() }
        var ids = IDs()
        do throws(AlpacaError) {
            ids.isDerived = try root.boolIfPresent("_from_model_config") ?? false
            if let value = try root.memberIfPresent("eos_token_id") {
                if value.isArray {
                    for element in value.elements { ids.ends.append(try element.int()) }
                } else {
                    ids.ends = [try value.int()]
                }
            }
            // Early files have -1 for none.
            ids.bos = try root.intIfPresent("bos_token_id").flatMap { $0 < 0 ? nil : $0 }
            ids.pad = try root.intIfPresent("pad_token_id").flatMap { $0 < 0 ? nil : $0 }
        } catch {
            warnings.append("\(error.message): it is passed over")
        }
        ids.ends.removeAll { $0 < 0 }
        return ids
    }
}

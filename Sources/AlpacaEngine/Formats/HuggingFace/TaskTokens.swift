/// The tokens with a task that a vocabulary has, once all files have been heard.
///
/// Texts count first, then the ids of generation_config.json, then those of config.json, which must name a control piece or an added token. An
/// id that is the tokenizer's own beginning or unknown piece is no end: the first LLaMA uploads have such.
package struct TaskTokens: Sendable, Equatable {
    package var bos, eos, pad, unknown: TokenID?
    /// Tokens that end an answer beside ``eos``.
    package var ends: [TokenID] = []
    package var addsBOS = true
    package var addsEOS = false
    /// What is not as the files say, in sentences without the files' name.
    package private(set) var warnings: [String] = []

    /// The tokens among which the names and ids are looked for.
    package struct Known {
        let pieces: GGUFStrings
        let kinds: [TokenKind]
        let added: AddedTokens
        /// Rows of the embeddings.
        let rows: Int
        /// The ids that the tokenizer itself names.
        var bos, eos, pad, unknown: TokenID?

        /// A tokenizer with what was added to it.
        package init(_ model: SentencePieceModel, _ added: AddedTokens, rows: Int) {
            (pieces, kinds, self.added, self.rows) = (model.pieces, model.kinds, added, max(rows, model.pieces.count))
            (bos, eos, unknown) = (model.bos, model.eos, model.unknown)
            pad = model.paddingPiece
            for (id, token) in added.listed(in: pieces.count..<self.rows) where pad == nil {
                if SentencePieceModel.paddingNames.contains(token.text) { pad = TokenID(id) }
            }
        }

        /// The vocabulary of a GGUF file.
        init(_ metadata: GGUFMetadata) throws(AlpacaError) {
            pieces = try metadata.strings(GGUFKey.tokens)
            kinds = try PieceList(metadata).kinds
            (added, rows) = (AddedTokens(), pieces.count)
            func id(_ key: String) -> TokenID? { metadata[key]?.integer.flatMap { TokenID(exactly: $0) } }
            (bos, eos, unknown) = (id(GGUFKey.bosToken), id(GGUFKey.eosToken), id(GGUFKey.unknownToken))
            pad = id(GGUFKey.paddingToken)
        }

        func kind(_ id: Int) -> TokenKind {
            if kinds.indices.contains(id) { return kinds[id] }
            return added.tokens[id].map { $0.isSpecial ? .control : .userDefined } ?? .unused
        }

        func text(_ id: Int) -> String { pieces.indices.contains(id) ? pieces.text(id) : added.tokens[id]?.text ?? "" }

        /// The token of a text: added ones first, then control pieces, then others.
        func id(of text: String) -> TokenID? {
            if let id = added.id(of: text), id < rows { return TokenID(id) }
            let bytes = text.utf8
            for id in [bos, eos, unknown, pad].compactMap({ $0 }) where pieces.indices.contains(Int(id)) {
                if pieces[Int(id)].elementsEqual(bytes) { return id }
            }
            let same = pieces.indices.filter { pieces[$0].elementsEqual(bytes) }
            return (same.first { kinds[$0] == .control } ?? same.first).map { TokenID($0) }
        }
    }

    package init(_ settings: TokenizerSettings, _ known: Known) {
        bos = known.bos
        eos = known.eos
        unknown = known.unknown
        pad = known.pad
        addsBOS = settings.addsBOS ?? true
        addsEOS = settings.addsEOS ?? false
        if let id = find(settings.bos, "bos_token", known) { bos = id }
        if let id = find(settings.pad, "pad_token", known) { pad = id }
        if unknown == nil { unknown = find(settings.unknown, "unk_token", known) }
        var told: TokenID?
        if let id = find(settings.eos, "eos_token", known), id != known.bos || settings.eos == settings.bos { told = id }

        var found = settings.ends.compactMap { known.id(of: $0) }
        let generation = settings.generation, isOwn = !generation.isDerived && !generation.ends.isEmpty
        for id in generation.ends {
            if let id = end(id, "generation_config.json", known, isBelieved: isOwn) { found.append(id) }
        }
        if generation.ends.isEmpty {
            for id in settings.configuration.ends {
                if let id = end(id, "config.json", known, isBelieved: false) { found.append(id) }
            }
        }
        // Where no text tells, the tokenizer's own end stays if it is one of them.
        let own = eos.flatMap { found.isEmpty || found.contains($0) ? $0 : nil }
        eos = told ?? own ?? found.first ?? eos
        for id in found where id != eos && !ends.contains(id) { ends.append(id) }
        bos = bos ?? special(generation.bos ?? settings.configuration.bos, known)
        pad = pad ?? special(generation.pad ?? settings.configuration.pad, known)
    }

    private mutating func find(_ text: String?, _ key: String, _ known: Known) -> TokenID? {
        guard let text else { return nil }
        if let id = known.id(of: text) { return id }
        warnings.append("\"\(key)\" is \(text.quoted(limit: 40)), which is no token of the vocabulary: it is passed over")
        return nil
    }

    /// The token of an id that a file gives as an end; nil where it can't be one.
    private mutating func end(_ id: Int, _ file: String, _ known: Known, isBelieved: Bool) -> TokenID? {
        guard id < known.rows, let token = TokenID(exactly: id) else {
            warnings.append("\(file): \"eos_token_id\" has \(id), the vocabulary has \(known.rows) tokens: it is passed over")
            return nil
        }
        guard token != known.bos, token != known.unknown, token != known.eos else { return token == known.eos ? token : nil }
        switch known.kind(id) {
        case .control, .userDefined: return token
        case .normal where isBelieved: return token
        case .unknown: return nil
        default:
            warnings.append(
                "\(file): \"eos_token_id\" has \(id), the piece \(known.text(id).quoted(limit: 40)), which is text: it is passed over")
            return nil
        }
    }

    /// An id of a file, where it is a control piece or an added token.
    private func special(_ id: Int?, _ known: Known) -> TokenID? {
        guard let id, id < known.rows, let token = TokenID(exactly: id), token != known.unknown else { return nil }
        let kind = known.kind(id)
        return kind == .control || kind == .userDefined ? token : nil
    }
}

extension GGUFMetadata {
    /// Tokens that end an answer beside the end of a text.
    package func furtherEnds() throws(AlpacaError) -> [Int] {
        var ids: [Int] = []
        for key in [GGUFKey.eotToken, GGUFKey.eomToken] {
            if let id = self[key]?.integer, !ids.contains(id) { ids.append(id) }
        }
        for id in try intsIfPresent(GGUFKey.alpacaEnds) ?? [] where !ids.contains(Int(id)) { ids.append(Int(id)) }
        return ids
    }

    /// Tells of the tokens with a task. llama.cpp has a key for one further end; others are told under a key of our own.
    package mutating func setTasks(_ tasks: TaskTokens, count: Int) {
        func value(_ id: TokenID?) -> GGUFValue? { id.flatMap { $0 >= 0 && Int($0) < count ? .uint32(UInt32($0)) : nil } }
        let ids = [
            (GGUFKey.bosToken, tasks.bos), (GGUFKey.eosToken, tasks.eos), (GGUFKey.unknownToken, tasks.unknown),
            (GGUFKey.paddingToken, tasks.pad), (GGUFKey.eotToken, tasks.ends.first),
        ]
        for (key, id) in ids { self[key] = value(id) }
        let others = tasks.ends.dropFirst().filter { $0 >= 0 && Int($0) < count }
        self[GGUFKey.alpacaEnds] = others.isEmpty ? nil : .array(.uint32(others.map { UInt32($0) }))
        self[GGUFKey.addBOS] = .bool(tasks.addsBOS)
        self[GGUFKey.addEOS] = .bool(tasks.addsEOS)
    }
}

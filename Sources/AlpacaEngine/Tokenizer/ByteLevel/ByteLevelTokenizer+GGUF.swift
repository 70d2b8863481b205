extension ByteLevelTokenizer {
    /// From the metadata of a GGUF file. `tokenizer.ggml.pre` names the pattern; where it is missing, as in files made before May 2024, the
    /// vocabulary tells, or the file is refused: another pattern would give other ids.
    convenience init(_ gguf: GGUFMetadata) throws(AlpacaError) { try self.init(Parts(gguf)) }

    fileprivate static func parts(_ gguf: GGUFMetadata) throws(AlpacaError) -> Parts {
        let pieces = try gguf.strings(GGUFKey.tokens)
        let kinds = try ByteLevelTokenizer.kinds(gguf, count: pieces.count)
        // A piece's bytes, and the hash table by which merges find theirs.
        try LargeMemory.ask(pieces.bytes.count + 64 * pieces.count, for: "vocabulary")
        let table = try PieceTable(pieces)
        for id in 0..<pieces.count where !pieces[id].isEmpty { _ = table.add(TokenID(id), score: 0) }
        func id(_ piece: ArraySlice<UInt8>) -> TokenID? {
            let found = table.find(piece.span).token
            return found >= 0 ? found : nil
        }
        let named = try ByteLevelTokenizer.rule(gguf, count: pieces.count) { id(Array($0.utf8)[...]) }
        let list = try gguf.strings(GGUFKey.merges)
        var merges: [(left: TokenID, right: TokenID, to: TokenID)] = []
        try merges.makeRoom(for: list.count, of: "merges")
        for rank in list.indices {
            do throws(AlpacaError) {
                let merge = list[rank]
                // A blank after the first byte: pieces themselves may begin with anything but have no blank in them.
                guard let blank = merge.dropFirst().firstIndex(of: 0x20) else {
                    throw AlpacaError(
                        .badFormat, "merge \(rank): found \(list.text(rank).quoted(limit: 40)), expected two pieces with a blank between")
                }
                merges.append(try BytePairs.merge(merge[..<blank], merge[(blank + 1)...], number: rank, id))
            } catch {
                throw error.inContext("metadata key \"\(GGUFKey.merges)\"")
            }
        }
        var added: [AddedToken] = []
        for id in 0..<pieces.count where kinds[id] == .control || kinds[id] == .userDefined {
            added.append(AddedToken(content: Array(pieces[id]), id: TokenID(id), isSpecial: kinds[id] == .control))
        }
        var specials = try ByteLevelTokenizer.specials(gguf, count: pieces.count)
        specials.addsBOS = try gguf.boolIfPresent(GGUFKey.addBOS) ?? named.addsBOS
        specials.addsEOS = try gguf.boolIfPresent(GGUFKey.addEOS) ?? false
        return Parts(
            pieces: pieces, kinds: kinds, merges: merges, added: added, rule: named.rule, normalizes: named.normalizes,
            ignoresMerges: named.ignoresMerges, specials: specials)
    }

    /// The types of pieces; all are normal where the file has no list.
    private static func kinds(_ gguf: GGUFMetadata, count: Int) throws(AlpacaError) -> [TokenKind] {
        guard let types = try gguf.intsIfPresent(GGUFKey.tokenTypes) else { return [TokenKind](repeating: .normal, count: count) }
        guard types.count == count else {
            throw AlpacaError(
                .badFormat, "metadata key \"\(GGUFKey.tokenTypes)\": found \(types.count) types, expected one for each of \(count) pieces")
        }
        var kinds: [TokenKind] = []
        for (id, type) in types.enumerated() {
            guard let kind = UInt8(exactly: type).flatMap(TokenKind.init(rawValue:)) else {
                throw AlpacaError(.badFormat, "metadata key \"\(GGUFKey.tokenTypes)\": piece \(id): found \(type), expected 1 to 6")
            }
            kinds.append(kind)
        }
        return kinds
    }

    /// Ids outside the vocabulary count as none: no default is known that fits all.
    private static func specials(_ gguf: GGUFMetadata, count: Int) throws(AlpacaError) -> SpecialTokens {
        func id(_ key: String) throws(AlpacaError) -> TokenID? {
            try gguf.uintIfPresent(key).flatMap { $0 < count ? TokenID($0) : nil }
        }
        return SpecialTokens(
            bos: try id(GGUFKey.bosToken), eos: try id(GGUFKey.eosToken), unknown: try id(GGUFKey.unknownToken),
            pad: try id(GGUFKey.paddingToken), eot: try id(GGUFKey.eotToken),
            ends: try gguf.furtherEnds().compactMap { $0 >= 0 && $0 < count ? TokenID($0) : nil })
    }

    private static func rule(_ gguf: GGUFMetadata, count: Int, _ id: (String) -> TokenID?) throws(AlpacaError) -> SplitRule.Named {
        let stated = try gguf.stringIfPresent(GGUFKey.tokenizerPre)
        if let stated, stated != "default", !stated.isEmpty {
            if let named = SplitRule.Named.find(stated) { return named }
            throw AlpacaError(
                .unsupported, at: "metadata key \"\(GGUFKey.tokenizerPre)\"", found: stated.quoted(limit: 40),
                expected: "one of \(SplitRule.Named.names.joined(separator: ", ")) or of the same kind")
        }
        if let name = SplitRule.Named.infer(count: count, id: id), let named = SplitRule.Named.find(name) { return named }
        throw AlpacaError(
            .unsupported,
            "metadata key \"\(GGUFKey.tokenizerPre)\" is missing, and \(count) pieces are no known vocabulary's: how text is cut into words is not "
                + "known")
    }
}

extension ByteLevelTokenizer.Parts {
    /// From the metadata of a GGUF file.
    init(_ gguf: GGUFMetadata) throws(AlpacaError) { self = try ByteLevelTokenizer.parts(gguf) }
}

// The tokens of a conversation that a chat template has rendered. The template's own text names special tokens; what a caller wrote is text,
// whatever it looks like.

extension Tokenizer {
    /// The tokens of what a template rendered: special tokens where the template itself wrote their names. What stands between two of them is one
    /// text, whoever wrote which part of it. Nothing is put around it.
    ///
    /// - Returns: a beginning of them when `stop` is set meanwhile.
    /// - Throws: `outOfMemory`.
    package func ids(of pieces: [JinjaPiece], stop: CancelFlag? = nil) throws(AlpacaError) -> [TokenID] {
        // The bytes, and their ids in a list that grows by doubling.
        let size = pieces.reduce(0) { $0 + $1.text.utf8.count }
        try LargeMemory.ask(size, of: 3 * MemoryLayout<TokenID>.size + 4, for: "tokens of a conversation")
        var text: [UInt8] = []
        text.reserveCapacity(size)
        var own: [Range<Int>] = []
        for piece in pieces {
            let start = text.count
            text += piece.text.utf8
            if !piece.isInput, start < text.count { own.append(start..<text.count) }
        }
        var ids: [TokenID] = []
        ids.reserveCapacity(size / 3 + 8)
        let terms = EncodingTerms(stop: stop, mayAsk: true)
        let refusal = templateTokens.cut(text.span, special: true, within: own) { range, token in
            if let token {
                ids.append(token)
                return nil
            }
            return encode(part: text[range], isBeginning: true, terms: terms, to: &ids)
        }
        if let refusal { throw refusal }
        return ids
    }

    /// The special token that a text of the template's own begins with.
    func specialToken(at start: String) -> TokenID? {
        let bytes = Array(start.utf8)
        var found: TokenID?
        _ = templateTokens.cut(bytes.span, special: true) { range, token in
            if range.lowerBound == 0 { found = token }
            // One look is enough.
            return AlpacaError(.cancelled, "found")
        }
        return found
    }

    /// Special tokens, and those with a task where a file gives them no kind of their own.
    static func namedTokens(_ model: any TokenizerModel) -> [AddedToken] {
        var tokens = model.specialTokens
        var known = Set(tokens.map(\.id))
        let specials = model.specials
        for id in [specials.bos, specials.eos, specials.eot, specials.pad].compactMap({ $0 }) + model.endings {
            guard Int(id) < model.count, id >= 0, known.insert(id).inserted else { continue }
            let piece = model.piece(id)
            let isMarked = piece.hasPrefix("<") && piece.hasSuffix(">")
            guard model.kind(id) != .normal && model.kind(id) != .byte || isMarked else { continue }
            tokens.append(AddedToken(content: Array(piece.utf8), id: id, isSpecial: true))
        }
        return tokens
    }
}

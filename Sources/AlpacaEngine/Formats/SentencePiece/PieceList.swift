/// The pieces of a vocabulary with their scores and kinds, one of each for every row of a model's embeddings.
package struct PieceList: Sendable, Equatable {
    package var pieces: GGUFStrings
    package var scores: [Float]
    package var kinds: [TokenKind]

    /// The score that llama.cpp's converter gives to what was added to a vocabulary; what pieces are joined by is above it.
    static let addedScore: Float = -1_000

    init() {
        pieces = GGUFStrings()
        scores = []
        kinds = []
    }

    package init(_ model: SentencePieceModel) {
        pieces = model.pieces
        scores = model.scores
        kinds = model.kinds
    }

    /// From the metadata of a GGUF file. Scores and types may be left out, as llama.cpp's loader has it: scores are zeros then, and what a piece
    /// is called tells its type.
    package init(_ gguf: GGUFMetadata) throws(AlpacaError) {
        pieces = try gguf.strings(GGUFKey.tokens)
        let count = pieces.count
        let scores = try gguf.floatsIfPresent(GGUFKey.scores), types = try gguf.intsIfPresent(GGUFKey.tokenTypes)
        guard scores?.count ?? count == count, types?.count ?? count == count else {
            throw AlpacaError(
                .badFormat,
                "vocabulary: found \(count) pieces, \(scores?.count ?? count) scores and \(types?.count ?? count) types, expected as many of each"
            )
        }
        try LargeMemory.ask(count, of: 5, for: "vocabulary")
        self.scores = scores ?? [Float](repeating: 0, count: count)
        kinds = []
        guard let types else {
            kinds = try PieceList.guessed(pieces, gguf)
            return
        }
        try kinds.makeRoom(for: count, of: "vocabulary")
        for (index, type) in types.enumerated() {
            guard let kind = UInt8(exactly: type).flatMap(TokenKind.init(rawValue:)) else {
                throw AlpacaError(.badFormat, "metadata key \"\(GGUFKey.tokenTypes)\": found \(type) for token \(index), expected 1 to 6")
            }
            kinds.append(kind)
        }
    }

    /// The kinds of a vocabulary that has no types: bytes are known by their names if all are there, special tokens by the keys that name them.
    private static func guessed(_ pieces: GGUFStrings, _ gguf: GGUFMetadata) throws(AlpacaError) -> [TokenKind] {
        var kinds = [TokenKind](repeating: .normal, count: pieces.count)
        let bytes = pieces.indices.filter { TokenKind.byte(pieces[$0]) != nil }
        if Set(bytes.compactMap { TokenKind.byte(pieces[$0]) }).count == 256 {
            for id in bytes { kinds[id] = .byte }
        }
        let special: [(String, Int, TokenKind)] = [
            (GGUFKey.bosToken, 1, .control), (GGUFKey.eosToken, 2, .control), (GGUFKey.unknownToken, 0, .unknown),
        ]
        for (key, usual, kind) in special {
            let id = try gguf.uintIfPresent(key) ?? usual
            if kinds.indices.contains(id), kinds[id] == .normal { kinds[id] = kind }
        }
        return kinds
    }

    /// Adds what is behind the pieces: added tokens at their places, and for the other rows unused pieces that no text can become.
    ///
    /// - Parameter rows: how many there are to be; no fewer than there are.
    package mutating func extend(by added: AddedTokens, to rows: Int) throws(AlpacaError) {
        let first = pieces.count
        guard rows > first else { return }
        // Texts, ends, scores and kinds, which grow by doubling.
        try LargeMemory.ask(rows, of: 80, for: "vocabulary")
        try LargeMemory.ask(pieces.bytes.count, of: 3, for: "vocabulary")
        let names = fillers(first..<rows, added)
        for id in first..<rows {
            if let token = added.tokens[id] {
                pieces.append(token.piece)
                kinds.append(token.isSpecial ? .control : .userDefined)
            } else {
                pieces.append(names[id - first].utf8)
                kinds.append(.unused)
            }
            scores.append(PieceList.addedScore)
        }
    }

    /// `[extra_id_N]`, with more underscores where a piece is called so already.
    private func fillers(_ ids: Range<Int>, _ added: AddedTokens) -> [String] {
        var taken: Set<String> = []
        for id in pieces.indices where pieces[id].starts(with: "[extra_id".utf8) { taken.insert(pieces.text(id)) }
        for token in added.tokens.values { taken.insert(token.text) }
        return ids.map { id in
            var name = "[extra_id_\(id)]"
            while !taken.insert(name).inserted { name = "[extra_id_" + name.dropFirst("[extra_id".count) }
            return name
        }
    }

    /// What is behind the pieces proper, as ``extend(by:to:)`` and llama.cpp's converter put it there, apart from them.
    package func divided() -> (pieces: PieceList, added: AddedTokens) {
        var end = pieces.count
        while end > 1, scores[end - 1] == PieceList.addedScore, [.unused, .control, .userDefined].contains(kinds[end - 1]) { end -= 1 }
        guard end < pieces.count else { return (self, AddedTokens()) }
        var added = AddedTokens()
        var result = self
        result.pieces = GGUFStrings()
        for id in pieces.indices {
            if id < end {
                result.pieces.append(pieces[id])
            } else if kinds[id] != .unused {
                added.add(id, piece: pieces.text(id), isSpecial: kinds[id] == .control)
            }
        }
        result.scores.removeSubrange(end...)
        result.kinds.removeSubrange(end...)
        return (result, added)
    }
}

extension TokenKind {
    /// The byte of a piece "<0x0A>".
    static func byte(_ piece: ArraySlice<UInt8>) -> UInt8? {
        let at = piece.startIndex
        guard piece.count == 6, piece[at] == UInt8(ascii: "<"), piece[at + 1] == UInt8(ascii: "0"), piece[at + 2] == UInt8(ascii: "x"),
            let high = hexDigit(piece[at + 3]), let low = hexDigit(piece[at + 4]), piece[at + 5] == UInt8(ascii: ">")
        else { return nil }
        return high << 4 | low
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

/// What byte-pair encoding needs: a list of merges, each of which joins two pieces of the vocabulary to a third.
enum BytePairs {
    /// A merge as text has a blank between its two pieces.
    static func parts(of merge: String) -> [String] {
        merge.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    }

    /// A merge in tokens.
    ///
    /// - Parameters:
    ///   - number: of the merge, from 0.
    ///   - id: the token of a piece.
    static func merge(
        _ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>, number: Int, _ id: (ArraySlice<UInt8>) -> TokenID?
    ) throws(AlpacaError) -> (left: TokenID, right: TokenID, to: TokenID) {
        func known(_ piece: ArraySlice<UInt8>) throws(AlpacaError) -> TokenID {
            if let id = id(piece) { return id }
            throw AlpacaError(.badFormat, "merge \(number): found \(piece.quoted(limit: 40)), which is not in the vocabulary")
        }
        return (try known(left), try known(right), try known((Array(left) + Array(right))[...]))
    }

    /// - Parameter number: of the merge, from 0.
    static func check(_ parts: [String], merge number: Int, _ pieces: Set<String>) throws(AlpacaError) {
        guard parts.count == 2 else { throw AlpacaError(.badFormat, "merge \(number): found \(parts.count) parts, expected two") }
        for piece in [parts[0], parts[1], parts[0] + parts[1]] where !pieces.contains(piece) {
            throw AlpacaError(.badFormat, "merge \(number): found \(piece.quoted(limit: 40)), which is not in the vocabulary")
        }
    }
}

extension GGUFMetadata {
    /// Throws when a vocabulary of byte pairs is not whole. Such a tokenizer is carried from file to file, not used.
    package func checkBytePairs() throws(AlpacaError) {
        let tokens = try strings(GGUFKey.tokens)
        let merges = try strings(GGUFKey.merges)
        // A string, in a table that grows by doubling.
        try LargeMemory.ask(tokens.count, of: 128, for: "vocabulary")
        var pieces: Set<String> = []
        for index in tokens.indices { pieces.insert(tokens.text(index)) }
        for index in merges.indices {
            do throws(AlpacaError) {
                try BytePairs.check(BytePairs.parts(of: merges.text(index)), merge: index, pieces)
            } catch {
                throw error.inContext("metadata key \"\(GGUFKey.merges)\"")
            }
        }
    }
}

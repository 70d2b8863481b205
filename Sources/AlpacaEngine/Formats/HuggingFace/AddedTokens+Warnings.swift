// Added tokens that a model can't have: what is left out is told, in the same words wherever files are opened.

extension AddedTokens {
    /// What is to be told of tokens that have no row, whose id is another's, or whose text is a piece already.
    ///
    /// - Parameters:
    ///   - pieces: of the tokenizer to which they were added.
    ///   - rows: of the embeddings.
    package func warnings(pieces: GGUFStrings, rows: Int, path: String) -> [String] {
        var groups: [(first: String, count: Int, end: String)] = []
        func add(_ found: [String], _ end: String) {
            if let first = found.first { groups.append((first, found.count, end)) }
        }
        let sorted = tokens.sorted { $0.key < $1.key }
        func name(_ text: String, _ id: Int) -> String { "the added token \(text.quoted(limit: 40)) has the id \(id)" }
        add(sorted.filter { $0.key >= rows }.map { name($1.text, $0) }, ", but the embeddings have \(rows) rows: it is left out")
        add(
            sorted.filter { id, token in
                pieces.indices.contains(id) && !pieces[id].elementsEqual(token.text.utf8) && !pieces[id].elementsEqual(token.piece)
            }.map { id, token in "\(name(token.text, id)), which is that of the piece \(pieces.text(id).quoted(limit: 40))" },
            ": it is left out")
        add(
            losers.map { "\(name($0.text, $0.id)), which is that of the added token \($0.winner.quoted(limit: 40))" }, ": it is left out")
        let behind = sorted.filter { $0.key >= pieces.count && $0.key < rows }
        if !behind.isEmpty {
            var ids: [[UInt8]: Int] = [:]
            for (id, token) in behind.reversed() { ids[token.piece] = id }
            var same: [Int: Int] = [:]
            for id in pieces.indices {
                if let added = ids[Array(pieces[id])], same[added] == nil { same[added] = id }
            }
            add(
                behind.compactMap { id, token in
                    if let piece = same[id] { return "\(name(token.text, id)), but its text is that of piece \(piece)" }
                    guard let first = ids[token.piece], first != id else { return nil }
                    return "\(name(token.text, id)), but its text is that of the added token \(first)"
                }, ": no text becomes it, it is left out")
        }
        return groups.map { first, count, end in
            let more = count > 1 ? ", and so \(count == 2 ? "is" : "are") \(count - 1) more" : ""
            return "\(path): \(first)\(end)\(more)"
        }
    }

    /// The same for what files tell of beside a vocabulary to which nothing was added.
    ///
    /// - Parameter known: what the model has at those ids.
    package func warnings(pieces: GGUFStrings, known: AddedTokens, rows: Int, path: String) -> [String] {
        var others = warnings(pieces: pieces, rows: rows, path: path)
        let lost = listed(in: pieces.count..<max(pieces.count, rows)).filter { known.tokens[$0.id]?.text != $0.token.text }
        if let first = lost.first {
            let more = lost.count > 1 ? ", and so \(lost.count == 2 ? "is" : "are") \(lost.count - 1) more" : ""
            let holder = known.tokens[first.id].map { "is \($0.text.quoted(limit: 40)) there" } ?? "has no token there"
            others.append(
                "\(path): the added token \(first.token.text.quoted(limit: 40)) has the id \(first.id), but the model \(holder), and no "
                    + "embeddings come with it: it is left out\(more)")
        }
        return others
    }
}

// The low level of a session: tokens in, logits out.

extension Session {
    /// Reads `ids` after what the session holds; ``withLogits(_:)`` then gives the logits for the token that follows them.
    ///
    /// - Throws: `contextFull` when they do not fit (nothing is read then), `invalidArgument` for an id outside the vocabulary,
    ///   `cancelled` (what was read before stays).
    public func append(_ ids: [TokenID]) throws(AlpacaError) {
        try exclusively { () throws(AlpacaError) in
            try check(ids)
            try evaluate(ids[...])
        }
    }

    /// Calls `body` with the logits of the last position, one a piece of the vocabulary.
    ///
    /// - Throws: `invalidArgument` when nothing has been read since the session was made or truncated.
    public func withLogits<R>(_ body: (Span<Float>) throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        try reading { () throws(AlpacaError) -> R in try lastLogits(body) }
    }

    func lastLogits<R>(_ body: (Span<Float>) throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        guard hasLogits else {
            throw AlpacaError(.invalidArgument, "the session has no logits: append at least one token first")
        }
        let size = model.configuration.vocabularySize
        // Bound: the workspace has `size` floats there.
        return try unsafe body(Span(_unsafeStart: UnsafePointer(forward.workspace.lastLogits), count: size))
    }

    /// Draws the next token from the logits of the last position; it is not appended. With a seed, what is drawn depends on the seed, the
    /// position and the logits alone.
    public func sample(_ parameters: SamplingParameters = .init()) throws(AlpacaError) -> TokenID {
        try exclusively { () throws(AlpacaError) -> TokenID in
            try parameters.validate(vocabularySize: model.configuration.vocabularySize)
            guard hasLogits else {
                throw AlpacaError(.invalidArgument, "the session has no logits: append at least one token first")
            }
            return try draw(parameters)
        }
    }

    /// Forgets all positions from `length` on. `length` above ``position`` changes nothing.
    public func truncate(to length: Int) throws(AlpacaError) {
        try exclusively { () throws(AlpacaError) in
            guard length >= 0 else { throw AlpacaError(.invalidArgument, "length: found \(length), expected 0 or more") }
            forget(from: length)
        }
    }

    /// Logits of the positions of `ids` from `first` on, which are read after what the session holds: `body` gets the index in `ids` and the
    /// logits.
    package func evaluate(
        _ ids: [TokenID], from first: Int = 0, everyPosition body: (Int, Span<Float>) throws(AlpacaError) -> Void
    ) throws(AlpacaError) {
        try exclusively { () throws(AlpacaError) in try score(ids, from: first, body) }
    }

    // MARK: - For calls that hold the session

    func score(_ ids: [TokenID], from first: Int, _ body: (Int, Span<Float>) throws(AlpacaError) -> Void) throws(AlpacaError) {
        try check(ids)
        var done = 0
        while done < ids.count {
            let count = min(batchSize, ids.count - done)
            try runBatch(ids[done..<done + count])
            var row = max(0, first - done)
            while row < count {
                let rows = row..<min(count, row + forward.workspace.logitRows)
                guard forward.logits(rows: rows) else { throw Session.cancelled }
                let size = model.configuration.vocabularySize
                for i in 0..<rows.count {
                    // Bound: i < logitRows, each of `size` floats.
                    try unsafe body(
                        done + row + i, Span(_unsafeStart: UnsafePointer(forward.workspace.logits + i * size), count: size))
                }
                row = rows.upperBound
            }
            done += count
        }
        if !ids.isEmpty { try finishBatch(lastRow: (ids.count - 1) % batchSize) }
    }

    static var cancelled: AlpacaError { AlpacaError(.cancelled, "the call was cancelled") }

    func checkCancelled() throws(AlpacaError) {
        if forward.cancelFlag.isSet { throw Session.cancelled }
    }

    func check(_ ids: some RandomAccessCollection<TokenID>) throws(AlpacaError) {
        let size = model.configuration.vocabularySize
        for (index, id) in ids.enumerated() where id < 0 || Int(id) >= size {
            throw AlpacaError(.invalidArgument, "token id at index \(index): found \(id), expected 0 ... \(size - 1)")
        }
        guard ids.count <= contextLength - position else {
            throw AlpacaError(
                .contextFull, "\(ids.count) tokens do not fit: \(position) of \(contextLength) positions (n_ctx) are in use")
        }
    }

    /// Reads checked ids in batches and computes the last one's logits.
    func evaluate(_ ids: ArraySlice<TokenID>) throws(AlpacaError) {
        guard !ids.isEmpty else { return }
        var rest = ids
        var lastCount = 0
        while !rest.isEmpty {
            let part = rest.prefix(batchSize)
            try runBatch(part)
            lastCount = part.count
            rest = rest.dropFirst(part.count)
        }
        try finishBatch(lastRow: lastCount - 1)
    }

    /// Reads one token: the step of writing. Allocates nothing.
    func evaluate(_ id: TokenID) throws(AlpacaError) {
        try model.llama.weights.store.checkFiles()
        hasLogits = false
        forward.clear()
        let one = CollectionOfOne(id)
        forward.add(one.span, to: cache)
        guard forward.run() else { throw Session.cancelled }
        cache.advance(by: 1)
        remember(CollectionOfOne(id))
        try finishBatch(lastRow: 0)
    }

    private func runBatch(_ ids: ArraySlice<TokenID>) throws(AlpacaError) {
        try model.llama.weights.store.checkFiles()
        hasLogits = false
        forward.clear()
        forward.add(ids.span, to: cache)
        guard forward.run() else { throw Session.cancelled }
        cache.advance(by: ids.count)
        remember(ids)
    }

    private func finishBatch(lastRow: Int) throws(AlpacaError) {
        guard forward.logits(row: lastRow) else { throw Session.cancelled }
        hasLogits = true
    }
}

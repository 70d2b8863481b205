// The low level of a session: tokens in, logits out.

extension Session {
    /// Reads `ids` after what the session holds; ``withLogits(_:)`` then gives the logits for the token that follows them.
    ///
    /// - Throws: `contextFull` when they do not fit (nothing is read then), `invalidArgument` for an id outside the vocabulary,
    ///   `cancelled` (what was read before stays), `outOfMemory` for a session that grows on demand (nothing is read then).
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
        // Bound: the sequence has `size` floats there.
        return try unsafe body(Span(_unsafeStart: UnsafePointer(sequence.lastLogits), count: size))
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

    /// Forgets all positions from `length` on and gives their memory back. `length` above ``position`` changes nothing.
    public func truncate(to length: Int) throws(AlpacaError) {
        try exclusively { () throws(AlpacaError) in
            guard length >= 0 else { throw AlpacaError(.invalidArgument, "length: found \(length), expected 0 or more") }
            model.runnable.executor.settleAnyway(ticket)
            sequence.truncate(to: length)
        }
    }

    /// The same, but their memory is kept for what is read next.
    func rewind(to length: Int) throws(AlpacaError) { try exclusively { () throws(AlpacaError) in forget(from: length) } }

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
        guard !ids.isEmpty, first >= 0 else { return }
        let executor = model.runnable.executor
        try executor.settle(ticket)
        var done = try sequence.prepare(for: ids[...], shared: first)
        while done < ids.count {
            let part = ids[done..<min(ids.count, done + executor.fairRows(ticket))]
            try executor.exclusively(ticket) { (backend) throws(AlpacaError) in
                try score(part, from: max(0, first - done), isLast: part.endIndex == ids.count, backend) {
                    (index, logits) throws(AlpacaError) in try body(done + index, logits)
                }
            }
            done += part.count
        }
    }

    /// One batch of a text whose logits are wanted.
    private func score(
        _ ids: ArraySlice<TokenID>, from first: Int, isLast: Bool, _ backend: Executor.Computer,
        _ body: (Int, Span<Float>) throws(AlpacaError) -> Void
    ) throws(AlpacaError) {
        try model.runnable.executor.checkFiles()
        let size = model.configuration.vocabularySize
        let isRead = unsafe ids.withUnsafeBufferPointer { ids in
            sequence.hasLogits = false
            backend.beginBatch(threads: threadCount)
            unsafe _ = backend.add(ids, at: sequence.count, of: sequence.view)
            backend.heed(cancelFlag, caller: 0)
            guard backend.run(leavingFor: nil) == .done else { return false }
            RuntimeLock.withLock { unsafe sequence.append(ids) }
            return true
        }
        guard isRead else { throw Session.cancelled }
        var row = first
        while row < ids.count {
            let rows = row..<min(ids.count, row + backend.mostScoredRows)
            guard let logits = unsafe backend.logits(rows) else { throw Session.cancelled }
            for i in 0..<rows.count {
                // Bound: i < rows.count, each of `size` floats.
                try unsafe body(row + i, Span(_unsafeStart: logits + i * size, count: size))
            }
            row = rows.upperBound
        }
        guard isLast else { return }
        guard let logits = unsafe backend.logits(ids.count - 1..<ids.count) else { throw Session.cancelled }
        // Bound: both have `size` floats.
        unsafe sequence.lastLogits.update(from: logits, count: size)
        sequence.hasLogits = true
    }

    static var cancelled: AlpacaError { Executor.cancelled }

    func checkCancelled() throws(AlpacaError) {
        if cancelFlag.isSet { throw Session.cancelled }
    }

    func checkIDs(_ ids: some RandomAccessCollection<TokenID>) throws(AlpacaError) {
        let size = model.configuration.vocabularySize
        for (index, id) in ids.enumerated() where id < 0 || Int(id) >= size {
            throw AlpacaError(.invalidArgument, "token id at index \(index): found \(id), expected 0 ... \(size - 1)")
        }
    }

    func check(_ ids: some RandomAccessCollection<TokenID>) throws(AlpacaError) {
        try checkIDs(ids)
        guard ids.count <= contextLength - position else {
            throw AlpacaError(
                .contextFull, "\(ids.count) tokens do not fit: \(position) of \(contextLength) positions (n_ctx) are in use")
        }
    }

    /// Reads checked ids and computes the last one's logits.
    ///
    /// - Returns: how many of them another session had read after the same beginning, so that they needed not be read.
    @discardableResult
    func evaluate(_ ids: ArraySlice<TokenID>) throws(AlpacaError) -> Int {
        guard !ids.isEmpty else { return 0 }
        let executor = model.runnable.executor
        try executor.settle(ticket)
        let found = try sequence.prepare(for: ids)
        do throws(AlpacaError) {
            try unsafe ids.dropFirst(found).withUnsafeBufferPointer { (ids) throws(AlpacaError) in
                unsafe ticket.ask(ids)
                try executor.run(ticket)
            }
        } catch {
            // The memory for what was not read.
            sequence.trim()
            throw error
        }
        return found
    }

    /// Reads one token: the step of writing. Allocates nothing.
    func evaluate(_ id: TokenID) throws(AlpacaError) {
        var id = id
        let executor = model.runnable.executor
        try executor.settle(ticket)
        try sequence.prepareForOne()
        try unsafe withUnsafePointer(to: &id) { (id) throws(AlpacaError) in
            unsafe ticket.ask(UnsafeBufferPointer(start: id, count: 1))
            try executor.run(ticket)
        }
    }
}

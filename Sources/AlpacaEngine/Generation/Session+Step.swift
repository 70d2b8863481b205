// Several sessions of one model read their next tokens together: each matrix is read from memory once for all of them. What a server needs
// that writes several answers at once, and that reads a new prompt while others are being written.

extension Session {
    /// Reads each input's `ids` after what its session holds; ``withLogits(_:)`` and ``sample(_:)`` of each session then tell what follows its
    /// last one. Logits are those of separate calls of ``append(_:)``, to the last bit.
    ///
    /// The first input's session lends its threads and its buffers: its ``threadCount`` and ``batchSize`` hold for the call. More ids than
    /// that are read in several batches, in the order of the inputs.
    ///
    /// - Parameter inputs: sessions of one model, each once, and one id or more for each.
    /// - Throws: `invalidArgument`, `contextFull` when the ids of one do not fit, `busy` when a session is in use: nothing has changed then.
    ///   `cancelled` when ``cancel()`` of any of the sessions was called: each holds what it held before, and has no logits.
    public static func step(_ inputs: [(session: Session, ids: [TokenID])]) throws(AlpacaError) {
        var claimed = 0
        defer { for input in inputs[..<claimed] { input.session.release() } }
        for (index, input) in inputs.enumerated() {
            guard input.session.claim() else {
                // Who holds it may be this very call.
                guard let first = inputs[..<index].firstIndex(where: { $0.session === input.session }) else {
                    throw busy.inContext("inputs[\(index)].session")
                }
                throw AlpacaError(.invalidArgument, "inputs[\(index)].session: found that of inputs[\(first)], expected each session once")
            }
            claimed += 1
        }
        let lender = try check(inputs)
        try lender.model.llama.weights.store.checkFiles()
        for input in inputs { input.session.hasLogits = false }
        let flags = inputs.lazy.map { $0.session.forward.cancelFlag }
        guard lender.forward.heeding(flags, { read(inputs, lender.forward) }) else {
            for input in inputs { input.session.cache.truncate(to: input.session.history.count) }
            throw cancelled
        }
        for input in inputs {
            input.session.remember(input.ids)
            input.session.hasLogits = true
        }
    }

    /// Whether all inputs can be read; the session that lends what it computes with.
    private static func check(_ inputs: [(session: Session, ids: [TokenID])]) throws(AlpacaError) -> Session {
        guard let lender = inputs.first?.session else {
            throw AlpacaError(.invalidArgument, "inputs: found none, expected at least one")
        }
        for (index, input) in inputs.enumerated() {
            guard input.session.model === lender.model else {
                throw AlpacaError(.invalidArgument, "inputs[\(index)].session: found one of another model than that of inputs[0]")
            }
            guard !input.ids.isEmpty else {
                throw AlpacaError(.invalidArgument, "inputs[\(index)].ids: found none, expected at least one")
            }
            do throws(AlpacaError) {
                try input.session.check(input.ids)
            } catch {
                throw error.inContext("inputs[\(index)].ids")
            }
        }
        return lender
    }

    /// Reads checked inputs in batches: fills caches, which are then ahead of what the sessions remember, and writes logits. False when it was
    /// cancelled.
    private static func read(_ inputs: [(session: Session, ids: [TokenID])], _ forward: LlamaForward) -> Bool {
        // The next id to be read is inputs[next].ids[from].
        var next = 0
        var from = 0
        while next < inputs.count {
            let first = next
            forward.clear()
            while next < inputs.count, forward.room > 0 {
                let (session, ids) = inputs[next]
                let count = min(forward.room, ids.count - from)
                forward.add(ids[from..<from + count].span, to: session.cache)
                from += count
                if from == ids.count { (next, from) = (next + 1, 0) }
            }
            guard forward.run() else { return false }
            for index in first..<(from == 0 ? next : next + 1) {
                inputs[index].session.cache.advance(by: forward.rows(ofSequence: index - first).count)
            }
            // Of the sessions whose last id this was.
            var done = first
            while done < next {
                let count = min(next - done, forward.workspace.logitRows)
                let isWhole = forward.logits(count) { i in
                    unsafe ForwardOutput(
                        row: forward.rows(ofSequence: done + i - first).upperBound - 1,
                        place: inputs[done + i].session.forward.workspace.lastLogits)
                }
                guard isWhole else { return false }
                done += count
            }
        }
        return true
    }
}

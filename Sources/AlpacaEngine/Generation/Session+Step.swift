// Several sessions of one model read their next tokens together: each matrix is read from memory once for all of them. What a server needs
// that writes several answers at once, and that reads a new prompt while others are being written.

extension Session {
    /// Reads each input's `ids` after what its session holds; ``withLogits(_:)`` and ``sample(_:)`` of each session then tell what follows its
    /// last one. Logits are those of separate calls of ``append(_:)``, to the last bit.
    ///
    /// The first input's session's ``threadCount`` and ``batchSize`` hold for the call. More ids than that are read in several batches, in
    /// the order of the inputs.
    ///
    /// - Parameter inputs: sessions of one model, each once, and one id or more for each.
    /// - Throws: `invalidArgument`, `contextFull` when the ids of one do not fit, `busy` when a session is in use: nothing has changed then. The same for
    ///   `outOfMemory`, when a session grows on demand.
    ///   `cancelled` when ``cancel()`` of any of the sessions was called: each holds what it held before, and has no logits.
    public static func step(_ inputs: [(session: Session, ids: [TokenID])]) throws(AlpacaError) {
        try FloatState.standard { () throws(AlpacaError) in try stepTogether(inputs) }
    }

    private static func stepTogether(_ inputs: [(session: Session, ids: [TokenID])]) throws(AlpacaError) {
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
        let first = try check(inputs)
        let executor = first.model.runnable.executor
        let sequences = inputs.map(\.session.sequence)
        let ticket = Ticket(
            sequences, flags: inputs.map(\.session.cancelFlag), batchSize: first.batchSize, threadCount: first.threadCount)
        try executor.settle(ticket)
        defer { executor.departed(ticket) }
        // All ids in one list, so that they stay where they are while any thread reads them.
        var ids: [TokenID] = []
        try ids.makeRoom(for: inputs.reduce(0) { $0 + $1.ids.count }, of: "inputs")
        for input in inputs { ids += input.ids }

        let before = inputs.map {
            (length: $0.session.position, hasLogits: $0.session.hasLogits, angles: $0.session.sequence.angleLength)
        }
        func goBack(keepingLogits: Bool) {
            for (sequence, before) in zip(sequences, before) {
                sequence.rewind(to: before.length)
                sequence.restoreAngles(before.angles)
                sequence.hasLogits = before.hasLogits && keepingLogits
                sequence.trim()
            }
        }
        var found: [Int] = []
        for (index, input) in inputs.enumerated() {
            do throws(AlpacaError) {
                found.append(try input.session.sequence.prepare(for: input.ids[...]))
            } catch {
                goBack(keepingLogits: true)
                throw error.inContext("inputs[\(index)].session")
            }
        }
        do throws(AlpacaError) {
            try unsafe ids.withUnsafeBufferPointer { (all) throws(AlpacaError) in
                var start = 0
                for (index, input) in inputs.enumerated() {
                    // Bounds: the inputs' ids lie one behind the other; of each at least the last is not found.
                    let own = unsafe UnsafeBufferPointer(rebasing: all[start + found[index]..<start + input.ids.count])
                    unsafe ticket.ask(own, of: index)
                    start += input.ids.count
                }
                try executor.run(ticket)
            }
        } catch {
            goBack(keepingLogits: false)
            throw error
        }
    }

    /// Whether all inputs can be read; the first session, whose threads and batch size hold for the call.
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
}

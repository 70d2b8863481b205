// The steps of an executor. All of this is called with the lock held, which is given up while a step computes.

extension Executor {
    /// Whether the call may run a step now.
    func mayLead(_ ticket: Ticket) -> Bool {
        guard !isRunning else { return false }
        if isLeft { return ticket.isInBatch }
        return queue.shares(ticket) && pace.isReady(at: Clock.now())
    }

    /// Runs a step for all who wait, or goes on with one that was left.
    func lead(_ ticket: Ticket) {
        isRunning = true
        defer {
            isRunning = false
            wakeNext()
        }
        if !isLeft {
            RuntimeLock.unlock()
            var problem: AlpacaError?
            do throws(AlpacaError) { try store.checkFiles() } catch { problem = error }
            RuntimeLock.lock()
            if let problem { return fail(with: problem) }
            formBatch()
        }
        isLeft = false
        guard let backend, unsafe !batch.isEmpty else {
            // Without a step nobody would come any further.
            return fail(with: AlpacaError(.internalError, "a step of an executor without \(backend == nil ? "a backend" : "rows")"))
        }
        // A call without rows in the step, for which there was no room, must be able to leave as well.
        var caller = Executor.withoutRows
        if ticket.isInBatch {
            caller = unsafe batch.firstIndex { unsafe $0.toOpaque() == Unmanaged.passUnretained(ticket).toOpaque() } ?? caller
        } else {
            for flag in ticket.flags.prefix(Executor.moreFlags - extraFlags) { backend.heed(flag, caller: caller) }
        }
        let isAlone = unsafe ticket.isInBatch && batch.count == 1
        RuntimeLock.unlock()
        let start = Clock.now()
        let outcome = backend.run(leavingFor: isAlone ? nil : caller)
        let end = Clock.now()
        RuntimeLock.lock()
        switch outcome {
        case .done:
            pace.finished(load, took: end &- start, at: end)
            commit(at: end)
            RuntimeLock.unlock()
            cache.clean()
            RuntimeLock.lock()
        case .stopped:
            endBatch()
        case .left:
            // The step goes on only if another call still wants its result.
            let others = unsafe batch.contains {
                unsafe $0._withUnsafeGuaranteedRef { $0 !== ticket && $0.state == .waiting && !$0.isCancelled }
            }
            if others { isLeft = true } else { endBatch() }
        }
    }

    /// Puts rows of the waiting calls into a batch: those that read a few tokens first, then a share of each prompt.
    private func formBatch() {
        unsafe batch.removeAll(keepingCapacity: true)
        load = StepPace.Load()
        extraFlags = 0
        pace.began()
        guard let backend else { return }
        var threads = 1, prompts = 0
        queue.forEachShared { ticket in
            threads = max(threads, ticket.threadCount)
            if ticket.remaining > StepPace.few * ticket.parts.count { prompts += 1 }
        }
        backend.beginBatch(threads: threads)
        var room = backend.batchSize
        queue.forEachShared { ticket in
            guard room > 0, ticket.remaining <= StepPace.few * ticket.parts.count else { return }
            let rows = add(ticket, min(room, ticket.batchSize), to: backend)
            load.few += rows
            room -= rows
        }
        guard prompts > 0, room > 0 else { return }
        room = min(room, pace.promptRoom(beside: load.few, batchSize: backend.batchSize, at: Clock.now()))
        queue.forEachShared { ticket in
            guard room > 0, ticket.remaining > StepPace.few * ticket.parts.count else { return }
            let rows = add(ticket, min(max(1, room / prompts), ticket.batchSize), to: backend)
            load.prompt += rows
            room -= rows
            prompts = max(1, prompts - 1)
        }
    }

    /// Rows of a call, at most `most`, in the order of its sequences.
    private func add(_ ticket: Ticket, _ most: Int, to backend: Computer) -> Int {
        let caller = unsafe batch.count
        var total = 0
        for i in ticket.parts.indices where total < most && !ticket.parts[i].isComplete {
            let sequence = ticket.sequences[i]
            let part = ticket.parts[i]
            let count = min(part.count - part.done, most - total)
            // Bound: the call keeps `count` ids there until it returns, and is taken out of the queue before it does.
            let ids = unsafe UnsafeBufferPointer(start: part.ids.map { unsafe $0 + part.done }, count: count)
            let first = unsafe backend.add(ids, at: sequence.count, of: sequence.view)
            ticket.parts[i].rows = count
            if part.done + count == part.count { unsafe backend.want(first + count - 1, at: sequence.lastLogits) }
            backend.heed(ticket.flags[i], caller: caller)
            sequence.isInFlight = true
            sequence.hasLogits = false
            total += count
        }
        // Those of sequences without rows end the call as well.
        for i in ticket.parts.indices where ticket.parts[i].rows == 0 && extraFlags < Executor.moreFlags {
            backend.heed(ticket.flags[i], caller: caller)
            extraFlags += 1
        }
        ticket.isInBatch = true
        unsafe batch.append(unsafe Unmanaged.passUnretained(ticket))
        return total
    }

    /// The step is done: what it read is remembered, and who has all is woken.
    private func commit(at now: UInt64) {
        for i in unsafe 0..<batch.count {
            let ticket = unsafe batch[i]
            unsafe ticket._withUnsafeGuaranteedRef { ticket in
                // A cancelled call forgets the step; the flag is set until it returns.
                guard ticket.state == .waiting, !ticket.isCancelled else { return }
                for i in ticket.parts.indices where ticket.parts[i].rows > 0 {
                    let part = ticket.parts[i]
                    // Bound: as when the rows were added.
                    unsafe ticket.sequences[i].append(
                        UnsafeBufferPointer(start: part.ids.map { unsafe $0 + part.done }, count: part.rows))
                    ticket.parts[i].done += part.rows
                    if ticket.parts[i].isComplete { ticket.sequences[i].hasLogits = true }
                }
                guard ticket.remaining == 0 else {
                    // A long prompt does not keep those behind it waiting for a call that wants the backend for itself.
                    if queue.hasExclusive {
                        queue.remove(ticket)
                        queue.append(ticket)
                    }
                    return
                }
                queue.remove(ticket)
                ticket.state = .done
                pace.served(ticket, at: now)
                ticket.wakes.signal()
            }
        }
        endBatch()
    }

    /// The step is over, done or not.
    func endBatch() {
        for i in unsafe 0..<batch.count {
            let ticket = unsafe batch[i]
            unsafe ticket._withUnsafeGuaranteedRef { ticket in
                ticket.isInBatch = false
                for i in ticket.parts.indices { ticket.parts[i].rows = 0 }
                for sequence in ticket.sequences { sequence.isInFlight = false }
                if ticket.state == .abandoned {
                    ticket.state = .idle
                    ticket.wakes.signal()
                }
            }
        }
        unsafe batch.removeAll(keepingCapacity: true)
        guard unsafe !orphans.isEmpty else { return }
        let gone = unsafe orphans
        unsafe orphans = unsafe []
        // The last owner of a sequence may go with this, whose end takes the lock.
        RuntimeLock.unlock()
        for i in unsafe 0..<gone.count { unsafe gone[i].release() }
        RuntimeLock.lock()
    }

    /// All who wait get the error.
    private func fail(with error: AlpacaError) {
        queue.forEachShared { ticket in
            queue.remove(ticket)
            ticket.error = error
            ticket.state = .done
            ticket.wakes.signal()
        }
    }
}

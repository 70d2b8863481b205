// One executor runs all sequences of a model: one pool of threads, one workspace, one step at a time. A call finds it idle and runs the step
// itself, with the rows of all who wait: weights are then read once for all of them. A call alone runs as if it had the executor for itself:
// no other thread, no hand-over. Bits don't depend on any of it.

internal import CAlpacaKernels

@safe final class Executor: @unchecked Sendable {
    /// What computes. This is where the choice is made.
    typealias Computer = CPUBackend
    typealias Weights = Computer.Weights

    private let program: Program
    private let weights: Weights
    private let store: any WeightStore
    private let cache: PagedCache

    // All below is guarded by the RuntimeLock; the backend is used without it by the call that runs a step.
    private var backend: Computer?
    private var askedThreads = 0
    /// Sessions that there are.
    private var members = 0
    private var head, tail: Unmanaged<Ticket>?
    /// Whether a call has the backend.
    private var isRunning = false
    /// Whether a step was left midway by a call that was cancelled: another goes on with it.
    private var isLeft = false
    /// Who has rows in the step, and those of them whose calls have returned: kept until it ends.
    private var batch: [Unmanaged<Ticket>] = unsafe []
    private var orphans: [Unmanaged<Ticket>] = unsafe []
    private var load = StepPace.Load()
    private var pace = StepPace()
    private var forks = ForkCount.now

    /// How often a waiting call looks whether it was cancelled. To cancel is one store, which wakes nobody.
    private static let poll: UInt64 = 10_000_000

    init(_ program: Program, _ weights: Weights, _ store: any WeightStore, _ cache: PagedCache) {
        self.program = program
        self.weights = weights
        self.store = store
        self.cache = cache
    }

    static var cancelled: AlpacaError { AlpacaError(.cancelled, "the call was cancelled") }

    // MARK: - Sessions

    /// A session comes: sees to it that there is a backend for it.
    ///
    /// - Returns: threads that it has.
    func join(batchSize: Int, threadCount: Int) throws(AlpacaError) -> Int {
        let isThere = RuntimeLock.withLock {
            heedFork()
            guard let backend, backend.batchSize >= batchSize, askedThreads >= threadCount else { return false }
            members += 1
            return true
        }
        if isThere { return RuntimeLock.withLock { min(threadCount, backend?.threadCount ?? 1) } }
        let turn = Ticket([], flags: [], batchSize: batchSize, threadCount: threadCount)
        return try exclusively(turn, makesBackend: true) { () throws(AlpacaError) -> Int in
            // The call has the executor for itself.
            if backend.map({ $0.batchSize < batchSize || askedThreads < threadCount }) ?? true {
                let size = max(batchSize, backend?.batchSize ?? 0), threads = max(threadCount, askedThreads)
                var made: Computer? = try Computer(program, weights, batchSize: size, threadCount: threads)
                RuntimeLock.withLock {
                    swap(&backend, &made)
                    askedThreads = threads
                }
                // The threads of the old one are waited for without the lock.
                made = nil
            }
            return RuntimeLock.withLock {
                members += 1
                return min(threadCount, backend?.threadCount ?? 1)
            }
        }
    }

    /// A session goes. The last one takes threads and memory along.
    func leave(_ ticket: Ticket) {
        var unneeded: Computer?
        RuntimeLock.withLock {
            heedFork()
            pace.departed(ticket)
            members -= 1
            guard members == 0, !isRunning, !isLeft else { return }
            unneeded = backend
            backend = nil
            askedThreads = 0
        }
        // Its threads are waited for without the lock.
        unneeded = nil
    }

    // MARK: - Calls

    /// Reads what `ticket` asks for, in as many steps as it takes, some of them perhaps run by other calls.
    ///
    /// - Throws: `cancelled` when one of its flags was set: some steps may have been done then.
    func run(_ ticket: Ticket) throws(AlpacaError) {
        RuntimeLock.lock()
        defer { RuntimeLock.unlock() }
        heedFork()
        try settle(ticket)
        ticket.state = .waiting
        arrive(ticket)
        while ticket.state == .waiting {
            if ticket.isCancelled {
                abandon(ticket)
                throw Executor.cancelled
            }
            if mayLead(ticket) { lead(ticket) } else { wait(ticket) }
        }
        ticket.state = .idle
        if let error = ticket.error {
            ticket.error = nil
            throw error
        }
    }

    /// The call was one of a loop that is over: nobody waits for the next.
    func departed(_ ticket: Ticket) { RuntimeLock.withLock { pace.departed(ticket) } }

    /// Waits until no step has rows of the ticket's sequences: a cancelled call leaves them to the step that it was in.
    func settle(_ ticket: Ticket) throws(AlpacaError) {
        while ticket.isInFlight {
            if ticket.isCancelled { throw Executor.cancelled }
            ticket.wakes.wait(until: Clock.now() &+ 1_000_000)
            heedFork()
        }
    }

    /// The same for a call that does not hold the lock.
    func settled(_ ticket: Ticket) {
        RuntimeLock.withLock {
            heedFork()
            while ticket.isInFlight {
                ticket.wakes.wait(until: Clock.now() &+ 1_000_000)
                heedFork()
            }
        }
    }

    /// Runs `body` with the backend for itself; between the steps of others.
    func exclusively<R>(_ ticket: Ticket, _ body: (Computer) throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        try exclusively(ticket, makesBackend: false) { () throws(AlpacaError) -> R in
            guard let backend else { throw AlpacaError(.internalError, "a session without an executor's backend") }
            return try body(backend)
        }
    }

    /// Rows that an exclusive call may compute before it lets others have their turn.
    func fairRows(_ ticket: Ticket) -> Int {
        RuntimeLock.withLock {
            pace.promptRoom(beside: 0, batchSize: ticket.batchSize, at: Clock.now())
        }
    }

    /// Throws when a mapped file was cut short or written to.
    func checkFiles() throws(AlpacaError) { try store.checkFiles() }

    private func exclusively<R>(
        _ ticket: Ticket, makesBackend: Bool, _ body: () throws(AlpacaError) -> R
    ) throws(AlpacaError) -> R {
        RuntimeLock.lock()
        heedFork()
        do throws(AlpacaError) {
            try settle(ticket)
            ticket.isExclusive = true
            ticket.state = .waiting
            arrive(ticket)
            while unsafe isRunning || isLeft || head?.toOpaque() != Unmanaged.passUnretained(ticket).toOpaque() {
                if ticket.isCancelled {
                    abandon(ticket)
                    throw Executor.cancelled
                }
                wait(ticket)
            }
        } catch {
            ticket.isExclusive = false
            RuntimeLock.unlock()
            throw error
        }
        isRunning = true
        remove(ticket)
        RuntimeLock.unlock()
        defer {
            RuntimeLock.lock()
            isRunning = false
            ticket.isExclusive = false
            ticket.state = .idle
            wakeNext()
            RuntimeLock.unlock()
        }
        return try body()
    }

    // MARK: - Steps, with the lock held

    /// Whether the call may run a step now.
    private func mayLead(_ ticket: Ticket) -> Bool {
        guard !isRunning else { return false }
        if isLeft { return ticket.isInBatch }
        guard let first = unsafe head?._withUnsafeGuaranteedRef({ $0.isExclusive }), !first else { return false }
        return pace.isReady(at: Clock.now())
    }

    /// Runs a step for all who wait, or goes on with one that was left.
    private func lead(_ ticket: Ticket) {
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
        guard let backend, unsafe !batch.isEmpty else { return }
        let caller = unsafe batch.firstIndex { unsafe $0.toOpaque() == Unmanaged.passUnretained(ticket).toOpaque() }
        let isAlone = unsafe batch.count == 1
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
            // Without this call, somebody must be there for whom it is worth to go on.
            let others = unsafe batch.contains { unsafe $0._withUnsafeGuaranteedRef { $0 !== ticket && $0.state == .waiting && !$0.isCancelled } }
            if others { isLeft = true } else { endBatch() }
        }
    }

    /// Puts rows of the waiting calls into a batch: those that read a few tokens first, then a share of each prompt.
    private func formBatch() {
        unsafe batch.removeAll(keepingCapacity: true)
        load = StepPace.Load()
        pace.began()
        guard let backend else { return }
        var threads = 1, prompts = 0
        forEachWaiting { ticket in
            threads = max(threads, ticket.threadCount)
            if ticket.remaining > StepPace.few * ticket.parts.count { prompts += 1 }
        }
        backend.beginBatch(threads: threads)
        var room = backend.batchSize
        forEachWaiting { ticket in
            guard room > 0, ticket.remaining <= StepPace.few * ticket.parts.count else { return }
            let rows = add(ticket, min(room, ticket.batchSize), to: backend)
            load.few += rows
            room -= rows
        }
        guard prompts > 0, room > 0 else { return }
        room = min(room, pace.promptRoom(beside: load.few, batchSize: backend.batchSize, at: Clock.now()))
        forEachWaiting { ticket in
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
            sequence.isInFlight = true
            sequence.hasLogits = false
            total += count
        }
        for flag in ticket.flags { backend.heed(flag, caller: caller) }
        ticket.isInBatch = true
        unsafe batch.append(unsafe Unmanaged.passUnretained(ticket))
        return total
    }

    /// The step is done: what it read is remembered, and who has all is woken.
    private func commit(at now: UInt64) {
        for unsafe ticket in unsafe batch {
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
                guard ticket.remaining == 0 else { return }
                remove(ticket)
                ticket.state = .done
                pace.served(ticket, at: now)
                ticket.wakes.signal()
            }
        }
        endBatch()
    }

    /// The step is over, done or not.
    private func endBatch() {
        for unsafe ticket in unsafe batch {
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
        for unsafe ticket in unsafe gone { unsafe ticket.release() }
        RuntimeLock.lock()
    }

    /// All who wait get the error.
    private func fail(with error: AlpacaError) {
        forEachWaiting { ticket in
            ticket.error = error
            ticket.state = .done
            ticket.wakes.signal()
        }
        while let first = unsafe head?.takeUnretainedValue(), !first.isExclusive { remove(first) }
    }

    // MARK: - The queue, with the lock held

    private func arrive(_ ticket: Ticket) {
        pace.arrived(ticket, others: unsafe isRunning || isLeft || head != nil, at: Clock.now())
        enqueue(ticket)
    }

    private func enqueue(_ ticket: Ticket) {
        unsafe ticket.next = nil
        let entry = unsafe Unmanaged.passUnretained(ticket)
        if let last = unsafe tail { unsafe last._withUnsafeGuaranteedRef { unsafe $0.next = entry } } else { unsafe head = entry }
        unsafe tail = unsafe entry
    }

    private func remove(_ ticket: Ticket) {
        var before: Unmanaged<Ticket>?
        var entry = unsafe head
        while let current = unsafe entry {
            let next = unsafe current._withUnsafeGuaranteedRef { unsafe $0.next }
            if unsafe current.toOpaque() == Unmanaged.passUnretained(ticket).toOpaque() {
                if let before = unsafe before { unsafe before._withUnsafeGuaranteedRef { unsafe $0.next = next } } else { unsafe head = next }
                if unsafe next == nil { unsafe tail = before }
                unsafe ticket.next = nil
                return
            }
            unsafe before = current
            unsafe entry = next
        }
    }

    /// Those that a step is for: up to the first that wants the backend for itself.
    private func forEachWaiting(_ body: (Ticket) -> Void) {
        var entry = unsafe head
        while let current = unsafe entry {
            let goesOn = unsafe current._withUnsafeGuaranteedRef { ticket in
                guard !ticket.isExclusive else { return false }
                if ticket.state == .waiting { body(ticket) }
                return true
            }
            guard goesOn else { return }
            unsafe entry = unsafe current._withUnsafeGuaranteedRef { unsafe $0.next }
        }
    }

    /// A cancelled call takes its leave. The step that has its rows goes on for the others.
    private func abandon(_ ticket: Ticket) {
        remove(ticket)
        if ticket.isInBatch {
            ticket.state = .abandoned
            unsafe orphans.append(Unmanaged.passRetained(ticket))
        } else {
            ticket.state = .idle
        }
        wakeNext()
    }

    /// Wakes a call that can run the next step, or go on with one that was left.
    private func wakeNext() {
        guard !isRunning else { return }
        if isLeft {
            for unsafe entry in unsafe batch {
                let isWoken = unsafe entry._withUnsafeGuaranteedRef { ticket in
                    guard ticket.state == .waiting, !ticket.isCancelled else { return false }
                    ticket.wakes.signal()
                    return true
                }
                if isWoken { return }
            }
            // Nobody is left who wants it.
            isLeft = false
            endBatch()
        }
        unsafe head?._withUnsafeGuaranteedRef { $0.wakes.signal() }
    }

    private func wait(_ ticket: Ticket) {
        let now = Clock.now()
        var until = now &+ Executor.poll
        if !isRunning, !isLeft, pace.latest > now { until = min(until, pace.latest) }
        ticket.wakes.wait(until: until)
        heedFork()
    }

    /// In a child after a fork the calls of other threads are gone; what they had begun is over.
    private func heedFork() {
        guard forks != ForkCount.now else { return }
        forks = ForkCount.now
        unsafe (head, tail) = (nil, nil)
        isRunning = false
        isLeft = false
        endBatch()
    }
}

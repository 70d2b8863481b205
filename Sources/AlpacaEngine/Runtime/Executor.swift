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
    let store: any WeightStore
    let cache: PagedCache

    // All below is guarded by the RuntimeLock; the backend is used without it by the call that runs a step.
    var backend: Computer?
    private var askedThreads = 0
    /// Sessions that there are.
    private var members = 0
    var queue = TicketQueue()
    /// Whether a call has the backend.
    var isRunning = false
    /// Whether it has it to make another; for that call alone.
    private var isMaking = false
    /// Whether a step was left midway by a call that was cancelled: another goes on with it.
    var isLeft = false
    /// Who has rows in the step, and those of them whose calls have returned: kept until it ends.
    var batch: [Unmanaged<Ticket>] = unsafe []
    var orphans: [Unmanaged<Ticket>] = unsafe []
    var load = StepPace.Load()
    var pace = StepPace()
    private var forks = ForkCount.now

    /// In the list of a batch's callers: the one that runs it without rows of its own.
    static let withoutRows = -1
    /// Flags of a batch beside those of its rows: of sequences of its calls that have no rows in it.
    static let moreFlags = 1024
    var extraFlags = 0
    /// A waiting call checks its flag this often. To cancel is one store, which wakes nobody.
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
        if let threads = RuntimeLock.withLock({ joinNow(batchSize, threadCount) }) { return threads }
        let turn = Ticket([], flags: [], batchSize: batchSize, threadCount: threadCount)
        return try exclusive(turn) { () throws(AlpacaError) -> Int in
            isMaking = true
            defer { isMaking = false }
            // Another may have made it meanwhile. Sessions go also now, and the last one takes the backend along: whoever finds or makes it
            // is counted before the lock is given up.
            var size = batchSize, threads = threadCount
            let joined = RuntimeLock.withLock {
                (size, threads) = (max(size, backend?.batchSize ?? 0), max(threads, askedThreads))
                return joinNow(batchSize, threadCount)
            }
            if let joined { return joined }
            var made: Computer?
            do throws(AlpacaError) {
                made = try Computer(program, weights, batchSize: size, threadCount: threads)
            } catch {
                dropUnneeded()
                throw error
            }
            let count = RuntimeLock.withLock {
                swap(&backend, &made)
                askedThreads = threads
                members += 1
                return min(threadCount, backend?.threadCount ?? 1)
            }
            // The threads of the old one are waited for without the lock.
            made = nil
            return count
        }
    }

    /// Counts a session if the backend is there that it needs; the threads that it has.
    private func joinNow(_ batchSize: Int, _ threadCount: Int) -> Int? {
        heedFork()
        guard let backend, backend.batchSize >= batchSize, askedThreads >= threadCount else { return nil }
        members += 1
        return min(threadCount, backend.threadCount)
    }

    /// A session goes. The last one takes threads and memory along.
    func leave(_ ticket: Ticket) {
        RuntimeLock.withLock {
            heedFork()
            pace.departed(ticket)
            members -= 1
        }
        dropUnneeded()
    }

    private func dropUnneeded() {
        let unneeded: Computer? = RuntimeLock.withLock {
            guard members == 0, !isLeft, !isRunning || isMaking else { return nil }
            defer { backend = nil }
            askedThreads = 0
            return backend
        }
        // Its threads are waited for without the lock.
        withExtendedLifetime(unneeded) {}
    }

    // MARK: - Calls

    /// Reads what `ticket` asks for, in as many steps as it takes, some of them perhaps run by other calls.
    ///
    /// - Throws: `cancelled` when one of its flags was set: some steps may have been done then.
    func run(_ ticket: Ticket) throws(AlpacaError) {
        RuntimeLock.lock()
        defer { RuntimeLock.unlock() }
        heedFork()
        try settled(ticket)
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
    ///
    /// - Throws: `cancelled` when one of the ticket's flags is set meanwhile.
    func settle(_ ticket: Ticket) throws(AlpacaError) {
        try RuntimeLock.withLock { () throws(AlpacaError) in
            heedFork()
            try settled(ticket)
        }
    }

    /// The same for a call that can't be cancelled.
    func settleAnyway(_ ticket: Ticket) {
        RuntimeLock.withLock {
            heedFork()
            while ticket.isInFlight { ticket.wakes.wait(until: Clock.now() &+ 1_000_000) }
        }
    }

    private func settled(_ ticket: Ticket) throws(AlpacaError) {
        while ticket.isInFlight {
            if ticket.isCancelled { throw Executor.cancelled }
            ticket.wakes.wait(until: Clock.now() &+ 1_000_000)
        }
    }

    /// Runs `body` with the backend for itself; between the steps of others.
    func exclusively<R>(_ ticket: Ticket, _ body: (Computer) throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        try exclusive(ticket) { () throws(AlpacaError) -> R in
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

    private func exclusive<R>(_ ticket: Ticket, _ body: () throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        RuntimeLock.lock()
        heedFork()
        do throws(AlpacaError) {
            try settled(ticket)
            ticket.isExclusive = true
            ticket.state = .waiting
            arrive(ticket)
            while isRunning || isLeft || !queue.begins(with: ticket) {
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
        queue.remove(ticket)
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

    // MARK: - Waiting, with the lock held

    private func arrive(_ ticket: Ticket) {
        pace.arrived(ticket, others: isRunning || isLeft || !queue.isEmpty, at: Clock.now())
        queue.append(ticket)
    }

    /// A cancelled call takes its leave. The step that has its rows goes on for the others.
    private func abandon(_ ticket: Ticket) {
        queue.remove(ticket)
        if ticket.isInBatch {
            ticket.state = .abandoned
            unsafe orphans.append(Unmanaged.passRetained(ticket))
        } else {
            ticket.state = .idle
        }
        wakeNext()
    }

    /// Wakes a call that can run the next step, or go on with one that was left.
    func wakeNext() {
        guard !isRunning else { return }
        if isLeft {
            for i in unsafe 0..<batch.count {
                let entry = unsafe batch[i]
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
        queue.first { $0.wakes.signal() }
    }

    private func wait(_ ticket: Ticket) {
        let now = Clock.now()
        var until = now &+ Executor.poll
        if !isRunning, !isLeft, pace.latest > now { until = min(until, pace.latest) }
        ticket.wakes.wait(until: until)
    }

    /// In a child after a fork the calls of other threads are gone; what they had begun is over.
    private func heedFork() {
        guard forks != ForkCount.now else { return }
        forks = ForkCount.now
        queue.removeAll()
        isRunning = false
        isLeft = false
        endBatch()
    }
}

/// Decides when a step begins and how much of a prompt goes into it, by what steps have taken. Times are in nanoseconds by ``Clock``; guarded
/// by the ``RuntimeLock``.
///
/// - Callers that write come back right after a step, with their next tokens: the next step waits for them a little, so that they stay
///   together. Who comes too late twice in a row isn't waited for again until it comes in time.
/// - Beside callers that write, a prompt gets as many rows as let a step take less than twice of what it takes without: they go on at half of
///   their pace or more. How many that is is found by measuring.
/// - A step of prompts alone is short, too, while somebody writes: a writer that came too late for one step waits for the whole of the next.
struct StepPace {
    /// A step's rows: tokens of callers that read few at a time, and rows of prompts.
    struct Load {
        var few = 0
        var prompt = 0
    }

    /// Up to so many ids of a call are no prompt.
    static let few = 4
    private static let mostWait: UInt64 = 20_000_000
    private static let leastWait: UInt64 = 2_000_000
    /// What a step of prompts alone may take while others call, too, and nobody writes.
    private static let promptStep = 250_000_000.0
    /// Others count as calling for as long after their last call.
    private static let memory: UInt64 = 1_000_000_000

    /// Callers that are expected, and until when.
    private var awaited = 0
    private var deadline: UInt64 = 0
    private var step: UInt64 = 0
    private var wait: UInt64 = StepPace.leastWait

    /// A step of few rows; a row of prompts alone; the rows of a prompt beside others.
    private var fewTime = 0.0
    private var rowTime = 0.0
    private var promptRows = 16.0
    /// When the last step ended that had rows of callers that read few.
    private var lastFew: UInt64?

    private var lastCaller: ObjectIdentifier?
    private var lastChange: UInt64?

    // MARK: Callers

    mutating func arrived(_ ticket: Ticket, at now: UInt64) {
        if ticket.awaitedAfter == step, step > 0 {
            awaited -= 1
            ticket.isQuick = true
            ticket.wasLate = false
        } else if ticket.doneAt > 0 {
            let isInTime = now &- ticket.doneAt <= wait
            // Late once may be the system, which had others to run.
            ticket.isQuick = isInTime || (ticket.awaitedAfter > 0 && !ticket.wasLate)
            ticket.wasLate = !isInTime
        }
        ticket.awaitedAfter = 0
        let caller = ObjectIdentifier(ticket)
        if let lastCaller, lastCaller != caller { lastChange = now }
        lastCaller = caller
    }

    /// A caller won't come back.
    mutating func departed(_ ticket: Ticket) {
        if ticket.awaitedAfter == step, step > 0 { awaited -= 1 }
        ticket.awaitedAfter = 0
    }

    /// Whether the next step may begin.
    func isReady(at now: UInt64) -> Bool { awaited <= 0 || now >= deadline }
    /// When it may at the latest.
    var latest: UInt64 { deadline }

    // MARK: Steps

    /// Rows that prompts may have, all together.
    func promptRoom(beside few: Int, batchSize: Int, at now: UInt64) -> Int {
        if few > 0 { return max(1, min(batchSize, Int(promptRows))) }
        guard let lastChange, now &- lastChange < StepPace.memory else { return batchSize }
        guard rowTime > 0 else { return min(batchSize, 64) }
        var most = StepPace.promptStep
        // As long as one of theirs, beside what it takes to read the weights.
        if let lastFew, now &- lastFew < StepPace.memory, fewTime > 0 { most = min(most, fewTime) }
        return max(8, min(batchSize, Int(most / rowTime)))
    }

    mutating func began() {
        step += 1
        awaited = 0
    }

    mutating func finished(_ load: Load, took: UInt64, at now: UInt64) {
        let time = Double(max(1, took))
        if load.few > 0 { lastFew = now }
        func mixed(_ old: Double, _ new: Double) -> Double { old == 0 ? new : old + (new - old) / 4 }
        if load.prompt == 0 {
            fewTime = mixed(fewTime, time)
        } else if load.few == 0 {
            if load.prompt >= 16 { rowTime = mixed(rowTime, time / Double(load.prompt)) }
        } else {
            // 1.7 and not 2: steps vary.
            let target = fewTime > 0 ? 0.7 * fewTime : StepPace.promptStep
            let extra = max(time - fewTime, target / 8)
            promptRows = max(1, min(4096, Double(load.prompt) * min(2, max(0.5, target / extra))))
        }
        wait = min(StepPace.mostWait, max(StepPace.leastWait, took / 2))
        deadline = now &+ wait
    }

    /// A caller has what it asked for.
    mutating func served(_ ticket: Ticket, at now: UInt64) {
        ticket.doneAt = now
        guard ticket.isQuick, ticket.sequences.count == 1 else { return }
        // Until it comes back: who doesn't isn't waited for again.
        ticket.isQuick = false
        ticket.awaitedAfter = step
        awaited += 1
    }
}

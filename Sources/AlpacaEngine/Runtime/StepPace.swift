/// Decides when a step begins and how much of a prompt goes into it, by what steps have taken. Times are in nanoseconds by ``Clock``; guarded
/// by the ``RuntimeLock``.
///
/// - Callers that write come back right after a step, with their next tokens: the next step waits for them a little, so that they stay
///   together. Who comes too late twice in a row isn't waited for again until it comes in time.
/// - Beside callers that write, a prompt gets less time than they do: they go on at half of their pace or more. It comes in parts that let a
///   step take two to three times of what it takes without; how many rows that is, is measured.
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
    /// Calls count as being of several threads for as long after two of them met.
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
    /// Time that prompts may take from those who write; below 0 they wait.
    private var credit = 1.0
    /// When the last step ended that had rows of callers that read few.
    private var lastFew: UInt64?

    /// When a call last came while another was there. A thread that uses several sessions in turn never
    /// sets this: it does not wait, and its prompts are read in one go.
    private var lastMeeting: UInt64?

    // MARK: Callers

    /// - Parameter others: whether another call is there.
    mutating func arrived(_ ticket: Ticket, others: Bool, at now: UInt64) {
        if others { lastMeeting = now }
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
    }

    /// A caller won't come back.
    mutating func departed(_ ticket: Ticket) {
        if ticket.awaitedAfter == step, step > 0 { awaited -= 1 }
        ticket.awaitedAfter = 0
    }

    /// Whether the next step may begin.
    func isReady(at now: UInt64) -> Bool { awaited <= 0 || now >= deadline || !hasCompany(at: now) }
    /// When it may at the latest.
    var latest: UInt64 { deadline }

    // MARK: Steps

    /// Rows that prompts may have, all together.
    func promptRoom(beside few: Int, batchSize: Int, at now: UInt64) -> Int {
        if few > 0 { return credit > 0 ? max(1, min(batchSize, Int(promptRows))) : 0 }
        guard hasCompany(at: now) else { return batchSize }
        guard rowTime > 0 else { return min(batchSize, 64) }
        var most = StepPace.promptStep
        // As long as one of theirs, beside what it takes to read the weights.
        if let lastFew, now &- lastFew < StepPace.memory, fewTime > 0 { most = min(most, fewTime) }
        return min(batchSize, max(8, Int(most / rowTime)))
    }

    private func hasCompany(at now: UInt64) -> Bool { lastMeeting.map { now &- $0 < StepPace.memory } ?? false }

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
            // Reading what the prompt has so far costs each such step, so a larger part in every third is better than a row in each.
            let target = fewTime > 0 ? 1.5 * fewTime : StepPace.promptStep
            let extra = max(time - fewTime, target / 8)
            promptRows = max(1, min(4096, Double(load.prompt) * min(2, max(0.5, target / extra))))
            credit -= time - fewTime
        }
        // A step's share for prompts. Who writes also has to wake up between two steps: less than what makes half of the pace.
        if load.few > 0 { credit = min(credit + 0.6 * fewTime, fewTime) }
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

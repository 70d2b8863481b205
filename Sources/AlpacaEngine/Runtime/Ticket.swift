/// One call's wish to the executor: ids to be read by one sequence or several. A session has one for all its calls. Guarded by the
/// ``RuntimeLock`` while it is with the executor.
@safe final class Ticket: @unchecked Sendable {
    /// What one sequence is to read.
    @safe struct Part {
        var ids: UnsafePointer<TokenID>?
        var count = 0
        /// Ids that have been read, and rows of the step under way.
        var done = 0
        var rows = 0

        var isComplete: Bool { done == count }
    }

    enum State {
        case idle, waiting, done
        /// The call has returned; a step still has its rows.
        case abandoned
    }

    let sequences: [TokenSequence]
    /// One of them ends the call.
    let flags: [CancelFlag]
    /// Rows a step at most, and threads that compute.
    let batchSize, threadCount: Int

    var state = State.idle
    var parts: [Part]
    /// Set where the call needs the backend for itself.
    var isExclusive = false
    var isInBatch = false
    var error: AlpacaError?
    let wakes = RuntimeCondition()
    /// The one behind it in the queue, which is kept by the call that waits for it.
    var next: Unmanaged<Ticket>?

    // For `StepPace`.
    var doneAt: UInt64 = 0
    var awaitedAfter: UInt64 = 0
    /// Whether it comes back soon after a step.
    var isQuick = true
    /// Whether it came too late the last time.
    var wasLate = false

    init(_ sequences: [TokenSequence], flags: [CancelFlag], batchSize: Int, threadCount: Int) {
        self.sequences = sequences
        self.flags = flags
        self.batchSize = batchSize
        self.threadCount = threadCount
        parts = [Part](repeating: Part(), count: sequences.count)
    }

    /// Wants `ids`, which stay where they are until the call returns, to be read by sequence number `index`.
    func ask(_ ids: UnsafeBufferPointer<TokenID>, of index: Int = 0) {
        parts[index] = unsafe Part(ids: ids.baseAddress, count: ids.count)
    }

    /// Ids that have not been read.
    var remaining: Int {
        var sum = 0
        for part in parts { sum += part.count - part.done }
        return sum
    }

    var isCancelled: Bool {
        for flag in flags where flag.isSet { return true }
        return false
    }

    /// Whether a step has rows of one of its sequences, of a call that was cancelled.
    var isInFlight: Bool {
        for sequence in sequences where sequence.isInFlight { return true }
        return false
    }
}

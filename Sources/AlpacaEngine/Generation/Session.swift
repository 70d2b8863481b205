import Synchronization

/// One conversation with a model: what it has read (keys and values of each position) and what it will say next.
///
/// A session is used by one call at a time, from any thread: a second call meanwhile throws ``AlpacaError/Code/busy`` and does no harm. Only
/// ``cancel()`` may come from outside. It keeps its model alive.
public final class Session: @unchecked Sendable {
    /// What a session is made with.
    public struct Options: Sendable {
        /// Positions that the session can hold (`n_ctx`); 0 for what the model was trained with.
        public var contextLength = 0
        /// Tokens of a prompt that are computed together (`n_batch`), 1 ... 4096.
        public var batchSize = 512
        /// Threads that compute (`n_threads`), the caller's included; 0 for one on each core that the process may use.
        public var threadCount = 0
        /// Types of the key and value caches.
        public var keyType = CacheType.f16
        public var valueType = CacheType.f16
        /// Overrides the file's `rope_theta`.
        public var ropeTheta: Double?
        /// How positions are scaled.
        public var ropeScaling = RopeScaling.model
        /// The factor of that; with ``RopeScaling/model`` positions are divided by it. Without it: the model's own where it is of that kind, else
        /// the context over the original one.
        public var ropeScale: Double?
        /// What ``RopeScaling/ntk`` stretches low frequencies by.
        public var ropeAlpha: Double?
        /// Positions that the model was trained for before it was stretched; nil for what its files say.
        public var ropeOriginalContext: Int?
        /// Settings of YaRN; nil for the model's, or the usual ones.
        public var yarnAttentionFactor: Double?
        public var yarnBetaFast: Double?
        public var yarnBetaSlow: Double?
        /// When true, memory for keys and values is taken as positions are filled: a call can then throw `outOfMemory`. When false all of it
        /// is promised when the session is made, and no call fails for want of it.
        public var growsOnDemand = false

        public init() {}
    }

    public let model: Model
    /// Positions that the session can hold.
    public let contextLength: Int
    public let batchSize: Int
    /// Threads that compute.
    public let threadCount: Int
    /// What people should know of the session, a sentence each.
    public let warnings: [String]

    /// The tokens at the positions that are filled; for the call that holds the session.
    var history: [TokenID] { sequence.tokens }
    /// Positions that are filled. Safe from any thread.
    public var position: Int { sequence.count }

    let cancelFlag: CancelFlag
    let sequence: TokenSequence
    /// What the session asks the executor for, one call at a time.
    let ticket: Ticket
    let options: Options
    /// Whether ``lastLogits(_:)`` has those of the last position.
    var hasLogits: Bool { sequence.hasLogits }
    let sampler: Sampler
    /// Draws of calls without a seed; the system seeds it.
    var random = RandomSource()
    private let isBusy = Atomic<Bool>(false)
    /// The thread that holds the session, 0 when none does.
    private let owner = Atomic<UInt>(0)

    /// - Parameter cancelFlag: what ``cancel()`` sets.
    package init(_ model: Model, _ options: Options, cancelFlag: CancelFlag = CancelFlag()) throws(AlpacaError) {
        let trained = model.configuration.contextLength
        let contextLength = options.contextLength == 0 ? trained : options.contextLength
        guard (1...Session.mostContext).contains(contextLength) else {
            throw AlpacaError(
                .invalidArgument, "n_ctx: found \(contextLength), expected 1 ... \(Session.mostContext), or 0 for the model's")
        }
        guard (1...4096).contains(options.batchSize) else {
            throw AlpacaError(.invalidArgument, "n_batch: found \(options.batchSize), expected 1 ... 4096")
        }
        guard (0...WorkerPool.mostThreads).contains(options.threadCount) else {
            throw AlpacaError(
                .invalidArgument, "n_threads: found \(options.threadCount), expected 1 ... \(WorkerPool.mostThreads), or 0 for all cores")
        }
        let rope = try SessionRope(options, model.configuration, contextLength: contextLength)
        self.model = model
        self.options = options
        self.cancelFlag = cancelFlag
        self.contextLength = contextLength
        batchSize = min(options.batchSize, contextLength)
        // Who sets the rotary angles says that the model can do more.
        let isBeyond = contextLength > rope.reach && !rope.isStretched
        warnings =
            isBeyond
            ? ["n_ctx: \(contextLength) positions, the model was trained for \(rope.reach); what it writes beyond them gets worse quickly"]
            : []
        sequence = try model.runnable.makeSequence(
            capacity: contextLength, keys: options.keyType, values: options.valueType, ropeTheta: rope.theta,
            ropeScaling: rope.scaling, usesFactors: rope.usesFactors, grows: options.growsOnDemand)
        sampler = try Sampler(vocabularySize: model.configuration.vocabularySize, unused: model.tokenizer.model.unused)
        let threads = options.threadCount == 0 ? ProcessorCount.usable() : options.threadCount
        threadCount = try model.runnable.executor.join(batchSize: batchSize, threadCount: threads)
        ticket = Ticket([sequence], flags: [cancelFlag], batchSize: batchSize, threadCount: threadCount)
    }

    deinit { model.runnable.executor.leave(ticket) }

    static let mostContext = 1 << 22

    /// Asks the call that is under way to stop: it returns within milliseconds with ``FinishReason/cancelled`` or throws
    /// ``AlpacaError/Code/cancelled``. Safe from any thread. Without a call under way it does nothing.
    public func cancel() { cancelFlag.set() }

    /// Nobody will use the session any more but the call that is under way, or about to be: it ends.
    package func close() { cancelFlag.close() }

    /// Runs `body` as the one call on this session.
    func exclusively<R>(_ body: () throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        guard claim() else { throw Session.busy }
        defer { release() }
        return try FloatState.standard(body)
    }

    static var busy: AlpacaError { AlpacaError(.busy, "the session is in use by another call; give each thread a session of its own") }

    /// Makes the caller's call the one call on this session, until ``release()``. False when there is another.
    func claim() -> Bool {
        guard isBusy.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged else { return false }
        owner.store(CurrentThread.id, ordering: .relaxed)
        cancelFlag.clear()
        return true
    }

    func release() {
        owner.store(0, ordering: .relaxed)
        isBusy.store(false, ordering: .releasing)
    }

    /// Runs `body`, which only looks: also from a callback of the call that is under way.
    func reading<R>(_ body: () throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        if owner.load(ordering: .relaxed) == CurrentThread.id { return try body() }
        return try exclusively(body)
    }

    /// The tokens at the positions that are filled.
    ///
    /// - Throws: `busy` while another thread's call is under way.
    public func tokens() throws(AlpacaError) -> [TokenID] {
        // A list of its own: the session goes on adding to its list, which nobody else may hold then.
        try reading { () throws(AlpacaError) -> [TokenID] in history.map { $0 } }
    }

    /// Forgets positions for what is read next; their memory is kept until ``TokenSequence/trim()``.
    func forget(from length: Int) { sequence.rewind(to: length) }
}

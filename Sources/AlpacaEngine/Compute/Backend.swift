/// What runs programs: a processor and the memory that it computes in. The engine has one, for CPUs; nothing above this layer names it but
/// where the choice is made.
///
/// A backend belongs to one caller at a time. Nothing in ``run(leavingFor:)`` allocates.
protocol Backend: AnyObject {
    /// A model's weights where this backend wants them. Immutable, shared by any number of backends.
    associatedtype Weights: Sendable

    /// Takes the weights of `program` from where they lie, and brings small ones into the form that is computed with.
    static func bind(_ program: Program, _ store: any WeightStore) throws(AlpacaError) -> Weights

    /// Makes a program ready to run: decides which operations are done together, and takes all memory.
    ///
    /// - Parameters:
    ///   - batchSize: rows of a batch at most.
    ///   - threadCount: threads that compute at most, the caller's included.
    init(_ program: Program, _ weights: Weights, batchSize: Int, threadCount: Int) throws(AlpacaError)

    /// The same, and what the matrices are multiplied with is added up in `squares`.
    init(
        _ program: Program, _ weights: Weights, batchSize: Int, threadCount: Int, squares: InputSquares?
    ) throws(AlpacaError)

    var batchSize: Int { get }
    /// Threads that there are; fewer than asked for where the system refuses more.
    var threadCount: Int { get }

    /// Empties the batch. Up to `threads` of the threads compute the next one.
    func beginBatch(threads: Int)

    /// Adds rows of a sequence: the ids at the positions from `first` on. Room for them is the caller's to see to: ``batchSize`` rows.
    ///
    /// - Returns: the number of the first row.
    func add(_ ids: UnsafeBufferPointer<TokenID>, at first: Int, of sequence: SequenceView) -> Int

    /// Wants the logits of a row, at `place`: as many floats as the vocabulary has tokens.
    func want(_ row: Int, at place: UnsafeMutablePointer<Float>)

    /// The batch stops when all callers that it works for have cancelled: each is a list of flags, of which one is enough. The flags of a caller
    /// follow each other. A caller below 0 has no rows.
    func heed(_ flag: CancelFlag, caller: Int)

    /// Computes the batch, or goes on with it where it was left.
    ///
    /// - Parameter caller: when that one cancels, the calling thread soon leaves the batch as it is, for another to go on with it.
    func run(leavingFor caller: Int?) -> BatchOutcome

    /// Logits of rows of the batch that was computed last, at most ``mostScoredRows``: (rows, vocabulary), valid until the next call. Nil when
    /// the batch was cancelled.
    func logits(_ rows: Range<Int>) -> UnsafePointer<Float>?
    var mostScoredRows: Int { get }
}

enum BatchOutcome {
    /// Keys, values and logits are where they should be.
    case done
    /// Nobody wants it any more.
    case stopped
    /// The calling thread left; ``Backend/run(leavingFor:)`` goes on.
    case left
}

/// What a batch needs of a sequence. Valid while the sequence lives and its pages are not changed.
@safe struct SequenceView: BitwiseCopyable {
    /// Where each 64 positions lie, see `kern_kv`.
    let pages: UnsafePointer<UnsafeMutableRawPointer?>
    /// Bytes that a layer takes in a page.
    let layerBytes: Int
    let keyKind, valueKind: Int32
    /// One for each pair of components that turns.
    let frequencies: UnsafePointer<Double>
    /// What cosine and sine are multiplied with.
    let angleScale: Float
}

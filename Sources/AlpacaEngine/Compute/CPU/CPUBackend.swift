internal import CAlpacaKernels

/// Runs programs on the CPU: a step is a job of independent items for the worker pool, small steps run on the caller alone.
@safe final class CPUBackend: Backend {
    let batchSize: Int
    var threadCount: Int { pool.threadCount }

    private let weights: CPUWeights
    private let vocabularySize: Int
    private let workspace: CPUWorkspace
    private let plan: CPUPlan
    /// What the plan's steps write to.
    private let squares: InputSquares?
    private let pool: WorkerPool
    private let rowBuffer, segmentBuffer, outputBuffer, flagBuffer: AlignedBuffer
    /// What the items of a step see.
    private let context: UnsafeMutablePointer<CPUContext>
    /// Flags beside one for each row.
    private static let moreFlags = 2048
    private let flagCapacity: Int
    /// The next step to be done, and outputs whose logits are made. While a batch is computed: of the thread that begins the next step.
    private var next = 0
    private var outputsDone = 0
    /// Who may leave the batch, and what has become of it.
    private var leaver: Int?
    private var outcome = BatchOutcome.done

    static func bind(_ program: Program, _ store: any WeightStore) throws(AlpacaError) -> CPUWeights { try CPUWeights(program, store) }

    convenience init(_ program: Program, _ weights: CPUWeights, batchSize: Int, threadCount: Int) throws(AlpacaError) {
        try self.init(program, weights, batchSize: batchSize, threadCount: threadCount, squares: nil)
    }

    init(
        _ program: Program, _ weights: CPUWeights, batchSize: Int, threadCount: Int, squares: InputSquares?
    ) throws(AlpacaError) {
        self.squares = squares
        self.weights = weights
        self.batchSize = batchSize
        vocabularySize = program.configuration.vocabularySize
        pool = WorkerPool(threadCount: threadCount)
        workspace = try CPUWorkspace(
            program, mostColumns: weights.mostColumns, batchSize: batchSize, threadCount: pool.threadCount)
        plan = try CPUPlan(program, weights, workspace, squares: squares)
        rowBuffer = try AlignedBuffer(batchSize, of: CPURow.self, for: "batch")
        segmentBuffer = try AlignedBuffer(batchSize, of: CPUSegment.self, for: "batch")
        outputBuffer = try AlignedBuffer(batchSize, of: CPUOutput.self, for: "batch")
        flagCapacity = batchSize + CPUBackend.moreFlags
        flagBuffer = try AlignedBuffer(flagCapacity, of: CPUFlag.self, for: "batch")
        unsafe context = .allocate(capacity: 1)
        unsafe context.initialize(
            to: CPUContext(
                program.configuration, workspace: workspace, rows: rowBuffer.pointer(), segments: segmentBuffer.pointer(),
                outputs: outputBuffer.pointer(), flags: flagBuffer.pointer(), step: plan.steps))
    }

    deinit {
        unsafe context.deinitialize(count: 1)
        unsafe context.deallocate()
    }

    // MARK: The batch

    func beginBatch(threads: Int) {
        unsafe context.pointee.rowCount = 0
        unsafe context.pointee.segmentCount = 0
        unsafe context.pointee.outputCount = 0
        unsafe context.pointee.flagCount = 0
        unsafe context.pointee.threadCount = pool.members(threads)
        next = 0
        outputsDone = 0
    }

    func add(_ ids: UnsafeBufferPointer<TokenID>, at position: Int, of sequence: SequenceView) -> Int {
        let first = unsafe context.pointee.rowCount, segment = unsafe context.pointee.segmentCount
        let count = min(ids.count, batchSize - first)
        guard count > 0 else { return first }
        for i in 0..<count {
            // Bound: first + count <= batchSize, the buffer's size.
            unsafe context.pointee.rows[first + i] = CPURow(
                token: ids[i], position: Int32(truncatingIfNeeded: position + i), segment: Int32(truncatingIfNeeded: segment))
        }
        // Bound: a segment has at least one row, so there are at most batchSize.
        unsafe context.pointee.segments[segment] = CPUSegment(
            sequence: sequence, firstRow: first, rowCount: count, firstPosition: position)
        unsafe context.pointee.rowCount = first + count
        unsafe context.pointee.segmentCount = segment + 1
        return first
    }

    func want(_ row: Int, at place: UnsafeMutablePointer<Float>) {
        let count = unsafe context.pointee.outputCount
        guard unsafe (0..<context.pointee.rowCount).contains(row), count < batchSize else { return }
        // Bound: count < batchSize, the buffer's size.
        unsafe context.pointee.outputs[count] = CPUOutput(row: row, place: place)
        unsafe context.pointee.outputCount = count + 1
    }

    func heed(_ flag: CancelFlag, caller: Int) {
        let count = unsafe context.pointee.flagCount
        guard count < flagCapacity else { return }
        // Bound: count < flagCapacity, the buffer's size.
        unsafe context.pointee.flags[count] = unsafe CPUFlag(
            flag: Unmanaged.passUnretained(flag), caller: Int32(truncatingIfNeeded: caller))
        unsafe context.pointee.flagCount = count + 1
    }

    // MARK: Running

    func run(leavingFor caller: Int?) -> BatchOutcome {
        if next == 0 {
            unsafe context.pointee.size(for: context.pointee.rowCount)
            unsafe context.pointee.tileAttention()
        }
        leaver = caller
        unsafe context.pointee.backend = unsafe Unmanaged.passUnretained(self)
        let threads = unsafe context.pointee.threadCount
        guard let goesOn = squares?.goesOn else {
            let items = nextItems()
            if items >= 0 { unsafe pool.run(items: items, threads: threads, context: context, body: stepItem, next: nextStep) }
            return outcome
        }
        // The caller's function is called on the caller's thread.
        while true {
            guard goesOn() else { return .stopped }
            let items = nextItems()
            guard items >= 0 else { return outcome }
            unsafe pool.run(items: items, threads: threads, context: context, body: stepItem)
        }
    }

    /// Goes on to the next step: its items, or -1 when there is none, or nobody wants it; ``outcome`` then tells.
    fileprivate func nextItems() -> Int {
        // Checked first: items skip their work once the batch is cancelled, so its results are not complete.
        if unsafe context.pointee.isCancelled { return ends(.stopped) }
        if let leaver, unsafe context.pointee.hasCancelled(leaver) { return ends(.left) }
        if next == plan.count {
            unsafe outputsDone += context.pointee.stepRows
            next = plan.headStart
        }
        if next == plan.headStart {
            let rest = unsafe context.pointee.outputCount - outputsDone
            guard rest > 0 else { return ends(.done) }
            unsafe context.pointee.firstOutput = outputsDone
            unsafe context.pointee.size(for: min(rest, workspace.logitRows))
        }
        // Bound: next < plan.count.
        unsafe context.pointee.step = plan.steps + next
        next += 1
        return unsafe context.pointee.items(context.pointee.step.pointee.items)
    }

    private func ends(_ outcome: BatchOutcome) -> Int {
        self.outcome = outcome
        return -1
    }

    /// Logits of rows of the batch that was computed last, at most ``mostScoredRows``: (rows, vocabulary), until the next call. Nil when the
    /// batch was cancelled.
    func logits(_ rows: Range<Int>) -> UnsafePointer<Float>? {
        guard rows.count <= mostScoredRows, unsafe rows.lowerBound >= 0 && rows.upperBound <= context.pointee.rowCount else { return nil }
        let size = vocabularySize
        for (i, row) in rows.enumerated() {
            // Bound: i < logitRows <= batchSize.
            unsafe context.pointee.outputs[i] = unsafe CPUOutput(row: row, place: workspace.logits + i * size)
        }
        unsafe context.pointee.outputCount = rows.count
        outputsDone = 0
        next = plan.headStart
        return unsafe run(leavingFor: nil) == .done ? UnsafePointer(workspace.logits) : nil
    }

    var mostScoredRows: Int { workspace.logitRows }
}

/// An item of the step at hand.
private func stepItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let step = unsafe raw.assumingMemoryBound(to: CPUContext.self).pointee.step
    unsafe step.pointee.body(raw, item, thread)
}

/// The items of the step after it, for the pool.
private func nextStep(_ raw: UnsafeMutableRawPointer, _ thread: Int) -> Int {
    // The backend lives while it runs a batch.
    unsafe raw.assumingMemoryBound(to: CPUContext.self).pointee.backend?._withUnsafeGuaranteedRef { $0.nextItems() } ?? -1
}

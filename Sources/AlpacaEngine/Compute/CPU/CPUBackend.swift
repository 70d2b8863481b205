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
    /// The next step to be done, and outputs whose logits are made.
    private var next = 0
    private var outputsDone = 0

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
        unsafe context.pointee.threadCount = max(1, min(threads, pool.threadCount))
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
        while true {
            // Checked first: items skip their work once the batch is cancelled, so its results are not complete.
            if unsafe context.pointee.isCancelled { return .stopped }
            if let caller, unsafe context.pointee.hasCancelled(caller) { return .left }
            if let squares, let goesOn = squares.goesOn, !goesOn() { return .stopped }
            if next == plan.count {
                unsafe outputsDone += context.pointee.stepRows
                next = plan.headStart
                continue
            }
            if next == plan.headStart {
                let rest = unsafe context.pointee.outputCount - outputsDone
                guard rest > 0 else { return .done }
                unsafe context.pointee.firstOutput = outputsDone
                unsafe context.pointee.size(for: min(rest, workspace.logitRows))
            }
            perform(next)
            next += 1
        }
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

    private func perform(_ index: Int) {
        // Bound: index < plan.count.
        unsafe context.pointee.step = plan.steps + index
        let step = unsafe context.pointee.step
        let items = unsafe context.pointee.items(step.pointee.items)
        unsafe pool.run(
            items: items, threads: context.pointee.threadCount, context: UnsafeMutableRawPointer(context), body: step.pointee.body)
    }
}

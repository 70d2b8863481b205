// The forward pass of the Llama architecture (arXiv:2302.13971), top-down: `run` is the whole of it, the functions below are its steps.
// A step is a job of independent items (tokens, blocks of matrix rows, heads) for the worker pool; small steps run on the caller alone.
// Every result is independent of how items fall on threads and of how a prompt is cut into batches: see `alpaca_kernels.h`.

internal import CAlpacaKernels

/// Runs batches of tokens, of one sequence or of several, through the model.
@safe final class LlamaForward {
    let model: LlamaModel
    let workspace: Workspace
    let cancelFlag: CancelFlag
    private let pool: WorkerPool
    private let rowBuffer: AlignedBuffer
    private let segmentBuffer: AlignedBuffer
    private let outputBuffer: AlignedBuffer
    /// What the items of a step see.
    private let step: UnsafeMutablePointer<ForwardStep>

    init(model: LlamaModel, batchSize: Int, threadCount: Int, cancelFlag: CancelFlag = CancelFlag()) throws(AlpacaError) {
        self.model = model
        self.cancelFlag = cancelFlag
        pool = WorkerPool(threadCount: threadCount)
        workspace = try Workspace(model, batchSize: batchSize, threadCount: pool.threadCount)
        rowBuffer = try AlignedBuffer(batchSize, of: ForwardRow.self, for: "batch")
        segmentBuffer = try AlignedBuffer(batchSize, of: ForwardSegment.self, for: "batch")
        outputBuffer = try AlignedBuffer(workspace.logitRows, of: ForwardOutput.self, for: "batch")
        unsafe step = .allocate(capacity: 1)
        unsafe step.initialize(
            to: ForwardStep(
                kernels: Kernels.best.pointee, configuration: model.configuration, weights: model.weights, workspace: workspace,
                rows: rowBuffer.pointer(), segments: segmentBuffer.pointer(), outputs: outputBuffer.pointer(), cancel: cancelFlag,
                threadCount: pool.threadCount))
    }

    deinit {
        unsafe step.deinitialize(count: 1)
        unsafe step.deallocate()
    }

    /// Tokens that can still be added to the batch.
    var room: Int { unsafe workspace.batchSize - step.pointee.tokenCount }

    /// Adds `tokens` (ids 0 ..< vocabulary size, at most `room`, and no more than the cache has positions left) after what `cache` holds.
    func add(_ tokens: Span<TokenID>, to cache: KVCache) {
        let first = unsafe step.pointee.tokenCount
        let segment = unsafe step.pointee.segmentCount
        for i in 0..<tokens.count {
            // Bound: first + tokens.count <= batchSize, the buffer's size.
            unsafe step.pointee.rows[first + i] = ForwardRow(
                token: tokens[i], position: Int32(truncatingIfNeeded: cache.count + i), segment: Int32(truncatingIfNeeded: segment))
        }
        // Bound: a segment has at least one token, so there are at most batchSize.
        unsafe step.pointee.segments[segment] = ForwardSegment(
            cache: cache.view, firstRow: first, tokenCount: tokens.count, firstPosition: cache.count)
        unsafe step.pointee.tokenCount = first + tokens.count
        unsafe step.pointee.segmentCount = segment + 1
    }

    /// Rows of the batch that the call of `add` number `index` made.
    func rows(ofSequence index: Int) -> Range<Int> {
        guard unsafe (0..<step.pointee.segmentCount).contains(index) else { return 0..<0 }
        // Bound: index < segmentCount.
        let segment = unsafe step.pointee.segments[index]
        return segment.firstRow..<segment.firstRow + segment.tokenCount
    }

    /// Runs `body`; what it computes is stopped by each of `flags`, which outlive the call, too.
    func heeding<R>(_ flags: some Sequence<CancelFlag>, _ body: () -> R) -> R {
        let flags = unsafe flags.map { unsafe Unmanaged.passUnretained($0) }
        return unsafe flags.withUnsafeBufferPointer { flags in
            unsafe step.pointee.otherCancels = flags
            defer { unsafe step.pointee.otherCancels = UnsafeBufferPointer(start: nil, count: 0) }
            return body()
        }
    }

    /// Forgets the batch.
    func clear() {
        unsafe step.pointee.tokenCount = 0
        unsafe step.pointee.segmentCount = 0
    }

    /// Runs the batch: writes its keys and values to the caches (whose counts the caller advances) and leaves the last layer's output, one
    /// row a token, for ``logits(_:_:)``. False when it was cancelled; the caches' counts are then still right.
    func run() -> Bool {
        let n = unsafe step.pointee.tokenCount
        guard n > 0 else { return true }
        unsafe step.pointee.prepare(tokens: n)
        unsafe perform(n, embedItem)
        let layerCount = model.configuration.layerCount
        for layer in 0..<layerCount {
            if unsafe step.pointee.isCancelled { return false }
            unsafe step.pointee.layer = model.weights.layers[layer]
            unsafe step.pointee.layerIndex = layer
            let l = unsafe step.pointee.layer

            // x = x + attention(norm(x))
            unsafe step.pointee.norm = l.attentionNorm
            unsafe step.pointee.packsNormed =
                l.query.needsPackedInputs || l.key.needsPackedInputs || l.value.needsPackedInputs
            unsafe perform(step.pointee.groupCount, normItem)
            unsafe perform(step.pointee.items(l.query) + step.pointee.items(l.key) + step.pointee.items(l.value), queryKeyValueItem)
            unsafe perform(n, rotateAndStoreItem)
            unsafe perform(step.pointee.attentionItemCount, attentionItem)
            unsafe product(l.attentionOutput, of: workspace.attention, into: workspace.branch)

            // x = x + down(silu(gate(norm(x))) * up(norm(x)))
            unsafe step.pointee.norm = l.feedForwardNorm
            unsafe step.pointee.packsNormed = l.gate.needsPackedInputs || l.up.needsPackedInputs
            unsafe step.pointee.addsBranch = true
            unsafe perform(step.pointee.groupCount, normItem)
            unsafe perform(step.pointee.items(l.gate), gateUpItem)
            unsafe product(l.down, of: workspace.gate, into: workspace.branch)
        }
        // The last branch is added here; the final norm belongs to the logits, which few rows need.
        unsafe perform(n, addBranchItem)
        return unsafe !step.pointee.isCancelled
    }

    /// Logits of `count` rows of the last batch, at most `workspace.logitRows`, each to its place. The output matrix is read once for all of
    /// them. False when it was cancelled.
    func logits(_ count: Int, _ output: (Int) -> ForwardOutput) -> Bool {
        let n = unsafe step.pointee.tokenCount
        guard count > 0, count <= workspace.logitRows else { return false }
        for i in 0..<count {
            let wanted = output(i)
            guard wanted.row >= 0, wanted.row < n else { return false }
            // Bound: i < logitRows, the buffer's size.
            unsafe step.pointee.outputs[i] = wanted
        }
        let matrix = model.weights.output
        unsafe step.pointee.prepare(tokens: count)
        unsafe step.pointee.gathersOutputs = true
        unsafe step.pointee.norm = model.weights.outputNorm
        unsafe step.pointee.packsNormed = matrix.needsPackedInputs
        unsafe perform(step.pointee.groupCount, normItem)
        unsafe step.pointee.matrix = matrix
        unsafe step.pointee.input = step.pointee.inputs(workspace.normed, columns: matrix.columns)
        unsafe step.pointee.output = count == 1 ? step.pointee.outputs[0].place : workspace.logits
        unsafe perform(step.pointee.items(matrix), logitsItem)
        unsafe step.pointee.prepare(tokens: n)
        return unsafe !step.pointee.isCancelled
    }

    /// Logits of one row of the last batch: at `workspace.lastLogits`.
    func logits(row: Int) -> Bool {
        logits(1) { _ in unsafe ForwardOutput(row: row, place: workspace.lastLogits) }
    }

    /// Logits of several rows of the last batch: (rows, vocabulary) at `workspace.logits`.
    func logits(rows: Range<Int>) -> Bool {
        let size = model.configuration.vocabularySize
        return logits(rows.count) { i in unsafe ForwardOutput(row: rows.lowerBound + i, place: workspace.logits + i * size) }
    }

    /// output = matrix * input for the whole batch.
    @unsafe private func product(
        _ matrix: QuantizedMatrix, of input: UnsafeMutablePointer<Float>, into output: UnsafeMutablePointer<Float>
    ) {
        unsafe step.pointee.matrix = matrix
        unsafe step.pointee.input = step.pointee.inputs(input, columns: matrix.columns)
        unsafe step.pointee.output = output
        if matrix.needsPackedInputs { unsafe perform(step.pointee.groupCount, packItem) }
        unsafe perform(step.pointee.items(matrix), productItem)
    }

    @unsafe private func perform(_ items: Int, _ body: WorkerPool.Body) {
        unsafe pool.run(items: items, context: UnsafeMutableRawPointer(step), body: body)
    }
}

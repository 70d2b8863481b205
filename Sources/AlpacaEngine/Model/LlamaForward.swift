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
    private let rotary: RotaryEmbedding
    private let rowBuffer: AlignedBuffer
    private let segmentBuffer: AlignedBuffer
    /// What the items of a step see.
    private let step: UnsafeMutablePointer<ForwardStep>

    init(model: LlamaModel, rotary: RotaryEmbedding, batchSize: Int, threadCount: Int, cancelFlag: CancelFlag = CancelFlag())
        throws(AlpacaError)
    {
        self.model = model
        self.cancelFlag = cancelFlag
        self.rotary = rotary
        pool = WorkerPool(threadCount: threadCount)
        workspace = try Workspace(model, batchSize: batchSize, threadCount: pool.threadCount)
        rowBuffer = try AlignedBuffer(batchSize, of: ForwardRow.self, for: "batch")
        segmentBuffer = try AlignedBuffer(batchSize, of: ForwardSegment.self, for: "batch")
        unsafe step = .allocate(capacity: 1)
        unsafe step.initialize(
            to: ForwardStep(
                kernels: Kernels.best.pointee, configuration: model.configuration, weights: model.weights, workspace: workspace,
                rotary: rotary, rows: rowBuffer.pointer(), segments: segmentBuffer.pointer(), cancel: cancelFlag,
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

    /// Forgets the batch.
    func clear() {
        unsafe step.pointee.tokenCount = 0
        unsafe step.pointee.segmentCount = 0
    }

    /// Runs the batch: writes its keys and values to the caches (whose counts the caller advances) and leaves the last layer's output, one
    /// row a token, for ``logits(rows:)``. False when it was cancelled; the caches' counts are then still right.
    func run() -> Bool {
        let n = unsafe step.pointee.tokenCount
        guard n > 0 else { return true }
        unsafe step.pointee.prepare(tokens: n)
        unsafe perform(n, embedItem)
        let layerCount = model.configuration.layerCount
        for layer in 0..<layerCount {
            if cancelFlag.isSet { return false }
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
        return !cancelFlag.isSet
    }

    /// Logits of `rows` of the last batch (at most `workspace.logitRows`): (rows, vocabulary) at `workspace.logits`. False when cancelled.
    func logits(rows: Range<Int>) -> Bool {
        let n = unsafe step.pointee.tokenCount
        guard rows.lowerBound >= 0, rows.upperBound <= n, rows.count <= workspace.logitRows, !rows.isEmpty else { return false }
        unsafe step.pointee.prepare(tokens: rows.count)
        unsafe step.pointee.normFirstRow = rows.lowerBound
        unsafe step.pointee.norm = model.weights.outputNorm
        unsafe step.pointee.packsNormed = model.weights.output.needsPackedInputs
        unsafe perform(step.pointee.groupCount, normItem)
        unsafe step.pointee.matrix = model.weights.output
        unsafe step.pointee.input = step.pointee.inputs(workspace.normed, columns: model.weights.output.columns)
        unsafe step.pointee.output = workspace.logits
        unsafe perform(step.pointee.items(model.weights.output), productItem)
        unsafe step.pointee.prepare(tokens: n)
        return !cancelFlag.isSet
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

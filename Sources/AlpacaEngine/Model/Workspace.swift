internal import CAlpacaKernels

/// The buffers of a forward pass over at most ``batchSize`` tokens. Taken once, when a session is made; nothing is allocated later.
@safe final class Workspace {
    let batchSize: Int
    let threadCount: Int
    let byteCount: Int

    // Activations, row-major, one row a token.
    let x: UnsafeMutablePointer<Float>  // (batch, embedding)      the residual stream
    let normed: UnsafeMutablePointer<Float>  // (batch, embedding)
    let query: UnsafeMutablePointer<Float>  // (batch, heads * dim)
    let key: UnsafeMutablePointer<Float>  // (batch, kv heads * dim)
    let value: UnsafeMutablePointer<Float>  // (batch, kv heads * dim)
    let attention: UnsafeMutablePointer<Float>  // (batch, heads * dim)
    let gate: UnsafeMutablePointer<Float>  // (batch, feed-forward)
    let up: UnsafeMutablePointer<Float>  // (batch, feed-forward)
    let branch: UnsafeMutablePointer<Float>  // (batch, embedding)     what a block adds to the residual stream
    let angles: UnsafeMutablePointer<Float>  // (batch, rope dimension / 2, 2)
    let packed: UnsafeMutableRawPointer  // quantized inputs of the matrix product at hand
    let scratch: UnsafeMutableRawPointer  // (threads, scratchStride)
    let scratchStride: Int
    let lastLogits: UnsafeMutablePointer<Float>  // (vocabulary)  of the session's last position
    let logits: UnsafeMutablePointer<Float>  // (logitRows, vocabulary)    of several positions
    /// Positions whose logits are computed at a time.
    let logitRows: Int

    private let buffer: AlignedBuffer

    init(_ model: LlamaModel, batchSize: Int, threadCount: Int) throws(AlpacaError) {
        let logitRows = min(batchSize, 32)
        let c = model.configuration
        let table = unsafe Kernels.best.pointee
        let queries = c.headCount * c.headDimension
        let keys = c.keyValueHeadCount * c.headDimension
        let what = "workspace for n_batch \(batchSize)"
        let scratch = max(
            unsafe table.matmul.scratch_bytes(model.weights.mostColumns, batchSize),
            unsafe table.vector.attention_scratch_bytes(c.headCount / c.keyValueHeadCount, c.headDimension))
        scratchStride = try CheckedMath.align(scratch, to: 64, of: what)

        // Offsets are laid out first, each part aligned to 64 bytes.
        var total = 0
        func place(_ factors: Int...) throws(AlpacaError) -> Int {
            let at = total
            let bytes = try CheckedMath.align(try CheckedMath.product(factors, of: what), to: 64, of: what)
            total = try CheckedMath.sum(total, bytes, of: what)
            return at
        }
        let float = MemoryLayout<Float>.size
        let atX = try place(batchSize, c.embeddingLength, float)
        let atNormed = try place(batchSize, c.embeddingLength, float)
        let atQuery = try place(batchSize, queries, float)
        let atKey = try place(batchSize, keys, float)
        let atValue = try place(batchSize, keys, float)
        let atAttention = try place(batchSize, queries, float)
        let atGate = try place(batchSize, c.feedForwardLength, float)
        let atUp = try place(batchSize, c.feedForwardLength, float)
        let atBranch = try place(batchSize, c.embeddingLength, float)
        let atAngles = try place(batchSize, c.ropeDimension, float)
        let atPacked = try place(unsafe table.matmul.packed_bytes(model.weights.mostColumns, batchSize))
        let atScratch = try place(threadCount, scratchStride)
        let atLastLogits = try place(c.vocabularySize, float)
        let atLogits = try place(logitRows, c.vocabularySize, float)

        try MemoryBudget.require(total, for: what)
        buffer = try AlignedBuffer(count: total, for: what)
        byteCount = total
        let base = unsafe buffer.base
        // Bound: each part begins at its place in `total` bytes and ends before the next.
        unsafe x = (base + atX).assumingMemoryBound(to: Float.self)
        unsafe normed = (base + atNormed).assumingMemoryBound(to: Float.self)
        unsafe query = (base + atQuery).assumingMemoryBound(to: Float.self)
        unsafe key = (base + atKey).assumingMemoryBound(to: Float.self)
        unsafe value = (base + atValue).assumingMemoryBound(to: Float.self)
        unsafe attention = (base + atAttention).assumingMemoryBound(to: Float.self)
        unsafe gate = (base + atGate).assumingMemoryBound(to: Float.self)
        unsafe up = (base + atUp).assumingMemoryBound(to: Float.self)
        unsafe branch = (base + atBranch).assumingMemoryBound(to: Float.self)
        unsafe angles = (base + atAngles).assumingMemoryBound(to: Float.self)
        unsafe packed = base + atPacked
        unsafe self.scratch = base + atScratch
        unsafe lastLogits = (base + atLastLogits).assumingMemoryBound(to: Float.self)
        unsafe logits = (base + atLogits).assumingMemoryBound(to: Float.self)
        self.batchSize = batchSize
        self.threadCount = threadCount
        self.logitRows = logitRows
    }
}

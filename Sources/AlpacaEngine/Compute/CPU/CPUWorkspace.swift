internal import CAlpacaKernels

/// The memory that a program runs in: its slots for as many rows as a batch can have, and what the kernels need beside them. All of it is
/// taken when it is made, in one piece.
@safe final class CPUWorkspace {
    let batchSize: Int
    /// Rows whose logits are computed at a time.
    let logitRows: Int

    /// (batch, rope dimension / 2, 2): cosine and sine of each pair's angle.
    let angles: UnsafeMutablePointer<Float>
    /// Inputs of the matrix product at hand, quantized.
    let packed: UnsafeMutableRawPointer
    /// (threads, scratchStride)
    let scratch: UnsafeMutableRawPointer
    let scratchStride: Int
    /// (logitRows, vocabulary)
    let logits: UnsafeMutablePointer<Float>
    /// nil for models without experts.
    let routing: CPURouting?
    private let slots: [UnsafeMutablePointer<Float>]
    private let buffer: AlignedBuffer

    init(_ program: Program, mostColumns: Int, batchSize: Int, threadCount: Int) throws(AlpacaError) {
        let logitRows = min(batchSize, 32)
        let c = program.configuration
        let table = unsafe Kernels.best.pointee
        let what = "workspace for n_batch \(batchSize)"
        let scratch = max(
            unsafe table.matmul.scratch_bytes(mostColumns, batchSize),
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
        var offsets: [Int] = []
        for width in program.slotWidths { offsets.append(try place(batchSize, width, float)) }
        let atAngles = try place(batchSize, c.ropeDimension, float)
        let atPacked = try place(unsafe table.matmul.packed_bytes(mostColumns, batchSize))
        let atScratch = try place(threadCount, scratchStride)
        let atLogits = try place(logitRows, c.vocabularySize, float)

        let places = c.experts.map { batchSize * $0.usedCount } ?? 0
        var atExperts: [Int] = []
        if let experts = c.experts {
            let packed = max(
                try unsafe CPURouting.packedByteCount(columns: c.embeddingLength, batchSize: batchSize, experts, table.matmul),
                try unsafe CPURouting.packedByteCount(columns: experts.feedForwardLength, batchSize: batchSize, experts, table.matmul))
            let int = MemoryLayout<Int32>.size
            for (count, size) in [
                (experts.count + 1, int), (experts.count, int), (places, int), (places, int), (experts.count, int),
                (2 * experts.count, MemoryLayout<Int>.size), (packed, 1),
            ] {
                atExperts.append(try place(count, size))
            }
            atExperts.append(try place(places, c.embeddingLength, float))
        }

        try MemoryBudget.require(total, for: what)
        buffer = try AlignedBuffer(count: total, for: what)
        let base = unsafe buffer.base
        // Bound: each part begins at its place in `total` bytes and ends before the next.
        unsafe slots = offsets.map { unsafe (base + $0).assumingMemoryBound(to: Float.self) }
        unsafe angles = (base + atAngles).assumingMemoryBound(to: Float.self)
        unsafe packed = base + atPacked
        unsafe self.scratch = base + atScratch
        unsafe logits = (base + atLogits).assumingMemoryBound(to: Float.self)
        routing = c.experts.map { experts in
            func ints(_ part: Int) -> UnsafeMutablePointer<Int32> { unsafe (base + atExperts[part]).assumingMemoryBound(to: Int32.self) }
            return unsafe CPURouting(
                expertCount: experts.count, usedCount: experts.usedCount, columns: c.embeddingLength, middle: experts.feedForwardLength,
                starts: ints(0), taken: ints(1), rowOf: ints(2), placeOf: ints(3), active: ints(4),
                packedAt: (base + atExperts[5]).assumingMemoryBound(to: Int.self),
                gathered: (base + atExperts[7]).assumingMemoryBound(to: Float.self), packed: base + atExperts[6])
        }
        self.batchSize = batchSize
        self.logitRows = logitRows
    }

    /// (batch, width of the slot), row-major.
    @unsafe func pointer(_ slot: Slot) -> UnsafeMutablePointer<Float> { unsafe slots[slot.index] }
}

internal import CAlpacaKernels

/// One token of a batch.
struct ForwardRow: BitwiseCopyable {
    var token: TokenID
    var position: Int32
    var segment: Int32
}

/// Tokens of a batch that follow each other in one sequence.
@safe struct ForwardSegment: BitwiseCopyable {
    var cache: KVCache.View
    var firstRow, tokenCount, firstPosition: Int
    /// Items of attention before this segment's, and the tokens of each.
    var firstItem = 0
    var tile = 1
}

/// A row of a batch whose logits are wanted, and where they go: as many floats as the vocabulary has tokens.
@safe struct ForwardOutput: BitwiseCopyable {
    var row: Int
    var place: UnsafeMutablePointer<Float>
}

/// What the items of a step of the forward pass see: plain values and pointers into the workspace, the weights and the caches, all of which
/// outlive the step. Shapes were checked when those were made; `tokenCount <= batchSize`.
@safe struct ForwardStep {
    let kernels: kern_table
    let headCount, keyValueHeadCount, headDimension, ropeDimension, embeddingLength, feedForwardLength, vocabularySize: Int
    let epsilon: Float
    let attentionScale: Float
    let embedding: QuantizedMatrix
    let threadCount: Int

    let x, normed, query, key, value, attention, gate, up, branch, angles: UnsafeMutablePointer<Float>
    let packed, scratch: UnsafeMutableRawPointer
    let scratchStride: Int
    let rows: UnsafeMutablePointer<ForwardRow>
    let segments: UnsafeMutablePointer<ForwardSegment>
    let outputs: UnsafeMutablePointer<ForwardOutput>
    let cancel: Unmanaged<CancelFlag>
    /// Flags of other sessions in the batch.
    var otherCancels = unsafe UnsafeBufferPointer<Unmanaged<CancelFlag>>(start: nil, count: 0)

    // The batch.
    var tokenCount = 0
    var segmentCount = 0
    var groupSize = 1
    var groupCount = 0
    var attentionItemCount = 0

    // The step.
    var layer: LayerWeights
    var layerIndex = 0
    var norm: UnsafePointer<Float>
    /// Whether the step's tokens are the rows of `outputs`, not those of the batch.
    var gathersOutputs = false
    var addsBranch = false
    var packsNormed = false
    var matrix: QuantizedMatrix
    var input = unsafe kern_inputs()
    var output: UnsafeMutablePointer<Float>

    /// Tokens of a segment that attention takes as one item: it widens the keys once for as many. At depth fewer are enough, and an item
    /// must not last: between items it is seen whether to stop.
    private func attentionTile(_ segment: ForwardSegment) -> Int {
        let products = (segment.firstPosition + segment.tokenCount) * headDimension * (headCount / keyValueHeadCount)
        return max(4, min(96, (1 << 26) / max(1, products)))
    }

    init(
        kernels: kern_table, configuration c: ModelConfiguration, weights: LlamaWeights, workspace w: Workspace,
        rows: UnsafeMutablePointer<ForwardRow>, segments: UnsafeMutablePointer<ForwardSegment>,
        outputs: UnsafeMutablePointer<ForwardOutput>, cancel: CancelFlag, threadCount: Int
    ) {
        unsafe self.kernels = kernels
        headCount = c.headCount
        keyValueHeadCount = c.keyValueHeadCount
        headDimension = c.headDimension
        ropeDimension = c.ropeDimension
        embeddingLength = c.embeddingLength
        feedForwardLength = c.feedForwardLength
        vocabularySize = c.vocabularySize
        epsilon = c.normEpsilon
        attentionScale = 1 / Float(c.headDimension).squareRoot()
        embedding = weights.tokenEmbedding
        self.threadCount = threadCount
        unsafe (x, normed, query, key, value) = (w.x, w.normed, w.query, w.key, w.value)
        unsafe (attention, gate, up, branch, angles) = (w.attention, w.gate, w.up, w.branch, w.angles)
        unsafe (packed, scratch) = (w.packed, w.scratch)
        scratchStride = w.scratchStride
        unsafe self.rows = rows
        unsafe self.segments = segments
        unsafe self.outputs = outputs
        unsafe self.cancel = Unmanaged.passUnretained(cancel)
        layer = weights.layers[0]
        unsafe norm = weights.outputNorm
        matrix = weights.output
        unsafe output = w.branch
    }

    /// Sizes the steps for a batch of `tokens`.
    mutating func prepare(tokens: Int) {
        tokenCount = tokens
        unsafe groupSize = max(1, kernels.matmul.pack_group(tokens))
        groupCount = (tokens + groupSize - 1) / groupSize
        gathersOutputs = false
        addsBranch = false
        var items = 0
        for i in 0..<segmentCount {
            let tile = unsafe attentionTile(segments[i])
            unsafe segments[i].firstItem = items
            unsafe segments[i].tile = tile
            unsafe items += (segments[i].tokenCount + tile - 1) / tile * keyValueHeadCount
        }
        attentionItemCount = items
    }

    func partition(_ matrix: QuantizedMatrix) -> RowPartition {
        RowPartition(rows: matrix.rows, columns: matrix.columns, threadCount: threadCount, tokenCount: tokenCount)
    }

    func items(_ matrix: QuantizedMatrix) -> Int { partition(matrix).itemCount }

    func inputs(_ x: UnsafeMutablePointer<Float>, columns: Int) -> kern_inputs {
        unsafe kern_inputs(x: x, stride: columns, columns: columns, n_tokens: tokenCount, packed: packed)
    }

    func scratch(_ thread: Int) -> UnsafeMutableRawPointer { unsafe scratch + thread * scratchStride }

    var isCancelled: Bool {
        if unsafe cancel._withUnsafeGuaranteedRef({ $0.isSet }) { return true }
        for i in unsafe 0..<otherCancels.count where unsafe otherCancels[i]._withUnsafeGuaranteedRef({ $0.isSet }) { return true }
        return false
    }

    /// Multiplies the rows of item `item` of `matrix` with `input`.
    func multiply(
        _ matrix: QuantizedMatrix, item: Int, _ input: kern_inputs, _ output: UnsafeMutablePointer<Float>, thread: Int
    ) -> Range<Int> {
        let rows = partition(matrix).range(item)
        var raw = unsafe matrix.raw
        var input = unsafe input
        unsafe kernels.matmul.matmul(&raw, rows.lowerBound, rows.upperBound, &input, output, matrix.rows, scratch(thread))
        return rows
    }
}

// MARK: - The steps' items. Each may run on any thread; `raw` is the ForwardStep.

/// x[t] = embedding[token t], and the angles of its position.
func embedItem(_ raw: UnsafeMutableRawPointer, _ token: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    let row = unsafe s.pointee.rows[token]
    let width = unsafe s.pointee.embeddingLength
    let matrix = unsafe s.pointee.embedding.raw
    // Bound: ids are below the vocabulary size (checked by the session), the embedding has that many rows.
    unsafe s.pointee.kernels.vector.dequantize_row(
        matrix.type, matrix.base + Int(row.token) * matrix.row_bytes, width, s.pointee.x + token * width)
    let turning = unsafe s.pointee.ropeDimension
    let frequencies = unsafe s.pointee.segments[Int(row.segment)].cache.frequencies
    unsafe kern_rope_angles(Int(row.position), frequencies, turning / 2, 1, s.pointee.angles + token * turning)
}

/// For a group of tokens: x += branch (when the step says so), normed = norm(x), and its quantized form.
func normItem(_ raw: UnsafeMutableRawPointer, _ group: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    let width = unsafe s.pointee.embeddingLength
    let first = unsafe group * s.pointee.groupSize
    let last = unsafe min(s.pointee.tokenCount, first + s.pointee.groupSize)
    for token in first..<last {
        let row = unsafe s.pointee.gathersOutputs ? s.pointee.outputs[token].row : token
        let x = unsafe s.pointee.x + row * width
        if unsafe s.pointee.addsBranch { unsafe s.pointee.kernels.vector.add(x, s.pointee.branch + token * width, width) }
        unsafe s.pointee.kernels.vector.rms_norm(x, s.pointee.norm, s.pointee.epsilon, width, s.pointee.normed + token * width)
    }
    if unsafe s.pointee.packsNormed {
        var input = unsafe s.pointee.inputs(s.pointee.normed, columns: width)
        unsafe s.pointee.kernels.matmul.pack_inputs(&input, first, last)
    }
}

/// A block of rows of the query, key or value matrix.
func queryKeyValueItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    if unsafe s.pointee.isCancelled { return }
    let layer = unsafe s.pointee.layer
    let input = unsafe s.pointee.inputs(s.pointee.normed, columns: s.pointee.embeddingLength)
    let queries = unsafe s.pointee.items(layer.query)
    let keys = unsafe s.pointee.items(layer.key)
    if item < queries {
        unsafe _ = s.pointee.multiply(layer.query, item: item, input, s.pointee.query, thread: thread)
    } else if item < queries + keys {
        unsafe _ = s.pointee.multiply(layer.key, item: item - queries, input, s.pointee.key, thread: thread)
    } else {
        unsafe _ = s.pointee.multiply(layer.value, item: item - queries - keys, input, s.pointee.value, thread: thread)
    }
}

/// Turns a token's queries and keys by its position's angles and stores its keys and values.
func rotateAndStoreItem(_ raw: UnsafeMutableRawPointer, _ token: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    let dimension = unsafe s.pointee.headDimension
    let turning = unsafe s.pointee.ropeDimension
    let query = unsafe s.pointee.query + token * s.pointee.headCount * dimension
    let key = unsafe s.pointee.key + token * s.pointee.keyValueHeadCount * dimension
    let value = unsafe s.pointee.value + token * s.pointee.keyValueHeadCount * dimension
    let angles = unsafe s.pointee.angles + token * turning
    unsafe s.pointee.kernels.vector.rope(query, s.pointee.headCount, dimension, turning, angles)
    unsafe s.pointee.kernels.vector.rope(key, s.pointee.keyValueHeadCount, dimension, turning, angles)
    let row = unsafe s.pointee.rows[token]
    var kv = unsafe s.pointee.segments[Int(row.segment)].cache.layer(s.pointee.layerIndex)
    unsafe s.pointee.kernels.vector.kv_store(&kv, Int(row.position), key, value)
}

/// Attention of the query heads of one key/value head, for a tile of one segment's tokens.
func attentionItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    if unsafe s.pointee.isCancelled { return }
    // The last segment whose first item is not after this one.
    var low = 0
    var high = unsafe s.pointee.segmentCount - 1
    while low < high {
        let middle = (low + high + 1) / 2
        if unsafe s.pointee.segments[middle].firstItem <= item { low = middle } else { high = middle - 1 }
    }
    let segment = unsafe s.pointee.segments[low]
    let index = item - segment.firstItem
    let head = unsafe index % s.pointee.keyValueHeadCount
    let first = unsafe index / s.pointee.keyValueHeadCount * segment.tile
    let count = min(segment.tile, segment.tokenCount - first)
    let stride = unsafe s.pointee.headCount * s.pointee.headDimension
    let row = (segment.firstRow + first) * stride
    var kv = unsafe segment.cache.layer(s.pointee.layerIndex)
    unsafe s.pointee.kernels.vector.attention(
        &kv, head, s.pointee.headCount / s.pointee.keyValueHeadCount, segment.firstPosition + first, count, s.pointee.query + row, stride,
        s.pointee.attention + row, stride, s.pointee.attentionScale, s.pointee.scratch(thread))
}

/// A block of rows of gate and up, joined: gate = silu(gate) * up.
func gateUpItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    if unsafe s.pointee.isCancelled { return }
    let layer = unsafe s.pointee.layer
    let input = unsafe s.pointee.inputs(s.pointee.normed, columns: s.pointee.embeddingLength)
    let rows = unsafe s.pointee.multiply(layer.gate, item: item, input, s.pointee.gate, thread: thread)
    if unsafe s.pointee.isCancelled { return }
    unsafe _ = s.pointee.multiply(layer.up, item: item, input, s.pointee.up, thread: thread)
    let width = unsafe s.pointee.feedForwardLength
    for token in unsafe 0..<s.pointee.tokenCount {
        let at = token * width + rows.lowerBound
        unsafe s.pointee.kernels.vector.silu_mul(s.pointee.gate + at, s.pointee.up + at, rows.count)
    }
}

/// The quantized form of the product's input, for a group of tokens.
func packItem(_ raw: UnsafeMutableRawPointer, _ group: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    let first = unsafe group * s.pointee.groupSize
    unsafe s.pointee.kernels.matmul.pack_inputs(&s.pointee.input, first, min(s.pointee.tokenCount, first + s.pointee.groupSize))
}

/// A block of rows of the product.
func productItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    if unsafe s.pointee.isCancelled { return }
    unsafe _ = s.pointee.multiply(s.pointee.matrix, item: item, s.pointee.input, s.pointee.output, thread: thread)
}

/// A block of rows of the output matrix: each token's part of the logits goes to its place.
func logitsItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    if unsafe s.pointee.isCancelled { return }
    let rows = unsafe s.pointee.multiply(s.pointee.matrix, item: item, s.pointee.input, s.pointee.output, thread: thread)
    for token in unsafe 0..<s.pointee.tokenCount {
        let product = unsafe s.pointee.output + token * s.pointee.matrix.rows
        let place = unsafe s.pointee.outputs[token].place
        // Where there is one row the product was written to its place.
        if unsafe place != product { unsafe (place + rows.lowerBound).update(from: product + rows.lowerBound, count: rows.count) }
    }
}

/// x += branch for one token.
func addBranchItem(_ raw: UnsafeMutableRawPointer, _ token: Int, _ thread: Int) {
    let s = unsafe raw.assumingMemoryBound(to: ForwardStep.self)
    let at = unsafe token * s.pointee.embeddingLength
    unsafe s.pointee.kernels.vector.add(s.pointee.x + at, s.pointee.branch + at, s.pointee.embeddingLength)
}

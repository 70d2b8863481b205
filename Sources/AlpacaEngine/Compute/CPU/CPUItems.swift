// The items of each kind of step: what a thread does. Each may run on any thread; `raw` is the CPUContext. Every result is independent of how
// items fall on threads and of how a prompt is cut into batches: see `alpaca_kernels.h`.

internal import CAlpacaKernels

/// x[t] = embedding[token t], and the angles of its position.
func embedItem(_ raw: UnsafeMutableRawPointer, _ index: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let row = unsafe c.pointee.rows[index]
    let step = unsafe c.pointee.step
    guard let matrix = unsafe step.pointee.products?.pointee.matrix.raw else { return }
    let width = unsafe step.pointee.width
    // Bound: ids are below the vocabulary size (checked by the session), the embedding has that many rows.
    unsafe c.pointee.kernels.vector.dequantize_row(
        matrix.type, matrix.base + Int(row.token) * matrix.row_bytes, width, step.pointee.input + index * width)
    let turning = unsafe c.pointee.ropeDimension
    let sequence = unsafe c.pointee.segments[Int(row.segment)].sequence
    unsafe kern_rope_angles(
        Int(row.position), sequence.frequencies, turning / 2, sequence.angleScale, c.pointee.angles + index * turning)
}

/// For a group of rows: x += branch (where the step has one), normed = norm(x), and its quantized form.
func normItem(_ raw: UnsafeMutableRawPointer, _ group: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let weight = unsafe step.pointee.weight, let output = unsafe step.pointee.output else { return }
    let width = unsafe step.pointee.width
    let first = unsafe group * c.pointee.groupSize
    let last = unsafe min(c.pointee.stepRows, first + c.pointee.groupSize)
    for index in first..<last {
        let row = unsafe step.pointee.isHead ? c.pointee.outputs[c.pointee.firstOutput + index].row : index
        let x = unsafe step.pointee.input + row * width
        if let branch = unsafe step.pointee.branch { unsafe c.pointee.kernels.vector.add(x, branch + index * width, width) }
        unsafe c.pointee.kernels.vector.rms_norm(x, weight, c.pointee.epsilon, width, output + index * width)
    }
    if unsafe step.pointee.packs {
        var input = unsafe c.pointee.inputs(output, columns: width)
        unsafe c.pointee.kernels.matmul.pack_inputs(&input, first, last)
    }
}

/// The quantized form of the product's input, for a group of rows.
func packItem(_ raw: UnsafeMutableRawPointer, _ group: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let first = unsafe group * c.pointee.groupSize
    var input = unsafe c.pointee.inputs(c.pointee.step.pointee.input, columns: c.pointee.step.pointee.width)
    unsafe c.pointee.kernels.matmul.pack_inputs(&input, first, min(c.pointee.stepRows, first + c.pointee.groupSize))
}

/// A block of rows of one of the step's products.
func productItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    if unsafe c.pointee.isCancelled { return }
    let step = unsafe c.pointee.step
    guard let products = unsafe step.pointee.products else { return }
    let input = unsafe c.pointee.inputs(step.pointee.input, columns: step.pointee.width)
    let count = unsafe c.pointee.items(.products) / c.pointee.threadCount
    // A thread's items are those of its ranges of all matrices, one after the other.
    let range = item / max(1, count)
    var rest = item % max(1, count)
    for i in unsafe 0..<step.pointee.productCount {
        // Bound: i < productCount.
        let own = unsafe c.pointee.partition(products[i].matrix).itemsPerRange
        if rest < own {
            unsafe _ = c.pointee.multiply(products[i], item: range * own + rest, input, thread: thread)
            return
        }
        rest -= own
    }
}

/// A block of rows of gate and up, joined: gate = silu(gate) * up.
func gatedItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    if unsafe c.pointee.isCancelled { return }
    let step = unsafe c.pointee.step
    guard let products = unsafe step.pointee.products else { return }
    let input = unsafe c.pointee.inputs(step.pointee.input, columns: step.pointee.width)
    // Bound: such a step has two products, of matrices of one shape.
    let gate = unsafe products[0], up = unsafe products[1]
    let rows = unsafe c.pointee.partition(gate.matrix).range(item)
    if rows.isEmpty { return }
    unsafe c.pointee.multiply(gate, rows, then: c.pointee.address(of: rows.lowerBound, up.matrix), input, thread: thread)
    if unsafe c.pointee.isCancelled { return }
    let then = unsafe c.pointee.following(up, item) ?? c.pointee.address(of: rows.upperBound, gate.matrix)
    unsafe c.pointee.multiply(up, rows, then: then, input, thread: thread)
    for row in unsafe 0..<c.pointee.stepRows {
        let at = row * gate.matrix.rows + rows.lowerBound
        unsafe c.pointee.kernels.vector.silu_mul(gate.output + at, up.output + at, rows.count)
    }
}

/// gate = silu(gate) * up for one row, where the two were not made together.
func gateItem(_ raw: UnsafeMutableRawPointer, _ row: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let up = unsafe step.pointee.branch else { return }
    let at = unsafe row * step.pointee.width
    unsafe c.pointee.kernels.vector.silu_mul(step.pointee.input + at, up + at, step.pointee.width)
}

/// Each head of a row = norm(head).
func headNormItem(_ raw: UnsafeMutableRawPointer, _ row: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let weight = unsafe step.pointee.weight else { return }
    let dimension = unsafe c.pointee.headDimension, width = unsafe step.pointee.width
    let heads = unsafe step.pointee.input + row * width
    // Bound: the width is a number of whole heads, the weight has one's length.
    for at in stride(from: 0, to: width, by: dimension) {
        unsafe c.pointee.kernels.vector.rms_norm(heads + at, weight, c.pointee.epsilon, dimension, heads + at)
    }
}

/// Turns a row's queries and keys by its position's angles and stores its keys and values.
func rotateAndStoreItem(_ raw: UnsafeMutableRawPointer, _ index: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    let dimension = unsafe c.pointee.headDimension, turning = unsafe c.pointee.ropeDimension
    let heads = unsafe c.pointee.headCount, pairs = unsafe c.pointee.keyValueHeadCount
    let angles = unsafe c.pointee.angles + index * turning
    guard let queries = unsafe step.pointee.query, let keys = unsafe step.pointee.key, let values = unsafe step.pointee.value else {
        return
    }
    let query = unsafe queries + index * heads * dimension
    let key = unsafe keys + index * pairs * dimension, value = unsafe values + index * pairs * dimension
    unsafe c.pointee.kernels.vector.rope(query, heads, dimension, turning, angles, c.pointee.pairing)
    unsafe c.pointee.kernels.vector.rope(key, pairs, dimension, turning, angles, c.pointee.pairing)
    let row = unsafe c.pointee.rows[index]
    var kv = unsafe c.pointee.cache(of: c.pointee.segments[Int(row.segment)].sequence, layer: step.pointee.layer)
    unsafe c.pointee.kernels.vector.kv_store(&kv, Int(row.position), key, value)
}

/// Attention of the query heads of one key/value head, for a tile of one sequence's rows.
func attentionItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    if unsafe c.pointee.isCancelled { return }
    let step = unsafe c.pointee.step
    guard let output = unsafe step.pointee.output else { return }
    // The last segment whose first item is not after this one.
    var low = 0
    var high = unsafe c.pointee.segmentCount - 1
    while low < high {
        let middle = (low + high + 1) / 2
        if unsafe c.pointee.segments[middle].firstItem <= item { low = middle } else { high = middle - 1 }
    }
    let segment = unsafe c.pointee.segments[low]
    let index = item - segment.firstItem
    let pairs = unsafe c.pointee.keyValueHeadCount
    let head = index % pairs
    let first = index / pairs * segment.tile
    let count = min(segment.tile, segment.rowCount - first)
    let stride = unsafe step.pointee.width
    let row = (segment.firstRow + first) * stride
    var kv = unsafe c.pointee.cache(of: segment.sequence, layer: step.pointee.layer)
    unsafe c.pointee.kernels.vector.attention(
        &kv, head, c.pointee.headCount / pairs, segment.firstPosition + first, count, step.pointee.window, step.pointee.input + row,
        stride, output + row, stride, c.pointee.attentionScale, c.pointee.scratch(thread))
}

/// x += branch for one row.
func addItem(_ raw: UnsafeMutableRawPointer, _ row: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let branch = unsafe step.pointee.branch else { return }
    let at = unsafe row * step.pointee.width
    unsafe c.pointee.kernels.vector.add(step.pointee.input + at, branch + at, step.pointee.width)
}

/// A block of rows of the output matrix: each row's part of the logits goes to its place.
func logitsItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    if unsafe c.pointee.isCancelled { return }
    let step = unsafe c.pointee.step
    guard let product = unsafe step.pointee.products?.pointee else { return }
    let input = unsafe c.pointee.inputs(step.pointee.input, columns: step.pointee.width)
    let outputs = unsafe c.pointee.outputs + c.pointee.firstOutput
    if unsafe c.pointee.stepRows == 1 {
        // One row's product is written to its place at once.
        let direct = unsafe CPUProduct(
            matrix: product.matrix, bias: product.bias, output: outputs.pointee.place, next: product.next)
        unsafe _ = c.pointee.multiply(direct, item: item, input, thread: thread)
        return
    }
    let rows = unsafe c.pointee.multiply(product, item: item, input, thread: thread)
    for row in unsafe 0..<c.pointee.stepRows {
        let from = unsafe product.output + row * product.matrix.rows + rows.lowerBound
        let place = unsafe outputs[row].place + rows.lowerBound
        if unsafe place != from { unsafe place.update(from: from, count: rows.count) }
    }
}

extension CPUContext {
    /// Keys and values of a layer, 0 ..< layerCount.
    func cache(of sequence: SequenceView, layer: Int) -> kern_kv {
        unsafe kern_kv(
            pages: sequence.pages, layer: layer * sequence.layerBytes, n_head_kv: keyValueHeadCount, head_dim: headDimension,
            key_kind: sequence.keyKind, value_kind: sequence.valueKind, fetch_level: kernels.fetch_level)
    }
}

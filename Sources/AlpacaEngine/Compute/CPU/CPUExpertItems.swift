// The items of steps that are about experts. As in CPUItems.swift each may run on any thread, and no result depends on how they fall.

internal import CAlpacaKernels

/// A row's experts and their shares.
func chooseItem(_ raw: UnsafeMutableRawPointer, _ row: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let routing = unsafe c.pointee.routing, let pairs = unsafe step.pointee.output else { return }
    // Bounds: logits are (rows, experts), pairs (rows, experts of a row, 2).
    unsafe routing.choose(
        step.pointee.input + row * routing.expertCount, isNormalized: step.pointee.isNormalized, pairs + row * 2 * routing.usedCount)
}

/// All rows' places with their experts: one item, as the places of one row depend on those before it.
func arrangeItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let table = unsafe c.pointee.kernels.matmul
    unsafe c.pointee.routing?.arrange(c.pointee.step.pointee.input, rows: c.pointee.stepRows, table)
}

/// The inputs of a group of an expert's rows: brought together, and their quantized form.
func gatherItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let routing = unsafe c.pointee.routing, let (number, rows) = unsafe c.pointee.expertGroup(item) else { return }
    let width = unsafe step.pointee.width
    let first = routing.places(number).lowerBound
    for place in first + rows.lowerBound..<first + rows.upperBound {
        // Bounds: places are below rows * usedCount, for which there is room; their rows are rows of the batch.
        unsafe (routing.gathered + place * width).update(from: step.pointee.input + Int(routing.rowOf[place]) * width, count: width)
    }
    guard unsafe step.pointee.packs else { return }
    var input = unsafe c.pointee.expertInputs(number, routing.gathered, columns: width)
    unsafe c.pointee.kernels.matmul.pack_inputs(&input, rows.lowerBound, rows.upperBound)
}

/// The quantized form of a group of an expert's rows that lie together already.
func packExpertItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    guard let (number, rows) = unsafe c.pointee.expertGroup(item) else { return }
    var input = unsafe c.pointee.expertInputs(number, c.pointee.step.pointee.input, columns: c.pointee.step.pointee.width)
    unsafe c.pointee.kernels.matmul.pack_inputs(&input, rows.lowerBound, rows.upperBound)
}

/// A block of rows of the experts' matrices, which count as one long matrix; of gates and ups joined: gate = silu(gate) * up.
func expertItem(_ raw: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let routing = unsafe c.pointee.routing, let products = unsafe step.pointee.products else { return }
    let height = unsafe products.pointee.matrix.rows, stride = CPUContext.blocks(height)
    let range = unsafe c.pointee.expertPartition(products.pointee.matrix).range(item)
    let isGated = unsafe step.pointee.productCount == 2 * routing.expertCount
    for number in range.lowerBound / stride..<min(routing.activeCount, (range.upperBound + stride - 1) / stride) {
        let rows = range.clamped(to: number * stride..<number * stride + height)
        guard !rows.isEmpty else { continue }
        if unsafe c.pointee.isCancelled { return }
        let own = rows.lowerBound - number * stride..<rows.upperBound - number * stride
        let places = routing.places(number)
        // Bound: number < activeCount.
        let expert = unsafe Int(routing.active[number])
        let input = unsafe c.pointee.expertInputs(number, step.pointee.input, columns: step.pointee.width)
        // Bounds: there is a product for each expert, or two; outputs have a row for each place.
        unsafe c.pointee.multiply(products[expert], rows: own, input, from: places.lowerBound, thread: thread)
        guard isGated else { continue }
        if unsafe c.pointee.isCancelled { return }
        let up = unsafe products[routing.expertCount + expert].output
        unsafe c.pointee.multiply(products[routing.expertCount + expert], rows: own, input, from: places.lowerBound, thread: thread)
        for place in places {
            let at = place * height + own.lowerBound
            unsafe c.pointee.kernels.vector.silu_mul(products[expert].output + at, up + at, own.count)
        }
    }
}

/// out = the sum of share * result over a row's experts, in the order of their numbers.
func mixItem(_ raw: UnsafeMutableRawPointer, _ row: Int, _ thread: Int) {
    let c = unsafe raw.assumingMemoryBound(to: CPUContext.self)
    let step = unsafe c.pointee.step
    guard let routing = unsafe c.pointee.routing, let output = unsafe step.pointee.output else { return }
    let width = unsafe step.pointee.width
    let out = unsafe output + row * width
    for j in 0..<routing.usedCount {
        // Bounds: as those of the places.
        let place = unsafe Int(routing.placeOf[row * routing.usedCount + j])
        let share = unsafe step.pointee.input[2 * (row * routing.usedCount + j) + 1]
        let result = unsafe routing.gathered + place * width
        if j == 0 {
            for i in 0..<width { unsafe out[i] = share * result[i] }
        } else {
            for i in 0..<width { unsafe out[i] += share * result[i] }
        }
    }
}

extension CPUContext {
    /// Rows of a matrix rounded up to whole blocks, as products are divided.
    static func blocks(_ rows: Int) -> Int { (rows + Int(KERN_ROW_BLOCK) - 1) / Int(KERN_ROW_BLOCK) * Int(KERN_ROW_BLOCK) }

    /// How the matrices of the experts that have rows, one behind the other, are divided.
    func expertPartition(_ matrix: QuantizedMatrix) -> RowPartition {
        guard let routing = routing else { return RowPartition(rows: 0, columns: 1, threadCount: 1, tokenCount: 1) }
        return RowPartition(
            rows: routing.activeCount * CPUContext.blocks(matrix.rows), columns: matrix.columns, threadCount: threadCount,
            tokenCount: max(1, routing.mostRows))
    }

    /// Groups of rows that are packed together, of all experts.
    var expertGroupCount: Int {
        guard let routing = routing else { return 0 }
        var count = 0
        for number in 0..<routing.activeCount { count += groups(routing.places(number).count).count }
        return count
    }

    private func groups(_ rows: Int) -> (size: Int, count: Int) {
        let size = unsafe max(1, kernels.matmul.pack_group(rows))
        return (size, (rows + size - 1) / size)
    }

    /// The expert, counted among those with rows, and the rows of its places that are item `item`.
    func expertGroup(_ item: Int) -> (number: Int, rows: Range<Int>)? {
        guard let routing = routing else { return nil }
        var item = item
        for number in 0..<routing.activeCount {
            let rows = routing.places(number).count
            let (size, count) = groups(rows)
            if item < count { return (number, item * size..<min(rows, (item + 1) * size)) }
            item -= count
        }
        return nil
    }

    /// An expert's inputs, whose rows lie together in `x`.
    func expertInputs(_ number: Int, _ x: UnsafeMutablePointer<Float>, columns: Int) -> kern_inputs {
        guard let routing = routing else { return unsafe inputs(x, columns: columns) }
        let places = routing.places(number)
        let isMiddle = unsafe step.pointee.isMiddle
        // Bounds: as the workspace was laid out for the batch.
        let at = unsafe routing.packedAt[number + (isMiddle ? routing.expertCount : 0)]
        return unsafe kern_inputs(
            x: x + places.lowerBound * columns, stride: columns, columns: columns, n_tokens: places.count, packed: routing.packed + at)
    }

    /// Multiplies rows of a product's matrix with an expert's inputs, whose first place is `place`.
    func multiply(_ product: CPUProduct, rows: Range<Int>, _ input: kern_inputs, from place: Int, thread: Int) {
        var raw = unsafe product.matrix.raw
        var input = unsafe input
        let height = product.matrix.rows
        unsafe kernels.matmul.matmul(
            &raw, rows.lowerBound, rows.upperBound, &input, kern_ahead(then: nil, level: kernels.fetch_level),
            product.output + place * height, height, scratch(thread))
    }
}

internal import CAlpacaKernels

/// One row of a batch.
struct CPURow: BitwiseCopyable {
    var token: TokenID
    var position: Int32
    var segment: Int32
}

/// Rows of a batch that follow each other in one sequence.
@safe struct CPUSegment: BitwiseCopyable {
    var sequence: SequenceView
    var firstRow, rowCount, firstPosition: Int
    /// Items of attention before this segment's, and the rows of each.
    var firstItem = 0
    var tile = 1
}

/// A row of a batch whose logits are wanted, and where they go.
@safe struct CPUOutput: BitwiseCopyable {
    var row: Int
    var place: UnsafeMutablePointer<Float>
}

/// A caller's flag. Those of one caller follow each other.
@safe struct CPUFlag: BitwiseCopyable {
    var flag: Unmanaged<CancelFlag>
    var caller: Int32
}

/// What the items of a job see: the batch, and the step at hand. Plain values and pointers, all of which outlive the job;
/// `rowCount <= batchSize`.
@safe struct CPUContext {
    let kernels: kern_table
    let headCount, keyValueHeadCount, headDimension, ropeDimension: Int
    let pairing: Int32
    let epsilon, attentionScale: Float
    let angles: UnsafeMutablePointer<Float>
    let packed, scratch: UnsafeMutableRawPointer
    let scratchStride: Int
    let rows: UnsafeMutablePointer<CPURow>
    let segments: UnsafeMutablePointer<CPUSegment>
    let outputs: UnsafeMutablePointer<CPUOutput>
    let flags: UnsafeMutablePointer<CPUFlag>
    /// Whose it is, while a batch is computed.
    var backend: Unmanaged<CPUBackend>?
    /// Which rows meet which experts, in the layer at hand; nil for models without experts.
    var routing: CPURouting?

    // The batch.
    var rowCount = 0
    var segmentCount = 0
    var outputCount = 0
    var flagCount = 0
    var threadCount = 1
    var attentionItemCount = 0

    // The step.
    var step: UnsafePointer<CPUStep>
    /// Rows that the step is about: the batch's, or in the head those of some outputs from `firstOutput` on.
    var stepRows = 0
    var firstOutput = 0
    var groupSize = 1
    var groupCount = 0

    init(
        _ c: ModelConfiguration, workspace w: CPUWorkspace, rows: UnsafeMutablePointer<CPURow>,
        segments: UnsafeMutablePointer<CPUSegment>, outputs: UnsafeMutablePointer<CPUOutput>, flags: UnsafeMutablePointer<CPUFlag>,
        step: UnsafePointer<CPUStep>
    ) {
        unsafe kernels = Kernels.best.pointee
        headCount = c.headCount
        keyValueHeadCount = c.keyValueHeadCount
        headDimension = c.headDimension
        ropeDimension = c.ropeDimension
        pairing = Int32(c.ropePairing == .halves ? KERN_ROPE_HALVES : KERN_ROPE_INTERLEAVED)
        epsilon = c.normEpsilon
        attentionScale = 1 / Float(c.headDimension).squareRoot()
        unsafe angles = w.angles
        unsafe (packed, scratch) = (w.packed, w.scratch)
        scratchStride = w.scratchStride
        routing = w.routing
        unsafe self.rows = rows
        unsafe self.segments = segments
        unsafe self.outputs = outputs
        unsafe self.flags = flags
        unsafe self.step = step
    }

    /// Sizes the steps that follow for `count` rows.
    mutating func size(for count: Int) {
        stepRows = count
        unsafe groupSize = max(1, kernels.matmul.pack_group(count))
        groupCount = (count + groupSize - 1) / groupSize
    }

    /// Cuts the sequences' rows into items of attention.
    mutating func tileAttention() {
        var items = 0
        for i in 0..<segmentCount {
            // Bound: i < segmentCount.
            let tile = unsafe attentionTile(segments[i])
            unsafe segments[i].firstItem = items
            unsafe segments[i].tile = tile
            unsafe items += (segments[i].rowCount + tile - 1) / tile * keyValueHeadCount
        }
        attentionItemCount = items
    }

    /// Rows of a segment that attention takes as one item: it widens the keys once for as many. At depth fewer are enough, and an item must
    /// not last: between items it is seen whether to stop.
    private func attentionTile(_ segment: CPUSegment) -> Int {
        let products = (segment.firstPosition + segment.rowCount) * headDimension * (headCount / keyValueHeadCount)
        return max(4, min(96, (1 << 26) / max(1, products)))
    }

    /// Columns of the input that an item of a step that observes adds up.
    static let columnsPerItem = 256

    func items(_ items: CPUStep.Items) -> Int {
        switch items {
        case .rows: return stepRows
        case .groups: return groupCount
        case .attention: return attentionItemCount
        case .one: return 1
        case .expertGroups: return expertGroupCount
        case .experts: return unsafe step.pointee.products.map { unsafe expertPartition($0.pointee.matrix).itemCount } ?? 0
        case .firstProduct: return unsafe step.pointee.products.map { unsafe partition($0.pointee.matrix).itemCount } ?? 0
        case .columns: return unsafe (step.pointee.width + CPUContext.columnsPerItem - 1) / CPUContext.columnsPerItem
        case .products:
            var count = 0
            for i in unsafe 0..<step.pointee.productCount {
                // Bound: i < productCount.
                unsafe count += step.pointee.products.map { unsafe partition($0[i].matrix).itemCount } ?? 0
            }
            return count
        }
    }

    func partition(_ matrix: QuantizedMatrix) -> RowPartition {
        RowPartition(rows: matrix.rows, columns: matrix.columns, threadCount: threadCount, tokenCount: stepRows)
    }

    func inputs(_ x: UnsafeMutablePointer<Float>, columns: Int) -> kern_inputs {
        unsafe kern_inputs(x: x, stride: columns, columns: columns, n_tokens: stepRows, packed: packed)
    }

    func scratch(_ thread: Int) -> UnsafeMutableRawPointer { unsafe scratch + thread * scratchStride }

    /// Whether all callers have cancelled. Without any flag nobody can.
    var isCancelled: Bool {
        var i = 0, hasRows = false
        while i < flagCount {
            // Bounds: i and next are below flagCount.
            let caller = unsafe flags[i].caller
            // Those below 0 have no rows.
            var isSet = caller < 0
            while i < flagCount, unsafe flags[i].caller == caller {
                if unsafe flags[i].flag._withUnsafeGuaranteedRef({ $0.isSet }) { isSet = true }
                i += 1
            }
            if !isSet { return false }
            if caller >= 0 { hasRows = true }
        }
        return hasRows
    }

    /// Whether one caller has cancelled.
    func hasCancelled(_ caller: Int) -> Bool {
        for i in 0..<flagCount {
            // Bound: i < flagCount.
            if unsafe Int(flags[i].caller) == caller, unsafe flags[i].flag._withUnsafeGuaranteedRef({ $0.isSet }) { return true }
        }
        return false
    }

    /// Row `row` of a matrix, to be fetched ahead.
    func address(of row: Int, _ matrix: QuantizedMatrix) -> UnsafeRawPointer {
        // Bound: row < matrix.rows. A multiple of the row's bytes that no overflow reaches: the bytes are there.
        unsafe matrix.raw.base + min(row, matrix.rows - 1) * matrix.rowByteCount
    }

    /// What the thread whose range `item` is in reads after it: nil for the rows that follow, or, behind the range's last ones, the first
    /// ones of its range of the next matrix.
    func following(_ product: CPUProduct, _ item: Int) -> UnsafeRawPointer? {
        let own = partition(product.matrix)
        guard own.isLast(item), let next = product.next else { return nil }
        let range = item / max(1, own.itemsPerRange), partition = partition(next)
        return unsafe address(of: partition.range(range * partition.itemsPerRange).lowerBound, next)
    }

    /// Multiplies the rows of item `item` of a product's matrix with `input`.
    func multiply(_ product: CPUProduct, item: Int, _ input: kern_inputs, thread: Int) -> Range<Int> {
        let rows = partition(product.matrix).range(item)
        guard !rows.isEmpty else { return rows }
        unsafe multiply(product, rows, then: following(product, item), input, thread: thread)
        return rows
    }

    /// Multiplies rows of a product's matrix with `input`.
    /// - Parameter then: what the thread reads afterwards; nil: the rows that follow.
    func multiply(_ product: CPUProduct, _ rows: Range<Int>, then: UnsafeRawPointer?, _ input: kern_inputs, thread: Int) {
        let matrix = product.matrix
        var raw = unsafe matrix.raw
        var input = unsafe input
        unsafe kernels.matmul.matmul(
            &raw, rows.lowerBound, rows.upperBound, &input, kern_ahead(then: then, level: kernels.fetch_level), product.output,
            matrix.rows, scratch(thread))
        if let bias = unsafe product.bias {
            for row in 0..<stepRows {
                // Bound: the output has stepRows rows as wide as the matrix has rows, the bias one.
                unsafe kernels.vector.add(product.output + row * matrix.rows + rows.lowerBound, bias + rows.lowerBound, rows.count)
            }
        }
    }
}

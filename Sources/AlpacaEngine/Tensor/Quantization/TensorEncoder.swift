// A tensor of any type to one of another, its rows spread over the threads of a pool.

internal import CAlpacaKernels

/// Converts tensors row by row. Memory of its own: one row of floats a thread.
struct TensorEncoder: ~Copyable {
    private let pool: WorkerPool

    init(threadCount: Int) { pool = WorkerPool(threadCount: threadCount) }

    /// Weights that one item of the pool's work has, about: long enough that handing it out costs nothing.
    private static let weightsPerItem = 1 << 16

    /// Writes rows `rows` of a tensor in `type`. All bytes of a row depend on that row alone.
    ///
    /// - Parameters:
    ///   - bytes: the whole tensor, `info.byteCount` bytes.
    ///   - importance: nil, or `info.columns` numbers.
    ///   - target: room for the whole tensor in `type`.
    func encode(
        _ info: TensorInfo, _ bytes: RawSpan, rows: Range<Int>, as type: TensorType, importance: [Float]?,
        into target: borrowing AlignedBuffer
    ) throws(AlpacaError) {
        let targetRow = try type.bytesPerRow(columns: info.columns), sourceRow = try info.type.bytesPerRow(columns: info.columns)
        let context = "tensor \(info.name.quoted())"
        guard bytes.byteCount == info.byteCount, rows.lowerBound >= 0, rows.upperBound <= info.rows,
            try CheckedMath.product(info.rows, targetRow, of: context) <= target.count, importance.map({ $0.count == info.columns }) ?? true
        else {
            throw AlpacaError(.internalError, "\(context): rows \(rows) as \(type) were given wrong sizes")
        }
        let format = try QuantizationRegistry.format(of: type)
        let stride = try CheckedMath.align(info.columns, to: 16, of: context)
        let scratch = try AlignedBuffer(
            try CheckedMath.product(stride, pool.threadCount, of: context), of: Float.self, for: "\(context): a row for each thread")
        let failures = try AlignedBuffer(pool.threadCount, of: Int.self, for: context)
        let rowsPerItem = max(1, TensorEncoder.weightsPerItem / max(1, info.columns))
        let items = (rows.count + rowsPerItem - 1) / rowsPerItem
        // Bounds: rows lie inside both tensors, checked above; scratch has a row and failures a number for each thread. All of it outlives
        // the run, which returns when the last item is done.
        let pool = pool
        let output = unsafe target.base, floats = unsafe scratch.pointer(as: Float.self), failed = unsafe failures.pointer(as: Int.self)
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            var job = unsafe EncodingJob(
                format: format, sourceType: Int32(bitPattern: info.type.rawValue), columns: info.columns, rows: rows,
                rowsPerItem: rowsPerItem, source: base, sourceRow: sourceRow, target: output, targetRow: targetRow,
                importance: nil, scratch: floats, scratchRow: stride, failures: failed)
            guard let importance else {
                unsafe pool.run(items: items, context: &job, body: encodeItem)
                return
            }
            unsafe importance.withUnsafeBufferPointer { weights in
                unsafe job.importance = weights.baseAddress
                unsafe pool.run(items: items, context: &job, body: encodeItem)
            }
        }
        let row = unsafe failures.span(of: Int.self, count: pool.threadCount).filter { $0 > 0 }.min()
        extendLifetime(scratch)
        extendLifetime(failures)
        if let row {
            throw AlpacaError(
                .badFormat,
                "\(context): row \(row - 1) holds an infinity or NaN, which \(type) can't store; the file is damaged, or what made it failed"
            )
        }
    }
}

/// What the threads are told.
@safe private struct EncodingJob {
    let format: any BlockFormat.Type
    let sourceType: Int32
    let columns: Int
    let rows: Range<Int>
    let rowsPerItem: Int
    let source: UnsafeRawPointer
    let sourceRow: Int
    let target: UnsafeMutableRawPointer
    let targetRow: Int
    var importance: UnsafePointer<Float>?
    let scratch: UnsafeMutablePointer<Float>
    let scratchRow: Int
    /// One number a thread: the first row that it could not store, plus 1.
    let failures: UnsafeMutablePointer<Int>
}

private func encodeItem(_ context: UnsafeMutableRawPointer, _ item: Int, _ thread: Int) {
    // The context is the job that encode(_:_:rows:as:importance:into:) gave to the pool; its bounds are told there.
    let job = unsafe context.assumingMemoryBound(to: EncodingJob.self)
    let first = unsafe job.pointee.rows.lowerBound + item * job.pointee.rowsPerItem
    let end = unsafe min(first + job.pointee.rowsPerItem, job.pointee.rows.upperBound)
    let columns = unsafe job.pointee.columns
    let floats = unsafe job.pointee.scratch + thread * job.pointee.scratchRow
    for row in first..<max(first, end) {
        let source = unsafe job.pointee.source + row * job.pointee.sourceRow
        let target = unsafe job.pointee.target + row * job.pointee.targetRow
        unsafe Kernels.best.pointee.vector.dequantize_row(job.pointee.sourceType, source, columns, floats)
        let stored = unsafe job.pointee.format.encode(floats, columns: columns, importance: job.pointee.importance, into: target)
        if !stored, unsafe job.pointee.failures[thread] == 0 { unsafe job.pointee.failures[thread] = row + 1 }
    }
}

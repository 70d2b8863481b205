/// DoRA's second half (arXiv:2402.09353, eq. 5): each row of the sum is brought to a length that was learnt.
enum RowLengths {
    /// Sets the length of rows.
    ///
    /// - Parameters:
    ///   - rows: the rows' numbers in the whole matrix.
    ///   - type: of the numbers, which are rounded to it once more.
    ///   - lengths: for each row of the whole matrix, in the adapter's order of rows.
    ///   - headDimension: set where the adapter has heads in Hugging Face's order.
    ///   - base: (rows.count, columns) numbers, changed in place.
    @unsafe static func set(
        rows: Range<Int>, columns: Int, type: FloatType, lengths: [Float], headDimension: Int?, in base: UnsafeMutableRawPointer,
        scratch: ScratchArena
    ) throws(AlpacaError) {
        let source: TensorType = type == .f32 ? .f32 : type == .f16 ? .f16 : .bf16
        let decoder = try RowEncoder(from: source, to: .f32, columns: columns)
        let encoder = try RowEncoder(from: .f32, to: source, columns: columns)
        try scratch.scope { () throws(AlpacaError) in
            let row = try unsafe scratch.take(
                try CheckedMath.product(columns, MemoryLayout<Float>.size, of: "row"), for: "a row of floats")
            guard let floats = unsafe row.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            for i in 0..<rows.count {
                // Bounds: the caller's rows of `columns` numbers; `floats` has one row.
                let place = unsafe base + i * columns * type.byteCount
                _ = try unsafe decoder.encode(rows: 1, from: place, to: floats, scratch: scratch)
                var squares = 0.0
                for column in 0..<columns { unsafe squares += Double(floats[column]) * Double(floats[column]) }
                let length = lengths[adapterRow(rows.lowerBound + i, headDimension)]
                let norm = squares.squareRoot()
                guard norm > 0 else { continue }
                let factor = Float(Double(length) / norm)
                for column in 0..<columns { unsafe floats[column] *= factor }
                _ = try unsafe encoder.encode(rows: 1, from: floats, to: place, scratch: scratch)
            }
        }
    }

    /// The row of Hugging Face's order that row `row` of the interleaved order is.
    private static func adapterRow(_ row: Int, _ headDimension: Int?) -> Int {
        guard let head = headDimension else { return row }
        let inHead = row % head
        return row - inHead + inHead % 2 * (head / 2) + inHead / 2
    }
}

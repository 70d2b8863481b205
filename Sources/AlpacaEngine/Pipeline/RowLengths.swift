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
        let source = type.tensorType
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
                let row = rows.lowerBound + i
                let length = lengths[headDimension.map { RopePairing.interleaved.place(of: row, headDimension: $0) } ?? row]
                // PEFT has the norm and the factor as tensors of the sum's type.
                var number = Float(squares.squareRoot())
                try unsafe round(&number, rows: 1, columns: 1, to: source, scratch: scratch)
                guard number > 0 || number.isNaN else { continue }
                // An infinite length would make zeros of the row, and nobody would know.
                number = number.isFinite ? length / number : .nan
                try unsafe round(&number, rows: 1, columns: 1, to: source, scratch: scratch)
                let factor = number
                for column in 0..<columns { unsafe floats[column] *= factor }
                _ = try unsafe encoder.encode(rows: 1, from: floats, to: place, scratch: scratch)
            }
        }
    }

    /// Rounds (rows, columns) floats to `type`, in place.
    @unsafe static func round(
        _ floats: UnsafeMutablePointer<Float>, rows: Int, columns: Int, to type: TensorType, scratch: ScratchArena
    ) throws(AlpacaError) {
        guard type != .f32 else { return }
        let there = try RowEncoder(from: .f32, to: type, columns: columns), back = try RowEncoder(from: type, to: .f32, columns: columns)
        try scratch.scope { () throws(AlpacaError) in
            let size = try CheckedMath.product(rows, try type.bytesPerRow(columns: columns), of: "rounded numbers")
            let bytes = try unsafe scratch.take(size, for: "rounded numbers")
            guard let base = bytes.baseAddress else { return }
            // Bound: both hold `rows` rows of `columns` numbers.
            _ = try unsafe there.encode(rows: rows, from: floats, to: base, scratch: scratch)
            _ = try unsafe back.encode(rows: rows, from: base, to: floats, scratch: scratch)
        }
    }
}

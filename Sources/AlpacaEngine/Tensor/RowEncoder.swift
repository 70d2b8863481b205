// Rows of a tensor of any type to one of another, on the thread that calls.

internal import CAlpacaKernels

/// Converts rows between two types. All bytes of a row depend on that row alone.
struct RowEncoder {
    private let source, target: TensorType
    private let columns: Int
    /// nil, or a weight for each column's error.
    private let importance: [Float]?

    /// - Parameter importance: nil, or `columns` numbers, 0 or more.
    init(from source: TensorType, to target: TensorType, columns: Int, importance: [Float]? = nil) throws(AlpacaError) {
        _ = try source.bytesPerRow(columns: columns)
        _ = try target.bytesPerRow(columns: columns)
        guard importance.map({ $0.count == columns }) ?? true else {
            throw AlpacaError(.internalError, "\(importance?.count ?? 0) importances were given for \(columns) columns")
        }
        try target.checkWritable()
        self.source = source
        self.target = target
        self.columns = columns
        self.importance = target.facts.heedsImportance ? importance : nil
    }

    /// - Parameters:
    ///   - rows: how many; `input` has that many rows of `source`, `output` room for as many of `target`.
    /// - Returns: the first row, counted from 0, that holds an infinity, NaN or a number of 2^127 or more which the target type can't store;
    ///   nil if there is none. A scale that binary16 can't hold is cut to its greatest number: ``StoredNumbers/fullScale``.
    @unsafe func encode(
        rows: Int, from input: UnsafeRawPointer, to output: UnsafeMutableRawPointer, scratch: ScratchArena
    ) throws(AlpacaError) -> Int? {
        let sourceRow = try source.bytesPerRow(columns: columns), targetRow = try target.bytesPerRow(columns: columns)
        return try scratch.scope { () throws(AlpacaError) -> Int? in
            let floats = try unsafe scratch.take(
                try CheckedMath.product(columns, MemoryLayout<Float>.size, of: "row"), for: "a row of floats"
            ).baseAddress?.assumingMemoryBound(to: Float.self)
            guard let floats = unsafe floats else { return nil }
            // Bounds: `floats` has a row; input and output have `rows` rows, as the caller vouches; importance has `columns` numbers.
            func encode(_ weights: UnsafePointer<Float>?) -> Int? {
                for row in 0..<rows {
                    let from = unsafe input + row * sourceRow
                    var values = unsafe UnsafePointer(floats)
                    if source == .f32, UInt(bitPattern: from) % 4 == 0 {
                        unsafe values = from.assumingMemoryBound(to: Float.self)
                    } else {
                        unsafe Kernels.best.pointee.vector.dequantize_row(Int32(bitPattern: source.rawValue), from, columns, floats)
                    }
                    let isStored = unsafe Kernels.best.pointee.vector.quantize_row(
                        Int32(bitPattern: target.rawValue), values, columns, weights, output + row * targetRow)
                    if isStored == 0 { return row }
                }
                return nil
            }
            guard let importance else { return encode(nil) }
            return unsafe importance.withUnsafeBufferPointer { unsafe encode($0.baseAddress) }
        }
    }
}

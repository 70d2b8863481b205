// The arithmetic of merging a LoRA (arXiv:2106.09685): W + scale * B A, rows at a time. Which matrices, scales and roundings is the
// adapter's business.

internal import CAlpacaKernels

/// A of a low-rank update, (rank, columns), laid out as the kernels want it: made once a matrix, then used by any number of threads.
package final class LowRankFactor: @unchecked Sendable {
    package let rank: Int
    package let columns: Int
    /// Written by ``setRow(_:_:)`` only, before threads share it.
    private let packed: AlignedBuffer

    /// - Parameter what: names the matrix in the error's message.
    package init(rank: Int, columns: Int, for what: @autoclosure () -> String) throws(AlpacaError) {
        guard rank > 0, columns > 0 else {
            throw AlpacaError(.invalidArgument, "\(what()): a low-rank update of rank \(rank) and \(columns) columns")
        }
        // A panel of columns is no wider than 64, so that the count cannot overflow where this does not.
        _ = try CheckedMath.product(try CheckedMath.align(columns, to: 64, of: what()), rank, of: what())
        self.rank = rank
        self.columns = columns
        let count = unsafe Kernels.best.pointee.vector.lora_packed_count(rank, columns)
        packed = try AlignedBuffer(count, of: Float.self, for: what())
    }

    /// Stores row `k` of A.
    ///
    /// - Parameters:
    ///   - k: 0 ..< rank (checked).
    ///   - row: `columns` floats.
    @unsafe package func setRow(_ k: Int, _ row: UnsafePointer<Float>) {
        guard k >= 0, k < rank else { return assertionFailure("row \(k) of \(rank)") }
        unsafe Kernels.best.pointee.vector.lora_pack(row, k, rank, columns, packed.pointer(as: Float.self))
    }

    /// `result = weights + scale * b A` for some rows. Each element of the product is summed over the rank from left to right by fused
    /// multiply-add, whatever the CPU and however rows are split.
    ///
    /// PEFT in F16 is `rounding: .f16` with weights and result F16; one rounding at the end is `rounding: .f32`.
    ///
    /// - Parameters:
    ///   - b: the rows of B, (rowCount, rank).
    ///   - rounding: the type that the update is rounded to before it is added.
    ///   - weights: (rowCount, columns) of `type`, or nil for the update alone.
    ///   - result: room for (rowCount, columns) of `resultType`. May be `weights` where the types are the same.
    @unsafe package func merge(
        rowCount: Int, b: UnsafePointer<Float>, scale: Float, rounding: FloatType, weights: UnsafeRawPointer?, of type: FloatType,
        into result: UnsafeMutableRawPointer, as resultType: FloatType
    ) {
        // Bounds: as the parameters say; the packed factor was made for rank and columns, and outlives the call.
        var update = unsafe kern_lora(
            a: packed.pointer(as: Float.self), b: b, b_stride: rank, rank: rank, columns: columns, scale: scale, rounding: rounding.raw)
        unsafe Kernels.best.pointee.vector.lora_merge(
            &update, rowCount, type.raw, weights, columns * type.byteCount, resultType.raw, result, columns * resultType.byteCount)
        extendLifetime(packed)
    }
}

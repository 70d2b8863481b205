// Q and K of a model exist in two orders of rows. Rotary embedding turns pairs of components: Meta's files and GGUF have a pair in neighbouring
// rows, Hugging Face's have the first components of all pairs of a head, then the second ones. Row (i, half) of a head of d rows is thus row
// 2i + half in the one and half * d / 2 + i in the other.

/// Which components of a head make a pair, and so how the rows of each head are ordered.
public enum RopePairing: Sendable, Equatable {
    /// Component 2i with 2i + 1, pairs side by side: Meta's files, and GGUF files of Llama models.
    case interleaved
    /// Component i with i + half of those that are rotated, first halves, then second halves: Hugging Face's files, and GGUF files of Qwen's.
    case halves
}

extension RopePairing {
    /// Where row `row` of this order lies in the other one.
    ///
    /// - Parameter headDimension: even.
    func place(of row: Int, headDimension: Int) -> Int {
        let inHead = row % headDimension, half = headDimension / 2
        return switch self {
        case .interleaved: row - inHead + inHead % 2 * half + inHead / 2
        case .halves: row - inHead + inHead % half * 2 + inHead / half
        }
    }

    /// Copies rows `rows` of a matrix in this order from one in the other order.
    ///
    /// - Parameters:
    ///   - source: the rows of all heads that `rows` touch, from row `rows.lowerBound / headDimension * headDimension` on.
    ///   - target: room for `rows.count` rows of `rowBytes` bytes.
    @unsafe func copy(
        rows: Range<Int>, headDimension: Int, rowBytes: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer
    ) {
        let first = rows.lowerBound / headDimension * headDimension
        for row in rows {
            // Bounds: the place is in the same head, all of which is in the source; row is in rows.
            unsafe (target + (row - rows.lowerBound) * rowBytes).copyMemory(
                from: source + (place(of: row, headDimension: headDimension) - first) * rowBytes, byteCount: rowBytes)
        }
    }
}

/// Reads rows of a matrix whose heads lie in the other order.
///
/// - Parameters:
///   - order: the order that is wanted.
///   - headDimension: even, a divisor of the matrix' rows.
@unsafe package func readReordered(
    _ source: any TensorSource, _ index: Int, rows: Range<Int>, order: RopePairing, headDimension: Int,
    into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
) throws(AlpacaError) {
    guard !rows.isEmpty, let to = target.baseAddress else { return }
    let info = source.tensors[index]
    if info.shape.count == 1 {
        // A bias: its elements are ordered as the rows of its matrix. Types of floats have blocks of one element.
        try scratch.scope { () throws(AlpacaError) in
            let whole = try unsafe scratch.take(info.byteCount, for: "tensor \(info.name.quoted())")
            try unsafe source.read(index, rows: 0..<1, into: whole, scratch: scratch)
            guard let from = whole.baseAddress, info.type.elementsPerBlock == 1, info.columns % headDimension == 0 else { return }
            unsafe order.copy(
                rows: 0..<info.columns, headDimension: headDimension, rowBytes: info.type.bytesPerBlock, from: from, to: to)
        }
        return
    }
    let rowBytes = source.tensors[index].rowByteCount
    let first = rows.lowerBound / headDimension * headDimension
    let end = (rows.upperBound + headDimension - 1) / headDimension * headDimension
    try scratch.scope { () throws(AlpacaError) in
        let heads = try unsafe scratch.take((end - first) * rowBytes, for: "tensor \(source.tensors[index].name.quoted())")
        try unsafe source.read(index, rows: first..<end, into: heads, scratch: scratch)
        guard let from = heads.baseAddress else { return }
        unsafe order.copy(rows: rows, headDimension: headDimension, rowBytes: rowBytes, from: from, to: to)
    }
}

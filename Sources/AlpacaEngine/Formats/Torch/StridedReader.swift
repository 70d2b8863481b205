/// Reads rows of a tensor whose elements do not lie in order: a part of another tensor, or a transposed one.
struct StridedReader {
    private let view: TorchTensorReference
    private let storage: FileRegion
    private let elementSize: Int
    private let what: String

    /// Bytes of the storage that are read at once to pick elements from.
    private static let mostAtOnce = 8 << 20

    /// - Parameters:
    ///   - view: has at least one element, and was checked to lie in the storage.
    ///   - elementSize: 2 or 4.
    init(_ view: TorchTensorReference, _ storage: FileRegion, elementSize: Int, what: String) {
        self.view = view
        self.storage = storage
        self.elementSize = elementSize
        self.what = what
    }

    /// - Parameter target: room for exactly these rows.
    @unsafe func read(_ rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena) throws(AlpacaError) {
        let columns = view.shape.last ?? 1
        let stride = view.strides.last ?? 1
        guard let base = target.baseAddress, columns > 0 else { return }
        let rowBytes = columns * elementSize
        if stride == 1 || columns == 1 {
            for row in rows {
                // Bound: the target has rowBytes for each row.
                let place = unsafe UnsafeMutableRawBufferPointer(start: base + (row - rows.lowerBound) * rowBytes, count: rowBytes)
                try unsafe storage.read(at: start(of: row) * elementSize, into: place, of: what)
            }
            return
        }
        // Column by column: in a transposed matrix the elements of a column lie side by side. Fewer rows at a time where they lie far apart.
        var done = rows.lowerBound
        while done < rows.upperBound {
            var count = rows.upperBound - done
            var extent = self.extent(done..<done + count)
            while count > 1, extent.count > StridedReader.mostAtOnce / elementSize {
                count = (count + 1) / 2
                extent = self.extent(done..<done + count)
            }
            // Bound: done - lowerBound + count <= rows.count.
            let place = unsafe base + (done - rows.lowerBound) * rowBytes
            try unsafe readColumns(done..<done + count, extent, to: place, columns: columns, stride: stride, scratch: scratch)
            done += count
        }
    }

    @unsafe private func readColumns(
        _ rows: Range<Int>, _ extent: Range<Int>, to target: UnsafeMutableRawPointer, columns: Int, stride: Int, scratch: ScratchArena
    ) throws(AlpacaError) {
        let starts = rows.map { start(of: $0) - extent.lowerBound }
        try scratch.scope { () throws(AlpacaError) in
            let piece = try unsafe scratch.take(extent.count * elementSize, for: what)
            guard let source = piece.baseAddress else { return }
            for column in 0..<columns {
                // Bound: start and column of a row of the tensor, all elements of which lie in the storage.
                try unsafe storage.read(at: (extent.lowerBound + column * stride) * elementSize, into: piece, of: what)
                for (row, start) in starts.enumerated() {
                    // Bound: start is inside the extent, row and column are inside the target.
                    unsafe (target + (row * columns + column) * elementSize)
                        .copyMemory(from: source + start * elementSize, byteCount: elementSize)
                }
            }
        }
    }

    /// The element of the storage with which a row begins.
    private func start(of row: Int) -> Int {
        var rest = row
        var result = view.offset
        // Products and sums stay within the storage, as was checked.
        for (size, stride) in zip(view.shape.dropLast(), view.strides.dropLast()).reversed() {
            result += rest % max(1, size) * stride
            rest /= max(1, size)
        }
        return result
    }

    /// From the first to behind the last of the elements with which the rows begin.
    private func extent(_ rows: Range<Int>) -> Range<Int> {
        var least = Int.max
        var most = 0
        for row in rows {
            let start = start(of: row)
            least = min(least, start)
            most = max(most, start)
        }
        return min(least, most)..<most + 1
    }
}

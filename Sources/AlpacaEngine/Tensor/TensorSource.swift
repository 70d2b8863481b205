/// Tensors that are listed at once and whose bytes exist only while they are used: a file, or a computation over other sources.
///
/// Immutable; any number of threads may read at once. Rows are what is read: a row is everything along the last dimension, so that a vector
/// is one row, and no tensor has to be in memory as a whole.
package protocol TensorSource: Sendable {
    var tensors: [TensorInfo] { get }
    /// What the files hold besides, in element types that no weight of a model has.
    var others: [ForeignTensor] { get }
    /// The files that are read, each once.
    var inputs: [InputFile] { get }
    func index(of name: String) -> Int?
    /// Where all bytes of the tensor lie as ``read(_:rows:into:scratch:)`` gives them; nil where they are put together or computed.
    func place(of index: Int) -> FileRegion?
    /// The tensors of files that the tensor is put together from, as they lie there.
    func origins(of index: Int) -> [TensorOrigin]

    /// Reads rows of tensor `index`, little-endian, one behind the other.
    ///
    /// - Parameters:
    ///   - rows: inside `0 ..< tensors[index].rows`.
    ///   - target: `rows.count` times ``TensorInfo/rowByteCount`` bytes.
    ///   - scratch: the calling thread's.
    @unsafe func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError)
}

extension TensorSource {
    package var others: [ForeignTensor] { [] }

    package func place(of index: Int) -> FileRegion? { nil }

    package func origins(of index: Int) -> [TensorOrigin] {
        tensors.indices.contains(index) ? [TensorOrigin(source: self, index: index)] : []
    }

    /// Calls `body` with all bytes of tensor `index`, read into memory of its own: a file cut short meanwhile gives an error, where a
    /// mapping would give a signal.
    package func withTensor<R>(_ index: Int, _ body: (RawSpan) throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        guard tensors.indices.contains(index) else {
            let name = inputs.first?.path ?? "input"
            throw AlpacaError(.invalidArgument, "\(name): there is no tensor \(index), the file has \(tensors.count)")
        }
        let info = tensors[index]
        let buffer = try AlignedBuffer(count: info.byteCount, for: "tensor \(info.name.quoted())")
        defer { extendLifetime(buffer) }
        // Bound: the buffer was made with byteCount bytes or more, and outlives the body.
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: buffer.base, count: info.byteCount)
        try unsafe read(index, rows: 0..<info.rows, into: bytes, scratch: ScratchArena())
        return try body(unsafe UnsafeRawBufferPointer(bytes).bytes)
    }

    /// Throws unless the rows are in the tensor and the target has their size: what every source checks first.
    func checkRead(_ index: Int, _ rows: Range<Int>, _ target: UnsafeMutableRawBufferPointer) throws(AlpacaError) {
        guard tensors.indices.contains(index), rows.lowerBound >= 0, rows.upperBound <= tensors[index].rows,
            target.count == rows.count * tensors[index].rowByteCount
        else {
            throw AlpacaError(.internalError, "rows \(rows) of tensor \(index) were asked for with room for \(target.count) bytes")
        }
    }
}

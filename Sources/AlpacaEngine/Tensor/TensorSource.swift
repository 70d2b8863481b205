/// Tensors that can be listed at once and whose bytes exist only while they are used: a file, or a computation over other sources.
package protocol TensorSource: Sendable {
    var tensors: [TensorInfo] { get }

    /// Calls `body` with the bytes of tensor `index` (`tensors[index].byteCount` of them, little-endian, rows contiguous).
    func withTensor<R>(_ index: Int, _ body: (RawSpan) throws(AlpacaError) -> R) throws(AlpacaError) -> R
}

/// Where tensors are written, in the order of the list that the sink was made with.
package protocol TensorSink: ~Copyable {
    mutating func append(_ info: TensorInfo, _ bytes: RawSpan) throws(AlpacaError)
    /// Makes the output appear under its name. A sink that goes away without it leaves nothing behind.
    consuming func finish() throws(AlpacaError)
}

/// Where a model's tensors lie, in GGUF's row order. The bytes are valid while the store lives.
package protocol WeightStore: AnyObject, Sendable {
    /// Name (as the file has it), type and shape; nil when there is no such tensor.
    func info(_ role: TensorRole) -> TensorInfo?
    /// The tensor's bytes, `info.byteCount` of them.
    @unsafe func bytes(_ role: TensorRole) throws(AlpacaError) -> UnsafeRawBufferPointer
    /// Throws when a mapped file was cut short or written to: touching its pages could end the process.
    func checkFiles() throws(AlpacaError)
}

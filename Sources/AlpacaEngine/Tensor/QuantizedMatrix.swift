internal import CAlpacaKernels

/// A weight matrix as the kernels take it: where it lies, its type and shape. It owns nothing; what made it (``LlamaWeights``) checked that
/// all bytes are there and keeps their owner alive.
@safe struct QuantizedMatrix: BitwiseCopyable {
    let raw: kern_matrix

    /// The type it was made with.
    var type: TensorType? { unsafe TensorType(rawValue: UInt32(bitPattern: raw.type)) }
    var rows: Int { unsafe raw.rows }
    var columns: Int { unsafe raw.columns }
    var rowByteCount: Int { unsafe raw.row_bytes }
    /// No overflow: the bytes are there.
    var byteCount: Int { rows * rowByteCount }
    /// Whether products need the inputs in their quantized form.
    let needsPackedInputs: Bool

    /// - Parameter bytes: exactly `rows * type.bytesPerRow(columns)` bytes, which must outlive the matrix.
    init(type: TensorType, rows: Int, columns: Int, bytes: UnsafeRawBufferPointer) throws(AlpacaError) {
        let rowBytes = try type.bytesPerRow(columns: columns)
        let needed = try CheckedMath.product(rows, rowBytes, of: "matrix")
        guard let base = bytes.baseAddress, rows > 0, columns > 0, bytes.count == needed else {
            throw AlpacaError(.shapeMismatch, "matrix of \(rows) x \(columns) \(type): found \(bytes.count) bytes, expected \(needed)")
        }
        unsafe raw = kern_matrix(
            base: base, rows: rows, columns: columns, row_bytes: rowBytes, type: Int32(bitPattern: type.rawValue), reserved: 0)
        needsPackedInputs = type.isQuantized
    }
}

internal import CAlpacaKernels

/// The way to the C kernels. Their contract is in `alpaca_kernels.h`; shapes are checked where matrices and buffers are made, once a model,
/// not here.
enum Kernels {
    /// The table for this processor.
    static var best: UnsafePointer<kern_table> { unsafe kern_best() }

    /// The path in use: "avx2", "avx512", ...
    package static var name: String { unsafe String(cString: kern_best().pointee.name) }

    /// Writes a tensor of any type as floats.
    ///
    /// - Parameters:
    ///   - bytes: `info.byteCount` bytes.
    ///   - target: room for `info.elementCount` floats.
    @unsafe static func decode(_ info: TensorInfo, _ bytes: UnsafeRawBufferPointer, into target: UnsafeMutablePointer<Float>)
        throws(AlpacaError)
    {
        guard bytes.count == info.byteCount else {
            throw AlpacaError(.truncated, "tensor \"\(info.name)\": found \(bytes.count) bytes, expected \(info.byteCount)")
        }
        guard let base = bytes.baseAddress else { return }
        unsafe best.pointee.vector.dequantize_row(Int32(bitPattern: info.type.rawValue), base, info.elementCount, target)
    }
}

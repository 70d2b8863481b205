internal import CAlpacaKernels

/// How floats become the blocks of one tensor type. The loops are in C (`core/quantize*.h`), compiled for each CPU path with the same
/// bytes on all of them; a conforming type says what the type is good for.
protocol BlockFormat: Sendable {
    static var type: TensorType { get }
    /// What takes the place of this type where a row is not whole blocks; nil where every row is.
    static var fallback: TensorType? { get }
    /// Whether errors can be weighted by how much each input matters.
    static var heedsImportance: Bool { get }
}

extension BlockFormat {
    static var fallback: TensorType? { nil }
    static var heedsImportance: Bool { false }

    /// Writes a row of `columns` floats as blocks.
    ///
    /// - Parameters:
    ///   - columns: a multiple of the type's block.
    ///   - importance: nil, or `columns` numbers, 0 or more, by which the squared errors count.
    ///   - target: room for `type.bytesPerRow(columns:)` bytes.
    /// - Returns: false where a value is infinite or NaN and the type has no such value.
    @unsafe static func encode(
        _ row: UnsafePointer<Float>, columns: Int, importance: UnsafePointer<Float>?, into target: UnsafeMutableRawPointer
    ) -> Bool {
        unsafe Kernels.best.pointee.vector.quantize_row(
            Int32(bitPattern: type.rawValue), row, columns, heedsImportance ? importance : nil, target) != 0
    }
}

/// A tensor that a file has in an element type which no weight of a model has here, such as an index in 64-bit integers: listed apart, so
/// that whoever needs it can say what was found.
public struct ForeignTensor: Sendable, Equatable {
    public let name: String
    /// The element type in the file's own words, such as "I64".
    public let dtype: String
    /// Outermost first.
    public let shape: [Int]

    package init(name: String, dtype: String, shape: [Int]) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
    }

    /// "tensor "x": elements of type I64 are not supported, only F16, BF16 and F32"
    package var refusal: AlpacaError {
        AlpacaError(
            .unsupported, "tensor \(name.quoted()): elements of type \(dtype.quoted(limit: 20)) are not supported, only F16, BF16 and F32")
    }
}

/// A tensor's name, type, shape and place, as a file's header tells them.
public struct TensorInfo: Sendable, Equatable {
    public let name: String
    public let type: TensorType
    /// Outermost first, as PyTorch and NumPy print it: a matrix is `[rows, columns]`, rows contiguous.
    public let shape: [Int]
    /// Bytes that the tensor's data takes.
    public let byteCount: Int

    /// Bytes of memory that a tensor takes in all lists that it stands in while a file is opened, described or written, with room to spare.
    package static let mostMemory = 1024

    /// - Throws: when the shape overflows, is negative, or rows are not whole blocks of `type`.
    public init(name: String, type: TensorType, shape: [Int]) throws(AlpacaError) {
        let rows = try CheckedMath.product(Array(shape.dropLast()), of: "tensor \"\(name)\": rows")
        do {
            let rowBytes = try type.bytesPerRow(columns: shape.last ?? 1)
            self.byteCount = try CheckedMath.product(rows, rowBytes, of: "bytes")
            // A block takes fewer bytes than it has elements: their number has to fit on its own account.
            _ = try CheckedMath.product(rows, shape.last ?? 1, of: "elements")
        } catch {
            throw error.inContext("tensor \"\(name)\"")
        }
        self.name = name
        self.type = type
        self.shape = shape
    }

    public var elementCount: Int { shape.reduce(1, *) }
    public var columns: Int { shape.last ?? 1 }
    public var rows: Int { shape.dropLast().reduce(1, *) }
    /// Bytes of a row. Rows follow each other without gaps.
    public var rowByteCount: Int { columns / type.elementsPerBlock * type.bytesPerBlock }
    /// "[4096, 11008]"
    public var shapeText: String { TensorInfo.text(shape) }
    static func text(_ shape: [Int]) -> String { "[\(shape.map(String.init).joined(separator: ", "))]" }
}

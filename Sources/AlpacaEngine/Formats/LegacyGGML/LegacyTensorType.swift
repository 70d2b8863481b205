// How tensors were stored in llama.cpp's files of 2023, and what becomes of them. Three things changed in the course of that spring:
//
// - Until ggjt version 2, byte i of a block of 32 held the weights 2i (low half) and 2i + 1; since then, i and i + 16.
// - Until ggjt version 3, the scales of Q4_0, Q4_1 and Q8_0 were F32; since then, F16.
// - Q4_2 and Q4_3, of 16 weights a block, lived from April to May.
//
// All but the last keep every weight's integer; the scale is rounded to F16 as llama.cpp itself rounded it from then on.

/// A tensor's type in a legacy file together with the layout of its blocks.
struct LegacyTensorType: Sendable, Equatable {
    enum Layout: Sendable, Equatable {
        /// As in today's files.
        case current
        /// A block of 32 weights whose front is `scales` F32 numbers (made F16), or is kept as it is, and whose halves of bytes may be in
        /// the old order.
        case blocks32(scales: Int, kept: Int, reordered: Bool)
        /// 8 bits a weight behind an F32 scale.
        case q8_0
        /// 16 weights behind an F16 scale; Q4_3 has an F16 minimum too. Read as F16.
        case q4_2, q4_3
    }

    /// What the tensor is read as.
    let type: TensorType
    let layout: Layout
    /// In the file.
    let elementsPerBlock: Int
    let bytesPerBlock: Int

    /// - Parameter blockVersion: 1 for ggml and ggmf too.
    init(_ number: Int32, blockVersion: UInt32) throws(AlpacaError) {
        let reordered = blockVersion < 2
        switch (number, blockVersion) {
        case (4, 1): self.init(.f16, .q4_2, 16, 10)
        case (5, 1): self.init(.f16, .q4_3, 16, 12)
        case (4, _), (5, _):
            throw AlpacaError(
                .unsupported, "found type \(number) (Q4_\(number - 2)), which files of this version can't have: it was removed before")
        case (2, 1), (2, 2): self.init(.q4_0, .blocks32(scales: 1, kept: 0, reordered: reordered), 32, 20)
        case (3, 1), (3, 2): self.init(.q4_1, .blocks32(scales: 2, kept: 0, reordered: reordered), 32, 24)
        case (6, 1): self.init(.q5_0, .blocks32(scales: 0, kept: 6, reordered: true), 32, 22)
        case (7, 1): self.init(.q5_1, .blocks32(scales: 0, kept: 8, reordered: true), 32, 24)
        case (8, 1), (8, 2): self.init(.q8_0, .q8_0, 32, 36)
        case (10...14, 1), (10...14, 2):
            throw AlpacaError(.unsupported, "found type \(number) (a K type), which came with ggjt version 3")
        default:
            guard (0...14).contains(number), let type = UInt32(exactly: number).flatMap(TensorType.init(rawValue:)) else {
                throw AlpacaError(
                    .unsupported,
                    "found type \(number), supported are 0 to 8 and 10 to 14 (F32, F16, Q4_0, Q4_1, Q4_2, Q4_3, Q5_0, Q5_1, Q8_0, "
                        + "Q2_K to Q6_K)")
            }
            self.init(type, .current, type.elementsPerBlock, type.bytesPerBlock)
        }
    }

    private init(_ type: TensorType, _ layout: Layout, _ elementsPerBlock: Int, _ bytesPerBlock: Int) {
        self.type = type
        self.layout = layout
        self.elementsPerBlock = elementsPerBlock
        self.bytesPerBlock = bytesPerBlock
    }

    /// Bytes of a tensor in the file.
    func byteCount(_ shape: [Int]) throws(AlpacaError) -> Int {
        let columns = shape.last ?? 1
        guard columns % elementsPerBlock == 0 else {
            throw AlpacaError(.badFormat, "row length \(columns) is not a multiple of \(elementsPerBlock), the block of its type")
        }
        return try CheckedMath.product(Array(shape.dropLast()) + [columns / elementsPerBlock, bytesPerBlock], of: "bytes")
    }

    /// Bytes that a block of the file takes when it is read.
    var bytesPerBlockRead: Int { elementsPerBlock / type.elementsPerBlock * type.bytesPerBlock }
}

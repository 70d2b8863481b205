/// The element types of tensors. Raw values are ggml's numbers, as stored in GGUF files; ``facts`` is what is known of each.
public enum TensorType: UInt32, Sendable, CaseIterable, CustomStringConvertible {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q2_K = 10
    case q3_K = 11
    case q4_K = 12
    case q5_K = 13
    case q6_K = 14
    case iq2_XXS = 16
    case iq2_XS = 17
    case iq3_XXS = 18
    case iq1_S = 19
    case iq4_NL = 20
    case iq3_S = 21
    case iq2_S = 22
    case iq4_XS = 23
    case iq1_M = 29
    case bf16 = 30
    case tq1_0 = 34
    case tq2_0 = 35
    case mxfp4 = 39

    /// - Parameter name: as ggml's tools write it, in any case.
    package init?(named name: String) {
        let upper = name.uppercased()
        guard let found = TensorType.allCases.first(where: { $0.description == upper }) else { return nil }
        self = found
    }

    /// The type that most elements of the tensors have; nil for none.
    package static func mostUsed(_ tensors: [TensorInfo]) -> TensorType? {
        var counts: [TensorType: Int] = [:]
        for info in tensors { counts[info.type, default: 0] &+= info.elementCount }
        return counts.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key
    }

    /// "F32, F16, Q4_0, ...", for messages.
    package static var names: String { allCases.map(\.description).joined(separator: ", ") }
    /// The same of those that can be written.
    package static var writableNames: String { allCases.filter(\.facts.isWritable).map(\.description).joined(separator: ", ") }

    /// Throws for a type that can be read but not written.
    package func checkWritable() throws(AlpacaError) {
        guard !facts.isWritable else { return }
        throw TensorType.notWritable(description, base: self)
    }

    /// - Parameter name: of the type, or of a mix of which it is the main part.
    static func notWritable(_ name: String, base: TensorType) -> AlpacaError {
        let nearest: String =
            switch base {
            case .iq3_S, .iq3_XXS: "Q3_K_M, Q3_K_S and IQ4_XS"
            default: "Q2_K and Q3_K_S"
            }
        return AlpacaError(
            .unsupported,
            "\(name) can be read and run, but not written: its weights are entries of a table, and the search for the best ones is not part "
                + "of this library; nearest in size are \(nearest), or write F16 and quantize it with llama-quantize")
    }

    /// The name as ggml's tools write it: "Q4_K".
    public var description: String { facts.name.description }
    /// Weights that share a block's scales; rows are whole blocks.
    public var elementsPerBlock: Int { facts.elementsPerBlock }
    public var bytesPerBlock: Int { facts.bytesPerBlock }
    public var isQuantized: Bool { elementsPerBlock > 1 }

    /// Bytes of a row of `columns` elements; throws when it is not a whole number of blocks.
    func bytesPerRow(columns: Int) throws(AlpacaError) -> Int {
        guard columns >= 0, columns % elementsPerBlock == 0 else {
            throw AlpacaError(
                .badFormat, "row length \(columns) is not a multiple of \(elementsPerBlock), the block of \(self)")
        }
        return try CheckedMath.product(columns / elementsPerBlock, bytesPerBlock, of: "bytes of a row")
    }

    /// This type, or what takes its place for rows of `columns` elements.
    package func fitting(columns: Int) -> TensorType {
        var fitting = self
        while columns % fitting.elementsPerBlock != 0, let next = fitting.facts.fallback { fitting = next }
        return fitting
    }
}

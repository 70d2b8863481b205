// llama.cpp's `imatrix` files, the GGUF kind (2025 and later): for each weight matrix the sums of its squared inputs over a text, as the
// tensor "NAME.in_sum2" (F32, a number a column), and how many inputs were summed, as "NAME.counts" (F32).

/// How much the error of each column of a weight matrix counts: the mean square of what that column is multiplied with.
package struct ImportanceMatrix: Sendable {
    /// By the weight's name, a number for each column, 0 or more.
    package let columns: [String: [Float]]
    /// What files of the older form say of how they were measured; the newer one has it in its metadata.
    let measured: Measured

    private static let sums = ".in_sum2", counts = ".counts"

    /// Whether a file has what `init` looks for.
    package static func isOne(_ reader: GGUFReader) -> Bool { reader.tensors.contains { $0.name.hasSuffix(sums) } }

    /// Reads a file of either form.
    package init(path: String) throws(AlpacaError) {
        let file = try InputFile(path: path)
        if ImportanceMatrix.isLegacy(file) {
            try self.init(legacy: file)
            return
        }
        let kind = try CheckpointKind(file)
        guard kind == .gguf else {
            throw AlpacaError(.badFormat, path: path, "this is \(kind), expected an importance matrix, as llama-imatrix writes it")
        }
        try self.init(GGUFReader(file))
    }

    package init(_ reader: GGUFReader) throws(AlpacaError) {
        measured = Measured()
        var columns: [String: [Float]] = [:]
        for (index, info) in reader.tensors.enumerated() where info.name.hasSuffix(Self.sums) {
            let name = String(info.name.dropLast(Self.sums.count))
            guard info.type == .f32, let counts = reader.index(of: name + Self.counts), reader.tensors[counts].type == .f32,
                reader.tensors[counts].elementCount == info.rows
            else {
                throw AlpacaError(
                    .unsupported, path: reader.file.path,
                    "tensor \(info.name.quoted()): found \(info.shapeText) \(info.type), expected rows of F32, one an expert, and "
                        + "a number for each in \((name + Self.counts).quoted())")
            }
            // Experts that no token took say nothing: all their columns count alike.
            let count = try Self.floats(reader, counts)
            let width = max(1, info.columns)
            let values = try Self.floats(reader, index).enumerated().map { count[$0 / width] > 0 ? $1 / count[$0 / width] : 1 }
            guard values.allSatisfy({ $0 >= 0 && $0 < .infinity }) else {
                throw AlpacaError(
                    .badFormat, path: reader.file.path, "tensor \(info.name.quoted()) holds numbers that no sum of squares can have")
            }
            columns[name] = values
        }
        guard !columns.isEmpty else {
            throw AlpacaError(
                .badFormat, path: reader.file.path,
                "found no tensor \"*\(Self.sums)\", expected a file that llama-imatrix wrote")
        }
        self.columns = columns
    }

    private static func floats(_ reader: GGUFReader, _ index: Int) throws(AlpacaError) -> [Float] {
        let count = reader.tensors[index].elementCount
        // Once as they are, once divided.
        try LargeMemory.ask(count, of: 2 * MemoryLayout<Float>.size, for: "tensor \(reader.tensors[index].name.quoted())")
        return try reader.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) in
            // Bound: an F32 tensor has 4 bytes an element.
            (0..<count).map { unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
    }
}

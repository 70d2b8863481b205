import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct ImportanceMatrixTests {
    /// A file of one matrix in the layout of llama-imatrix.
    static func write(
        _ path: String, sums: [Float], count: Float, name: String = "blk.0.ffn_up.weight.in_sum2",
        counts: String = "blk.0.ffn_up.weight.counts"
    ) throws -> GGUFReader {
        let tensors = [
            try TensorInfo(name: name, type: .f32, shape: [1, sums.count]),
            try TensorInfo(name: counts, type: .f32, shape: [1, 1]),
        ]
        let data = [sums, [count]].map { $0.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } } }
        try LayoutFile.write(try GGUFLayout.make(GGUFMetadata(), tensors), data, to: path)
        return try GGUFReader(InputFile(path: path))
    }

    @Test func `importance is the mean square of a column's inputs`() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/imatrix.gguf"
            let matrix = try ImportanceMatrix(Self.write(path, sums: [2, 0, 8], count: 4))
            #expect(matrix.columns == ["blk.0.ffn_up.weight": [0.5, 0, 2]])
            #expect(try ImportanceMatrix(Self.write(path, sums: [0, 0], count: 0)).columns == ["blk.0.ffn_up.weight": [1, 1]])
        }
    }

    @Test func `other files and damaged ones are refused`() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/imatrix.gguf"
            #expect(
                alpacaError { _ = try ImportanceMatrix(Self.write(path, sums: [-1], count: 1)) }
                    == AlpacaError(
                        .badFormat, "\(path): tensor \"blk.0.ffn_up.weight.in_sum2\" holds numbers that no sum of squares can have"))
            #expect(
                alpacaError { _ = try ImportanceMatrix(Self.write(path, sums: [1], count: 1, name: "other")) }
                    == AlpacaError(
                        .badFormat,
                        "\(path): found no tensor \"*.in_sum2\", expected a file that llama-imatrix wrote as GGUF "
                            + "(convert older ones with it: --in-file OLD -o NEW.gguf)"))
            #expect(
                alpacaError { _ = try ImportanceMatrix(Self.write(path, sums: [1], count: 1, name: "x.in_sum2")) }
                    == AlpacaError(
                        .unsupported,
                        "\(path): tensor \"x.in_sum2\": found [1, 1] F32, expected one row of F32 and one number in \"x.counts\""))
        }
    }
}

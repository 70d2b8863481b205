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

    /// Both forms of one run of llama-imatrix.
    @Test func `the older form says the same`() throws {
        let folder = Fixtures.golden("family/imatrix").path
        let old = try ImportanceMatrix(path: folder + "/llama3-tied.dat"), new = try ImportanceMatrix(path: folder + "/llama3-tied.gguf")
        #expect(Set(old.columns.keys) == Set(new.columns.keys) && old.columns.count > 10)
        for (name, values) in new.columns {
            let found = try #require(old.columns[name])
            #expect(found.count == values.count)
            for (a, b) in zip(found, values) { #expect(abs(a - b) <= 2e-7 * max(abs(a), abs(b)), "\(name)") }
        }
        let inspection = try Inspection(path: folder + "/llama3-tied.dat")
        #expect(inspection.kind == "importance_matrix" && inspection.problem == nil)
        #expect(inspection.text().contains("older form") && inspection.text().contains("\"t.txt\""))
        #expect(inspection.json().contains("\"n_chunks\": "))
    }

    /// A file of the older form.
    static func legacy(_ entries: [(name: String, calls: Int32, values: [Float])], end: [UInt8] = []) -> [UInt8] {
        func word(_ value: Int32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        var bytes = word(Int32(entries.count))
        for (name, calls, values) in entries {
            bytes += word(Int32(name.utf8.count)) + Array(name.utf8) + word(calls) + word(Int32(values.count))
            for value in values { bytes += word(Int32(bitPattern: value.bitPattern)) }
        }
        return bytes + end
    }

    @Test func `an older file's numbers, with and without an end`() throws {
        let entries: [(String, Int32, [Float])] = [("blk.0.attn_q.weight", 4, [2, 0, 8]), ("blk.1.attn_q.weight", 0, [7, 7])]
        let expected: [String: [Float]] = ["blk.0.attn_q.weight": [0.5, 0, 2], "blk.1.attn_q.weight": [1, 1]]
        for end: [UInt8] in [[], [3, 0, 0, 0], [3, 0, 0, 0, 2, 0, 0, 0, 0x61, 0x62]] {
            let found = try Fixtures.withFile(Self.legacy(entries, end: end)) { try ImportanceMatrix(path: $0).columns }
            #expect(found == expected)
        }
    }

    @Test func `damaged older files are errors, each a sentence`() throws {
        let sound = Self.legacy([("blk.0.attn_q.weight", 4, [2, 0, 8])], end: [3, 0, 0, 0, 2, 0, 0, 0, 0x61, 0x62])
        for count in 0..<sound.count {
            // Without an end it is whole, and so it is after the number of chunks.
            if [47, 51].contains(count) { continue }
            try Fixtures.withFile(sound.prefix(count)) { path in
                let error = alpacaError { _ = try ImportanceMatrix(path: path) }
                #expect(error != nil && error?.message.hasPrefix(path) == true, "\(count) bytes")
            }
        }
        let broken: [([UInt8], String)] = [
            (sound + [0], "1 bytes behind the end"), (Self.legacy([("a", 1, [.nan])]), "no sum of squares"),
            (Self.legacy([("a", 1, [-1])]), "no sum"),
            (Self.legacy([("a", 1, [1]), ("a", 1, [1])]), "two entries"), (Self.legacy([("a", 1, [1]), ("", 1, [1])]), "entry 1"),
        ]
        for (bytes, words) in broken {
            try Fixtures.withFile(bytes) { path in
                let message = alpacaError { _ = try ImportanceMatrix(path: path) }?.message ?? "no error"
                #expect(message.contains(words), "\(message)")
            }
        }
        // What is neither form.
        let error = alpacaError { _ = try ImportanceMatrix(path: MiniFamily.shared("mini-llama/model.safetensors")) }
        #expect(error?.message.contains("this is a safetensors file, expected an importance matrix") == true, "\(error?.message ?? "")")
    }

    /// Mixtral's, with counts of each expert: in both forms of one run of llama-imatrix.
    @Test func `experts have numbers of their own`() throws {
        let folder = Fixtures.golden("family/imatrix").path
        let old = try ImportanceMatrix(path: folder + "/mixtral.dat"), new = try ImportanceMatrix(path: folder + "/mixtral.gguf")
        let gate = try #require(new.entries["blk.0.ffn_gate_exps.weight"])
        #expect(gate.counts.count == 8 && gate.sums.count == 8 * 64 && gate.counts.reduce(0, +) == 2 * 46 * 128)
        #expect(try ImportanceMeasureTests.distance(old.columns, new.columns) < 2e-7)
        // What is written again says the same, in either form.
        try Fixtures.withFolder { folder in
            for format in ImportanceFormat.allCases {
                let path = folder + "/" + format.rawValue
                try new.write(to: path, as: format, overwrite: false)
                let again = try ImportanceMatrix(path: path)
                #expect(try ImportanceMeasureTests.distance(again.columns, new.columns) < 2e-7)
                if format == .gguf { #expect(again == new) }
            }
        }
        // An expert that no token was sent to counts alike in all columns.
        let idle = ImportanceMatrix.Entry(sums: [1, 2, 0, 0], counts: [4, 0])
        #expect(idle.means == [0.25, 0.5, 1, 1])
        let text = try Inspection(path: folder + "/mixtral.gguf").json()
        #expect(text.contains("\"n_experts\": 8"))
    }

    @Test func `matrices of other models can't be added up`() throws {
        try Fixtures.withFolder { folder in
            let paths = [folder + "/a", folder + "/b"]
            _ = try Self.write(paths[0], sums: [1, 2], count: 1)
            _ = try Self.write(paths[1], sums: [1], count: 1)
            var options = ImportanceOptions(output: folder + "/c")
            options.inputs = paths
            let error = alpacaError { _ = try ImportanceFiles.combine(options) }
            #expect(error?.code == .shapeMismatch)
            let message = error?.message ?? ""
            #expect(message.contains("found 1 columns of 1, expected 2 of 1 as in what it is added to"), "\(message)")
            options.inputs = []
            #expect(alpacaError { _ = try ImportanceFiles.combine(options) }?.message.hasPrefix("inputs: found none") == true)
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
                        "\(path): found no tensor \"*.in_sum2\", expected a file that llama-imatrix wrote"))
            #expect(
                alpacaError { _ = try ImportanceMatrix(Self.write(path, sums: [1], count: 1, name: "x.in_sum2")) }
                    == AlpacaError(
                        .unsupported,
                        "\(path): tensor \"x.in_sum2\": found [1, 1] F32, expected rows of F32 and for each row a number in \"x.counts\""))
        }
    }
}

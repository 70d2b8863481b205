import CAlpacaKernels
import Foundation
import Testing

@testable import AlpacaEngine

/// The merge of the mini family's first LoRA, against the hashes of what PEFT made of it.
@Suite struct LowRankFactorTests {
    /// A safetensors file, read plainly: eight bytes of length, JSON, data.
    struct Tensors {
        private struct Entry: Decodable { let shape: [Int], data_offsets: [Int], dtype: String }
        private let data: Data
        private let start: Int
        private let entries: [String: Entry]

        init(_ path: String) throws {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
            start = 8 + data[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
            let header = try #require(try JSONSerialization.jsonObject(with: data[8..<start]) as? [String: Any])
            let tensors = header.filter { $0.key != "__metadata__" }
            entries = try JSONDecoder().decode([String: Entry].self, from: JSONSerialization.data(withJSONObject: tensors))
        }

        var names: [String] { entries.keys.sorted() }

        func tensor(_ name: String) throws -> (shape: [Int], bytes: [UInt8]) {
            let entry = try #require(entries[name])
            #expect(entry.dtype == "F16")
            return (entry.shape, Array(data[start + entry.data_offsets[0]..<start + entry.data_offsets[1]]))
        }

        func floats(_ name: String) throws -> (shape: [Int], values: [Float]) {
            let (shape, bytes) = try tensor(name)
            var values = [Float](repeating: 0, count: bytes.count / 2)
            Kernels.best.pointee.vector.dequantize_row(FloatType.f16.raw, bytes, values.count, &values)
            return (shape, values)
        }
    }

    struct Golden: Decodable {
        struct Tensor: Decodable { let shape: [Int], sha256: String, sha256_low_mem: String }
        let tensors: [String: Tensor]
    }

    @Test(.enabled(if: MiniFamily.isShared, MiniFamily.missing))
    func `merged matrices have PEFT's hashes`() throws {
        let folder = Fixtures.sharedPath("fixtures/mini")
        let base = try Tensors(folder + "/mini-llama/model.safetensors")
        let adapter = try Tensors(folder + "/mini-chinese-llama-lora/adapter_model.safetensors")
        let golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/merged_chinese_llama.tensors.json")))
        let prefix = "base_model.model."
        let names = adapter.names.filter { $0.contains(".lora_A.") }
        #expect(names.count == 28)
        for name in names {
            let matrix = String(name.dropFirst(prefix.count)).replacing(".lora_A", with: "")
            let (aShape, a) = try adapter.floats(name), (bShape, b) = try adapter.floats(name.replacing("lora_A", with: "lora_B"))
            let (shape, weights) = try base.tensor(matrix)
            let rank = aShape[0], columns = aShape[1]
            #expect(bShape == [shape[0], rank] && shape[1] == columns)
            let factor = try LowRankFactor(rank: rank, columns: columns, for: matrix)
            for k in 0..<rank { a.withUnsafeBufferPointer { factor.setRow(k, $0.baseAddress! + k * columns) } }
            let expected = try #require(golden.tensors[matrix])
            for (rounding, hash) in [(FloatType.f16, expected.sha256), (.f32, expected.sha256_low_mem)] {
                var merged = weights
                merged.withUnsafeMutableBytes { merged in
                    // Rows in uneven portions, as threads might take them.
                    var row = 0
                    while row < shape[0] {
                        let count = min(row % 7 * 13 + 1, shape[0] - row), at = merged.baseAddress! + row * columns * 2
                        b.withUnsafeBufferPointer {
                            factor.merge(
                                rowCount: count, b: $0.baseAddress! + row * rank, scale: 2, rounding: rounding, weights: at, of: .f16,
                                into: at, as: .f16)
                        }
                        row += count
                    }
                }
                var sha = SHA256()
                sha.update(merged)
                #expect(sha.hexDigest() == hash, "\(matrix), \(rounding)")
            }
        }
    }

    @Test func `a rank of 0 and sizes beyond memory are refused`() {
        #expect(
            alpacaError { _ = try LowRankFactor(rank: 0, columns: 8, for: "q") }
                == AlpacaError(.invalidArgument, "q: a low-rank update of rank 0 and 8 columns"))
        #expect(alpacaError { _ = try LowRankFactor(rank: .max / 8, columns: 64, for: "q") } != nil)
        #expect(alpacaError { _ = try LowRankFactor(rank: 1 << 40, columns: 1 << 20, for: "q") }?.code == .outOfMemory)
    }
}

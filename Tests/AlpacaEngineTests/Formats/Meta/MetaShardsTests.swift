import Foundation
import Testing

@testable import AlpacaEngine

/// A source in memory: byte `i` of a tensor is `i + seed`.
struct MemorySource: TensorSource {
    let tensors: [TensorInfo]
    let seed: Int
    var inputs: [InputFile] { [] }

    init(_ tensors: [(String, [Int])], type: TensorType = .f16, seed: Int = 0) throws {
        self.tensors = try tensors.map { try TensorInfo(name: $0.0, type: type, shape: $0.1) }
        self.seed = seed
    }

    func index(of name: String) -> Int? { tensors.firstIndex { $0.name == name } }

    @unsafe func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        let start = rows.lowerBound * tensors[index].rowByteCount
        for i in 0..<target.count { target[i] = UInt8(truncatingIfNeeded: start + i + seed) }
    }
}

@Suite struct MetaShardsTests {
    static func all(_ source: some TensorSource, _ name: String) throws -> [UInt8] { try ModelSourceTests.bytes(source, name).1 }

    @Test func `rows, columns and repeated tensors are put together`() throws {
        let a = try MemorySource([("layers.0.attention.wq.weight", [3, 2]), ("tok_embeddings.weight", [2, 2]), ("norm.weight", [4])])
        let b = try MemorySource(
            [("norm.weight", [4]), ("tok_embeddings.weight", [2, 3]), ("layers.0.attention.wq.weight", [5, 2])], seed: 100)
        let shards = try MetaShards([("consolidated.00.pth", a), ("consolidated.01.pth", b)])
        #expect(shards.tensors.map(\.shape) == [[8, 2], [2, 5], [4]])
        #expect(try Self.all(shards, "layers.0.attention.wq.weight") == Array(0..<12) + Array(100..<120))
        #expect(try Self.all(shards, "tok_embeddings.weight") == [0, 1, 2, 3] + Array(100..<106) + [4, 5, 6, 7] + Array(106..<112))
        #expect(try Self.all(shards, "norm.weight") == Array(0..<8))
        // Any rows, across the border.
        var rows = [UInt8](repeating: 0, count: 12)
        try rows.withUnsafeMutableBytes { try unsafe shards.read(0, rows: 2..<5, into: $0, scratch: ScratchArena()) }
        #expect(rows == Array(8..<12) + Array(100..<108))
        #expect(shards.warnings.isEmpty && shards.place(of: 0) == nil)
    }

    @Test func `a lost row of the output comes back as zeros`() throws {
        let part = try MemorySource([("tok_embeddings.weight", [7, 2]), ("output.weight", [3, 4])])
        let shards = try MetaShards([("consolidated.00.pth", part), ("consolidated.01.pth", part)])
        #expect(shards.tensors.map(\.shape) == [[7, 4], [7, 4]])
        #expect(try Self.all(shards, "output.weight") == Array(0..<24) + Array(0..<24) + [UInt8](repeating: 0, count: 8))
        #expect(
            shards.warnings == [
                "the output matrix has 6 rows, the embeddings have 7: the first merge script lost the last row, which is taken as zeros; "
                    + "better merge anew from the base"
            ])
    }

    @Test func `shards of different models`() throws {
        let a = try MemorySource([("layers.0.attention.wq.weight", [3, 2]), ("norm.weight", [4])])
        func error(_ tensors: [(String, [Int])], _ type: TensorType = .f16) throws -> AlpacaError? {
            let b = try MemorySource(tensors, type: type)
            return alpacaError { _ = try MetaShards([("a", a), ("b", b)]) }
        }
        #expect(
            try error([("norm.weight", [4])])
                == AlpacaError(
                    .missing, "b: tensor \"layers.0.attention.wq.weight\" is missing, a has it (is it a shard of another model?)"))
        #expect(
            try error([("layers.0.attention.wq.weight", [3, 3]), ("norm.weight", [4])])
                == AlpacaError(
                    .shapeMismatch,
                    "b: tensor \"layers.0.attention.wq.weight\": found [3, 3] F16, which does not go with [3, 2] F16 in a "
                        + "(is it a shard of another model?)"))
        #expect(try error([("layers.0.attention.wq.weight", [3, 2]), ("norm.weight", [5])])?.code == .shapeMismatch)
        #expect(try error([("layers.0.attention.wq.weight", [3, 2]), ("norm.weight", [4])], .f32)?.code == .shapeMismatch)
        #expect(
            try error([("layers.0.attention.wq.weight", [3, 2]), ("norm.weight", [4]), ("more", [1])])
                == AlpacaError(.shapeMismatch, "b: tensor \"more\" is not in a (is it a shard of another model?)"))
        #expect(alpacaError { _ = try MetaShards([]) }?.code == .missing)
    }
}

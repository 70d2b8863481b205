import Foundation
import Testing

@testable import AlpacaEngine

/// Against the SHA-256 of the files that the official merge script wrote under torch 1.13.1. Its one file is there as data: the others follow
/// from it.
@Suite(.enabled(if: OfficialFiles.isThere, OfficialFiles.missing))
struct OfficialMetaFolderTests {
    /// The merged model's tensors, in the order of the official file.
    static func merged() throws -> (tensors: [TensorInfo], data: [[UInt8]]) {
        let tensors = try MetaFolderLayout.tensors(of: OfficialFiles.model(vocabularySize: 3941), type: .f16)
        let file = try OfficialFiles.bytes("merged-meta-1/consolidated.00.pth")
        let offsets = try TorchLayout.layOut(stem: "consolidated.00", tensors: tensors).dataOffsets
        return (tensors, zip(tensors, offsets).map { Array(file[$1..<$1 + $0.byteCount]) })
    }

    @Test(arguments: [1, 2]) func `llama and alpaca in so many shards`(count: Int) throws {
        let digests = try OfficialFiles.digests("llama+alpaca, pth, \(count) shard\(count == 1 ? "" : "s")")
        let (tensors, data) = try OfficialMetaFolderTests.merged()
        let folder = try MetaFolderLayout(tensors, of: OfficialFiles.model(vocabularySize: 3941), shardCount: count)
        #expect(OfficialFiles.digest(folder.parameters) == digests["params.json"])
        #expect(folder.shards.count == count)
        for shard in folder.shards {
            let parts = zip(shard.pieces, zip(tensors, data)).map { piece, whole in
                piece.rows.flatMap { row in
                    let start = row * whole.0.rowByteCount
                    return whole.1[start + 2 * piece.columns.lowerBound..<start + 2 * piece.columns.upperBound]
                }
            }
            #expect(OfficialFiles.digest(LayoutFile.bytes(shard.file, parts)) == digests[shard.fileName], "\(shard.fileName)")
        }
    }

    @Test func `llama alone: sizes and parameters`() throws {
        let digests = try OfficialFiles.digests("llama only, pth, 1 shard")
        let model = try OfficialFiles.model(vocabularySize: 3940)
        let folder = try MetaFolderLayout(MetaFolderLayout.tensors(of: model, type: .f16), of: model)
        #expect(OfficialFiles.digest(folder.parameters) == digests["params.json"])
        #expect(folder.shards.map(\.file.byteCount) == [digests["consolidated.00.pth"]?.bytes])
    }
}

@Suite struct MetaFolderLayoutTests {
    @Test func `13B and 33B in their shards`() throws {
        let cases = [
            (5120, 40, 13824, 49953, [24976, 24977]), (6656, 52, 17920, 49954, [12488, 12488, 12488, 12490]),
            (4096, 32, 11008, 49954, [49954]),
        ]
        for (width, heads, feedForward, vocabulary, rows) in cases {
            let model = try OfficialFiles.model(
                vocabularySize: vocabulary, embeddingLength: width, layerCount: 1, headCount: heads, feedForwardLength: feedForward)
            let folder = try MetaFolderLayout(MetaFolderLayout.tensors(of: model, type: .f16), of: model)
            let output = folder.shards.map { $0.pieces.last }
            #expect(output.map { $0?.info.name } == rows.map { _ in "output.weight" })
            #expect(output.map { $0?.rows.count } == rows)
            #expect(output.last??.rows.upperBound == vocabulary)
            #expect(folder.shards.allSatisfy { $0.pieces.first?.info.shape == [vocabulary, width / rows.count] })
            #expect(folder.shards.allSatisfy { $0.pieces.first { $0.role == .outputNorm }?.columns == 0..<width })
            #expect(
                String(decoding: folder.parameters, as: UTF8.self)
                    == #"{"dim": \#(width), "multiple_of": 256, "n_heads": \#(heads), "n_layers": 1, "norm_eps": 1e-06, "vocab_size": -1}"#)
        }
    }

    @Test func `parameters that LLaMA 1 lacks`() throws {
        let model = try OfficialFiles.model(
            vocabularySize: 128256, embeddingLength: 4096, layerCount: 32, headCount: 32, keyValueHeadCount: 8, feedForwardLength: 14336,
            normEpsilon: 1e-5, ropeTheta: 500000)
        let folder = try MetaFolderLayout(MetaFolderLayout.tensors(of: model, type: .bf16), of: model)
        let json = try JSONDocument(folder.parameters, name: "params.json").root
        #expect(try json.int("n_kv_heads") == 8)
        #expect(try json.double("rope_theta") == 500000)
        #expect(try json.double("norm_eps") == 1e-5)
        // Meta's own code.
        let (factor, multiple) = (try json.double("ffn_dim_multiplier"), try json.int("multiple_of"))
        let hidden = Int(factor * Double(2 * 4 * 4096 / 3))
        #expect((hidden + multiple - 1) / multiple * multiple == 14336)
    }

    @Test func `what can't be split is refused`() throws {
        let model = try OfficialFiles.model(vocabularySize: 1000, feedForwardLength: 770)
        let tensors = try MetaFolderLayout.tensors(of: model, type: .f16)
        func message(_ tensors: [TensorInfo], _ count: Int) -> String? {
            alpacaError { _ = try MetaFolderLayout(tensors, of: model, shardCount: count) }?.message
        }
        #expect(message(tensors, 3) == "a model with 4 heads can't be split into 3 shards evenly")
        #expect(message(tensors, 0) == "a model with 4 heads can't be split into 0 shards evenly")
        #expect(
            message(tensors, 4)
                == "tensor \"layers.0.feed_forward.w1.weight\": 770 rows can't be split into 4 shards evenly")
        #expect(
            message([try TensorInfo(name: "a.bias", type: .f16, shape: [4])], 1) == "tensor \"a.bias\" has no place in a Meta folder")
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// Against the SHA-256 of the files that the official merge script wrote under torch 1.13.1 and transformers 4.28.1, and against its base.
@Suite(.enabled(if: OfficialFiles.isThere, OfficialFiles.missing))
struct HuggingFaceBinLayoutTests {
    /// The base's sizes: its vocabulary has 1000 tokens; its files hold up to 5 MB.
    static func folder(_ model: ModelConfiguration) throws -> HuggingFaceBinLayout {
        let base = try HuggingFaceBinLayout.tensors(of: OfficialFiles.model(vocabularySize: 1000), type: .f16)
        return try HuggingFaceBinLayout(
            HuggingFaceBinLayout.tensors(of: model, type: .f16), baseByteCounts: base.map(\.byteCount), shardSize: 5_000_000)
    }

    /// Row of Meta's Q or K that is `row` of Hugging Face's: pairs side by side there, halves here.
    static func metaRow(_ row: Int, headDimension: Int) -> Int {
        let (head, inside) = (row / headDimension, row % headDimension)
        let (half, pair) = (inside / (headDimension / 2), inside % (headDimension / 2))
        return head * headDimension + 2 * pair + half
    }

    @Test func `llama and alpaca, weights`() throws {
        let digests = try OfficialFiles.digests("llama+alpaca, huggingface")
        let model = try OfficialFiles.model(vocabularySize: 3941)
        let merged = try OfficialMetaFolderTests.merged()
        var data: [String: [UInt8]] = [:]
        for (tensor, bytes) in zip(merged.tensors, merged.data) {
            let role = try #require(TensorRole(tensor.name, in: .meta))
            let name = try #require(role.name(in: .huggingFace))
            switch role.kind {
            case .query, .key:
                data[name] = (0..<tensor.rows).flatMap { row in
                    let start = HuggingFaceBinLayoutTests.metaRow(row, headDimension: 64) * tensor.rowByteCount
                    return bytes[start..<start + tensor.rowByteCount]
                }
            default: data[name] = bytes
            }
        }
        for layer in 0..<4 { data[RotaryBuffer.name(layer: layer)] = RotaryBuffer.bytes(model, type: .f16) }

        let folder = try HuggingFaceBinLayoutTests.folder(model)
        #expect(folder.shards.count == 2)
        for shard in folder.shards {
            let file = LayoutFile.bytes(shard.file, try shard.tensors.map { try #require(data[$0.name]) })
            #expect(OfficialFiles.digest(file) == digests[shard.fileName], "\(shard.fileName)")
        }
        // The same when the base's files are kept.
        let kept = try HuggingFaceBinLayout(files: folder.shards.map { ($0.fileName, $0.tensors) })
        #expect(kept.shards.map(\.file.fixed) == folder.shards.map(\.file.fixed))
    }

    @Test(arguments: [("llama+alpaca, huggingface", 3941), ("llama only, huggingface", 3940)])
    func `sizes and json files`(title: String, vocabularySize: Int) throws {
        let digests = try OfficialFiles.digests(title)
        let model = try OfficialFiles.model(vocabularySize: vocabularySize)
        let folder = try HuggingFaceBinLayoutTests.folder(model)
        for shard in folder.shards { #expect(shard.file.byteCount == digests[shard.fileName]?.bytes) }

        let configuration = try HuggingFaceBinLayout.configuration(of: model, type: .f16)
        #expect(OfficialFiles.digest(configuration) == digests["config.json"])
        #expect(OfficialFiles.digest(HuggingFaceBinLayout.generationConfiguration()) == digests["generation_config.json"])
        #expect(folder.index().map(OfficialFiles.digest) == digests["pytorch_model.bin.index.json"])

        // The same from the base's files.
        let base = try OfficialFiles.json("base-hf-bin/config.json")
        #expect(HuggingFaceBinLayout.configuration(base: base, vocabularySize: vocabularySize) == configuration)
        let generation = try OfficialFiles.json("base-hf-bin/generation_config.json")
        #expect(HuggingFaceBinLayout.generationConfiguration(base: generation) == HuggingFaceBinLayout.generationConfiguration())
        #expect(folder.index(base: try OfficialFiles.json("base-hf-bin/pytorch_model.bin.index.json")) == folder.index())
    }

    @Test func `the base itself, file by file`() throws {
        let model = try OfficialFiles.model(vocabularySize: 1000)
        for shard in try HuggingFaceBinLayoutTests.folder(model).shards {
            let file = try OfficialFiles.bytes("base-hf-bin/\(shard.fileName)")
            let data = zip(shard.tensors, shard.file.dataOffsets).map { Array(file[$1..<$1 + $0.byteCount]) }
            #expect(LayoutFile.bytes(shard.file, data) == file)
            for (tensor, bytes) in zip(shard.tensors, data) where tensor.name.hasSuffix("inv_freq") {
                #expect(bytes == RotaryBuffer.bytes(model, type: .f16), "\(tensor.name)")
            }
        }
    }
}

@Suite struct NewHuggingFaceBinLayoutTests {
    @Test func `files of 7B, 13B and 33B as the published ones`() throws {
        // 2, 3 and 7 files (the list of published SHA-256).
        for (width, layers, heads, feedForward, count) in [(4096, 32, 32, 11008, 2), (5120, 40, 40, 13824, 3), (6656, 60, 52, 17920, 7)] {
            let model = try OfficialFiles.model(
                vocabularySize: 32000, embeddingLength: width, layerCount: layers, headCount: heads, feedForwardLength: feedForward)
            let folder = try HuggingFaceBinLayout(HuggingFaceBinLayout.tensors(of: model, type: .f16))
            #expect(folder.shards.count == count)
            #expect(folder.shards.last?.fileName == "pytorch_model-0000\(count)-of-0000\(count).bin")
        }
    }

    @Test func `a small model is one file without an index`() throws {
        let model = try OfficialFiles.model(vocabularySize: 1000)
        let folder = try HuggingFaceBinLayout(HuggingFaceBinLayout.tensors(of: model, type: .f16))
        #expect(folder.shards.map(\.fileName) == ["pytorch_model.bin"])
        #expect(folder.index() == nil)
        #expect(folder.tensorByteCount == 7_844_608)
    }

    /// Digests: torch 2.15.0, `(1.0 / theta ** (torch.arange(0, d, 2).float() / d)).half()`.
    @Test(arguments: [
        (64, 10000.0, "288f02bc86b27684"), (128, 10000.0, "c060eb12019f8cb6"), (128, 500000.0, "fd4a134ad6e4c5d5"),
        (128, 1000000.0, "9496a0866bb114b3"), (80, 10000.0, "73e562b60e8fc6e6"),
    ]) func `rotary frequencies are torch's`(headDimension: Int, theta: Double, digest: String) throws {
        let model = try OfficialFiles.model(
            vocabularySize: 10, embeddingLength: headDimension, layerCount: 1, headCount: 1, ropeTheta: theta)
        #expect(sha256(RotaryBuffer.bytes(model, type: .f16)).prefix(16) == digest)
    }
}

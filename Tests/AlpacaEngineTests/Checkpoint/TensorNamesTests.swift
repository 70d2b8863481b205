import AlpacaEngine
import Foundation
import Testing

@Suite struct TensorNamesTests {
    static let model = try! ModelConfiguration(
        vocabularySize: 3941, contextLength: 512, embeddingLength: 256, layerCount: 4, headCount: 4, keyValueHeadCount: 4,
        headDimension: 64, feedForwardLength: 768, normEpsilon: 1e-6, ropeTheta: 10_000, ropeDimension: 64)

    @Test(arguments: TensorNaming.allCases)
    func namesAreReadAsTheyAreWritten(naming: TensorNaming) throws {
        var names: Set<String> = []
        for role in TensorRole.all(Self.model) {
            let name = try #require(role.name(in: naming))
            #expect(TensorRole(name, in: naming) == role)
            names.insert(name)
        }
        #expect(names.count == 3 + 9 * 4)
    }

    @Test func aFewByHand() {
        #expect(TensorRole("blk.31.attn_output.weight", in: .gguf) == .attentionOutput(31))
        #expect(TensorRole("model.layers.31.mlp.down_proj.weight", in: .huggingFace) == .down(31))
        #expect(TensorRole("layers.31.feed_forward.w2.weight", in: .meta) == .down(31))
        #expect(TensorRole.ropeFactors.name(in: .gguf) == "rope_freqs.weight")
        #expect(TensorRole.ropeFactors.name(in: .meta) == nil)
        #expect(TensorRole.query(7).layer == 7)
        #expect(TensorRole.output.layer == nil)
    }

    @Test(arguments: [
        "", "blk.", "blk..attn_q.weight", "blk.-1.attn_q.weight", "blk.00.attn_q.weight", "blk.1attn_q.weight", "blk.1..attn_q.weight",
        "blk.1024.attn_q.weight", "blk.99999999999999999999.attn_q.weight", "blk.9223372036854775808.attn_q.weight", "blk.٣.attn_q.weight",
        "blk.1.attn_q.bias", "blk.1.", "layers.1.attention.wq.weight", "output.weight.x", "token_embd",
    ])
    func namesOfNothing(_ name: String) {
        #expect(TensorRole(name, in: .gguf) == nil)
    }

    @Test func ignored() {
        #expect(TensorRole.isIgnored("rope.freqs"))
        #expect(TensorRole.isIgnored("layers.0.attention.inner_attention.rope.freqs"))
        #expect(TensorRole.isIgnored("model.layers.0.self_attn.rotary_emb.inv_freq"))
        #expect(!TensorRole.isIgnored("rope_freqs.weight"))
    }

    /// Names and shapes of the merged mini model as the reference scripts wrote them.
    @Test(
        arguments: [("merged_chinese_alpaca.tensors.json", TensorNaming.huggingFace), ("merged_chinese_alpaca.meta1.tensors.json", .meta)])
    func theMiniModelHasTheseNamesAndShapes(file: String, naming: TensorNaming) throws {
        let text = try Data(contentsOf: Fixtures.golden("mini/\(file)"))
        let all = try #require(JSONSerialization.jsonObject(with: text) as? [String: Any])
        // Hugging Face's: one list; Meta's: a list a shard, of which there is one.
        let listed = try #require((all["tensors"] ?? (all["shards"] as? [Any])?.first) as? [String: [String: Any]])
        let needed = listed.filter { !TensorRole.isIgnored($0.key) }.compactMapValues { $0["shape"] as? [Int] }
        #expect(needed.count == TensorRole.all(Self.model).count)
        for role in TensorRole.all(Self.model) {
            let name = try #require(role.name(in: naming))
            #expect(needed[name] == role.shape(Self.model), "\(name)")
        }
    }
}

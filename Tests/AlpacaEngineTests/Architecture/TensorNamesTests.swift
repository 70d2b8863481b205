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
        for spec in Architectures.make(Self.model).tensors {
            let name = try #require(spec.names[naming])
            #expect(spec.role.name(in: naming) == name)
            #expect(TensorRole(name, in: naming) == spec.role)
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
        "blk.1.attn_norm.bias", "blk.1.", "layers.1.attention.wq.weight", "output.weight.x", "token_embd",
    ])
    func namesOfNothing(_ name: String) {
        #expect(TensorRole(name, in: .gguf) == nil)
    }

    @Test func `a family knows its own names only`() {
        let name = "blk.1.attn_q_norm.weight"
        #expect(TensorRole(name, in: .gguf) == TensorRole(.queryNorm, layer: 1))
        #expect(Qwen3.table.role(of: name, in: .gguf) == TensorRole(.queryNorm, layer: 1))
        #expect(Llama.table.role(of: name, in: .gguf) == nil)
        #expect(Qwen2.table.role(of: "rope_freqs.weight", in: .gguf) == nil)
    }

    @Test func ignored() {
        #expect(Architectures.isIgnored("rope.freqs"))
        #expect(Architectures.isIgnored("layers.0.attention.inner_attention.rope.freqs"))
        #expect(Architectures.isIgnored("model.layers.0.self_attn.rotary_emb.inv_freq"))
        #expect(!Architectures.isIgnored("rope_freqs.weight"))
    }

    /// Names and shapes of the merged mini model as the reference scripts wrote them.
    @Test(
        arguments: [("merged_chinese_alpaca.tensors.json", TensorNaming.huggingFace), ("merged_chinese_alpaca.meta1.tensors.json", .meta)])
    func theMiniModelHasTheseNamesAndShapes(file: String, naming: TensorNaming) throws {
        let text = try Data(contentsOf: Fixtures.golden("mini/\(file)"))
        let all = try #require(JSONSerialization.jsonObject(with: text) as? [String: Any])
        // Hugging Face's: one list; Meta's: a list a shard, of which there is one.
        let listed = try #require((all["tensors"] ?? (all["shards"] as? [Any])?.first) as? [String: [String: Any]])
        let needed = listed.filter { !Architectures.isIgnored($0.key) }.compactMapValues { $0["shape"] as? [Int] }
        #expect(needed.count == Architectures.make(Self.model).tensors.count)
        for spec in Architectures.make(Self.model).tensors {
            let name = try #require(spec.names[naming])
            #expect(needed[name] == spec.shape, "\(name)")
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct MetaConfigurationTests {
    static func read(
        _ text: String, _ tensors: [String: [Int]] = [:]
    ) throws -> (configuration: ModelConfiguration, warnings: [String]) {
        try ModelConfiguration.meta(JSONDocument(Array(text.utf8), name: "params.json")) { tensors[$0] }
    }

    /// (params.json, feed-forward length, key/value heads, context) of published models.
    static let published: [(String, Int, Int, Int)] = [
        ("\"dim\": 4096, \"multiple_of\": 256, \"n_heads\": 32, \"n_layers\": 32, \"norm_eps\": 1e-06", 11_008, 32, 2_048),
        ("\"dim\": 5120, \"multiple_of\": 256, \"n_heads\": 40, \"n_layers\": 40, \"norm_eps\": 1e-06", 13_824, 40, 2_048),
        ("\"dim\": 6656, \"multiple_of\": 256, \"n_heads\": 52, \"n_layers\": 60, \"norm_eps\": 1e-06", 17_920, 52, 2_048),
        ("\"dim\": 4096, \"multiple_of\": 256, \"n_heads\": 32, \"n_layers\": 32, \"norm_eps\": 1e-05", 11_008, 32, 4_096),
        (
            "\"dim\": 8192, \"multiple_of\": 4096, \"ffn_dim_multiplier\": 1.3, \"n_heads\": 64, \"n_kv_heads\": 8, \"n_layers\": 80, "
                + "\"norm_eps\": 1e-05", 28_672, 8, 4_096
        ),
    ]

    @Test(arguments: published.indices)
    func publishedModels(_ index: Int) throws {
        let (text, length, heads, context) = Self.published[index]
        let (model, warnings) = try Self.read("{\(text), \"vocab_size\": -1}", ["tok_embeddings.weight": [32_000, 4_096]])
        #expect(model.feedForwardLength == length)
        #expect(model.keyValueHeadCount == heads)
        #expect(model.contextLength == context)
        #expect(model.vocabularySize == 32_000)
        #expect(model.ropeTheta == 10_000)
        #expect(model.headDimension == 128)
        #expect(warnings == [])
    }

    @Test func theTensorsTell() throws {
        let text = "{\"dim\": 256, \"multiple_of\": 256, \"n_heads\": 4, \"n_layers\": 4, \"norm_eps\": 1e-6, \"vocab_size\": 1000}"
        let (model, warnings) = try Self.read(
            text, ["tok_embeddings.weight": [3_941, 256], "layers.0.feed_forward.w1.weight": [700, 256]])
        #expect(model.feedForwardLength == 700)
        #expect(model.vocabularySize == 3_941)
        #expect(warnings == ["\"vocab_size\" is 1000, but the embeddings have 3941 rows: 3941 is taken"])
    }

    /// (params.json, message)
    @Test(arguments: [
        ("{}", "\"dim\" is missing"),
        (
            "{\"dim\": 256, \"multiple_of\": 8, \"n_heads\": 4, \"n_layers\": 4, \"norm_eps\": 1e-6, \"vocab_size\": -1}",
            "\"vocab_size\" is missing, and so are the embeddings: how large is the vocabulary?"
        ),
        ("{\"dim\": 256, \"n_heads\": 4, \"n_layers\": 4, \"norm_eps\": 1e-6, \"vocab_size\": 8}", "\"multiple_of\" is missing"),
        ("{\"dim\": 256, \"n_heads\": 3}", "3 heads do not divide the embedding length 256"),
        ("{\"use_scaled_rope\": true}", "\"use_scaled_rope\": found true, supported is false"),
        ("{\"moe\": {}}", "\"moe\": found a mixture of experts, supported is none"),
    ])
    func wrongFiles(_ text: String, _ message: String) {
        #expect(alpacaError { _ = try Self.read(text) }?.message == "params.json: \(message)")
    }

    @Test func theMiniFamily() throws {
        let document = try JSONDocument(InputFile(path: MiniFamily.shared("mini-llama-meta/params.json")))
        let model = try ModelConfiguration.meta(document) { $0 == "tok_embeddings.weight" ? [1_000, 256] : nil }.configuration
        // The rule gives 768, as the tensors have it.
        #expect(model.feedForwardLength == 768)
        #expect(model.vocabularySize == 1_000)
        #expect(model.contextLength == 2_048)
    }
}

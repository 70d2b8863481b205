import AlpacaEngine
import Foundation
import Testing

@Suite struct ModelConfigurationTests {
    typealias Change = (inout GGUFMetadata) -> Void

    /// A sound Llama of 2 layers, as a converter would write it.
    static func metadata() -> GGUFMetadata {
        var metadata = GGUFMetadata()
        metadata[GGUFKey.architecture] = .string("llama")
        metadata["llama.vocab_size"] = .uint32(3)
        metadata["llama.context_length"] = .uint32(512)
        metadata["llama.embedding_length"] = .uint32(256)
        metadata["llama.block_count"] = .uint32(2)
        metadata["llama.feed_forward_length"] = .uint32(768)
        metadata["llama.attention.head_count"] = .uint32(4)
        metadata["llama.attention.head_count_kv"] = .uint32(2)
        metadata["llama.attention.layer_norm_rms_epsilon"] = .float32(1e-6)
        metadata["llama.rope.dimension_count"] = .uint32(64)
        metadata["llama.rope.freq_base"] = .float32(500_000)
        metadata[GGUFKey.tokens] = .array(.string(GGUFStrings(["<unk>", "<s>", "</s>"])))
        return metadata
    }

    /// The configuration of a file with that metadata and tensors of these names.
    static func open(_ metadata: GGUFMetadata, tensors: [String] = ["output.weight"]) throws -> ModelConfiguration {
        try Fixtures.withFile(file(metadata, tensors: tensors), named: "m.gguf") { try ModelConfiguration(GGUFReader(InputFile(path: $0))) }
    }

    static func file(_ metadata: GGUFMetadata, tensors: [String] = ["output.weight"]) throws -> [UInt8] {
        var bytes = GGUFBytes.header(tensors: tensors.count, keys: metadata.count)
        for key in metadata.keys {
            let value = try #require(metadata[key])
            bytes += GGUFBytes.key(key, value.type.rawValue, encode(value))
        }
        for (i, name) in tensors.enumerated() { bytes += GGUFBytes.tensor(name, dims: [8], offset: UInt64(32 * i)) }
        return GGUFBytes.padded(bytes) + [UInt8](repeating: 0, count: 32 * tensors.count)
    }

    static func encode(_ value: GGUFValue) -> [UInt8] {
        switch value {
        case .uint8(let value): [value]
        case .uint16(let value): GGUFBytes.u16(value)
        case .uint32(let value): GGUFBytes.u32(value)
        case .int32(let value): GGUFBytes.integer(value)
        case .uint64(let value): GGUFBytes.u64(value)
        case .float32(let value): GGUFBytes.f32(value)
        case .float64(let value): GGUFBytes.f64(value)
        case .bool(let value): [value ? 1 : 0]
        case .string(let value): GGUFBytes.word(value.count) + value
        case .array(.string(let list)):
            GGUFBytes.u32(8) + GGUFBytes.word(list.count) + list.flatMap { GGUFBytes.word($0.count) + Array($0) }
        case .array(.int32(let list)): GGUFBytes.u32(5) + GGUFBytes.word(list.count) + list.flatMap(GGUFBytes.integer)
        case .array(.uint32(let list)): GGUFBytes.u32(4) + GGUFBytes.word(list.count) + list.flatMap(GGUFBytes.u32)
        default: []
        }
    }

    @Test func aSoundFile() throws {
        let model = try Self.open(Self.metadata())
        #expect(model.architecture == "llama")
        #expect(model.vocabularySize == 3)
        #expect(model.contextLength == 512)
        #expect(model.embeddingLength == 256)
        #expect(model.layerCount == 2)
        #expect(model.headCount == 4)
        #expect(model.keyValueHeadCount == 2)
        #expect(model.headDimension == 64)
        #expect(model.queryLength == 256)
        #expect(model.keyValueLength == 128)
        #expect(model.feedForwardLength == 768)
        #expect(model.normEpsilon == 1e-6)
        #expect(model.ropeTheta == 500_000)
        #expect(model.ropeDimension == 64)
        #expect(model.ropeScaling == .none)
        #expect(!model.hasRopeFactors)
        #expect(!model.isOutputTied)
    }

    @Test func whatIsNotToldFollows() throws {
        var metadata = Self.metadata()
        for key in ["llama.vocab_size", "llama.attention.head_count_kv", "llama.rope.dimension_count", "llama.rope.freq_base"] {
            metadata[key] = nil
        }
        let model = try Self.open(metadata, tensors: ["token_embd.weight", "rope_freqs.weight"])
        #expect(model.vocabularySize == 3)
        #expect(model.keyValueHeadCount == 4)
        #expect(model.ropeDimension == 64)
        #expect(model.ropeTheta == 10_000)
        #expect(model.hasRopeFactors)
        #expect(model.isOutputTied)
    }

    @Test func vocabularyWithoutPieces() throws {
        var metadata = Self.metadata()
        metadata[GGUFKey.tokens] = nil
        #expect(try Self.open(metadata).vocabularySize == 3)
    }

    @Test func headsThatAreNotTheWidthShared() throws {
        var metadata = Self.metadata()
        metadata["llama.attention.key_length"] = .uint32(32)
        metadata["llama.attention.value_length"] = .uint32(32)
        metadata["llama.rope.dimension_count"] = nil
        metadata["llama.attention.head_count"] = .uint32(6)
        let model = try Self.open(metadata)
        #expect(model.headDimension == 32)
        #expect(model.ropeDimension == 32)
        #expect(model.queryLength == 192)
    }

    @Test func numbersOfAnyWidth() throws {
        var metadata = Self.metadata()
        metadata["llama.block_count"] = .uint64(2)
        metadata["llama.context_length"] = .int32(512)
        metadata["llama.attention.layer_norm_rms_epsilon"] = .float64(1e-5)
        let model = try Self.open(metadata)
        #expect(model.layerCount == 2)
        #expect(model.contextLength == 512)
        #expect(model.normEpsilon == 1e-5)
    }

    @Test func linearScaling() throws {
        var metadata = Self.metadata()
        metadata["llama.rope.scaling.type"] = .string("linear")
        metadata["llama.rope.scaling.factor"] = .float32(4)
        #expect(try Self.open(metadata).ropeScaling == .linear(factor: 4))
        metadata["llama.rope.scaling.type"] = nil
        #expect(try Self.open(metadata).ropeScaling == .linear(factor: 4))
        metadata["llama.rope.scaling.type"] = .string("none")
        #expect(try Self.open(metadata).ropeScaling == .none)
        metadata["llama.rope.scaling.type"] = nil
        metadata["llama.rope.scaling.factor"] = nil
        metadata["llama.rope.scale_linear"] = .float32(8)
        #expect(try Self.open(metadata).ropeScaling == .linear(factor: 8))
        metadata["llama.rope.scale_linear"] = .float32(1)
        #expect(try Self.open(metadata).ropeScaling == .none)
    }

    @Test func yarn() throws {
        var metadata = Self.metadata()
        metadata["llama.rope.scaling.type"] = .string("yarn")
        metadata["llama.rope.scaling.factor"] = .float32(16)
        let sameContext = try Self.open(metadata)
        #expect(sameContext.ropeScaling == .yarn(.init(factor: 16, originalContextLength: sameContext.contextLength)))
        metadata["llama.rope.scaling.original_context_length"] = .uint32(4096)
        let model = try Self.open(metadata)
        #expect(model.ropeScaling == .yarn(.init(factor: 16, originalContextLength: 4096)))
        let keys: [(String, GGUFValue)] = [
            ("llama.rope.scaling.yarn_attn_factor", .float32(1.5)), ("llama.rope.scaling.yarn_beta_fast", .float32(8)),
            ("llama.rope.scaling.yarn_beta_slow", .float32(0)), ("alpaca.rope.truncate", .bool(false)),
        ]
        for (key, value) in keys { metadata[key] = value }
        var yarn = ModelConfiguration.YaRN(factor: 16, originalContextLength: 4096)
        yarn.attentionFactor = 1.5
        yarn.betaFast = 8
        yarn.truncates = false
        #expect(try Self.open(metadata).ropeScaling == .yarn(yarn))
    }

    /// (key, value or nil to take it away, code, message)
    static let wrong: [(String, GGUFValue?, AlpacaError.Code, String)] = [
        ("general.architecture", nil, .missing, "metadata key \"general.architecture\" is missing"),
        ("general.architecture", .uint32(1), .badFormat, "metadata key \"general.architecture\": found 1, expected a string"),
        (
            "general.architecture", .string("gpt2"), .unsupported,
            "metadata key \"general.architecture\": found \"gpt2\", supported are \"llama\", \"qwen2\", \"qwen3\" and \"qwen3moe\""
        ),
        (
            "general.architecture", .string([0xff]), .badFormat,
            "metadata key \"general.architecture\": found \"\u{fffd}\", which is not valid UTF-8"
        ),
        ("llama.block_count", nil, .missing, "metadata key \"llama.block_count\" is missing"),
        ("llama.block_count", .uint32(0), .badFormat, "metadata key \"llama.block_count\": found 0, expected 1 to 1024"),
        ("llama.block_count", .int32(-1), .badFormat, "metadata key \"llama.block_count\": found -1, expected 1 to 1024"),
        (
            "llama.block_count", .uint64(1 << 63), .badFormat,
            "metadata key \"llama.block_count\": found 9223372036854775808, expected 1 to 1024"
        ),
        ("llama.block_count", .float64(.nan), .badFormat, "metadata key \"llama.block_count\": found nan, expected an integer"),
        (
            "llama.block_count", .string("2"), .badFormat,
            "metadata key \"llama.block_count\": found the string \"2\", expected an integer"
        ),
        ("llama.embedding_length", .uint32(255), .badFormat, "4 heads do not divide the embedding length 255"),
        (
            "llama.embedding_length", .uint32(.max), .badFormat,
            "metadata key \"llama.embedding_length\": found 4294967295, expected 1 to 131072"
        ),
        (
            "llama.attention.head_count", .array(.uint32([4, 4])), .badFormat,
            "metadata key \"llama.attention.head_count\": found an array of 2 uint32 values, expected an integer"
        ),
        (
            "llama.attention.head_count", .uint32(256), .badFormat, "head dimension: found 1, expected 2 to 1024"
        ),
        (
            "llama.attention.head_count_kv", .uint32(0), .badFormat,
            "metadata key \"llama.attention.head_count_kv\": found 0, expected 1 to 4"
        ),
        (
            "llama.attention.head_count_kv", .uint32(8), .badFormat,
            "metadata key \"llama.attention.head_count_kv\": found 8, expected 1 to 4"
        ),
        ("llama.attention.head_count_kv", .uint32(3), .badFormat, "3 key/value heads do not divide 4 heads"),
        (
            "llama.attention.value_length", .uint32(32), .unsupported,
            "metadata key \"llama.attention.value_length\": found 32, supported is the length of keys, 64"
        ),
        (
            "llama.feed_forward_length", .bool(true), .badFormat,
            "metadata key \"llama.feed_forward_length\": found true, expected an integer"
        ),
        ("llama.context_length", .uint32(0), .badFormat, "metadata key \"llama.context_length\": found 0, expected 1 to 16777216"),
        (
            "llama.attention.layer_norm_rms_epsilon", .float32(.nan), .badFormat,
            "metadata key \"llama.attention.layer_norm_rms_epsilon\": found nan, expected 1e-12 to 0.1"
        ),
        (
            "llama.attention.layer_norm_rms_epsilon", .float32(0), .badFormat,
            "metadata key \"llama.attention.layer_norm_rms_epsilon\": found 0.0, expected 1e-12 to 0.1"
        ),
        ("llama.rope.dimension_count", .uint32(66), .badFormat, "metadata key \"llama.rope.dimension_count\": found 66, expected 2 to 64"),
        ("llama.rope.dimension_count", .uint32(15), .badFormat, "rope dimension: found 15, expected an even number"),
        (
            "llama.rope.freq_base", .float32(-1), .badFormat,
            "metadata key \"llama.rope.freq_base\": found -1.0, expected 1.0 to 1000000000000000.0"
        ),
        (
            "llama.rope.freq_base", .uint32(10_000), .badFormat,
            "metadata key \"llama.rope.freq_base\": found 10000, expected a floating-point number"
        ),
        (
            "llama.rope.scaling.type", .string("linear"), .missing,
            "metadata key \"llama.rope.scaling.factor\" is missing (llama.rope.scaling.type is \"linear\")"
        ),
        (
            "llama.rope.scaling.type", .string("yarn"), .missing,
            "metadata key \"llama.rope.scaling.factor\" is missing (llama.rope.scaling.type is \"yarn\")"
        ),
        (
            "llama.rope.scaling.type", .string("foo"), .unsupported,
            "metadata key \"llama.rope.scaling.type\": found \"foo\", supported are \"none\", \"linear\" and \"yarn\""
        ),
        (
            "llama.rope.scaling.factor", .float32(0), .badFormat,
            "metadata key \"llama.rope.scaling.factor\": found 0.0, expected 0.001 to 10000.0"
        ),
        (
            "llama.vocab_size", .uint32(2), .shapeMismatch,
            "metadata key \"tokenizer.ggml.tokens\": found 3 pieces, but llama.vocab_size is 2: the last pieces have none"
        ),
        ("llama.expert_count", .uint32(8), .missing, "metadata key \"llama.expert_used_count\" is missing"),
        ("llama.expert_count", .uint32(.max), .badFormat, "metadata key \"llama.expert_count\": found 4294967295, expected 1 to 1024"),
        (
            "split.count", .uint16(2), .unsupported,
            "this is part 0 (counted from 0) of a model in 2 files: put them together with `llama-gguf-split --merge`"
        ),
    ]

    @Test(arguments: wrong.indices)
    func wrongValues(_ index: Int) throws {
        let (key, value, code, message) = Self.wrong[index]
        var metadata = Self.metadata()
        metadata[key] = value
        let error = try #require(alpacaError { _ = try Self.open(metadata) })
        #expect(error.code == code)
        #expect(error.message.hasSuffix("/m.gguf: " + message), "\(error.message)")
    }

    @Test func noVocabularyAtAll() throws {
        var metadata = Self.metadata()
        metadata["llama.vocab_size"] = nil
        metadata[GGUFKey.tokens] = nil
        let error = try #require(alpacaError { _ = try Self.open(metadata) })
        #expect(error.code == .missing)
        #expect(
            error.message.hasSuffix(
                "/m.gguf: metadata keys \"tokenizer.ggml.tokens\" and \"llama.vocab_size\" are missing: how large is the vocabulary?"))
    }

    @Test func theMiniModelEqualsItsHuggingFaceConfiguration() throws {
        let text = try Data(contentsOf: URL(fileURLWithPath: MiniFamily.shared("merged-chinese-alpaca-hf/config.json")))
        let config = try #require(JSONSerialization.jsonObject(with: text) as? [String: Any])
        let file = try InputFile(path: MiniFamily.q8_0)
        let model = try ModelConfiguration(GGUFReader(file))
        #expect(model.vocabularySize == config["vocab_size"] as? Int)
        #expect(model.contextLength == config["max_position_embeddings"] as? Int)
        #expect(model.embeddingLength == config["hidden_size"] as? Int)
        #expect(model.layerCount == config["num_hidden_layers"] as? Int)
        #expect(model.headCount == config["num_attention_heads"] as? Int)
        #expect(model.keyValueHeadCount == config["num_key_value_heads"] as? Int ?? model.headCount)
        #expect(model.feedForwardLength == config["intermediate_size"] as? Int)
        #expect(model.normEpsilon == (config["rms_norm_eps"] as? Double).map { Float($0) })
        #expect(model.isOutputTied == config["tie_word_embeddings"] as? Bool)
    }
}

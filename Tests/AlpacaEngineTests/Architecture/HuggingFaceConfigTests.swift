import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct HuggingFaceConfigTests {
    static let sound = [
        "\"model_type\": \"llama\"", "\"architectures\": [\"LlamaForCausalLM\"]", "\"hidden_size\": 256", "\"intermediate_size\": 768",
        "\"num_hidden_layers\": 4", "\"num_attention_heads\": 4", "\"rms_norm_eps\": 1e-5", "\"vocab_size\": 1000",
        "\"max_position_embeddings\": 512",
    ]

    static func read(
        _ lines: [String] = sound, adding more: [String] = [], tensors: [String: [Int]] = ["lm_head.weight": [1000, 256]]
    ) throws -> (configuration: ModelConfiguration, warnings: [String]) {
        // What is added replaces what has the same key.
        let keys = more.map { $0.prefix { $0 != ":" } }
        let kept = lines.filter { line in !keys.contains(line.prefix { $0 != ":" }) }
        let text = "{\((kept + more).joined(separator: ", "))}"
        return try ModelConfiguration.huggingFace(JSONDocument(Array(text.utf8), name: "config.json")) { tensors[$0] }
    }

    @Test func aSoundConfiguration() throws {
        let (model, warnings) = try Self.read()
        #expect(warnings == [])
        #expect(model.vocabularySize == 1000)
        #expect(model.contextLength == 512)
        #expect(model.embeddingLength == 256)
        #expect(model.layerCount == 4)
        #expect(model.headCount == 4)
        #expect(model.keyValueHeadCount == 4)
        #expect(model.headDimension == 64)
        #expect(model.ropeDimension == 64)
        #expect(model.feedForwardLength == 768)
        #expect(model.normEpsilon == 1e-5)
        #expect(model.ropeTheta == 10_000)
        #expect(model.ropeScaling == .none)
        #expect(!model.isOutputTied)
    }

    /// The uploads of March 2023, with a name and ids that are wrong.
    @Test func theFirstConfigurations() throws {
        let lines = Self.sound.filter { !$0.contains("architectures") && !$0.contains("max_position") && !$0.contains("rms_norm") }
        let model = try Self.read(
            lines + [
                "\"architectures\": [\"LLaMAForCausalLM\"]", "\"bos_token_id\": 0", "\"eos_token_id\": 1", "\"pad_token_id\": -1",
                "\"max_sequence_length\": 1024",
            ]
        ).configuration
        #expect(model.contextLength == 1024)
        #expect(model.normEpsilon == 1e-6)
        #expect(try Self.read(lines).configuration.contextLength == 2048)
    }

    @Test func theEmbeddingsTellTheVocabulary() throws {
        let (model, warnings) = try Self.read(tensors: ["model.embed_tokens.weight": [3941, 256], "lm_head.weight": [3941, 256]])
        #expect(model.vocabularySize == 3941)
        #expect(warnings == ["\"vocab_size\" is 1000, but the embeddings have 3941 rows: 3941 is taken"])
    }

    @Test func groupsAndTies() throws {
        let more = ["\"num_key_value_heads\": 2", "\"tie_word_embeddings\": true", "\"head_dim\": 32"]
        let (model, warnings) = try Self.read(adding: more, tensors: [:])
        #expect(model.keyValueHeadCount == 2)
        #expect(model.headDimension == 32)
        #expect(model.isOutputTied)
        #expect(warnings == [])
        let own = try Self.read(adding: more)
        #expect(!own.configuration.isOutputTied)
        #expect(own.warnings.count == 1)
    }

    /// (line of the configuration, theta, scaling)
    static let ropes: [(String, Double, ModelConfiguration.RopeScaling)] = [
        ("\"rope_theta\": 500000.0", 500_000, .none),
        ("\"rope_scaling\": null", 10_000, .none),
        (
            "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 4.0}", 10_000,
            .dynamic(.init(factor: 4, originalContextLength: 512))
        ),
        ("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}", 10_000, .linear(factor: 4)),
        ("\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 1}", 10_000, .none),
        (
            "\"rope_scaling\": {\"factor\": 16.0, \"finetuned\": true, \"original_max_position_embeddings\": 4096, \"type\": \"yarn\"}",
            10_000,
            .yarn(
                {
                    var yarn = ModelConfiguration.YaRN(factor: 16, originalContextLength: 4096)
                    yarn.isFinetuned = true
                    return yarn
                }())
        ),
        (
            "\"rope_scaling\": {\"factor\": 16.0, \"type\": \"yarn\", \"beta_fast\": 32}", 10_000,
            .yarn(.init(factor: 16, originalContextLength: 512))
        ),
        ("\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 1000000.0}", 1_000_000, .none),
        ("\"rope_parameters\": {\"rope_theta\": 1000000.0}", 1_000_000, .none),
        ("\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 8, \"rope_theta\": 20000}", 20_000, .linear(factor: 8)),
    ]

    @Test(arguments: ropes.indices)
    func angles(_ index: Int) throws {
        let (line, theta, scaling) = Self.ropes[index]
        let model = try Self.read(adding: [line]).configuration
        #expect(model.ropeTheta == theta)
        #expect(model.ropeScaling == scaling)
    }

    /// (line, code, message)
    static let refused: [(String, AlpacaError.Code, String)] = [
        (
            "\"model_type\": \"gemma\"", .unsupported,
            "\"model_type\": found \"gemma\", supported is \"llama\", \"mistral\", \"mixtral\", \"qwen2\", \"qwen3\" and \"qwen3_moe\""
        ),
        (
            "\"architectures\": [\"LlamaForSequenceClassification\"]", .unsupported,
            "\"architectures\": found \"LlamaForSequenceClassification\", supported is \"LlamaForCausalLM\""
        ),
        (
            "\"quantization_config\": {\"quant_method\": \"gptq\"}", .unsupported,
            "\"quantization_config\": found weights quantized by \"gptq\", supported is F16, BF16 and F32: take the model from which it was "
                + "quantized"
        ),
        ("\"attention_bias\": 1", .badFormat, "\"attention_bias\": found "),
        ("\"hidden_act\": \"gelu\"", .unsupported, "\"hidden_act\": found \"gelu\", supported is \"silu\""),
        (
            "\"rope_scaling\": {\"type\": \"longrope\", \"factor\": 2}", .unsupported,
            "\"rope_scaling.rope_type\": found \"longrope\", supported is \"linear\", \"dynamic\", \"yarn\" and \"llama3\""
        ),
        (
            "\"rope_scaling\": {\"type\": \"su\", \"factor\": 2}", .unsupported,
            "\"rope_scaling.rope_type\": found \"su\", supported is \"linear\", \"dynamic\", \"yarn\" and \"llama3\""
        ),
        (
            "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 0}", .badFormat,
            "\"rope_scaling.factor\": found 0, expected 0.001 to 10000.0"
        ),
        ("\"rope_scaling\": {\"type\": \"dynamic\"}", .missing, "\"factor\" is missing in \"rope_scaling\""),
        ("\"partial_rotary_factor\": 0.5", .unsupported, "\"partial_rotary_factor\": found 0.5, supported is 1"),
        (
            "\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 2}", .missing,
            "\"low_freq_factor\" is missing in \"rope_parameters\""
        ),
        (
            "\"rope_scaling\": {\"factor\": 2}", .unsupported,
            "\"rope_scaling.rope_type\": found nothing, supported is \"linear\", \"dynamic\", \"yarn\" and \"llama3\""
        ),
        (
            "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"beta_fast\": 160000}", .badFormat,
            "rope scaling: beta_fast: found 160000.0, expected 0.001 to 10000.0"
        ),
        (
            "\"rope_scaling\": {\"type\": \"yarn\"}", .missing,
            "\"factor\" of YaRN is missing, and so is the original context"
        ),
        ("\"rope_scaling\": {\"type\": \"linear\"}", .missing, "\"factor\" is missing in \"rope_scaling\""),
        ("\"hidden_size\": 255", .badFormat, "4 heads do not divide the embedding length 255"),
        ("\"hidden_size\": \"256\"", .badFormat, "\"hidden_size\": found the string \"256\", expected an integer"),
        ("\"num_hidden_layers\": 1e18", .badFormat, "\"num_hidden_layers\": found 1e+18, expected an integer"),
        ("\"num_key_value_heads\": 3", .badFormat, "3 key/value heads do not divide 4 heads"),
    ]

    @Test(arguments: refused.indices)
    func refusedConfigurations(_ index: Int) throws {
        let (line, code, message) = Self.refused[index]
        let error = try #require(alpacaError { _ = try Self.read(adding: [line]) })
        #expect(error.code == code)
        #expect(error.message.hasPrefix("config.json: \(message)"), "\(error)")
    }

    @Test func otherFiles() throws {
        let error = try #require(alpacaError { _ = try Self.read([], adding: ["\"r\": 8"]) })
        #expect(error.message == "config.json: found an object with 1 member, expected a model's configuration, with \"model_type\"")
        let without = Self.sound.filter { !$0.contains("vocab_size") }
        #expect(
            alpacaError { _ = try Self.read(without) }?.message
                == "config.json: \"vocab_size\" is missing, and so are the embeddings: how large is the vocabulary?")
    }

    // MARK: Written

    @Test func whatIsWrittenIsReadAgain() throws {
        var yarn = ModelConfiguration.YaRN(factor: 8, originalContextLength: 2048)
        (yarn.betaFast, yarn.betaSlow, yarn.mscale, yarn.mscaleAllDim, yarn.truncates) = (16, 2, 1, 0.5, false)
        let llama = ModelConfiguration.Llama3(
            factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192)
        let scalings: [ModelConfiguration.RopeScaling] = [
            .none, .linear(factor: 4), .yarn(.init(factor: 16, originalContextLength: 4096)), .yarn(yarn), .llama3(llama),
        ]
        for scaling in scalings {
            let model = try ModelConfiguration(
                vocabularySize: 55_296, contextLength: 16_384, embeddingLength: 4_096, layerCount: 32, headCount: 32, keyValueHeadCount: 8,
                headDimension: 64, feedForwardLength: 11_008, normEpsilon: 1e-5, ropeTheta: 500_000, ropeDimension: 64,
                ropeScaling: scaling, isOutputTied: true)
            let bytes = try HuggingFaceConfig(model, type: .bf16, bos: 1, eos: 2, pad: 32_000).config()
            let document = try JSONDocument(bytes, name: "config.json")
            #expect(try ModelConfiguration.huggingFace(document) { _ in nil }.configuration == model)
            #expect(try document.root.string("torch_dtype") == "bfloat16")
            #expect(try document.root.int("pad_token_id") == 32_000)
        }
    }

    @Test func whatCanNotBeWritten() throws {
        let model = try Self.read().configuration
        #expect(
            alpacaError { _ = try HuggingFaceConfig(model, type: .q4_0, bos: 1, eos: 2, pad: nil).config() }?.message
                == "weights of type Q4_0 can't be stored in a Hugging Face folder")
    }

    @Test(
        arguments: ["mini-llama", "merged-chinese-alpaca-hf"])
    func theMiniFamily(_ name: String) throws {
        let folder = MiniFamily.shared(name)
        let weights = try CheckpointReader.open(folder + "/model.safetensors")
        let document = try JSONDocument(InputFile(path: folder + "/config.json"))
        let (model, warnings) = try ModelConfiguration.huggingFace(document) { tensor in
            weights.index(of: tensor).map { weights.tensors[$0].shape }
        }
        #expect(warnings == [])
        #expect(Set(weights.tensors.map(\.name)) == Set(Architectures.make(model).tensors.compactMap(\.names.huggingFace)))
        for spec in Architectures.make(model).tensors {
            let index = try #require(spec.names.huggingFace.flatMap { weights.index(of: $0) })
            #expect(weights.tensors[index].shape == spec.shape)
        }
        // What transformers wrote is in ours, in the same words.
        let pad = try document.root.int("pad_token_id")
        let written = HuggingFaceConfig(model, type: .f16, bos: 1, eos: 2, pad: TokenID(pad))
        func texts(_ value: JSONValue) -> [String: String] {
            let members = value.members.filter { $0.key != "transformers_version" }
            return Dictionary(members.map { ($0.key, $0.wrong("").message) }) { first, _ in first }
        }
        let ours = try texts(JSONDocument(written.config(), name: folder + "/config.json").root)
        for (key, value) in texts(document.root) { #expect(ours[key] == value) }
        let generation = try texts(JSONDocument(InputFile(path: folder + "/generation_config.json")).root)
        #expect(try texts(JSONDocument(written.generationConfig(), name: folder + "/generation_config.json").root) == generation)
    }
}

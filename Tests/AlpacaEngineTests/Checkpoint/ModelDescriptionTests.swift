import AlpacaEngine
import Foundation
import Testing

@Suite struct ModelDescriptionTests {
    static func describe(_ change: (inout GGUFMetadata) -> Void) throws -> ModelDescription {
        var metadata = ModelConfigurationTests.metadata()
        metadata["general.name"] = .string("山\u{1b}[31m")
        metadata["general.file_type"] = .uint32(15)
        metadata["tokenizer.ggml.model"] = .string("llama")
        metadata["tokenizer.ggml.bos_token_id"] = .uint32(1)
        metadata["tokenizer.ggml.eos_token_id"] = .uint32(2)
        metadata["llama.rope.scaling.factor"] = .float32(4)
        change(&metadata)
        let tensors = try [
            TensorInfo(name: "token_embd.weight", type: .q4_0, shape: [3, 256]),
            TensorInfo(name: "output_norm.weight", type: .f32, shape: [256]),
            TensorInfo(name: "output.weight", type: .q4_0, shape: [3, 256]),
        ]
        var configuration: ModelConfiguration?
        let error = alpacaError { configuration = try ModelConfigurationTests.open(metadata) }
        return ModelDescription(
            path: "m.gguf", format: "GGUF version 3", byteCount: 5_855_840, metadata: metadata, tensors: tensors,
            configuration: configuration, problem: error?.message)
    }

    @Test func text() throws {
        var description = try Self.describe { _ in }
        description.template = "alpaca"
        description.templateReason = "the vocabulary is that of Chinese-Alpaca"
        #expect(
            description.description == """
                m.gguf
                  format        GGUF version 3, 5.5 MiB (5,855,840 bytes)
                  architecture  "llama"
                  name          "山\\u{1b}[31m"
                  weights       Q4_K_M, 1,792 parameters
                  vocabulary    3 tokens
                  context       512 tokens
                  width         256, feed-forward 768
                  layers        2
                  heads         4 of 64 components, 2 for keys and values
                  rope          theta 500000, 64 components, positions divided by 4
                  output        a matrix of its own
                  tokenizer     "llama", 3 pieces; bos 1, eos 2
                  template      alpaca (the vocabulary is that of Chinese-Alpaca)
                  tensors       1 F32, 1.0 KiB (1,024 bytes)
                                2 Q4_0, 864 bytes
                metadata
                  general.architecture                    "llama"
                  llama.vocab_size                        3
                  llama.context_length                    512
                  llama.embedding_length                  256
                  llama.block_count                       2
                  llama.feed_forward_length               768
                  llama.attention.head_count              4
                  llama.attention.head_count_kv           2
                  llama.attention.layer_norm_rms_epsilon  1e-06
                  llama.rope.dimension_count              64
                  llama.rope.freq_base                    500000.0
                  tokenizer.ggml.tokens                   ["<unk>", "<s>", "</s>"]
                  general.name                            "山\\u{1b}[31m"
                  general.file_type                       15
                  tokenizer.ggml.model                    "llama"
                  tokenizer.ggml.bos_token_id             1
                  tokenizer.ggml.eos_token_id             2
                  llama.rope.scaling.factor               4.0
                """)
    }

    @Test func modelsWithYaRNAreDescribed() throws {
        var metadata = ModelConfigurationTests.metadata()
        metadata["llama.rope.scaling.type"] = .string("yarn")
        metadata["llama.rope.scaling.factor"] = .float32(16)
        metadata["llama.rope.scaling.original_context_length"] = .uint32(32)
        try Fixtures.withFile(ModelConfigurationTests.file(metadata), named: "m.gguf") { path in
            let description = try ModelDescription(path: path)
            #expect(description.configuration?.layerCount == 2)
            #expect(description.description.contains("theta 500000, 64 components, YaRN by 16 from 32 tokens on\n"))
            #expect(description.json().contains("\"rope_original_ctx\": 32"))
        }
    }

    @Test func json() throws {
        let text = try Self.describe { $0["x.long"] = .array(.int32([1, 2, 3, 4, 5, 6, 7, 8, 9])) }.json()
        let json = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(json["path"] as? String == "m.gguf")
        #expect(json["size_bytes"] as? Int == 5_855_840)
        #expect(json["quantization"] as? String == "Q4_K_M")
        #expect(json["n_params"] as? Int == 1792)
        #expect(json["problem"] is NSNull)
        #expect(json["template"] is NSNull)
        let sizes = try #require(json["hyperparameters"] as? [String: Any])
        let expected: [String: Double] = [
            "n_vocab": 3, "n_ctx_train": 512, "n_embd": 256, "n_layer": 2, "n_head": 4, "n_head_kv": 2, "head_dim": 64, "n_ff": 768,
            "rms_norm_eps": 1e-6, "rope_theta": 500_000, "rope_dim": 64, "rope_scaling_factor": 4, "rope_factors": 0, "tied_output": 0,
        ]
        #expect(sizes.compactMapValues { ($0 as? NSNumber)?.doubleValue } == expected)
        let types = try #require(json["tensor_types"] as? [[String: Any]])
        #expect(types.map { $0["type"] as? String } == ["F32", "Q4_0"])
        #expect(types.map { $0["n_tensors"] as? Int } == [1, 2])
        #expect(types.map { $0["size_bytes"] as? Int } == [1024, 864])
        let tokenizer = try #require(json["tokenizer"] as? [String: Any])
        #expect(tokenizer["kind"] as? String == "llama")
        #expect(tokenizer["n_vocab"] as? Int == 3)
        #expect(tokenizer["bos_id"] as? Int == 1)
        let metadata = try #require(json["metadata"] as? [String: Any])
        #expect(metadata["tokenizer.ggml.tokens"] as? [String] == ["<unk>", "<s>", "</s>"])
        #expect((metadata["x.long"] as? [String: Any])?["length"] as? Int == 9)
        #expect((metadata["x.long"] as? [String: Any])?["array_of"] as? String == "int32")
        #expect(metadata["general.name"] as? String == "山\u{1b}[31m")
    }

    @Test func whatCannotBeRunIsDescribedToo() throws {
        let description = try Self.describe {
            $0[GGUFKey.architecture] = .string("gpt2")
            $0[GGUFKey.fileType] = nil
        }
        #expect(description.configuration == nil)
        #expect(description.architecture == "gpt2")
        #expect(description.quantization == "F32")
        let problem = try #require(description.problem)
        let words =
            "/m.gguf: metadata key \"general.architecture\": found \"gpt2\", supported are \"llama\", \"qwen2\", \"qwen3\" and \"qwen3moe\""
        #expect(problem.hasSuffix(words))
        #expect(description.description.contains("\n  problem       \(problem)\n"))
    }

    @Test func theMiniModel() throws {
        let description = try ModelDescription(path: MiniFamily.q8_0)
        #expect(description.problem == nil)
        #expect(description.name == "mini-chinese-alpaca")
        #expect(description.quantization == "Q8_0")
        #expect(description.byteCount == 5_855_840)
        #expect(description.tokenizer?.count == 3941)
        #expect(description.tokenizer?.specials.map(\.id) == [1, 2, 0, 3940])
        // Counted by the Python package gguf.
        let all = try JSONSerialization.jsonObject(with: Data(contentsOf: Fixtures.golden("gguf/headers.json"))) as? [String: Any]
        let golden = try #require(all?["mini-chinese-alpaca-q8_0.gguf"] as? [String: Any])
        let tensors = try #require(golden["tensors"] as? [[Any]])
        for type in description.types {
            let ofType = tensors.filter { $0[1] as? String == type.type.description }
            #expect(type.tensorCount == ofType.count)
            #expect(type.byteCount == ofType.reduce(0) { $0 + ($1[4] as? Int ?? 0) })
        }
        #expect(description.types.reduce(0) { $0 + $1.tensorCount } == tensors.count)
        #expect(description.parameterCount == tensors.reduce(0) { $0 + ($1[2] as? [Int] ?? []).reduce(1, *) })
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// Qwen2 as transformers and llama.cpp write it. Its logits: FamilyLogitsTests.
@Suite struct Qwen2Tests {
    static let folder = FamilyFixtures.model("qwen2"), gguf = FamilyFixtures.gguf("qwen2")

    @Test func `a folder and a GGUF file tell the same`() throws {
        let a = try ModelSource(path: Self.folder), b = try ModelSource(path: Self.gguf)
        let model = try a.runnableConfiguration()
        #expect(try b.runnableConfiguration() == model)
        #expect(model.architecture == "qwen2" && model.modelType == "qwen2")
        #expect(model.ropePairing == .halves && model.ropeTheta == 1_000_000 && model.slidingWindow == nil)
        #expect(model.isOutputTied && model.keyValueHeadCount == 1 && model.headDimension == 32)
    }

    @Test func `biases stand behind their matrices`() throws {
        let source = try ModelSource(path: Self.folder)
        let architecture = Architectures.make(try source.configuration())
        #expect(architecture.tensors.map(\.names.gguf) == source.weights.tensors.map(\.name))
        #expect(
            Array(source.weights.tensors.map(\.name).prefix(9)) == [
                "token_embd.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight", "blk.0.attn_q.bias", "blk.0.attn_k.weight",
                "blk.0.attn_k.bias", "blk.0.attn_v.weight", "blk.0.attn_v.bias", "blk.0.attn_output.weight",
            ])
        let bias = TensorRole(.keyBias, layer: 2)
        #expect(architecture.spec(of: bias)?.shape == [32])
        #expect(architecture.spec(named: "model.layers.2.self_attn.k_proj.bias", in: .huggingFace)?.role == bias)
        #expect(architecture.tensors.allSatisfy { !$0.hasHeadOrder })
        #expect(architecture.spec(of: .output) == nil && architecture.spec(of: .ropeFactors) == nil)
        #expect(architecture.spec(of: TensorRole(.keyBias, layer: 3)) == nil)
    }

    @Test func `a folder becomes llama cpp's file`() throws {
        try Fixtures.withFolder { work in
            try FamilyFixtures.convert(Self.folder, to: work + "/q.gguf", .gguf)
            let found = try GGUFReader(InputFile(path: work + "/q.gguf")), expected = try GGUFReader(InputFile(path: Self.gguf))
            try FamilyFixtures.expectEqual(found, expected)
            let keys = expected.metadata.keys.filter { $0.hasPrefix("qwen2.") }
            #expect(keys.count == 8)
            for key in keys + ["general.architecture", "general.file_type"] {
                #expect(found.metadata[key] == expected.metadata[key], "\(key)")
            }
        }
    }

    @Test func `and llama cpp's file becomes the folder`() throws {
        try Fixtures.withFolder { work in
            try FamilyFixtures.convert(Self.gguf, to: work + "/hf", .huggingFace)
            try FamilyFixtures.expectEqual(
                try CheckpointReader.open(work + "/hf/model.safetensors"), try CheckpointReader.open(Self.folder + "/model.safetensors"))
            let found = try FamilyFixtures.json(work + "/hf/config.json"), expected = try FamilyFixtures.json(Self.folder + "/config.json")
            for key in ["hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads", "num_hidden_layers"]
                + ["num_key_value_heads", "vocab_size", "bos_token_id", "eos_token_id"]
            {
                #expect(try found.int(key) == expected.int(key), "\(key)")
            }
            for key in ["model_type", "hidden_act", "torch_dtype"] { #expect(try found.string(key) == expected.string(key), "\(key)") }
            #expect(try found.member("architectures").array().map { try $0.string() } == ["Qwen2ForCausalLM"])
            #expect(try found.bool("tie_word_embeddings") && found.member("rope_theta").double() == 1_000_000)
            #expect(try ModelSource(path: work + "/hf").configuration() == ModelSource(path: Self.folder).configuration())
        }
    }

    /// Anybody can: a GGUF file's tokenizer is carried on as it is.
    @Test func `biases stay exact when the matrices are quantized`() throws {
        try Fixtures.withFolder { work in
            var options = ConversionOptions(base: Self.gguf, output: work + "/q.gguf")
            options.quantization = "Q8_0"
            _ = try Converter.convert(options)
            let found = try FamilyFixtures.tensors(GGUFReader(InputFile(path: work + "/q.gguf")))
            let before = try FamilyFixtures.tensors(GGUFReader(InputFile(path: Self.gguf)))
            for (name, tensor) in before {
                let isVector = tensor.info.shape.count == 1
                #expect(found[name]?.info.type == (isVector ? .f32 : .q8_0), "\(name)")
                if isVector { #expect(found[name]?.bytes == tensor.bytes, "\(name)") }
            }
            #expect(
                try ModelSource(path: work + "/q.gguf").metadata[GGUFKey.tokens] == ModelSource(path: Self.gguf).metadata[GGUFKey.tokens])
        }
    }

    /// Rows of heads lie the same in both files and in the adapter: one that changes row 5 changes row 5.
    @Test func `an adapter finds the rows of its heads`() throws {
        try Fixtures.withFolder { work in
            let tensors = AdapterFolder.pair("self_attn.k_proj", 64, 32)
            try AdapterFolder(tensors: tensors, type: .f32).write(to: work + "/adapter")
            let infos = try tensors.map { try TensorInfo(name: $0.0, type: .f32, shape: $0.1) }
            var floats = infos.map { [Float](repeating: 0, count: $0.elementCount) }
            floats[0][3] = 4  // A: row 0, column 3
            floats[1][5 * 4] = 8  // B: row 5, column 0
            let bytes = floats.map { $0.withUnsafeBytes { Array($0) } }
            try LayoutFile.write(SafetensorsLayout.make(infos), bytes, to: work + "/adapter/adapter_model.safetensors")
            let before = try FamilyFixtures.tensors(CheckpointReader.open(Self.folder + "/model.safetensors"))
            for base in [Self.folder, Self.gguf] {
                let output = work + (base == Self.gguf ? "/b" : "/a")
                try FamilyFixtures.convert(base, to: output, .huggingFace, adapter: work + "/adapter")
                for (name, tensor) in try FamilyFixtures.tensors(CheckpointReader.open(output + "/model.safetensors")) {
                    let old = try #require(before[name])
                    let places = zip(old.bytes, tensor.bytes).enumerated().filter { $1.0 != $1.1 }.map { $0.offset / 2 }
                    let isChanged = name == "model.layers.0.self_attn.k_proj.weight"
                    #expect(Set(places) == (isChanged ? [5 * 64 + 3] : []), "\(name)")
                }
            }
        }
    }

    @Test func `what can't be run is named`() throws {
        let window = try FamilyFixtures.withModel(
            "qwen2", changing: { $0.replacing("\"use_sliding_window\": false", with: "\"use_sliding_window\": true") }
        ) { path in alpacaError { _ = try ModelSource(path: path).configuration() } }
        #expect(window?.code == .unsupported)
        #expect(window?.message.hasSuffix("config.json: \"use_sliding_window\": found true, supported is false") == true)
        let described = try ModelDescription(path: FamilyFixtures.model("qwen2-yarn"))
        #expect(described.configuration?.ropeScaling == .yarn(.init(factor: 4, originalContextLength: 64)))
        #expect(described.architecture == "qwen2")
        // Its byte-level tokenizer is read from both.
        for path in [Self.folder, Self.gguf] { #expect(try Model(path: path).tokenizer.kindName == "byte-level-bpe") }
    }

    @Test func `a model without a bias is incomplete, one of Llama too if other layers have it`() throws {
        let reader = try GGUFReader(InputFile(path: Self.gguf))
        var llama = reader.metadata
        for key in reader.metadata.keys where key.hasPrefix("qwen2.") { llama["llama" + key.dropFirst(5)] = reader.metadata[key] }
        llama[GGUFKey.architecture] = .string("llama")
        let tensors = try FamilyFixtures.tensors(reader)
        func error(_ metadata: GGUFMetadata, without name: String? = nil) throws -> AlpacaError? {
            let infos = reader.tensors.filter { $0.name != name }
            let bytes = try LayoutFile.bytes(GGUFLayout.make(metadata, infos), infos.map { try #require(tensors[$0.name]).bytes })
            return try Fixtures.withFile(bytes, named: "m.gguf") { path in
                alpacaError { _ = try ModelSource(path: path).runnableConfiguration() }
            }
        }
        #expect(try error(reader.metadata) == nil)
        #expect(
            try error(reader.metadata, without: "blk.1.attn_v.bias")
                == AlpacaError(.missing, "tensor \"blk.1.attn_v.bias\" is missing: expected shape [32] (is the file complete?)"))
        #expect(try error(llama) == nil)
        #expect(
            try error(llama, without: "blk.1.attn_v.bias")
                == AlpacaError(.missing, "tensor \"blk.1.attn_v.bias\" is missing: expected shape [32] (is the file complete?)"))
        #expect(
            try error(llama, without: "blk.0.attn_v.bias")
                == AlpacaError(
                    .unsupported,
                    "tensor \"blk.1.attn_v.bias\" has no place in this model: by its configuration, or its first layer, it has no such tensors"
                ))
    }

    @Test(arguments: [OutputFormat.meta, .huggingFaceBin])
    func `folders of 2023 have no place for biases`(format: OutputFormat) throws {
        var options = ConversionOptions(base: Self.gguf, output: "/dev/null/x")
        options.format = format
        options.omitsTokenizer = true
        let error = alpacaError { _ = try Converter.plan(options) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.hasPrefix("tensor \"blk.0.attn_q.bias\" has no place in ") == true)
    }
}

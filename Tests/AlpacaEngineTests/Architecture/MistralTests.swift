import Foundation
import Testing

@testable import AlpacaEngine

/// The window on its way through all kinds of files. What it does to the logits: FamilyLogitsTests.
@Suite struct MistralTests {
    static let path = FamilyFixtures.model("mistral-window")

    @Test
    func `the window goes from file to file`() throws {
        let source = try ModelSource(path: Self.path)
        let model = try source.runnableConfiguration()
        #expect(model.slidingWindow == 32 && model.modelType == "mistral" && model.architecture == "llama")
        #expect(model.ropePairing == .interleaved)
        try Fixtures.withFolder { work in
            func convert(_ base: String, _ output: String, _ format: OutputFormat) throws -> String {
                var options = ConversionOptions(base: base, output: work + output)
                options.format = format
                #expect(try Converter.convert(options).warnings == [])
                return work + output
            }
            let gguf = try convert(Self.path, "/m.gguf", .gguf)
            let file = try ModelSource(path: gguf)
            #expect(file.metadata["llama.attention.sliding_window"] == .uint32(32))
            #expect(file.metadata[GGUFKey.architecture] == .string("llama"))
            #expect(try file.runnableConfiguration() == model)
            #expect(try ModelDescription(file).description.contains("sliding window  32\n"))
            #expect(try ModelDescription(file).json().contains("\"sliding_window\": 32,"))

            let folder = try convert(gguf, "/hf", .huggingFace)
            try FamilyFixtures.expectEqual(
                try CheckpointReader.open(folder + "/model.safetensors"), try CheckpointReader.open(Self.path + "/model.safetensors"))
            let config = try FamilyFixtures.json(folder + "/config.json")
            #expect(try config.string("model_type") == "mistral" && config.int("sliding_window") == 32)
            #expect(try config.member("architectures").array().map { try $0.string() } == ["MistralForCausalLM"])
            #expect(try ModelSource(path: folder).configuration() == model)

            let meta = try ModelSource(path: convert(gguf, "/pth", .meta))
            #expect(try meta.configuration().slidingWindow == 32)
            try FamilyFixtures.expectEqual(meta.weights, source.weights)

            let error = alpacaError { _ = try convert(gguf, "/bin", .huggingFaceBin) }
            #expect(
                error
                    == AlpacaError(
                        .unsupported,
                        "transformers of the time of these files (hf-bin) knew no Mistral models: convert to a folder with safetensors (hf)"
                    ))
        }
    }

    @Test func `a config json tells the window, or that there is none`() throws {
        func read(_ line: String?) throws -> ModelConfiguration {
            let lines = ["\"model_type\": \"mistral\"", "\"architectures\": [\"MistralForCausalLM\"]", line].compactMap { $0 }
            return try HuggingFaceConfigTests.read(adding: lines).configuration
        }
        #expect(try read("\"sliding_window\": 4095").slidingWindow == 4_095)
        // transformers assumes the first version's.
        #expect(try read(nil).slidingWindow == 4_096)
        let plain = try read("\"sliding_window\": null")
        #expect(plain.slidingWindow == nil && plain.modelType == "mistral")
        let written = try JSONDocument(HuggingFaceConfig(plain, type: .f16, bos: 1, eos: 2, pad: nil).config(), name: "c")
        #expect(written.root["sliding_window"]?.isNull == true)
        #expect(try GGUFMetadata(plain, tokenizer: nil, name: nil, fileType: .f16)["llama.attention.sliding_window"] == nil)
        #expect(
            alpacaError { _ = try read("\"sliding_window\": 0") }
                == AlpacaError(.badFormat, "config.json: \"sliding_window\": found 0, expected 1 to 16777216"))
        // Llama has none, whatever its configuration says.
        #expect(try HuggingFaceConfigTests.read(adding: ["\"sliding_window\": 32"]).configuration.slidingWindow == nil)
        #expect(
            alpacaError { _ = try HuggingFaceConfigTests.read(adding: ["\"model_type\": \"mistral\""]) }
                == AlpacaError(
                    .unsupported,
                    "config.json: \"architectures\": found \"LlamaForCausalLM\", supported is \"MistralForCausalLM\""))
    }

    @Test func `a GGUF file of Llama's with a window is Mistral's`() throws {
        var metadata = ModelConfigurationTests.metadata()
        #expect(try ModelConfigurationTests.open(metadata).modelType == "llama")
        metadata["llama.attention.sliding_window"] = .uint32(128)
        let model = try ModelConfigurationTests.open(metadata)
        #expect(model.slidingWindow == 128 && model.modelType == "mistral")
        // A vocabulary that grows leaves it.
        #expect(try model.resized(vocabularySize: 4).slidingWindow == 128)
        metadata["llama.attention.sliding_window"] = .uint32(0)
        let error = alpacaError { _ = try ModelConfigurationTests.open(metadata) }
        #expect(
            error?.message.hasSuffix("metadata key \"llama.attention.sliding_window\": found 0, expected 1 to 16777216") == true)
        metadata["llama.attention.sliding_window"] = .string("x")
        #expect(alpacaError { _ = try ModelConfigurationTests.open(metadata) }?.code == .badFormat)
    }

    @Test func `no two families have one name`() {
        let names = Architectures.families.map { $0.names }
        #expect(Set(names.map(\.modelType)).count == names.count)
        #expect(Set(names.flatMap(\.classes)).count == names.flatMap(\.classes).count)
        // Of those with one name in GGUF files only the last takes any.
        for (number, family) in Architectures.families.enumerated() {
            let rest = Architectures.families[(number + 1)...]
            let isLast = !rest.contains { $0.names.gguf == family.names.gguf }
            #expect(family.isMeant(by: GGUFMetadata()) == isLast, "\(family.names.title)")
        }
    }
}

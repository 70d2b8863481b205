import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct ModelMetadataTests {
    static func tokenizer(_ name: String = "mini_chinese_alpaca") throws -> SentencePieceModel {
        try SentencePieceModel(InputFile(path: Fixtures.golden("tokenizers/\(name).model").path))
    }

    static func model(vocabulary: Int = 3_941, scaling: ModelConfiguration.RopeScaling = .none) throws -> ModelConfiguration {
        try ModelConfiguration(
            vocabularySize: vocabulary, contextLength: 512, embeddingLength: 256, layerCount: 4, headCount: 4, keyValueHeadCount: 4,
            headDimension: 64, feedForwardLength: 768, normEpsilon: 1e-6, ropeTheta: 10_000, ropeDimension: 64, ropeScaling: scaling)
    }

    /// The package gguf wrote that file from the same tokenizer.
    @Test func theMetadataAreThoseOfTheReference() throws {
        let reference = try GGUFReader(InputFile(path: MiniFamily.f16)).metadata
        let metadata = try GGUFMetadata(Self.model(), tokenizer: Self.tokenizer(), name: "mini-chinese-alpaca", fileType: .f16)
        #expect(metadata.keys == reference.keys)
        for key in reference.keys { #expect(metadata[key] == reference[key], "\(key)") }
    }

    @Test func whatIsReadAgain() throws {
        let scalings: [ModelConfiguration.RopeScaling] = [
            .none, .linear(factor: 4), .yarn(.init(factor: 16, originalContextLength: 4_096)),
        ]
        for scaling in scalings {
            let model = try Self.model(scaling: scaling)
            let metadata = try GGUFMetadata(model, tokenizer: Self.tokenizer(), name: nil, fileType: .f16)
            #expect(try ModelConfiguration(metadata) { _ in true }.ropeScaling == scaling)
        }
        let narrow = try ModelConfiguration(
            vocabularySize: 3_941, contextLength: 512, embeddingLength: 256, layerCount: 4, headCount: 4, keyValueHeadCount: 2,
            headDimension: 32, feedForwardLength: 768, normEpsilon: 1e-6, ropeTheta: 10_000, ropeDimension: 32, isOutputTied: true)
        let metadata = try GGUFMetadata(narrow, tokenizer: Self.tokenizer(), name: nil, fileType: .f16)
        #expect(try ModelConfiguration(metadata) { _ in false } == narrow)
    }

    @Test func aVocabularyOfAnotherSize() throws {
        let wide = try Self.model(vocabulary: 3_944), narrow = try Self.model(vocabulary: 3_940)
        let error = alpacaError { _ = try GGUFMetadata(narrow, tokenizer: Self.tokenizer(), name: nil, fileType: .f16) }
        #expect(error?.code == .shapeMismatch)
        #expect(error?.message.hasPrefix("the tokenizer has 3941 pieces, the model's embeddings have 3940 rows") == true)
        let padded = try GGUFMetadata(wide, tokenizer: Self.tokenizer(), name: nil, fileType: .f16)
        #expect(try padded.strings(GGUFKey.tokens).text(3_943) == "[extra_id_3943]")
        #expect(try padded.uint(GGUFKey.paddingToken) == 3_940)
        let tokenizer = try Tokenizer(padded)
        #expect(tokenizer.count == 3_944)
        #expect(tokenizer.model.unused == [3_941, 3_942, 3_943])
        #expect(try tokenizer.encode("床前明月光") == Tokenizer(Self.tokenizer()).encode("床前明月光"))
        let base = try GGUFMetadata(Self.model(vocabulary: 1_000), tokenizer: Self.tokenizer("mini_llama"), name: nil, fileType: .f16)
        #expect(base[GGUFKey.paddingToken] == nil)
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// Files of every legacy format, written from GGUF files that ggml's tools made: what is read must be the bytes that ggml wrote.
@Suite struct LegacyGGMLReaderTests {
    @Test(arguments: LegacyBytes.Kind.allCases) func everyTensorOfTheMiniModels(kind: LegacyBytes.Kind) throws {
        for variant in MiniFamily.variants where kind == .ggjt3 || variant != "q4_k_m" {
            try MiniFamily.withVariant(variant) { path in
                let gguf = try GGUFReader(InputFile(path: path))
                try Fixtures.withFile(LegacyBytes(gguf, kind).build()) {
                    try Self.compare(try LegacyGGMLReader(InputFile(path: $0)), gguf, kind)
                }
            }
        }
    }

    /// The output's 3941 rows don't divide: the last part has one more.
    @Test(arguments: [2, 4], [LegacyBytes.Kind.ggml, .ggmf]) func modelsInParts(count: Int, kind: LegacyBytes.Kind) throws {
        for variant in MiniFamily.variants where variant != "q4_k_m" {
            let gguf = try MiniFamily.withVariant(variant) { try GGUFReader(InputFile(path: $0)) }
            try Fixtures.withFolder { folder in
                let first = folder + "/model.bin"
                for (i, part) in try LegacyBytes(gguf, kind).parts(count).enumerated() {
                    try Data(part.build()).write(to: URL(fileURLWithPath: i == 0 ? first : "\(first).\(i)"))
                }
                let reader = try LegacyGGMLReader(InputFile(path: first))
                #expect(reader.files.count == count)
                try Self.compare(reader, gguf, kind)
                if variant == "q8_0", kind == .ggmf {
                    let vocabulary = try Model(path: first).tokenizer
                    #expect(vocabulary.count == 3941)
                }
                try FileManager.default.removeItem(atPath: "\(first).1")
                #expect(
                    alpacaError { _ = try LegacyGGMLReader(InputFile(path: first)) }
                        == AlpacaError(
                            .missing,
                            "\(first): this is a part of a model in \(count) files; \(first).1 is not there (name the first file, the one "
                                + "without a number)"))
                try Data(LegacyBytes(kind).build() + [1]).write(to: URL(fileURLWithPath: "\(first).1"))
                #expect(alpacaError { _ = try LegacyGGMLReader(InputFile(path: first)) }?.message.hasPrefix("\(first).1: ") == true)
            }
        }
    }

    static func compare(_ reader: LegacyGGMLReader, _ gguf: GGUFReader, _ kind: LegacyBytes.Kind) throws {
        #expect(reader.tensors.count == gguf.tensors.count { LegacyBytes.isKnown($0.type, to: kind) })
        for (index, info) in gguf.tensors.enumerated() where LegacyBytes.isKnown(info.type, to: kind) {
            let name = try #require(TensorRole(info.name, in: .gguf)?.name(in: .meta))
            let found = try #require(reader.index(of: name))
            #expect(reader.tensors[found].type == info.type)
            #expect(reader.tensors[found].shape == info.shape)
            let isEqual = try LegacyBytes.data(reader, found) == LegacyBytes.data(gguf, index)
            #expect(isEqual, "\(reader.container): \(name)")
        }
        for key in [GGUFKey.tokens, GGUFKey.tokenTypes] { #expect(reader.metadata[key] == gguf.metadata[key], "\(key)") }
        if reader.container != .ggml { #expect(reader.metadata[GGUFKey.scores] == gguf.metadata[GGUFKey.scores]) }
        let found = try ModelConfiguration(reader), expected = try ModelConfiguration(gguf)
        #expect(found.feedForwardLength == expected.feedForwardLength)
        #expect(found.normEpsilon == expected.normEpsilon)
        #expect(found.ropeDimension == expected.ropeDimension && found.ropeTheta == expected.ropeTheta)
        #expect(found.contextLength == 2048)
    }

    /// A legacy file is run as it is: the logits of the GGUF file, bit for bit, mapped or read.
    @Test(arguments: [LegacyBytes.Kind.ggmf, .ggjt1, .ggjt3], [true, false]) func sameLogitsAsGGUF(kind: LegacyBytes.Kind, map: Bool) throws
    {
        for path in [MiniFamily.f16, MiniFamily.q8_0] {
            let gguf = try GGUFReader(InputFile(path: path))
            let expected = try Self.logits(Model(path: path))
            try Fixtures.withFile(LegacyBytes(gguf, kind).build()) { legacy in
                var options = ModelOptions()
                options.usesMemoryMap = map
                let found = try Self.logits(Model(path: legacy, options: options))
                #expect(found == expected)
            }
        }
    }

    private static func logits(_ model: Model) throws -> [UInt32] {
        let prompt = MiniFamily.generation.prompts[0]
        let session = try model.makeSession(Session.Options())
        var bits: [UInt32] = []
        try session.evaluate(prompt.prompt_ids) { _, row in for i in row.indices { bits.append(row[i].bitPattern) } }
        #expect(bits.count == prompt.prompt_ids.count * 3941)
        return bits
    }

    /// sentencepiece's ids for the golden texts, from a vocabulary that went through a legacy file.
    @Test func sameTokensAsSentencePiece() throws {
        let gguf = try GGUFReader(InputFile(path: MiniFamily.f16))
        let tokenizer = try Fixtures.withFile(LegacyBytes(gguf, .ggjt3).build()) { try Tokenizer(file: $0) }
        for prompt in MiniFamily.generation.prompts where prompt.template {
            #expect(tokenizer.encode(prompt.prompt, addBOS: true) == prompt.prompt_ids)
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// Folders of other families, with byte-level tokenizers, become what llama.cpp's converters made of them, and run like that.
@Suite(.enabled(if: Fixtures.isShared("fixtures/family/models/qwen3/golden.json"), "the family's models are not in ALPACA_SHARED"))
struct FamilyConversionTests {
    private static func floats(_ bytes: [UInt8]) -> [Float] {
        stride(from: 0, to: bytes.count, by: 4).map { at in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) })
        }
    }

    @Test(
        arguments: [
            "qwen2", "qwen3", "llama3-tied", "llama3-untied", "llama-head-dim", "llama2-yarn", "llama-biases", "mixtral", "qwen3-moe",
        ])
    func aFolderBecomesLlamaCppsFile(name: String) throws {
        let folder = Shared.path("family/models/\(name)")
        let expected = try GGUFReader(InputFile(path: Shared.path("family/gguf/\(name).gguf")))
        try Fixtures.withFolder { work in
            _ = try Converter.convert(ConversionOptions(base: folder, output: work + "/m.gguf"))
            let found = try GGUFReader(InputFile(path: work + "/m.gguf"))
            let a = try FamilyFixtures.tensors(found), b = try FamilyFixtures.tensors(expected)
            #expect(Set(a.keys) == Set(b.keys))
            for (tensor, made) in a {
                let known = try #require(b[tensor])
                #expect(made.info == known.info, "\(tensor)")
                guard tensor == "rope_freqs.weight" else {
                    #expect(made.bytes == known.bytes, "\(tensor)")
                    continue
                }
                // Theirs were computed in F32.
                let (ours, theirs) = (Self.floats(made.bytes), Self.floats(known.bytes))
                #expect(zip(ours, theirs).allSatisfy { abs($0 - $1) <= 1e-6 * $1 })
            }
            let keys = [GGUFKey.tokenizerModel, GGUFKey.tokenizerPre, GGUFKey.tokens, GGUFKey.merges, GGUFKey.tokenTypes, GGUFKey.bosToken]
            // A sentencepiece tokenizer's scores and kinds are its own matter.
            guard expected.metadata[GGUFKey.merges] != nil else { return }
            // Theirs takes <tool_call> for a control token by its looks; the tokenizer's file says that it is none.
            for key in keys where key != GGUFKey.tokenTypes || !name.hasPrefix("qwen") {
                #expect(found.metadata[key] == expected.metadata[key], "\(key)")
            }
            // The same ids, whether the text comes by the folder, our file or theirs.
            let text = "从前有座山, it's 2024!\n\n<|im_start|>user"
            let ids = try [folder, work + "/m.gguf", expected.file.path].map { path in
                try Tokenizer(file: path).encode(text, addBOS: true, parseSpecial: true)
            }
            #expect(ids[0] == ids[1] && ids[1] == ids[2])
            let model = try Model(path: work + "/m.gguf"), folderModel = try Model(path: folder)
            #expect(model.tokenizer.endings == folderModel.tokenizer.endings)
            var parameters = GenerationParameters()
            parameters.sampling = .greedy
            parameters.maxNewTokens = 8
            parameters.template = .none
            var texts: [[TokenID]] = []
            for model in [model, folderModel] {
                var options = Session.Options()
                options.contextLength = 128
                let session = try model.makeSession(options)
                _ = try session.generate("山", parameters) { _ in true }
                texts.append(try session.tokens())
            }
            #expect(texts[0] == texts[1] && !texts[0].isEmpty)
        }
    }
}

import AlpacaEngine
import Foundation
import Testing

/// Extending vocabularies: the published files of Chinese-LLaMA and Chinese-Alpaca to the byte, and the mini family's to sentencepiece's.
@Suite struct TokenizerEditingTests {
    private func mini(_ name: String) -> String { Fixtures.golden("tokenizers/mini_\(name).model").path }

    @Test(.enabled(if: Shared.hasPublishedTokenizers, Shared.noPublishedTokenizers))
    func `the published tokenizers`() throws {
        let llama = Shared.path("tokenizers/llama.model"), pieces = Shared.path("tokenizers/chinese_sp.model")
        try Fixtures.withFolder { folder in
            let merged = try Tokenizer(path: llama).merging(piecesOf: pieces)
            let padded = try merged.adding(piece: "[PAD]")
            #expect((merged.count, padded.count) == (49953, 49954))
            try merged.save(to: folder + "/llama")
            try padded.save(to: folder + "/alpaca")
            let report = try Verifier.verify(paths: [folder])
            #expect(report.files.map(\.identity) == ["Chinese-Alpaca, tokenizer.model", "Chinese-LLaMA, tokenizer.model"])
        }
    }

    @Test func `the mini tokenizers`() throws {
        try Fixtures.withFolder { folder in
            let merged = try Tokenizer(path: mini("llama")).merging(piecesOf: mini("chinese_sp"))
            try merged.save(to: folder + "/merged")
            try merged.adding(piece: "[PAD]").save(to: folder + "/padded")
            for (made, golden) in [("merged", "chinese_llama"), ("padded", "chinese_alpaca")] {
                let expected = try Data(contentsOf: URL(fileURLWithPath: mini(golden)))
                #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(made)")) == expected, "\(golden)")
            }
            // Nothing is added twice, and what was opened is written as it was.
            try merged.merging(piecesOf: mini("chinese_sp")).save(to: folder + "/again")
            #expect(FileManager.default.contentsEqual(atPath: folder + "/again", andPath: folder + "/merged"))
            #expect(
                alpacaError { try merged.save(to: folder + "/merged") }?.message.hasPrefix("\(folder)/merged: ") == true)
            try merged.save(to: folder + "/padded", overwrite: true)
            #expect(FileManager.default.contentsEqual(atPath: folder + "/padded", andPath: folder + "/merged"))
        }
    }

    @Test func `pieces with a score and a kind`() throws {
        let tokenizer = try Tokenizer(path: mini("llama"))
        let control = try tokenizer.adding(piece: "<turn>", score: -2.5, kind: .control)
        let id = TokenID(tokenizer.count)
        #expect(control.count == tokenizer.count + 1)
        #expect((control.piece(id), control.score(id), control.kind(id)) == ("<turn>", -2.5, .control))
        #expect(control.encode("<turn>", parseSpecial: true) == [id])
        #expect(try tokenizer.adding(piece: "▁山水").kind(id) == .normal)
    }

    @Test func errors() throws {
        let tokenizer = try Tokenizer(path: mini("llama"))
        func message(_ body: () throws -> Void) -> String? { alpacaError(body)?.message }
        #expect(message { _ = try tokenizer.adding(piece: "") } == "piece: found no text")
        #expect(
            message { _ = try tokenizer.adding(piece: "</s>") } == "piece: found \"</s>\", which is in the vocabulary already, as token 2")
        #expect(message { _ = try tokenizer.adding(piece: "x y", score: .nan) } == "score: found nan, expected a finite number")
        #expect(message { _ = try tokenizer.adding(piece: "[B]", kind: .byte) }?.hasPrefix("vocabulary: byte piece") == true)
        let model = try Tokenizer(file: Fixtures.repository.appendingPathComponent("models/mini/chinese-alpaca-mini-f16.gguf").path)
        #expect(
            alpacaError { try model.save(to: "/nowhere") }
                == AlpacaError(
                    .unsupported,
                    "this tokenizer is a model's, which does not hold its tokenizer.model; "
                        + "only one that was opened from such a file can be saved"))
        #expect(message { _ = try model.merging(piecesOf: mini("chinese_sp")) }?.hasSuffix("can be extended") == true)
        // A file of another kind is named by what it is.
        let other = Fixtures.repository.appendingPathComponent("models/mini/chinese-alpaca-mini-f16.gguf").path
        #expect(
            message { _ = try tokenizer.merging(piecesOf: other) }
                == "\(other): this is a GGUF model, expected a sentencepiece tokenizer.model")
        let text = Fixtures.repository.appendingPathComponent("LICENSE").path
        #expect(message { _ = try tokenizer.merging(piecesOf: text) }?.hasPrefix("\(text): found a text file, which begins with ") == true)
        #expect(message { _ = try tokenizer.merging(piecesOf: "/none") } == "/none: cannot open: No such file or directory")
    }
}

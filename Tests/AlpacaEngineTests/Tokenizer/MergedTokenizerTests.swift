import Foundation
import Testing

@testable import AlpacaEngine

/// LLaMA-shaped tokenizer.json files, opened by themselves: every golden line, no tolerance.
@Suite(.enabled(if: Fixtures.isShared("fixtures/family/tokenizers/llama2.jsonl"), "the family's tokenizers are not in ALPACA_SHARED"))
struct MergedTokenizerTests {
    private static func path(_ name: String) -> String { Shared.path("family/tokenizers/\(name)") }

    /// A line is right whichever of the library's three answers it asks for.
    private func wrongLines(_ tokenizer: Tokenizer, _ name: String) throws -> [String] {
        try ByteLevelTokenizerTests.lines(name).filter { line in
            let added = tokenizer.encode(utf8: line.bytes, addBOS: tokenizer.addsBOS, parseSpecial: true)
            // Bytes that are no UTF-8 are this project's affair: sentencepiece has U+FFFD for each.
            let text = line.hex == nil || tokenizer.kindName == "character-bpe" ? line.bytes : Array(line.text.utf8)
            return tokenizer.encode(utf8: text, parseSpecial: true) != line.ids || tokenizer.encode(utf8: text) != line.plain ?? line.ids
                || tokenizer.decode(line.ids) != line.skipped ?? line.decoded ?? line.text
                || line.added != nil && line.hex == nil && added != line.added
        }.map { "\($0.kind) \($0.text.quoted())" }
    }

    @Test(arguments: ["llama2", "llama2_chinese"]) func everyGoldenLine(name: String) throws {
        for path in [Self.path(name) + "/tokenizer.json", Self.path(name)] {
            let tokenizer = try Tokenizer(file: path)
            #expect(tokenizer.kindName == (name == "llama2" ? "sentencepiece-bpe" : "character-bpe"))
            #expect(tokenizer.bos == 1 && tokenizer.eos == 2 && tokenizer.addsBOS)
            let wrong = try wrongLines(tokenizer, name)
            #expect(wrong.isEmpty, "\(path): \(wrong.count) \(wrong.prefix(5))")
        }
    }

    /// The same file by its own rules, whether or not it is a sentencepiece model in other words.
    @Test(arguments: ["llama2", "llama2_chinese"]) func byItsMerges(name: String) throws {
        let root = try TokenizerJSON.root(FileRegion(InputFile(path: Self.path(name) + "/tokenizer.json")))
        let tokenizer = Tokenizer(try MergedTokenizer(MergedTokenizer.Parts(tokenizerJSON: root)))
        let wrong = try wrongLines(tokenizer, name)
        #expect(wrong.isEmpty, "\(wrong.count) \(wrong.prefix(5))")
    }

    /// For a model the sentencepiece file decides: alone, such a file is refused with that advice.
    @Test func aModelNeedsTheOtherFile() throws {
        let error = alpacaError { _ = try FolderTokenizer(FolderFiles(path: Self.path("llama2_chinese"))) }
        #expect(error?.code == .unsupported && error?.message.contains("tokenizer.model is missing beside it") == true)
    }

    /// Metaspace puts U+2581 before what does not begin with one: each part, or the first alone.
    @Test func metaspace() throws {
        let text = try String(contentsOfFile: Self.path("llama2") + "/tokenizer.json", encoding: .utf8)
        var root = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        root["normalizer"] = NSNull()
        for (scheme, expected) in [
            ("always", ["\u{2581}a", "<s>", "\u{2581}b"]), ("first", ["\u{2581}a", "<s>", "b"]), ("never", ["a", "<s>", "b"]),
        ] {
            root["pre_tokenizer"] =
                ["type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": scheme, "split": false] as [String: Any]
            let json = [UInt8](try JSONSerialization.data(withJSONObject: root))
            let parts = try MergedTokenizer.Parts(tokenizerJSON: JSONDocument(json, name: "x").root)
            let tokenizer = Tokenizer(try MergedTokenizer(parts))
            #expect(tokenizer.encode("a<s>b", parseSpecial: true).map { tokenizer.piece($0) } == expected)
            // A blank in front is that one.
            if scheme != "never" { #expect(tokenizer.encode(" a").map { tokenizer.piece($0) } == ["\u{2581}a"]) }
        }
    }
}

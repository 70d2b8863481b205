import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct TokenizerDescriptionTests {
    @Test func text() throws {
        let path = Fixtures.golden("tokenizers/mini_chinese_alpaca.model").path
        let inspection = try Inspection(path: path)
        #expect(inspection.kind == "tokenizer")
        #expect(inspection.problem == nil)
        guard case .tokenizer(let tokenizer) = inspection else {
            Issue.record("\(path) is no tokenizer")
            return
        }
        #expect(
            inspection.description == """
                \(path)
                  format      SentencePiece tokenizer (bpe), \(FactTable.size(tokenizer.byteCount))
                  published   not in the list of published files
                  pieces      3941: 3682 normal, 1 unknown, 2 control, 256 byte
                  special     unk 0 "<unk>"
                              bos 1 "<s>"
                              eos 2 "</s>"
                  normalizer  "identity", blanks stay, a blank is put before a text
                  SHA-256     \(try Shared.sha256(path))
                """)
        let json = try InspectionTests.json(inspection)
        #expect(json["n_vocab"] as? Int == 3941)
        #expect(json["eos_id"] as? Int == 2)
        #expect(json["published"] is NSNull)
    }

    @Test(.enabled(if: Shared.hasPublishedTokenizers, Shared.noPublishedTokenizers))
    func `published tokenizers are known by their hash`() throws {
        let cases = [
            ("llama.model", "LLaMA, tokenizer.model", 32000),
            ("chinese_sp.model", "Chinese pieces before merging, chinese_sp.model", 20000),
            ("chinese_alpaca2.model", "Chinese-LLaMA-2 and Chinese-Alpaca-2, tokenizer.model", 55296),
        ]
        for (name, title, count) in cases {
            guard case .tokenizer(let tokenizer) = try Inspection(path: Shared.path("tokenizers/\(name)")) else {
                Issue.record("\(name) is no tokenizer")
                continue
            }
            #expect(tokenizer.publishedFile == title)
            #expect(tokenizer.count == count)
        }
    }

    /// "ab" is joined; "<s>" is special, "<x>" is not.
    @Test func `a tokenizer.json`() throws {
        let text = #"""
            {"added_tokens": [{"id": 4, "content": "<s>", "special": true}, {"id": 5, "content": "<x>", "special": false}],
             "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}]},
             "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "<s>": 4}, "merges": ["a b"]}}
            """#
        try Fixtures.withFile(text.utf8, named: "tokenizer.json") { path in
            let inspection = try Inspection(path: path)
            #expect(inspection.kind == "tokenizer")
            #expect(inspection.problem == nil)
            let json = try InspectionTests.json(inspection)
            #expect(json["format"] as? String == "tokenizer.json" && json["n_vocab"] as? Int == 5)
            #expect(json["pieces"] as? [String: Int] == ["normal": 3, "control": 1, "user_defined": 1])
            #expect(json["normalizer"] as? String == "NFC")
            #expect(try json["sha256"] as? String == Shared.sha256(path))
            #expect(try Tokenizer(file: path).encode("ab<x>a<s>") == [2, 5, 0])
            #expect(try Tokenizer(file: path).encode("ab<x>a<s>", parseSpecial: true) == [2, 5, 0, 4])
        }
        // A pattern that is not known is said, with its text.
        let split = #"{"type": "Split", "pattern": {"Regex": "\\d+"}, "behavior": "Isolated"}, {"type": "ByteLevel", "use_regex": false}"#
        try Fixtures.withFile(text.replacingOccurrences(of: #"{"type": "ByteLevel"}"#, with: split).utf8, named: "tokenizer.json") { path in
            let problem = try Inspection(path: path).problem ?? ""
            #expect(problem.hasSuffix(#"the pattern "\\d+" is not known"#), "\(problem)")
        }
        for (part, other, words) in [
            ("\"a b\"", "\"a c\"", "merge 0: found \"c\", which is not in the vocabulary"), ("\"a b\"", "[\"a\"]", "found 1 parts"),
            ("\"BPE\"", "\"Unigram\"", "found \"Unigram\", supported is \"BPE\""), ("\"NFC\"", "\"Foo\"", "found the unknown type \"Foo\""),
            ("\"ab\": 2", "\"ab\": -2", "\"model.vocab.ab\": found -2, expected 0 to 4194303"),
            ("\"id\": 5, ", "", "\"id\" is missing"),
        ] {
            try Fixtures.withFile(text.replacingOccurrences(of: part, with: other).utf8, named: "tokenizer.json") { path in
                let message = alpacaError { _ = try Inspection(path: path) }?.message ?? "no error"
                #expect(message.hasPrefix(path) && message.contains(words), "\(message)")
            }
        }
    }

    @Test func `a folder with a tokenizer alone`() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/tokenizer.model"
            try FileManager.default.copyItem(atPath: Fixtures.golden("tokenizers/mini_llama.model").path, toPath: path)
            guard case .tokenizer(let tokenizer) = try Inspection(path: folder) else {
                Issue.record("no tokenizer")
                return
            }
            #expect(tokenizer.path == path)
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct TokenizerDescriptionTests {
    @Test func text() throws {
        let path = Fixtures.golden("tokenizers/mini_chinese_alpaca.model").path
        let inspection = try Inspection(path: path)
        #expect(inspection.kind == "tokenizer")
        #expect(inspection.problem == nil)
        guard case .tokenizer(let tokenizer) = inspection else { return }
        #expect(
            inspection.description == """
                \(path)
                  format      SentencePiece tokenizer (bpe), \(FactTable.size(tokenizer.byteCount))
                  published   not in the list of published files
                  pieces      3941: 3681 normal, 1 unknown, 2 control, 1 user_defined, 256 byte
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

    @Test func `published tokenizers are known by their hash`() throws {
        let cases = [
            ("llama.model", "LLaMA, tokenizer.model", 32000), ("chinese_sp.model", "Chinese pieces before merging, chinese_sp.model", 20000),
            ("chinese_alpaca2.model", "Chinese-LLaMA-2 and Chinese-Alpaca-2, tokenizer.model", 55296),
        ]
        for (name, title, count) in cases {
            guard let path = Shared.path("tokenizers/\(name)"), case .tokenizer(let tokenizer) = try Inspection(path: path) else { continue }
            #expect(tokenizer.publishedFile == title)
            #expect(tokenizer.count == count)
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

import Foundation
import Testing

@testable import AlpacaEngine

/// Every line of the golden files, which sentencepiece wrote: the ids of a text and the text of the ids.
@Suite struct TokenizerTests {
    struct Line: Decodable {
        let kind, text: String
        let ids: [TokenID]
        let decoded: String
    }

    static let folder = MiniFamily.repository.appendingPathComponent("Tests/Goldens/tokenizers")

    static func lines<T: Decodable>(_ name: String) throws -> [T] {
        try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(T.self, from: Data($0.utf8))
        }
    }

    static func mini(_ name: String) -> String { folder.appendingPathComponent("\(name).model").path }

    private func check(_ tokenizer: Tokenizer, _ name: String) throws {
        let lines: [Line] = try TokenizerTests.lines("\(name).jsonl")
        #expect(lines.count == 730)
        var wrong: [String] = []
        for line in lines {
            if tokenizer.encode(line.text) != line.ids { wrong.append("ids of \(line.kind) \(line.text.debugDescription)") }
            if tokenizer.decode(line.ids) != line.decoded { wrong.append("text of \(line.kind) \(line.text.debugDescription)") }
        }
        #expect(wrong.isEmpty, "\(wrong.count) differ: \(wrong.prefix(3))")
    }

    @Test func miniChineseAlpaca() throws {
        try check(Tokenizer(path: TokenizerTests.mini("mini_chinese_alpaca")), "mini_chinese_alpaca")
        // The same vocabulary out of a model's file.
        try check(Model(path: MiniFamily.q8_0).tokenizer, "mini_chinese_alpaca")
    }

    @Test func miniFamily() throws {
        struct Row: Decodable {
            struct Ids: Decodable {
                let ids: [TokenID]
                let decoded: String
            }
            let text: String
            let mini_llama, mini_chinese_llama, mini_chinese_alpaca: Ids
        }
        let rows: [Row] = try TokenizerTests.lines("tokenizers.jsonl")
        #expect(rows.count == 237)
        let models: [(String, (Row) -> Row.Ids)] = [
            ("mini_llama", { $0.mini_llama }), ("mini_chinese_llama", { $0.mini_chinese_llama }),
            ("mini_chinese_alpaca", { $0.mini_chinese_alpaca }),
        ]
        for (name, golden) in models {
            let tokenizer = try Tokenizer(path: TokenizerTests.mini(name))
            for row in rows {
                #expect(tokenizer.encode(row.text) == golden(row).ids, "\(name): \(row.text.debugDescription)")
                #expect(tokenizer.decode(golden(row).ids) == golden(row).decoded, "\(name): \(row.text.debugDescription)")
            }
        }
    }

    @Test(.enabled(if: Shared.hasPublishedTokenizers, Shared.noPublishedTokenizers)) func published() throws {
        let llama = Shared.path("tokenizers/llama.model"), second = Shared.path("tokenizers/chinese_alpaca2.model")
        let chinese = Shared.path("tokenizers/chinese_sp.model")
        try check(Tokenizer(path: llama), "llama")
        try check(Tokenizer(path: second), "chinese_alpaca2")
        // The two that are not stored are made as their authors made them, to the published bytes.
        let merged = try VocabularyMerge.merge(
            try SentencePieceModel(InputFile(path: llama)), adding: try SentencePieceModel(InputFile(path: chinese)))
        let padded = try VocabularyMerge.appending([.init(text: Array("[PAD]".utf8))], to: SentencePieceModel(merged))
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("alpaca-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (bytes, name, hash) in [
            (merged, "chinese_llama", "e2676d4ca29ca1750f6ff203328d73b189321dc5776ceede037cbd36541d70c0"),
            (padded, "chinese_alpaca", "2d967e855b1213a439df6c8ce2791f869c84b4f3b6cfacf22b86440b8192a2f8"),
        ] {
            let path = folder.appendingPathComponent("\(name).model").path
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            #expect(try Shared.sha256(path) == hash)
            try check(Tokenizer(path: path), name)
        }
    }

    @Test func specialTokensOnlyOnRequest() throws {
        let tokenizer = try Tokenizer(path: TokenizerTests.mini("mini_chinese_alpaca"))
        #expect(!tokenizer.encode("a</s>").contains(2))
        #expect(tokenizer.encode("</s>", addBOS: true, addEOS: true, parseSpecial: true) == [1, 2, 2])
        #expect(tokenizer.encode("山</s>", parseSpecial: true) == tokenizer.encode("山") + [2])
    }

    /// A text without a place to cut at: the time must grow little faster than its length. Growth is judged by work, not by a clock.
    @Test func longTextsDecodeToThemselves() throws {
        let tokenizer = try Tokenizer(path: TokenizerTests.mini("mini_chinese_alpaca"))
        let text = String(repeating: "aaaaaaab", count: 1 << 17)
        #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    }
}

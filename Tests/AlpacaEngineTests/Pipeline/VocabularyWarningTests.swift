import Foundation
import Testing

@testable import AlpacaEngine

/// What is told of vocabularies that don't fit: tokens that are left out, pieces that the embeddings were not trained with, templates.
@Suite struct VocabularyWarningTests {
    static let count = TinyModel.count

    /// Files of a model with a row more than pieces, or as many, and what is to be told of them.
    static let lost: [(rows: Int, files: [String: String], told: String)] = [
        (count, ["added_tokens.json": "{\"[A]\": \(count)}"], "\"[A]\" has the id \(count), but the embeddings have \(count) rows"),
        (
            count, ["tokenizer_config.json": "{\"added_tokens_decoder\": {\"\(count)\": {\"content\": \"[A]\"}}}"],
            "\"[A]\" has the id \(count), but the embeddings"
        ),
        (count, ["added_tokens.json": "{\"[A]\": 5}"], "\"[A]\" has the id 5, which is that of the piece \"<0x02>\""),
        (
            count + 1, ["added_tokens.json": "{\"[A]\": 5, \"[B]\": \(count)}"],
            "\"[A]\" has the id 5, which is that of the piece \"<0x02>\""
        ),
        (
            count + 1, ["added_tokens.json": "{\"[A]\": \(count), \"[B]\": \(count)}"],
            "\"[B]\" has the id \(count), which is that of the added token \"[A]\""
        ),
        (
            count + 1,
            [
                "added_tokens.json": "{\"[B]\": \(count)}",
                "tokenizer_config.json": "{\"added_tokens_decoder\": {\"\(count)\": {\"content\": \"[A]\"}}}",
            ], "\"[B]\" has the id \(count), which is that of the added token \"[A]\""
        ),
        (count + 1, ["added_tokens.json": "{\"he\": \(count)}"], "but its text is that of piece 260"),
    ]

    @Test(arguments: lost.indices) func `an added token that finds no place is told of everywhere`(index: Int) throws {
        let (rows, files, told) = Self.lost[index]
        try Fixtures.withFolder { work in
            try TinyModel(rows: rows, files: files).write(to: work + "/base")
            let model = try Model(path: work + "/base")
            func check(_ warnings: [String], _ what: String) {
                let found = warnings.filter { $0.contains(told) && $0.contains("left out") }
                #expect(found.count == 1, "\(what): \(warnings)")
            }
            check(model.description.warnings, "opened")
            for format in OutputFormat.allCases {
                var options = ConversionOptions(base: work + "/base", output: "\(work)/\(format)")
                options.format = format
                check(try Converter.convert(options).warnings, "\(format)")
            }
        }
    }

    @Test func `usual lists are passed without a word`() throws {
        try Fixtures.withFolder { work in
            let decoder = "\"0\": {\"content\": \"<unk>\"}, \"1\": {\"content\": \"<s>\"}, \"\(Self.count)\": {\"content\": \"[A]\"}"
            let files = [
                "tokenizer_config.json": "{\"added_tokens_decoder\": {\(decoder)}}",
                "added_tokens.json": "{\"</s>\": 2, \"[A]\": \(Self.count)}",
            ]
            try TinyModel(rows: Self.count + 1, files: files).write(to: work + "/base")
            #expect(try Model(path: work + "/base").description.warnings == [])
            #expect(try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/m.gguf")).warnings == [])
        }
    }

    @Test func `tokens of an adapter that brings no rows`() throws {
        try Fixtures.withFolder { work in
            try TinyModel(rows: Self.count + 2).write(to: work + "/base")
            _ = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/base.gguf"))
            try TinyModel.adapter(work + "/none", files: ["added_tokens.json": "{\"[A]\": \(Self.count + 7)}"])
            try TinyModel.adapter(work + "/unused", files: ["added_tokens.json": "{\"[A]\": \(Self.count)}"])
            for base in ["base", "base.gguf"] {
                for adapter in ["none", "unused"] {
                    var options = ConversionOptions(base: "\(work)/\(base)", output: "\(work)/\(base)-\(adapter)")
                    options.adapters = [.init(path: "\(work)/\(adapter)")]
                    let warnings = try Converter.convert(options).warnings
                    #expect(warnings.contains { $0.contains("\"[A]\"") && $0.contains("left out") }, "\(base) \(adapter): \(warnings)")
                }
            }
        }
    }

    @Test func `as many pieces, but others`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            _ = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/base.gguf"))
            var list = PieceList()
            for id in 0..<Self.count {
                let text = TinyModel.pieces.pieces.text(id)
                list.pieces.append((id >= Self.count - 3 ? text + "x" : text).utf8)
            }
            list.scores = TinyModel.pieces.scores
            list.kinds = TinyModel.pieces.kinds
            let bytes = Data(try TinyModel.tokenizer(list).source)
            let same = Data(try TinyModel.tokenizer().source)
            try TinyModel.adapter(work + "/lora")
            try FileManager.default.createDirectory(atPath: work + "/other", withIntermediateDirectories: true)
            for (data, differs) in [(bytes, true), (same, false)] {
                try data.write(to: URL(fileURLWithPath: work + "/lora/tokenizer.model"))
                try data.write(to: URL(fileURLWithPath: work + "/other/tokenizer.model"))
                for base in ["base", "base.gguf"] {
                    for given in [false, true] {
                        var options = ConversionOptions(base: "\(work)/\(base)", output: "\(work)/\(base)-\(given)-\(differs)")
                        if given {
                            options.tokenizer = work + "/other/tokenizer.model"
                        } else {
                            options.adapters = [.init(path: work + "/lora")]
                        }
                        let warnings = try Converter.convert(options).warnings.filter { $0.contains("were trained with") }
                        #expect(warnings.count == (differs ? 1 : 0), "\(base) \(given): \(warnings)")
                        if differs { #expect(warnings.first?.contains("3 of \(Self.count) pieces") == true, "\(warnings)") }
                    }
                }
            }
            // With embeddings of its own nothing is wrong.
            try bytes.write(to: URL(fileURLWithPath: work + "/lora/tokenizer.model"))
            let matrices = ["model.embed_tokens", "lm_head"].map {
                (name: "base_model.model.\($0).weight", shape: [Self.count, 32], values: TinyModel.values(Self.count * 32, 7))
            }
            try TinyModel.adapter(work + "/lora", extra: matrices)
            var options = ConversionOptions(base: work + "/base", output: work + "/whole.gguf")
            options.adapters = [.init(path: work + "/lora")]
            #expect(try Converter.convert(options).warnings.filter { $0.contains("were trained with") } == [])
        }
    }

    /// A last piece `[PAD]` makes no Chinese-Alpaca, and takes no template away.
    @Test func `a piece [PAD] of somebody's own`() throws {
        let inst = "{% for m in messages %}[INST] {{ m['content'] }} [/INST]{% endfor %}"
        try Fixtures.withFolder { work in
            let added = ["added_tokens.json": "{\"[PAD]\": \(Self.count)}"]
            try TinyModel(rows: Self.count + 1, files: added).write(to: work + "/told")
            var list = TinyModel.pieces
            list.pieces.append("[PAD]".utf8)
            list.scores.append(0)
            list.kinds.append(.normal)
            try TinyModel(pieces: list).write(to: work + "/piece")
            for name in ["told", "piece"] {
                #expect(try Model(path: "\(work)/\(name)").description.template == "none")
                _ = try Converter.convert(ConversionOptions(base: "\(work)/\(name)", output: "\(work)/\(name).gguf"))
                #expect(try Model(path: "\(work)/\(name).gguf").description.template == "none")
            }
            try TinyModel(files: ["chat_template.jinja": inst]).write(to: work + "/chat")
            let matrices = ["model.embed_tokens", "lm_head"].map {
                (name: "base_model.model.\($0).weight", shape: [Self.count + 1, 32], values: TinyModel.values((Self.count + 1) * 32, 7))
            }
            try TinyModel.adapter(work + "/lora", extra: matrices)
            try Data(TinyModel.tokenizer(list).source).write(to: URL(fileURLWithPath: work + "/lora/tokenizer.model"))
            var options = ConversionOptions(base: work + "/chat", output: work + "/chat.gguf")
            options.adapters = [.init(path: work + "/lora")]
            _ = try Converter.convert(options)
            let metadata = try GGUFReader(InputFile(path: work + "/chat.gguf")).metadata
            #expect(try metadata.string(GGUFKey.chatTemplate) == inst && metadata[GGUFKey.alpacaTemplate] == nil)
        }
    }
}

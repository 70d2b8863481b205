import Foundation
import Testing

@testable import AlpacaEngine

/// Embeddings with more rows than the tokenizer has pieces: padded, or for tokens that other files tell of.
@Suite struct VocabularyRowsTests {
    static let count = TinyModel.count

    static let told: [(name: String, files: [String: String], isSpecial: Bool)] = [
        ("added_tokens.json", ["added_tokens.json": "{\"[X Y]\": \(count)}"], false),
        (
            "and a map",
            [
                "added_tokens.json": "{\"[X Y]\": \(count)}",
                "special_tokens_map.json": "{\"additional_special_tokens\": [{\"content\": \"[X Y]\"}]}",
            ], true
        ),
        (
            "tokenizer_config.json",
            [
                "tokenizer_config.json":
                    "{\"added_tokens_decoder\": {\"0\": {\"content\": \"<unk>\"}, \"\(count)\": {\"content\": \"[X Y]\", \"special\": true}}}"
            ], true
        ),
        (
            "tokenizer.json", ["tokenizer.json": "{\"added_tokens\": [{\"id\": \(count), \"content\": \"[X Y]\", \"special\": false}]}"],
            false
        ),
    ]

    /// What the vocabulary has behind its pieces.
    private func check(_ tokenizer: Tokenizer, isSpecial: Bool, _ what: String) {
        let count = TokenID(Self.count)
        #expect(tokenizer.kind(count) == (isSpecial ? .control : .userDefined), "\(what)")
        #expect(tokenizer.encode("the[X Y]", parseSpecial: true).last == count, "\(what)")
        #expect((tokenizer.encode("the[X Y]").last == count) == !isSpecial, "\(what)")
        #expect(tokenizer.decode(tokenizer.encode("the[X Y]", parseSpecial: true)) == (isSpecial ? "the" : "the[X Y]"), "\(what)")
    }

    @Test(arguments: told.indices) func `added tokens are tokens, in each format and back`(index: Int) throws {
        let (name, files, isSpecial) = Self.told[index]
        try Fixtures.withFolder { work in
            try TinyModel(rows: Self.count + 6, files: files).write(to: work + "/base")
            let model = try Model(path: work + "/base")
            #expect(model.configuration.vocabularySize == Self.count + 6 && model.tokenizer.count == Self.count + 6)
            check(model.tokenizer, isSpecial: isSpecial, name)
            #expect(model.tokenizer.model.unused == (1...5).map { TokenID(Self.count + $0) })
            #expect(model.tokenizer.piece(TokenID(Self.count + 1)) == "[extra_id_\(Self.count + 1)]")
            check(try Tokenizer(file: work + "/base"), isSpecial: isSpecial, "the folder's tokenizer")
            var path = work + "/base"
            for (number, format) in [OutputFormat.gguf, .huggingFace, .gguf, .huggingFaceBin, .gguf, .meta, .gguf].enumerated() {
                let next = "\(work)/\(number)"
                var options = ConversionOptions(base: path, output: next)
                options.format = format
                _ = try Converter.convert(options)
                let copy = try Model(path: next)
                check(copy.tokenizer, isSpecial: isSpecial, "\(name): \(number), \(format)")
                #expect(copy.tokenizer.model.unused == model.tokenizer.model.unused)
                for id in 0..<TokenID(Self.count) { #expect(copy.tokenizer.piece(id) == model.tokenizer.piece(id)) }
                if format.isFolder {
                    let text = try String(contentsOfFile: next + "/added_tokens.json", encoding: .utf8)
                    #expect(text == "{\n  \"[X Y]\": \(Self.count)\n}\n")
                    #expect(try Tokenizer(file: next + "/tokenizer.model").count == Self.count)
                }
                path = next
            }
        }
    }

    @Test(arguments: [false, true]) func `rows of nothing are never drawn`(isTied: Bool) throws {
        try Fixtures.withFolder { work in
            let rows = Self.count + 8
            // The rows behind the pieces would win by far.
            let name = isTied ? "model.embed_tokens.weight" : "lm_head.weight"
            let head =
                TinyModel.values(Self.count * 32, 3, scale: 0.01) + [Float](repeating: 30, count: 8 * 16)
                + [Float](repeating: -30, count: 8 * 16)
            try TinyModel(rows: rows, isTied: isTied, numbers: [name: head]).write(to: work + "/base")
            var options = ConversionOptions(base: work + "/base", output: work + "/m.gguf")
            let report = try Converter.convert(options)
            #expect(report.warnings.contains { $0.contains("\(Self.count) tokens") && $0.contains("\(rows) rows") }, "\(report.warnings)")
            options.output = work + "/q.gguf"
            options.quantization = "q8_0"
            _ = try Converter.convert(options)
            for path in ["/base", "/m.gguf", "/q.gguf"] {
                let session = try Model(path: work + path).makeSession()
                for temperature in [Float(0), 5] {
                    var parameters = GenerationParameters()
                    parameters.maxNewTokens = 6
                    parameters.ignoresEndOfSequence = true
                    parameters.sampling.temperature = temperature
                    parameters.candidateCount = 3
                    var ids: [TokenID] = []
                    try session.generate("the", parameters) { event in
                        ids.append(event.id)
                        for candidate in event.candidates { ids.append(candidate.id) }
                        return true
                    }
                    #expect(ids.count >= 24 && ids.allSatisfy { Int($0) < Self.count }, "\(path): \(ids)")
                }
            }
        }
    }

    @Test func `a GGUF file with fewer tokens than rows`() throws {
        try Fixtures.withFolder { work in
            try TinyModel(rows: Self.count + 3).write(to: work + "/base")
            _ = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/m.gguf"))
            let reader = try GGUFReader(InputFile(path: work + "/m.gguf"))
            for declared in [nil, Self.count, Self.count + 3] {
                var metadata = reader.metadata
                let list = TinyModel.pieces
                metadata[GGUFKey.tokens] = .array(.string(list.pieces))
                metadata[GGUFKey.scores] = .array(.float32(list.scores))
                metadata[GGUFKey.tokenTypes] = .array(.int32(list.kinds.map { Int32($0.rawValue) }))
                metadata[GGUFKey.vocabularySize("llama")] = declared.map { .uint32(UInt32($0)) }
                let path = work + "/short.gguf"
                try GGUFFile.write(metadata, of: reader, to: path)
                let model = try Model(path: path)
                #expect(model.tokenizer.count == Self.count + 3 && model.configuration.vocabularySize == Self.count + 3)
                #expect(try Inspection(path: path).problem == nil)
                var options = ConversionOptions(base: path, output: work + "/again.gguf")
                options.overwrites = true
                _ = try Converter.convert(options)
                #expect(try GGUFReader(InputFile(path: work + "/again.gguf")).metadata.strings(GGUFKey.tokens).count == Self.count + 3)
            }
        }
    }

    @Test func `fewer rows than pieces is an error with both numbers`() throws {
        try Fixtures.withFolder { work in
            try TinyModel(rows: Self.count - 2).write(to: work + "/base")
            var options = ConversionOptions(base: work + "/base", output: work + "/m.gguf")
            for format in OutputFormat.allCases {
                for checks in [true, false] {
                    options.format = format
                    options.checksFamily = checks
                    let error = alpacaError { _ = try Converter.convert(options) }
                    for word in ["base/tokenizer.model", "\(Self.count) pieces", "\(Self.count - 2) rows"] {
                        #expect(error?.message.contains(word) == true, "\(error?.message ?? "no error")")
                    }
                }
            }
            let error = alpacaError { _ = try Model(path: work + "/base") }
            #expect(error?.message.contains("\(Self.count - 2) rows") == true, "\(error?.message ?? "no error")")
            #expect(try Inspection(path: work + "/base").problem?.contains("\(Self.count - 2) rows") == true)
        }
    }

    @Test func `embeddings and output of different rows`() throws {
        try Fixtures.withFolder { work in
            try TinyModel(rows: Self.count + 4, headRows: Self.count).write(to: work + "/base")
            let error = alpacaError { _ = try Model(path: work + "/base") }
            #expect(error?.message.contains("[\(Self.count), 32]") == true && error?.message.contains("[\(Self.count + 4), 32]") == true)
            #expect(try Inspection(path: work + "/base").problem != nil)
        }
    }

    @Test func `names that pieces have already`() throws {
        var list = TinyModel.pieces
        list.pieces.append("[extra_id_\(Self.count + 1)]".utf8)
        list.scores.append(-50)
        list.kinds.append(.normal)
        try list.extend(by: AddedTokens(), to: Self.count + 4)
        let names = (0..<4).map { list.pieces.text(Self.count + $0) }
        #expect(Set(names).count == 4, "\(names)")
        #expect(list.divided().pieces.pieces.count == Self.count + 1)
    }

    @Test func `an added token without a row is left out with a warning`() throws {
        try Fixtures.withFolder { work in
            try TinyModel(rows: Self.count + 1, files: ["added_tokens.json": "{\"[A]\": \(Self.count), \"[B]\": \(Self.count + 9)}"])
                .write(to: work + "/base")
            let report = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/m.gguf"))
            #expect(report.warnings.contains { $0.contains("\"[B]\"") && $0.contains("\(Self.count + 1) rows") }, "\(report.warnings)")
            #expect(try Model(path: work + "/m.gguf").tokenizer.encode("[A]").last == TokenID(Self.count))
        }
    }

    /// As tools leave them that add tokens before the training.
    @Test func `adapters that grow the vocabulary`() throws {
        func matrices(_ rows: Int) -> [(name: String, shape: [Int], values: [Float])] {
            ["model.embed_tokens", "lm_head"].map { ("base_model.model.\($0).weight", [rows, 32], TinyModel.values(rows * 32, 7)) }
        }
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            let added = ["added_tokens.json": "{\"[PAD]\": \(Self.count)}"]
            try TinyModel.adapter(work + "/told", extra: matrices(Self.count + 1), files: added)
            try TinyModel.adapter(work + "/padded", extra: matrices(Self.count + 9), files: added)
            try TinyModel.adapter(work + "/few", extra: matrices(Self.count + 3))
            try TinyModel.adapter(work + "/one", extra: matrices(Self.count + 1))
            try TinyModel.adapter(work + "/many", extra: matrices(Self.count + 101))
            for base in ["base", "base.gguf"] {
                for (adapter, rows) in [("told", 1), ("padded", 9), ("few", 3), ("one", 1), ("many", 101)] {
                    for format in [OutputFormat.gguf, .huggingFace] {
                        var options = ConversionOptions(base: "\(work)/\(base)", output: "\(work)/\(base)-\(adapter)-\(format)")
                        options.adapters = [.init(path: "\(work)/\(adapter)")]
                        options.format = format
                        if adapter == "many" {
                            let error = alpacaError { _ = try Converter.convert(options) }
                            #expect(error?.message.contains("--no-check") == true, "\(error?.message ?? "no error")")
                            options.checksFamily = false
                        }
                        _ = try Converter.convert(options)
                        let tokenizer = try Model(path: options.output).tokenizer
                        #expect(tokenizer.count == Self.count + rows)
                        let isTold = ["told", "padded"].contains(adapter)
                        #expect((tokenizer.encode("[PAD]").last == TokenID(Self.count)) == isTold, "\(base) \(adapter) \(format)")
                        #expect(tokenizer.model.unused.count == rows - (isTold ? 1 : 0))
                    }
                }
                if base == "base" { _ = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/base.gguf")) }
            }
        }
    }
}

/// GGUF files with the tensors of another one.
enum GGUFFile {
    static func write(_ metadata: GGUFMetadata, of reader: GGUFReader, to path: String) throws {
        let data = try reader.tensors.map { try ModelSourceTests.bytes(reader, $0.name).1 }
        try LayoutFile.write(GGUFLayout.make(metadata, reader.tensors), data, to: path)
    }
}

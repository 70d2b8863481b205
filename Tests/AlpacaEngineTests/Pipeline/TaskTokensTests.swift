import Foundation
import Testing

@testable import AlpacaEngine

/// Tokens with a task, as the small files of a Hugging Face folder name them: in folders that are run, in what they are converted to, and back.
@Suite struct TaskTokensTests {
    static let count = TinyModel.count
    static let decoder =
        "\"added_tokens_decoder\": {\"\(count)\": {\"content\": \"<end>\", \"special\": true}, \"\(count + 1)\": {\"content\": \"<turn>\", \"special\": true}, "
        + "\"\(count + 2)\": {\"content\": \"<all>\", \"special\": true}}"

    struct Case: Sendable {
        let name: String
        var files: [String: String] = [:]
        var fields: [String: String?] = [:]
        var eos: Int = 2
        var ends: [Int] = []
        var warning: String? = nil
    }

    static let cases = [
        Case(name: "a text", files: ["tokenizer_config.json": "{\"eos_token\": \"<end>\", \(decoder)}"], eos: count),
        Case(name: "an object", files: ["tokenizer_config.json": "{\"eos_token\": {\"content\": \"<end>\"}, \(decoder)}"], eos: count),
        Case(
            name: "the map",
            files: ["special_tokens_map.json": "{\"eos_token\": \"<end>\"}", "added_tokens.json": "{\"<end>\": \(count)}"],
            eos: count),
        Case(
            name: "a number",
            files: ["generation_config.json": "{\"eos_token_id\": \(count)}", "tokenizer_config.json": "{\(decoder)}"], eos: count),
        Case(
            name: "a list",
            files: [
                "generation_config.json": "{\"eos_token_id\": [2, \(count), \(count + 1), \(count + 2)]}",
                "tokenizer_config.json": "{\(decoder)}",
            ], ends: [count, count + 1, count + 2]),
        Case(
            name: "a text and a list",
            files: [
                "generation_config.json": "{\"eos_token_id\": [2, \(count + 1)]}",
                "tokenizer_config.json": "{\"eos_token\": \"<turn>\", \(decoder)}",
            ], eos: count + 1, ends: [2]),
        Case(
            name: "config.json", files: ["tokenizer_config.json": "{\(decoder)}"], fields: ["eos_token_id": "[2, \(count)]"], ends: [count]),
        // As the first uploads have it.
        Case(
            name: "the first uploads",
            files: [
                "generation_config.json": "{\"_from_model_config\": true, \"bos_token_id\": 0, \"eos_token_id\": 1, \"pad_token_id\": 0}",
                "tokenizer_config.json": "{\"bos_token\": \"\", \"eos_token\": \"\"}",
            ], fields: ["bos_token_id": "0", "eos_token_id": "1", "pad_token_id": "-1"]),
        Case(name: "a piece of text in config.json", fields: ["eos_token_id": "\(count - 1)"], warning: "which is text"),
        Case(
            name: "a piece of text in generation_config.json", files: ["generation_config.json": "{\"eos_token_id\": [2, \(count - 1)]}"],
            ends: [count - 1]),
        Case(name: "a byte", files: ["generation_config.json": "{\"eos_token_id\": [2, 7]}"], warning: "which is text"),
        Case(
            name: "an id beyond", files: ["generation_config.json": "{\"eos_token_id\": [2, 99999]}"],
            warning: "\"eos_token_id\" has 99999"),
        Case(name: "a text that is no token", files: ["tokenizer_config.json": "{\"eos_token\": \"<none>\"}"], warning: "\"<none>\""),
        Case(name: "no number", files: ["generation_config.json": "{\"eos_token_id\": \"x\"}"], warning: "eos_token_id"),
    ]

    private func check(_ tokenizer: Tokenizer, _ one: Case, _ what: String) {
        #expect(tokenizer.eos == TokenID(one.eos) && tokenizer.bos == 1, "\(what): eos \(tokenizer.eos ?? -1)")
        #expect(tokenizer.eot == one.ends.first.map { TokenID($0) }, "\(what): eot \(tokenizer.eot ?? -1)")
        #expect(Set(tokenizer.endings) == Set(([one.eos] + one.ends).map { TokenID($0) }), "\(what): \(tokenizer.endings)")
    }

    @Test(arguments: cases.indices) func `ends are known in each format and back`(index: Int) throws {
        let one = Self.cases[index]
        try Fixtures.withFolder { work in
            try TinyModel(rows: Self.count + 3, fields: one.fields, files: one.files).write(to: work + "/base")
            let model = try Model(path: work + "/base")
            check(model.tokenizer, one, one.name)
            if one.fields.isEmpty { check(try Tokenizer(file: work + "/base"), one, "\(one.name): the folder's tokenizer") }
            if let warning = one.warning {
                #expect(model.description.warnings.contains { $0.contains(warning) }, "\(one.name): \(model.description.warnings)")
            } else {
                #expect(!model.description.warnings.contains { $0.contains("passed over") }, "\(one.name): \(model.description.warnings)")
            }
            var path = work + "/base"
            for (number, format) in [OutputFormat.gguf, .huggingFace, .gguf, .huggingFaceBin, .huggingFaceBin, .gguf, .meta, .gguf]
                .enumerated()
            {
                let next = "\(work)/\(number)"
                var options = ConversionOptions(base: path, output: next)
                options.format = format
                _ = try Converter.convert(options)
                check(try Model(path: next).tokenizer, one, "\(one.name): \(number), \(format)")
                if format == .huggingFace {
                    let text = try String(contentsOfFile: next + "/generation_config.json", encoding: .utf8)
                    let ids = ([one.eos] + one.ends).map { "\($0)" }
                    #expect(ids.allSatisfy { text.contains($0) }, "\(one.name): \(text)")
                }
                path = next
            }
        }
    }

    @Test func `an adapter's end counts, and its base's in a GGUF file`() throws {
        try Fixtures.withFolder { work in
            try TinyModel(rows: Self.count + 3, files: ["tokenizer_config.json": "{\(Self.decoder)}"]).write(to: work + "/base")
            _ = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/base.gguf"))
            try TinyModel.adapter(work + "/lora", files: ["tokenizer_config.json": "{\"eos_token\": \"<turn>\"}"])
            for base in ["base", "base.gguf"] {
                for format in OutputFormat.allCases {
                    var options = ConversionOptions(base: "\(work)/\(base)", output: "\(work)/\(base)-\(format)")
                    options.adapters = [.init(path: work + "/lora")]
                    options.format = format
                    _ = try Converter.convert(options)
                    #expect(try Model(path: options.output).tokenizer.eos == TokenID(Self.count + 1), "\(base) \(format)")
                }
            }
        }
    }

    @Test(arguments: [true, false], [true, false]) func `what is put around a text goes along`(addsBOS: Bool, addsEOS: Bool) throws {
        try Fixtures.withFolder { work in
            let text = "{\"add_bos_token\": \(addsBOS), \"add_eos_token\": \(addsEOS)}"
            try TinyModel(files: ["tokenizer_config.json": text]).write(to: work + "/base")
            var path = work + "/base"
            for (number, format) in [nil, OutputFormat.gguf, .huggingFace, .gguf, .huggingFaceBin, .gguf, .meta, .gguf].enumerated() {
                if let format {
                    var options = ConversionOptions(base: path, output: "\(work)/\(number)")
                    options.format = format
                    _ = try Converter.convert(options)
                    path = options.output
                }
                let tokenizer = try Model(path: path).tokenizer
                #expect(tokenizer.addsBOS == addsBOS && tokenizer.addsEOS == addsEOS, "\(number)")
            }
        }
    }

    @Test func `what a folder's tokenizer can't hold is told`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            _ = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/m.gguf"))
            let reader = try GGUFReader(InputFile(path: work + "/m.gguf"))
            for (key, value) in [(GGUFKey.removeExtraSpaces, GGUFValue.bool(true)), (GGUFKey.normalizerRules, .array(.uint8([1, 2])))] {
                var metadata = reader.metadata
                metadata[key] = value
                try GGUFFile.write(metadata, of: reader, to: work + "/x.gguf")
                for format in [OutputFormat.huggingFace, .huggingFaceBin, .meta] {
                    var options = ConversionOptions(base: work + "/x.gguf", output: "\(work)/\(key)-\(format)")
                    options.format = format
                    let warnings = try Converter.convert(options).warnings
                    #expect(warnings.contains { $0.contains(key) }, "\(warnings)")
                }
            }
        }
    }
}

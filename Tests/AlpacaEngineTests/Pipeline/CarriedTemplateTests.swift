import Foundation
import Testing

@testable import AlpacaEngine

/// A template goes with the model through every format.
@Suite struct CarriedTemplateTests {
    static let stranger = "{{ bos_token }}\n{%- for m in messages %}[INST] \"山\" \\ \t{{ m.content }}\u{1}\r\n{% endfor %}\n"

    /// A base with files beside it.
    static func base(_ work: String, _ files: [String: String]) throws -> String {
        let folder = work + "/base"
        try ConversionFailureTests.copy("mini-llama", to: folder)
        for (name, text) in files {
            let url = URL(fileURLWithPath: folder + "/" + name)
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return folder
    }

    static func json(_ value: Any) throws -> String { String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self) }

    /// Converts through all formats, one after the other; each of them has to have the template.
    static func walk(_ base: String, _ work: String, _ body: (ModelSource) throws -> Void) throws {
        var before = base
        for (i, format) in [OutputFormat.gguf, .huggingFace, .meta, .gguf, .huggingFaceBin, .gguf].enumerated() {
            var options = ConversionOptions(base: before, output: "\(work)/\(i)")
            options.format = format
            options.modelName = "another name"
            if format != .gguf { options.modelName = nil }
            _ = try Converter.convert(options)
            before = options.output
            try body(ModelSource(path: before))
        }
    }

    @Test func `an unknown text stays as it is, to the byte`() throws {
        let files = [
            ["tokenizer_config.json": try Self.json(["chat_template": Self.stranger])], ["chat_template.jinja": Self.stranger],
            ["chat_template.json": try Self.json(["chat_template": Self.stranger])],
        ]
        for files in files {
            try Fixtures.withFolder { work in
                try Self.walk(Self.base(work, files), work) { source in
                    #expect(source.templates.text == Array(Self.stranger.utf8), "\(source.path)")
                    #expect(source.metadata[GGUFKey.alpacaTemplate] == nil)
                    #expect(source.template.name == "jinja" && source.template.jinja != nil && source.template.source == Self.stranger)
                }
                // As transformers reads it.
                let config = try #require(
                    try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: work + "/1/tokenizer_config.json")))
                        as? [String: Any])
                #expect(config["chat_template"] as? String == Self.stranger)
            }
        }
    }

    @Test func `several named texts`() throws {
        let list = [
            ["name": "default", "template": Self.stranger], ["name": "tool_use", "template": "t"], ["name": "rag", "template": "r"],
        ]
        try Fixtures.withFolder { work in
            try Self.walk(Self.base(work, ["tokenizer_config.json": Self.json(["chat_template": list])]), work) { source in
                #expect(source.templates.text == Array(Self.stranger.utf8))
                #expect(source.templates.named.map(\.name) == ["tool_use", "rag"], "\(source.path)")
                #expect(source.templates.named.map(\.text) == [Array("t".utf8), Array("r".utf8)])
                #expect(source.metadata["tokenizer.chat_templates"] == .array(.string(GGUFStrings(["tool_use", "rag"]))))
            }
            // A folder that transformers 5 wrote says the same.
            let other = work + "/other"
            try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
            let again = try Self.base(
                other,
                [
                    "chat_template.jinja": Self.stranger, "additional_chat_templates/tool_use.jinja": "t",
                    "additional_chat_templates/rag.jinja": "r",
                ])
            let texts = try ModelSource(path: again).templates
            #expect(texts.text == Array(Self.stranger.utf8) && texts.named.map(\.name) == ["rag", "tool_use"])
        }
    }

    @Test func `what only the vocabulary tells is written down`() throws {
        try Fixtures.withFolder { work in
            let options = ConverterTests.options("mini-llama", 2, .huggingFace, work + "/merged")
            _ = try Converter.convert(options)
            try Self.walk(work + "/merged", work) { source in
                #expect(source.metadata[GGUFKey.alpacaTemplate] == .string(Array("alpaca".utf8)), "\(source.path)")
                #expect(source.templates.text == Array(KnownTemplate.alpaca.source.utf8))
                #expect(source.template.name == "alpaca")
            }
            // Somebody gives the folder another text: that one counts.
            try Data(Self.stranger.utf8).write(to: URL(fileURLWithPath: work + "/merged/chat_template.jinja"))
            #expect(try ModelSource(path: work + "/merged").template.name == "jinja")
        }
    }

    @Test func `a name that decided is decided for good`() throws {
        // "none" and "alpaca-2" are told apart by names alone where both have the same vocabulary: here by the key.
        try Fixtures.withFolder { work in
            for name in ["alpaca-2", "none"] {
                let folder = work + "/" + name
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
                let mark = try Self.json(["alpaca_version": "1.1.0", "base": ["name": "x"], "template": name])
                try Self.walk(Self.base(folder, ["alpaca.json": mark]), folder) { source in
                    #expect(source.template.name == name, "\(source.path)")
                }
            }
        }
    }

    @Test func `a folder without a tokenizer`() throws {
        try Fixtures.withFolder { work in
            let base = try Self.base(work, ["chat_template.jinja": Self.stranger])
            try FileManager.default.removeItem(atPath: base + "/tokenizer.model")
            var options = ConversionOptions(base: base, output: work + "/out")
            options.format = .huggingFace
            _ = try Converter.convert(options)
            #expect(try ModelSource(path: options.output).templates.text == Array(Self.stranger.utf8))
        }
    }

    /// A tiny model with as many pieces as Chinese-LLaMA-2 and Chinese-Alpaca-2 have, named as told.
    static func secondLine(_ path: String, named name: String) throws {
        var metadata = ModelConfigurationTests.metadata()
        for (key, value) in [("vocab_size", 55296), ("embedding_length", 32), ("block_count", 1), ("feed_forward_length", 96)] {
            metadata["llama.\(key)"] = .uint32(UInt32(value))
        }
        for key in ["head_count", "head_count_kv"] { metadata["llama.attention.\(key)"] = .uint32(2) }
        metadata["llama.rope.dimension_count"] = .uint32(16)
        metadata[GGUFKey.name] = .string(Array(name.utf8))
        metadata[GGUFKey.tokenizerModel] = .string(Array("llama".utf8))
        let pieces = ["<unk>", "<s>", "</s>"] + (0..<256).map { String(format: "<0x%02X>", $0) } + (259..<55296).map { "w\($0)" }
        metadata[GGUFKey.tokens] = .array(.string(GGUFStrings(pieces)))
        metadata[GGUFKey.scores] = .array(.float32([Float](repeating: 0, count: 55296)))
        metadata[GGUFKey.tokenTypes] = .array(
            .int32([2, 3, 3] + [Int32](repeating: 6, count: 256) + [Int32](repeating: 1, count: 55296 - 259)))
        let configuration = try ModelConfiguration(metadata) { $0 == "output.weight" }
        let infos = try Architectures.make(configuration).tensors.map {
            try TensorInfo(name: $0.names.gguf, type: $0.shape.count > 1 ? .f16 : .f32, shape: $0.shape)
        }
        try LayoutFile.write(try GGUFLayout.make(metadata, infos), infos.map { [UInt8](repeating: 0, count: $0.byteCount) }, to: path)
    }

    /// One vocabulary for a base model and one that chats: names tell, and what they told is written down.
    @Test func `names decide once`() throws {
        try Fixtures.withFolder { work in
            try Self.secondLine(work + "/base.gguf", named: "Llama-2-7b-hf")
            for (folder, trainedOn) in [("chinese-alpaca-2-lora-7b", "x"), ("mine", "hfl/chinese-alpaca-2-7b"), ("mine-too", "x")] {
                try AdapterFolder(fields: ["base_model_name_or_path": "\"\(trainedOn)\""]).write(to: work + "/" + folder)
            }
            func convert(_ base: String, _ adapters: [String] = [], name: String? = nil, _ format: OutputFormat = .gguf) throws
                -> ModelTemplate
            {
                var options = ConversionOptions(base: base, output: work + "/out" + (format.isFolder ? "" : ".gguf"))
                options.adapters = adapters.map { .init(path: work + "/" + $0) }
                options.format = format
                options.modelName = name
                options.overwrites = true
                options.checksFamily = false
                _ = try Converter.convert(options)
                return try ModelSource(path: options.output).template
            }
            #expect(try convert(work + "/base.gguf").name == "none")
            // The name of the output is no part of it.
            #expect(try convert(work + "/base.gguf", name: "my alpaca").name == "none")
            #expect(try convert(work + "/base.gguf", ["mine-too"]).name == "none")
            for adapter in ["chinese-alpaca-2-lora-7b", "mine"] {
                #expect(try convert(work + "/base.gguf", [adapter], name: "plain").name == "alpaca-2", "\(adapter)")
                #expect(try convert(work + "/base.gguf", [adapter], .huggingFace).name == "alpaca-2", "\(adapter)")
            }
            // Made of an output, whatever it is called now.
            try FileManager.default.moveItem(atPath: work + "/out", toPath: work + "/x")
            #expect(try convert(work + "/x", name: "plain").name == "alpaca-2")
            try Self.secondLine(work + "/chat.gguf", named: "chinese-alpaca-2")
            #expect(try convert(work + "/chat.gguf", ["mine-too"], name: "plain").name == "alpaca-2")
        }
    }

    @Test func `an adapter's text is the result's`() throws {
        try Fixtures.withFolder { work in
            let lora = work + "/lora"
            try ConversionFailureTests.copy("mini-chinese-llama-lora", to: lora)
            let base = try Self.base(work, ["chat_template.jinja": "the base's"])
            func convert() throws -> ModelSource {
                var options = ConversionOptions(base: base, output: work + "/out.gguf")
                options.adapters = [.init(path: lora)]
                options.overwrites = true
                warnings = try Converter.convert(options).warnings
                return try ModelSource(path: options.output)
            }
            var warnings: [String] = []
            // The adapter brings another vocabulary: what the base said holds no longer.
            #expect(try convert().templates.isEmpty)
            #expect(warnings.contains { $0.contains("chat template (chat_template.jinja) is left out") }, "\(warnings)")
            try Data(Self.stranger.utf8).write(to: URL(fileURLWithPath: lora + "/chat_template.jinja"))
            #expect(try convert().templates.text == Array(Self.stranger.utf8))
        }
    }

    @Test func `a carried template is used, and one that can't be read changes no prompt`() throws {
        try Fixtures.withFolder { work in
            let whole = try Self.base(work, ["chat_template.jinja": ModelTemplateTests.mistral])
            _ = try Converter.convert(ConversionOptions(base: whole, output: work + "/whole.gguf"))
            let mistral = try Model(path: work + "/whole.gguf")
            #expect(mistral.template?.name == "jinja" && mistral.description.template == "jinja" && mistral.description.warnings.isEmpty)
            let rendered = try mistral.render([ChatMessage(role: .user, content: "the")])
            #expect(
                rendered.text == "<s>[INST] the [/INST]" && rendered.ids == mistral.tokenizer.encode("[INST] the [/INST]", addBOS: true))

            let text = "{{ bos_token }}\n{% for m in messages %}{{ m['content'] }"
            let other = work + "/other"
            try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
            let base = try Self.base(other, ["chat_template.jinja": text])
            _ = try Converter.convert(ConversionOptions(base: base, output: work + "/out.gguf"))
            let model = try Model(path: work + "/out.gguf")
            #expect(model.template == nil && model.modelTemplate.name == "unknown" && model.description.template == "unknown")
            #expect(model.modelTemplate.source == text)
            let warning = try #require(model.description.warnings.last)
            #expect(warning.hasPrefix("tokenizer.chat_template has a template that"))
            let session = try model.makeSession()
            var parameters = GenerationParameters()
            parameters.maxNewTokens = 1
            try session.generate("the", parameters) { _ in true }
            #expect(try Array(session.tokens().prefix(2)) == Array(model.tokenizer.encode("the", addBOS: true).prefix(2)))
            // One that is named is used.
            parameters.template = .named(try #require(ChatTemplate(name: "alpaca-2")))
            try session.generate("q", parameters) { _ in true }
            #expect(try model.tokenizer.decode(session.tokens()).contains("乐于助人"))
            let json = try InspectionTests.json(Inspection(path: base))
            #expect(json["template"] as? String == "unknown" && json["template_source"] as? String == "chat_template.jinja")
            #expect((json["template_reason"] as? String)?.contains("chat_template.jinja has a template") == true)
        }
    }
}

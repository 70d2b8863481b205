import Foundation
import Testing

@testable import AlpacaEngine

/// Which template a model's files name.
@Suite struct ModelTemplateTests {
    /// What a file says that has these pieces, and more of what is given.
    static func find(_ pieces: [String], names: [String] = [], _ change: (inout GGUFMetadata) -> Void = { _ in }) -> ModelTemplate {
        var metadata = GGUFMetadata()
        metadata[GGUFKey.tokens] = .array(.string(GGUFStrings(pieces)))
        change(&metadata)
        return ModelTemplate(metadata, texts: TemplateTexts(metadata), names: names + ModelTemplate.names(in: metadata))
    }

    static func pieces(_ count: Int, last: String? = nil) -> [String] { (1..<count).map { "\($0)" } + [last ?? "x"] }

    static let mistral =
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% endif %}{% endfor %}"

    @Test func `a text is a template of ours or it is not`() {
        for known in KnownTemplate.allCases {
            #expect(ChatTemplate(name: known.rawValue) != nil)
            #expect(KnownTemplate.named(by: Array(known.source.utf8)) == known)
            #expect(KnownTemplate.named(by: Array("\(known.source)\r\n".utf8)) == known)
            #expect(KnownTemplate.named(by: Array(" \(known.source)".utf8)) == nil)
            #expect(KnownTemplate.named(by: Array(known.source.dropLast().utf8)) == nil)
            let found = Self.find(Self.pieces(32000)) { $0[GGUFKey.chatTemplate] = .string(Array(known.source.utf8)) }
            #expect(found.name == known.rawValue && found.source == known.source && found.origin == GGUFKey.chatTemplate)
            #expect(found.warning == nil)
        }
        // Parts of ours do not make one, whatever the vocabulary and the name are: the text is the template.
        let strangers = [
            Self.mistral, "{{ '### Instruction:\\n\\n' + messages[0].content }}", "### Instruction:\n\n", "<|start_header_id|>", "x",
            "\u{0}",
        ]
        for text in strangers {
            for pieces in [Self.pieces(32000), Self.pieces(49954, last: "[PAD]"), Self.pieces(55296)] {
                let found = Self.find(pieces, names: ["chinese-alpaca-2-7b"]) { $0[GGUFKey.chatTemplate] = .string(Array(text.utf8)) }
                #expect(found.name == "jinja" && found.known == nil && found.source == text && found.jinja != nil, "\(text)")
                #expect(found.reason == "its text is in tokenizer.chat_template" && found.warning == nil)
            }
        }
        // What can't be read is no template; the reason has the line.
        for (text, reason) in [("a\n{{ x", "line 2"), ("{% if x %}", "line 1"), ("{% frobnicate %}", "frobnicate")] {
            let found = Self.find(Self.pieces(55296), names: ["chinese-alpaca-2-7b"]) {
                $0[GGUFKey.chatTemplate] = .string(Array(text.utf8))
            }
            #expect(found.name == "unknown" && found.known == nil && found.source == text && found.jinja == nil, "\(text)")
            #expect(found.reason.hasPrefix("tokenizer.chat_template has a template that can't be read: ") && found.reason.contains(reason))
            #expect(found.warning == found.reason + "; prompts go to the model as they are, unless a template is named")
        }
        let bytes = Self.find(Self.pieces(7)) { $0[GGUFKey.chatTemplate] = .string([0x61, 0xFF, 0x62]) }
        #expect(bytes.name == "unknown" && bytes.source == nil && bytes.reason.hasSuffix("not UTF-8 at byte 1"), "\(bytes.reason)")
    }

    @Test func `the key counts where the text is its own`() {
        func find(_ name: String, _ text: String?) -> ModelTemplate {
            Self.find(Self.pieces(49954, last: "[PAD]")) {
                $0[GGUFKey.alpacaTemplate] = .string(Array(name.utf8))
                if let text { $0[GGUFKey.chatTemplate] = .string(Array(text.utf8)) }
            }
        }
        for known in KnownTemplate.allCases {
            #expect(find(known.rawValue, nil).name == known.rawValue && find(known.rawValue, known.source).name == known.rawValue)
            #expect(find(known.rawValue, known.source + "\n").reason == "named by the file's key alpaca.template")
            // Another text was put there since.
            let stale = find(known.rawValue, Self.mistral)
            #expect(stale.name == "jinja" && stale.source == Self.mistral, "\(stale)")
            #expect(stale.reason.hasPrefix("its text is in tokenizer.chat_template; "))
            #expect(stale.reason.hasSuffix("alpaca.template says \"\(known.rawValue)\", which is not this text's, and doesn't count"))
            #expect(stale.warning == nil)
        }
        #expect(find("none", nil).name == "none")
        let other = find("alpaca-2", KnownTemplate.alpaca3.source)
        #expect(other.name == "alpaca-3" && other.reason.hasPrefix("its text is in tokenizer.chat_template; "))
        #expect(find("none", KnownTemplate.alpaca2.source).name == "alpaca-2" && find("none", Self.mistral).name == "jinja")
        let later = find("chatml", nil)
        #expect(later.name == "unknown")
        #expect(later.reason == "the file's key alpaca.template names \"chatml\", which this version doesn't know")
        let text = find("chatml", Self.mistral)
        #expect(text.name == "jinja" && text.reason.hasSuffix("alpaca.template says \"chatml\", which this version doesn't know"))
    }

    @Test func `what can't be read is not guessed`() throws {
        for value in [GGUFValue.uint32(5), .array(.int32([1])), .bool(true)] {
            let found = Self.find(Self.pieces(49954, last: "[PAD]")) { $0[GGUFKey.chatTemplate] = value }
            #expect(found.name == "unknown" && found.reason.hasPrefix("tokenizer.chat_template is there and can't be read: "))
            #expect(found.warning?.hasPrefix(found.reason) == true)
        }
        for broken in [
            "{\"chat_template\": \"x", "{\"chat_template\": 5}", "{\"chat_template\": {\"default\": \"x\"}}",
            "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"r\"}, {\"name\": \"default\"}]}",
        ] {
            try Fixtures.withFolder { work in
                try ConversionFailureTests.copy("mini-llama", to: work + "/base")
                try Data(broken.utf8).write(to: URL(fileURLWithPath: work + "/base/tokenizer_config.json"))
                let source = try ModelSource(path: work + "/base")
                #expect(source.template.name == "unknown", "\(broken)")
                #expect(source.template.reason.hasPrefix("tokenizer_config.json") && source.template.reason.contains("can't be read: "))
                #expect(source.templates.isEmpty && source.warnings.isEmpty, "\(source.warnings)")
                for format in OutputFormat.allCases {
                    var options = ConversionOptions(base: work + "/base", output: "\(work)/\(format)")
                    options.format = format
                    let warnings = try Converter.convert(options).warnings
                    #expect(warnings.count == 1 && warnings[0].hasSuffix("; the output has no template"), "\(warnings)")
                }
            }
        }
    }

    @Test func `names that keys can't have come back`() throws {
        let names = ["中文 x", "", "rag", "中文 y", "é\n", String(repeating: "长", count: 30_000)]
        try Fixtures.withFolder { work in
            try ConversionFailureTests.copy("mini-llama", to: work + "/base")
            let list = [("default", "d")] + names.map { ($0, "t\($0.prefix(3))") }
            let json = try CarriedTemplateTests.json(["chat_template": list.map { ["name": $0.0, "template": $0.1] }])
            try Data(json.utf8).write(to: URL(fileURLWithPath: work + "/base/tokenizer_config.json"))
            try CarriedTemplateTests.walk(work + "/base", work) { source in
                #expect(source.templates.named.map(\.name) == names, "\(source.path)")
                #expect(source.templates.named.map(\.text) == names.map { Array("t\($0.prefix(3))".utf8) })
            }
            let keys = try GGUFReader(InputFile(path: work + "/0")).metadata.keys.filter { $0.hasPrefix("tokenizer.chat_template.") }
            #expect(Set(keys.map { $0.utf8.count }).count == 5 && keys.contains("tokenizer.chat_template.__ x"), "\(keys)")
        }
    }

    @Test func `named templates without a default`() {
        let found = Self.find(Self.pieces(32000)) { $0["tokenizer.chat_template.rag"] = .string(Array("x".utf8)) }
        #expect(found.name == "unknown" && found.reason.contains("\"rag\""))
        let both = Self.find(Self.pieces(32000)) {
            $0["tokenizer.chat_template.rag"] = .string(Array("x".utf8))
            $0[GGUFKey.chatTemplate] = .string(Array(KnownTemplate.alpaca2.source.utf8))
        }
        #expect(both.name == "alpaca-2")
    }

    @Test func `vocabularies of another size that were made alike`() {
        func find(_ names: [String] = [], piece: String = "\u{767d}", score: Float = 0, kind: TokenKind = .normal) -> ModelTemplate {
            let count = 400
            return Self.find((0..<count - 1).map { $0 < 300 ? "a\($0)" : piece + "\($0)" } + ["[PAD]"], names: names) {
                $0[GGUFKey.scores] = .array(.float32([Float](repeating: 0, count: count - 1) + [score]))
                $0[GGUFKey.tokenTypes] = .array(.int32([Int32](repeating: 1, count: count - 1) + [Int32(kind.rawValue)]))
            }
        }
        let guessed = find()
        #expect(guessed.name == "alpaca" && guessed.isGuessed && guessed.reason.hasSuffix(": a guess"))
        #expect(guessed.warning?.contains("\"alpaca\"") == true)
        let named = find(["mini-chinese-alpaca"])
        #expect(named.name == "alpaca" && !named.isGuessed && named.warning == nil)
        for other in [find(piece: "x"), find(score: -1000), find(score: -400), find(kind: .control), find(kind: .userDefined)] {
            #expect(other.name == "none" && other.warning == nil)
        }
    }

    @Test func `the vocabulary, and the names where it does not tell`() {
        #expect(Self.find(Self.pieces(49954, last: "[PAD]")).name == "alpaca")
        #expect(Self.find(Self.pieces(3941, last: "[PAD]")).name == "none")
        #expect(Self.find(Self.pieces(49953)).name == "none" && Self.find(Self.pieces(32000)).name == "none")
        #expect(Self.find(Self.pieces(7)).name == "none" && !Self.find(Self.pieces(7)).isTold)
        #expect(Self.find(Self.pieces(55296), names: ["chinese-llama-2-7b"]).name == "none")
        #expect(Self.find(Self.pieces(55296), names: ["chinese-llama-2-7b", "Chinese-Alpaca-2-7B"]).name == "alpaca-2")
        #expect(Self.find(Self.pieces(128256), names: ["llama-3-chinese-8b-instruct-v3"]).name == "alpaca-3")
        // Rows that fill up the matrix, and pieces of somebody's own.
        let padded = Self.find(Self.pieces(49954, last: "[PAD]") + ["[PAD49954]", "[PAD49955]"]) {
            $0[GGUFKey.tokenTypes] = .array(.int32([Int32](repeating: 1, count: 49954) + [5, 5]))
        }
        #expect(padded.name == "alpaca")
        #expect(Self.find(Self.pieces(49954, last: "[PAD]") + ["<mine>"]).name == "alpaca")
        var second = Self.pieces(55300)
        #expect(Self.find(second, names: ["alpaca"]).name == "none")
        second[32000] = "<pad>"
        #expect(Self.find(second, names: ["alpaca"]).name == "alpaca-2")
        // Names that files have: not the one that the user gives the output alone.
        for key in ["general.name", "general.basename", "general.base_model.0.name", "alpaca.base.name"] {
            #expect(Self.find(Self.pieces(55296)) { $0[key] = .string(Array("chinese-alpaca-2".utf8)) }.name == "alpaca-2", "\(key)")
        }
        let merged = Self.find(Self.pieces(55296)) {
            $0["general.name"] = .string(Array("my model".utf8))
            $0["alpaca.adapter.names"] = .array(.string(GGUFStrings(["chinese-alpaca-2-lora-7b"])))
        }
        #expect(merged.name == "alpaca-2")
    }

    // MARK: Folders

    static func texts(_ files: [String: String]) throws -> TemplateTexts {
        try Fixtures.withFolder(of: files) { TemplateTexts(try FolderFiles(path: $0)) }
    }

    static func string(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test func `a folder's texts, wherever they are`() throws {
        let text = try Self.texts(["tokenizer_config.json": #"{"chat_template": "a\nb\u5c71\u0001"}"#])
        #expect(Self.string(text.text) == "a\nb山\u{1}" && text.origin == "tokenizer_config.json" && text.named.isEmpty)
        let list = try Self.texts([
            "tokenizer_config.json": #"{"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}]}"#
        ])
        #expect(Self.string(list.text) == "d" && list.named.map(\.name) == ["rag"])
        // What transformers 5 writes counts before what its predecessors wrote.
        let jinja = try Self.texts([
            "chat_template.jinja": "j\r\n", "additional_chat_templates/tool_use.jinja": "t",
            "tokenizer_config.json": #"{"chat_template": "x"}"#,
            "chat_template.json": #"{"chat_template": "y"}"#,
        ])
        #expect(Self.string(jinja.text) == "j\r\n" && jinja.named.map(\.name) == ["tool_use"] && jinja.origin == "chat_template.jinja")
        let processor = try Self.texts(["chat_template.json": #"{"chat_template": "y"}"#, "tokenizer_config.json": "{}"])
        #expect(Self.string(processor.text) == "y" && processor.origin == "chat_template.json")
        for nothing in [[:], ["tokenizer_config.json": #"{"chat_template": null}"#], ["chat_template.jinja": ""]] {
            let found = try Self.texts(nothing)
            #expect(found.isEmpty && found.origin.isEmpty && found.warnings.isEmpty)
        }
        for broken in ["{", #"{"chat_template": 5}"#, #"{"chat_template": [{"name": "a"}]}"#] {
            let found = try Self.texts(["tokenizer_config.json": broken])
            #expect(found.isEmpty && found.warnings.count == 1, "\(broken)")
        }
    }

    @Test func `a folder's own name counts, whatever leads there`() throws {
        try Fixtures.withFolder { work in
            let folder = work + "/chinese-alpaca-2-7b"
            try ConversionFailureTests.copy("mini-llama", to: folder)
            try FileManager.default.createSymbolicLink(atPath: work + "/link", withDestinationPath: folder)
            for path in [folder, folder + "/", folder + "/.", work + "/link", work + "/link/model.safetensors", folder + "/../link/."] {
                let source = try ModelSource(path: path)
                #expect(source.names == ["chinese-alpaca-2-7b"], "\(path)")
                #expect(source.metadata[GGUFKey.name] == .string(Array("chinese-alpaca-2-7b".utf8)), "\(path)")
            }
            let config = try String(contentsOfFile: folder + "/config.json", encoding: .utf8)
            let named = config.replacingOccurrences(
                of: "{", with: "{\"_name_or_path\": \"/home/x/chinese-llama-2\",", options: [],
                range: config.startIndex..<config.index(after: config.startIndex))
            try Data(named.utf8).write(to: URL(fileURLWithPath: folder + "/config.json"))
            #expect(try ModelSource(path: folder).names == ["chinese-llama-2", "chinese-alpaca-2-7b"])
        }
    }
}

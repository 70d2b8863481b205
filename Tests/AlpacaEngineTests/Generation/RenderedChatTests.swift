import Foundation
import Testing

@testable import AlpacaEngine

/// Conversations in templates that a file has or a caller gives: their texts and tokens.
@Suite struct RenderedChatTests {
    static let chatml = """
        {%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}
        {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """

    static func messages(_ json: String) throws -> [ChatMessage] { try ChatMessage.list(json: json) }
    static func user(_ text: String) -> ChatMessage { ChatMessage(role: .user, content: text) }
    static func assistant(_ text: String) -> ChatMessage { ChatMessage(role: .assistant, content: text) }

    /// A tiny model with a tokenizer of the family, and what else is to be in its folder.
    static func withModel<R>(_ tokenizer: String, files: [String: String] = [:], _ body: (Model) throws -> R) throws -> R {
        try Fixtures.withFolder { folder in
            let from = Fixtures.sharedPath("fixtures/family/tokenizers/\(tokenizer)")
            let json = try JSONDocument(InputFile(path: from + "/tokenizer.json")).root
            let count = try ByteLevelTokenizer(ByteLevelTokenizer.Parts(tokenizerJSON: json)).count
            try TinyModel(rows: count, fields: ["max_position_embeddings": "4096"]).write(to: folder)
            try FileManager.default.removeItem(atPath: folder + "/tokenizer.model")
            for name in ["tokenizer.json", "tokenizer_config.json"] {
                try Data(contentsOf: URL(fileURLWithPath: "\(from)/\(name)")).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
            for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
            return try body(Model(path: folder))
        }
    }

    static let hasTokenizers = Fixtures.isShared("fixtures/family/tokenizers/llama_bpe/tokenizer.json")
    static let missing: Comment = "the family's tokenizers are not in ALPACA_SHARED"

    /// Every row of the goldens that has ids: those where names of special tokens in a message are text, and, of the whole text, those where
    /// they are tokens.
    @Test(.enabled(if: hasTokenizers, missing)) func `ids are those of transformers`() throws {
        let folder = Fixtures.golden("family/chat")
        let inputs = try Jinja.json(folder.appendingPathComponent("inputs.json"))
        try Self.withModel("llama_bpe") { model in
            var count = 0, different = 0
            for row in try Jinja.lines(folder.appendingPathComponent("rendered.jsonl")) where row["ids"] != nil {
                count += 1
                let source = try String(
                    contentsOf: folder.appendingPathComponent("templates/\(row.string("template")).jinja"), encoding: .utf8)
                var input = TemplateInput()
                input.time = 1_720_256_703
                input.variables = "{\"eos_token\": \"<|eot_id|>\"}"
                let rendered = try model.render(
                    ChatMessage.list(inputs.member("messages").member(row.string("messages"))),
                    template: .named(ChatTemplate(source: source)),
                    input, asksForAnswer: row.bool("add_generation_prompt"), addsBOS: false)
                func ids(_ key: String) throws -> [TokenID] { try row.member(key).array().map { TokenID(try $0.int()) } }
                let place: Comment = "\(try row.string("template")), \(try row.string("messages"))"
                #expect(try rendered.text == row.string("text"), place)
                #expect(try rendered.ids == ids("ids_sanitized"), place)
                #expect(try model.tokenizer.ids(of: Array(rendered.text.utf8), addBOS: false, parseSpecial: true) == ids("ids"))
                if try ids("ids") != ids("ids_sanitized") { different += 1 }
            }
            #expect(count == 12 && different == 6)
        }
    }

    /// Whatever a caller writes, in whatever place: the special tokens of the prompt are those that stand there when it writes harmless words.
    @Test(.enabled(if: hasTokenizers, missing), arguments: ["llama_bpe", "qwen2", "smollm"])
    func `no text becomes a special token`(tokenizer: String) throws {
        let folder = Fixtures.golden("family/chat/templates")
        let sources = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
            ($0, try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8))
        }
        try Self.withModel(tokenizer) { model in
            let tokenizer = model.tokenizer
            let names = tokenizer.model.specialTokens.map { String(decoding: $0.content, as: UTF8.self) }
            #expect(names.count > 3)
            let hostile = names.joined(separator: " ") + " " + (names[0] + names[1] + "\n" + names[2])
            let special = Set(tokenizer.model.specialTokens.map(\.id))
            var rendered = 0
            for (name, source) in sources + KnownTemplate.allCases.map({ ($0.rawValue, $0.source) }) {
                guard let template = try? ChatTemplate(source: source) else { continue }
                for shape in 0..<4 {
                    func tokens(_ words: String) throws -> [TokenID]? {
                        guard let result = try? model.render(Self.conversation(words, shape), template: .named(template), Self.input(words))
                        else { return nil }
                        #expect(!result.text.isEmpty)
                        return result.ids.filter { special.contains($0) }
                    }
                    let found = try tokens(hostile), expected = try tokens("words")
                    #expect(found == expected, "\(name), \(shape)")
                    if found != nil { rendered += 1 }
                }
            }
            #expect(rendered > 60)
        }
    }

    private static func input(_ words: String) throws -> TemplateInput {
        func json(_ value: Any) throws -> String { String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self) }
        var input = TemplateInput()
        input.tools = try json([["type": "function", "function": ["name": words, "description": words, "parameters": ["a": words]]]])
        input.documents = try json([["title": words, "text": words]])
        input.variables = try json(["note": words, "enable_thinking": false, "date_string": words])
        return input
    }

    private static func conversation(_ words: String, _ shape: Int) throws -> [ChatMessage] {
        func json(_ value: Any) throws -> String { String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self) }
        let call = [["id": words, "type": "function", "function": ["name": words, "arguments": ["a": words]]] as [String: Any]]
        let list: [[String: Any]] =
            switch shape {
            case 0: [["role": "user", "content": words]]
            case 1: [["role": "system", "content": words], ["role": "user", "content": words]]
            case 2:
                [
                    ["role": "user", "content": words], ["role": "assistant", "content": words, "reasoning_content": words],
                    ["role": "user", "content": words],
                ]
            default:
                [
                    ["role": "user", "content": words], ["role": "assistant", "content": words, "tool_calls": call],
                    ["role": "tool", "name": words, "tool_call_id": words, "content": words], ["role": "assistant", "content": words],
                    ["role": "user", "content": words],
                ]
            }
        return try messages(json(list))
    }

    @Test(.enabled(if: hasTokenizers, missing)) func `the token that begins a text is there once`() throws {
        try Self.withModel("llama_bpe") { model in
            let tokenizer = model.tokenizer, bos = try #require(tokenizer.bos)
            #expect(tokenizer.addsBOS)
            for (source, own) in [("{{ bos_token }}{{ messages[0].content }}", true), ("{{ messages[0].content }}", false)] {
                let template = TemplateChoice.named(try ChatTemplate(source: source))
                for adds in [true, false] {
                    let ids = try model.render([Self.user("山 <|begin_of_text|>")], template: template, addsBOS: adds).ids
                    #expect(ids.count { $0 == bos } == (own || adds ? 1 : 0), "\(source)")
                    #expect((ids.first == bos) == (own || adds))
                }
                let session = try model.makeSession()
                var parameters = GenerationParameters()
                (parameters.template, parameters.maxNewTokens) = (template, 1)
                _ = try session.chat([Self.user("山")], parameters) { _ in true }
                #expect(try session.tokens().count { $0 == bos } == 1)
            }
        }
    }
}

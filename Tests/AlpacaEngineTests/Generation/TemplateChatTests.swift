import Foundation
import Testing

@testable import AlpacaEngine

/// Sessions with a template in Jinja: the prompt is what the template renders, and a conversation behaves as with the known ones.
@Suite struct TemplateChatTests {
    private static let model = Result { try Model(path: MiniFamily.f16) }
    /// Headings of the model's own kind, so that answers are poems.
    private static let source = """
        {{ bos_token }}{% if messages[0].role == 'system' %}{{ messages[0].content }}

        {% endif %}{% for m in messages if m.role != 'system' %}{% if m.role == 'user' %}### Instruction:

        {{ m.content }}

        ### Response:

        {% elif m.role == 'tool' %}### Input:

        {{ m.content }}

        {% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}
        """

    private func session(_ contextLength: Int = 512) throws -> Session {
        var options = Session.Options()
        options.contextLength = contextLength
        return try Self.model.get().makeSession(options)
    }

    private func parameters(_ source: String = source) throws -> GenerationParameters {
        var parameters = GenerationParameters()
        parameters.sampling = .greedy
        parameters.maxNewTokens = 32
        parameters.template = .named(try ChatTemplate(source: source))
        return parameters
    }

    private func user(_ text: String) -> ChatMessage { ChatMessage(role: .user, content: text) }
    private func assistant(_ text: String) -> ChatMessage { ChatMessage(role: .assistant, content: text) }

    private func write(_ session: Session, _ messages: [ChatMessage], _ parameters: GenerationParameters) throws -> (
        text: String, result: GenerationResult
    ) {
        var text: [UInt8] = []
        let result = try session.chat(messages, parameters) { event in
            for i in event.text.indices { text.append(event.text[i]) }
            return true
        }
        return (String(decoding: text, as: UTF8.self), result)
    }

    @Test func `what was read is not read again`() throws {
        let used = try session(), parameters = try parameters()
        var messages = [ChatMessage(role: .system, content: "你是诗人。"), user("写一首五言绝句，题目是《山中》")]
        for turn in 0..<4 {
            let before = try used.tokens()
            let answer = try write(used, messages, parameters)
            #expect(!answer.text.isEmpty)
            // A fresh session reads the same prompt.
            let fresh = try session()
            let again = try write(fresh, messages, parameters)
            #expect(again.text == answer.text && again.result.promptTokens == answer.result.promptTokens)
            #expect(try fresh.tokens() == used.tokens())
            let prompt = try Self.model.get().render(messages, template: parameters.template, addsBOS: true).ids
            #expect(prompt.count == answer.result.promptTokens)
            // All of the prompt that is what the session held; only its last token is always read.
            let common = zip(before, prompt).prefix { $0 == $1 }.count
            #expect(answer.result.cachedTokens >= min(common, prompt.count - 1) && (turn == 0 || common > 30))
            messages += [assistant(answer.text), user("再写一首，第\(turn)首")]
        }
    }

    @Test func `a conversation outgrows its context`() throws {
        let used = try session(256)
        var parameters = try parameters()
        (parameters.maxNewTokens, parameters.contextShift) = (8, true)
        var messages = [ChatMessage(role: .system, content: "你是诗人。")]
        var leftOut = 0
        for turn in 0..<20 {
            messages.append(user("写一首关于山水的诗，第\(turn)首。"))
            let answer = try write(used, messages, parameters)
            #expect(answer.result.promptTokens <= 256 - 8 && answer.result.leftOutMessages >= leftOut)
            leftOut = answer.result.leftOutMessages
            let seen = try Self.model.get().tokenizer.text(of: used.tokens())
            #expect(seen.contains("你是诗人。") && seen.contains("第\(turn)首。"))
            messages.append(assistant(answer.text))
        }
        #expect(leftOut > 4)
    }

    @Test func `a failed turn changes nothing`() throws {
        let session = try session(256)
        _ = try write(session, [user("好")], parameters())
        let before = try session.tokens()
        func error(_ messages: [ChatMessage], _ source: String, _ change: (inout GenerationParameters) -> Void = { _ in }) throws
            -> AlpacaError?
        {
            var parameters = try parameters(source)
            change(&parameters)
            return alpacaError { _ = try write(session, messages, parameters) }
        }
        let said = try error([user("好")], "line\n{{ raise_exception('roles must alternate: ' + messages[0].role) }}")
        #expect(said?.code == .invalidArgument && said?.message.contains("roles must alternate: user") == true, "\(said?.message ?? "")")
        #expect(try error([user("好")], "{{ messages[0].nothing.at_all }}")?.code == .invalidArgument)
        #expect(
            try error([user("好")], "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")?.code == .unsupported
        )
        #expect(try error([user("好")], "{{ 'a' * 100000000 }}")?.code == .outOfMemory)
        #expect(try error([user(String(repeating: "山水风月", count: 400))], Self.source)?.code == .contextFull)
        #expect(try error([user("好"), assistant("是")], Self.source)?.code == .invalidArgument)
        #expect(try error([], Self.source)?.code == .invalidArgument)
        #expect(try error([user("好")], Self.source) { $0.templateInput.continuesFinalMessage = true }?.code == .invalidArgument)
        #expect(try error([user("好")], Self.source) { $0.templateInput.tools = "{" }?.code == .invalidArgument)
        #expect(try error([user("好")], Self.source) { $0.templateInput.tools = "{}" }?.code == .invalidArgument)
        #expect(try error([user("好")], Self.source) { $0.templateInput.variables = "[1]" }?.code == .invalidArgument)
        #expect(try error([user("好")], Self.source) { $0.templateInput.variables = "{\"messages\": 1}" }?.code == .invalidArgument)
        #expect(try session.tokens() == before)
    }

    @Test func `the assistant's message goes on`() throws {
        let model = try Self.model.get()
        var parameters = try parameters()
        let messages = [user("写一首五言绝句，题目是《秋夜》")]
        let whole = try write(session(), messages, parameters).text
        let half = String(whole.prefix(whole.count / 2))
        parameters.templateInput.continuesFinalMessage = true
        let rest = try write(session(), messages + [assistant(half)], parameters)
        #expect(half + rest.text == whole)
        // The known templates can do it, too.
        for name in ChatTemplate.allNames where name != "alpaca-3" {
            var input = TemplateInput()
            input.continuesFinalMessage = true
            let rendered = try model.render(
                messages + [assistant("山 ")], template: .byName(name), input, asksForAnswer: false)
            #expect(rendered.text.hasSuffix("山 "), "\(name): \(rendered.text)")
            parameters.template = .byName(name)
            #expect(try write(session(), messages + [assistant(half)], parameters).result.promptTokens > 20)
        }
        // Where the template takes blanks away, the one at the end is gone; where it leaves the message out, that is said.
        var input = TemplateInput()
        input.continuesFinalMessage = true
        func text(_ source: String) throws -> String {
            try model.render([user("a"), assistant("b \n")], template: .named(ChatTemplate(source: source)), input).text
        }
        #expect(try text("{% for m in messages %}<{{ m.content | trim }}>{% endfor %}") == "<a><b")
        #expect(try text("{% for m in messages %}<{{ m.content }}>{% endfor %}") == "<a><b \n")
        let error = try #require(alpacaError { _ = try text("{{ messages[0].content }}") })
        #expect(error.code == .invalidArgument && error.message.contains("continue_final_message"))
    }

    @Test func `what a message has reaches the template`() throws {
        let model = try Self.model.get()
        func text(_ json: String, _ source: String, _ change: (inout TemplateInput) -> Void = { _ in }) throws -> String {
            var input = TemplateInput()
            change(&input)
            return try model.render(ChatMessage.list(json: json), template: .named(ChatTemplate(source: source)), input).text
        }
        let call = #"[{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"b":1,"a":[1.0,true]}}}]}]"#
        #expect(try text(call, "{{ messages[0].tool_calls[0].function.arguments | tojson }}") == #"{"b": 1, "a": [1.0, true]}"#)
        #expect(try text(call, "{{ messages[0].content is defined }}") == "False")
        let parts = #"[{"role":"user","content":[{"type":"text","text":"山"},{"type":"image"}]}]"#
        #expect(try text(parts, "{% for p in messages[0].content %}{{ p.type }} {{ p.text }};{% endfor %}") == "text 山;image ;")
        #expect(try text(#"[{"role":"developer","content":"x"}]"#, "{{ messages[0].role }}") == "developer")
        #expect(try text(#"[{"role":"assistant","content":"x","reasoning":"y"}]"#, "{{ messages[0].reasoning_content }}") == "y")
        let plain = #"{"messages":[{"role":"user","content":"x"}]}"#
        #expect(try text(plain, "{{ tools is none }} {{ enable_thinking is defined }}") == "True False")
        #expect(
            try text(plain, "{{ tools[0].name }} {{ documents | length }} {{ enable_thinking }}") {
                $0.tools = #"[{"name":"f"}]"#
                $0.documents = "[1, 2]"
                $0.variables = #"{"enable_thinking": false}"#
            } == "f 2 False")
        #expect(try text(plain, "{{ strftime_now('%Y-%m-%d %H:%M') }}") { $0.time = 1_720_256_703 } == "2024-07-06 09:05")
        for wrong in ["", "{", "[1]", #"[{"content":"x"}]"#, #"[{"role":1,"content":"x"}]"#, #"[{"role":"user","content":5}]"#, "{}"] {
            #expect(alpacaError { _ = try ChatMessage.list(json: wrong) }?.code == .invalidArgument, "\(wrong)")
        }
    }

    /// A template of the model's files, named ones beside it.
    @Test func `the files' own word counts`() throws {
        try Fixtures.withFolder { folder in
            let list = [
                ["name": "default", "template": "D{{ messages[-1].content }}"],
                ["name": "tool_use", "template": "T{{ messages[-1].content }}"],
                ["name": "broken", "template": "{% if %}"],
            ]
            try TinyModel(files: ["tokenizer_config.json": CarriedTemplateTests.json(["chat_template": list])]).write(to: folder)
            let model = try Model(path: folder)
            #expect(model.template?.name == "jinja" && model.modelTemplate.warning == nil)
            #expect(model.templateSource() == list[0]["template"] && model.templateSource(named: "tool_use") == list[1]["template"])
            #expect(
                model.templateSource(named: "nothing") == nil && model.templateSource(named: "alpaca-2") == KnownTemplate.alpaca2.source)
            func text(_ choice: TemplateChoice, tools: String? = nil) throws -> String {
                var input = TemplateInput()
                input.tools = tools
                return try model.render([user("x")], template: choice, input).text
            }
            let given = TemplateChoice.named(try ChatTemplate(source: "C{{ messages[0].content }}"))
            #expect(try text(.automatic) == "Dx")
            #expect(try text(.none) == "x")
            #expect(try text(.automatic, tools: "[]") == "Tx")
            #expect(try text(.byName("auto"), tools: "[{}]") == "Tx")
            #expect(try text(.byName("tool_use")) == "Tx")
            #expect(try text(.byName("default"), tools: "[]") == "Dx")
            #expect(try text(given, tools: "[]") == "Cx")
            let broken = try #require(alpacaError { _ = try text(.byName("broken")) })
            #expect(broken.code == .badFormat && broken.message.contains("line 1") && broken.message.contains("broken"))
            let unknown = try #require(alpacaError { _ = try text(.byName("nothing")) })
            #expect(unknown.code == .invalidArgument && unknown.message.contains("tool_use"))
            // A chat without a word about templates gets it.
            let session = try model.makeSession()
            _ = try session.chat([user("the")], GenerationParameters()) { _ in false }
            #expect(try model.tokenizer.text(of: session.tokens()).contains("Dthe"))
        }
    }

    @Test func `a text that is no template`() throws {
        try Fixtures.withFolder { folder in
            try TinyModel(files: ["chat_template.jinja": "a\n{{ messages[0].content"]).write(to: folder)
            let model = try Model(path: folder)
            #expect(model.template == nil && model.modelTemplate.name == "unknown")
            let warning = try #require(model.modelTemplate.warning)
            #expect(warning.contains("chat_template.jinja has a template that can't be read: line 2"), "\(warning)")
            // The prompt goes in as it is.
            let session = try model.makeSession()
            _ = try session.chat([user("the")], GenerationParameters()) { _ in false }
            let prompt = model.tokenizer.encode("the", addBOS: true)
            #expect(try Array(session.tokens().prefix(prompt.count)) == prompt)
        }
    }

    // MARK: Ends

    @Test func `what the template puts behind an answer ends it`() throws {
        let tokenizer = try Self.model.get().tokenizer, eos = try #require(tokenizer.eos)
        func ends(_ source: String) throws -> TemplateEnds { try ChatTemplate(source: source).ends(tokenizer) }
        let all = "{% for m in messages %}"
        #expect(try ends(all + "{{ m.content }}{{ eos_token }}{% endfor %}").tokens == [eos])
        #expect(try ends(all + "{{ m.content }}</s>{% endfor %}").tokens == [eos])
        #expect(try ends(all + "<|im_start|>{{ m.content }}<|im_end|>\n{% endfor %}").texts == ["<|im_end|>"])
        #expect(try ends(all + "{{ '### ' + m.role }}:\n{{ m.content }}\n{% endfor %}").texts.isEmpty)
        #expect(try ends(all + "### Human:\n{{ m.content }}\n{% endfor %}").texts == ["### Human:"])
        // What the caller wrote ends nothing, and a template that fails has no end.
        #expect(try ends(all + "{{ m.content }}{{ m.role }}{% endfor %}").texts.isEmpty)
        #expect(try ends("{{ raise_exception('no') }}").tokens.isEmpty)
    }

    @Test func `special tokens of an answer are shown when asked for`() throws {
        let tokenizer = try Self.model.get().tokenizer
        let ids = tokenizer.encode("山") + [1, 1] + tokenizer.encode("水")
        for shows in [false, true] {
            var text = AnswerText(stops: [], stripsSpace: true, showsSpecial: shows)
            var seen: [UInt8] = []
            for id in ids {
                _ = text.add(id, tokenizer)
                seen += text.ready
            }
            #expect(String(decoding: seen, as: UTF8.self) == (shows ? "山<s><s> 水" : "山 水"))
        }
    }
}

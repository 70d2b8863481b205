import CAlpaca
import Glibc
import Testing

/// Chat templates through the C interface.
@Suite struct TemplateTests {
    static let endless = "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}"

    /// What a conversation becomes: the outcome, the text, the ids.
    private func render(
        _ model: OpaquePointer?, _ messages: String = World.messages, text source: String? = nil, named name: String? = nil,
        _ change: (inout alpaca_render_params) -> Void = { _ in }
    ) -> (outcome: Outcome, text: String, ids: [Int32]) {
        let source = source.map { strdup($0) } ?? nil, name = name.map { strdup($0) } ?? nil
        defer {
            free(source)
            free(name)
        }
        var params = alpaca_render_params()
        _ = alpaca_render_params_init(&params, MemoryLayout<alpaca_render_params>.size)
        (params.template_text, params.template_name) = (UnsafePointer(source), UnsafePointer(name))
        change(&params)
        var text: OpaquePointer?
        var ids = [Int32](repeating: -1, count: 1 << 16)
        var n = 0
        let status = alpaca_model_render_chat(model, messages, messages.utf8.count, &params, &text, &ids, ids.count, &n)
        guard status == ALPACA_OK else { return (outcome(status), "", []) }
        return (.ok, take(text), Array(ids[..<n]))
    }

    @Test func textAndIDs() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let own = render(model)
        #expect(own.outcome == .ok && own.text.contains("### Instruction:") && own.text.contains("山") && own.ids.count > 10)
        #expect(render(model, named: "alpaca").ids == own.ids && render(model, named: "none").text == "山")
        // With and without what the answer begins with; with and without what a text begins with.
        let source = "{{ messages[0].content }}{% if add_generation_prompt %}!{% endif %}"
        #expect(render(model, text: source).text == "山!" && render(model, text: source) { $0.add_generation_prompt = 0 }.text == "山")
        let plain = render(model, text: source).ids
        #expect(render(model, text: source) { $0.add_bos = 1 }.ids == [1] + plain && !plain.contains(1))
        #expect(render(model, text: "{{ bos_token }}" + source) { $0.add_bos = 1 }.ids.count { $0 == 1 } == 1)
        // Names of special tokens are tokens where the template writes them.
        let both = render(model, #"[{"role": "user", "content": "<s></s>"}]"#, text: "</s>{{ messages[0].content }}{{ eos_token }}")
        #expect(both.text == "</s><s></s></s>" && both.ids.first == 2 && both.ids.last == 2 && both.ids.count { $0 == 1 || $0 == 2 } == 2)

        // The number of ids is told although they have no room; the text alone needs none.
        var text: OpaquePointer?
        var n = 0
        let length = World.messages.utf8.count
        #expect(alpaca_model_render_chat(model, World.messages, length, nil, &text, nil, 0, &n) == ALPACA_BUFFER_TOO_SMALL)
        #expect(n == own.ids.count && text == nil)
        #expect(alpaca_model_render_chat(model, World.messages, length, nil, &text, nil, 0, nil) == ALPACA_OK)
        #expect(take(text) == own.text)
        // What a chat reads.
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        var result = alpaca_generation_result.empty
        var params = Fixture.greedy { $0.max_new_tokens = 1 }
        #expect(outcome(alpaca_session_chat_json(session, World.messages, length, &params, nil, nil, &result)) == .ok)
        var tokens = [Int32](repeating: 0, count: 512)
        #expect(alpaca_session_tokens(session, &tokens, tokens.count, &n) == ALPACA_OK)
        #expect(Int(result.n_prompt) == own.ids.count && Array(tokens[..<own.ids.count]) == own.ids)
        var message = alpaca_message(role: 1, reserved: 0, content: nil, length: 3)
        "山".withCString { content in
            message.content = content
            #expect(outcome(alpaca_session_chat(session, &message, 1, &params, nil, nil, &result)) == .ok)
        }
        #expect(Int(result.n_prompt) == own.ids.count && result.n_cached > 0)
    }

    @Test func whatTheTemplateGets() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let rendered = "[{\"a\":1}]".withCString { tools in
            "{\"x\":[true,null,1.5]}".withCString { variables in
                render(model, text: "{{ tools[0].a }} {{ documents }} {{ x }} {{ strftime_now('%Y-%m-%d') }}") {
                    ($0.tools, $0.documents, $0.variables, $0.time) = (tools, tools, variables, 1_720_256_703)
                }
            }
        }
        #expect(rendered.text == "1 [{'a': 1}] [True, None, 1.5] 2024-07-06")
        let json = #"[{"role": "tool", "content": [{"type": "text", "text": "x"}], "name": "f"}]"#
        #expect(render(model, json, text: "{{ messages[0].name }}{{ messages[0].content[0].text }}").text == "fx")
        let half = #"[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]"#
        #expect(
            render(model, half, text: "{% for m in messages %}<{{ m.content }}>{% endfor %}") { $0.continue_final_message = 1 }.text
                == "<a><b")
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        let failure = "{{ raise_exception('After the optional system message, roles must alternate') }}".withCString { source in
            var params = Fixture.greedy { $0.template_text = source }
            return outcome(alpaca_session_chat_json(session, World.messages, World.messages.utf8.count, &params, nil, nil, nil))
        }
        #expect(
            failure.status == "ALPACA_INVALID_ARGUMENT"
                && failure.message.contains("After the optional system message, roles must alternate"))
        #expect(alpaca_session_position(session) == 0)
    }

    /// Programs of strangers: each ends, soon, with little memory, and says why.
    @Test(arguments: [
        ("loops", endless, "ALPACA_UNSUPPORTED"),
        (
            "a loop in a macro", "{% macro f(n) %}{% for i in range(99999) %}{{ f(n) }}{% endfor %}{% endmacro %}{{ f(1) }}",
            "ALPACA_UNSUPPORTED"
        ),
        ("recursion", "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "ALPACA_UNSUPPORTED"),
        ("two macros", "{% macro f(n) %}{{ g(n) }}{% endmacro %}{% macro g(n) %}{{ f(n) }}{% endmacro %}{{ f(0) }}", "ALPACA_UNSUPPORTED"),
        ("a long string", "{{ 'a' * 100000000 }}", "ALPACA_OUT_OF_MEMORY"),
        (
            "doubling", "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "ALPACA_OUT_OF_MEMORY"
        ),
        ("long output", "{% for i in range(90000) %}{{ 'a' * 90000 }}{% endfor %}", "ALPACA_OUT_OF_MEMORY"),
        (
            "a long list", "{% set ns = namespace(x=[1, 2]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "ALPACA_OUT_OF_MEMORY"
        ),
        ("a long range", "{% for i in range(1000000000) %}{% endfor %}", "ALPACA_UNSUPPORTED"),
        ("replace", "{{ ('a' * 4000000) | replace('a', 'bbbbbbbb') }}", "ALPACA_OUT_OF_MEMORY"),
        ("nested ifs", String(repeating: "{% if x %}", count: 10000), "ALPACA_INVALID_ARGUMENT"),
        ("parentheses", "{{ " + String(repeating: "(", count: 100_000) + " }}", "ALPACA_INVALID_ARGUMENT"),
        ("lists", "{{ " + String(repeating: "[", count: 100_000) + " }}", "ALPACA_INVALID_ARGUMENT"),
        ("minuses", "{{ " + String(repeating: "-", count: 100_000) + "1 }}", "ALPACA_INVALID_ARGUMENT"),
        ("a large source", String(repeating: "x", count: 2_000_000), "ALPACA_INVALID_ARGUMENT"),
        ("an attribute of Python's", "{{ messages.__class__.__mro__ }}", "ALPACA_INVALID_ARGUMENT"),
        ("a file", "{% include '/etc/passwd' %}", "ALPACA_INVALID_ARGUMENT"),
    ]) func hostile(name: String, source: String, status: String) throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let before = memory(), start = clock_time()
        let result = render(model, text: source)
        #expect(result.outcome.status == status, "\(result.outcome) \(result.text.prefix(100))")
        #expect(!result.outcome.message.isEmpty && result.outcome.message.utf8.count < 400)
        // Of a debug build on a busy machine; a built library needs a tenth of it.
        #expect(clock_time() - start < 60)
        #expect(memory() - before < 600 << 20)
    }

    private func clock_time() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)
        return Double(now.tv_sec)
    }

    /// The most memory that this process has had.
    private func memory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }

    /// A model whose files have a default and others; one of them can't be read.
    @Test func namedTemplates() throws {
        try withFolder { folder in
            var params = alpaca_convert_params()
            _ = alpaca_convert_params_init(&params, MemoryLayout<alpaca_convert_params>.size)
            params.format = Int32(ALPACA_FORMAT_HF.rawValue)
            let converted = Fixture.q8.withCString { base in
                (folder + "/model").withCString { output in
                    (params.base, params.output) = (base, output)
                    return outcome(alpaca_convert(&params, nil, nil))
                }
            }
            #expect(converted == .ok)
            try write("D{{ messages[0].content }}", to: folder + "/model/chat_template.jinja")
            #expect(mkdir(folder + "/model/additional_chat_templates", 0o700) == 0)
            try write("T{{ tools | length }}", to: folder + "/model/additional_chat_templates/tool_use.jinja")
            try write("a\n{% if %}", to: folder + "/model/additional_chat_templates/rag.jinja")
            let model = try Fixture.model(folder + "/model")
            defer { alpaca_model_free(model) }
            func source(_ name: String?) -> String {
                var text: OpaquePointer?
                let status = alpaca_model_chat_template(model, name, &text)
                return status == ALPACA_OK ? take(text) : outcome(status).description
            }
            #expect(source(nil) == "D{{ messages[0].content }}" && source("default") == source(nil))
            #expect(source("tool_use") == "T{{ tools | length }}" && source("rag") == "a\n{% if %}")
            #expect(source("nobody's").contains("ALPACA_NOT_FOUND"))
            #expect(render(model).text == "D山" && render(model, named: "tool_use").outcome.status == "ALPACA_INVALID_ARGUMENT")
            "[1, 2]".withCString { tools in #expect(render(model) { $0.tools = tools }.text == "T2") }
            let broken = render(model, named: "rag").outcome
            #expect(broken.status == "ALPACA_BAD_FORMAT" && broken.message.contains("rag") && broken.message.contains("line 2"))
            var info = alpaca_model_info()
            info.struct_size = MemoryLayout<alpaca_model_info>.size
            #expect(alpaca_model_get_info(model, &info) == ALPACA_OK)
            #expect(withUnsafeBytes(of: info.template_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } == "jinja")
        }
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/alpaca-abi-XXXXXX".utf8CString)
        _ = try #require(mkdtemp(&template))
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { _ = system("rm -rf '\(folder)'") }
        try body(folder)
    }

    private func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        #expect(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }
}

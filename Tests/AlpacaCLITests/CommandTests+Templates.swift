import Foundation
import Testing

extension CommandTests {
    /// Who names a template needs no word about the model's own.
    @Test func `an unknown template is told of where it counts`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("alpaca-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let base = folder + "/base", tokens = ["-n", "1", "-c", "256"]
        #expect(try run("convert", CommandTests.model, "--format", "hf", "-o", base).status == 0)
        try Data("{{ messages[0].content }\n of a stranger".utf8).write(to: URL(fileURLWithPath: base + "/chat_template.jinja"))
        for command in ["generate", "chat"] {
            let told = try run([command, base] + tokens, input: "hi\n")
            #expect(told.status == 0 && told.error.contains("has a template that can't be read: line 1"), "\(told.error)")
            #expect(try run([command, base, "--template", "AUTO"] + tokens, input: "hi\n").error == told.error)
            for name in ["none", "alpaca"] {
                let quiet = try run([command, base, "--template", name] + tokens, input: "hi\n")
                #expect(quiet.status == 0 && !quiet.error.contains("template"), "\(quiet.error)")
            }
        }
    }

    /// What `template` shows and renders, by the model's own template and by those that the user gives.
    @Test func `templates are shown and rendered`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("alpaca-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func write(_ text: String, _ name: String) throws -> String {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            return "\(folder)/\(name)"
        }
        let base = folder + "/base"
        #expect(try run("convert", CommandTests.model, "--format", "hf", "-o", base).status == 0)
        let turns = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        let source = turns + "{% if add_generation_prompt %}!{% endif %}"
        _ = try write(source + "\n", "base/chat_template.jinja")
        let shown = try run("template", base)
        #expect(shown.status == 0 && shown.text == source + "\n" && shown.error.contains("its text is in chat_template.jinja"))
        #expect(try run("template", base, "--json").text.contains("\"origin\" : \"chat_template.jinja\""))
        #expect(try run("template", CommandTests.model).text.contains("### Instruction:"))

        let messages = try write(#"[{"role": "user", "content": "<s>"}]"#, "messages.json")
        func rendered(_ arguments: String..., model: String? = nil) throws -> (text: String, error: String, status: Int32) {
            let result = try run(["template", model ?? base, "-m", messages] + arguments)
            return (result.text, result.error, result.status)
        }
        #expect(try rendered().text == "<s>[user]<s>!\n")
        #expect(try rendered("--no-generation-prompt").text == "<s>[user]<s>\n")
        #expect(try rendered("--system", "你").text == "<s>[system]你[user]<s>!\n")
        // The first is the template's, the other one the caller's.
        let ids = try rendered("--ids").text.split { $0 == " " || $0 == "\n" }
        #expect(ids.first == "1" && ids.count { $0 == "1" } == 1)
        let tools = try write(#"[{"name": "f"}]"#, "tools.json")
        let other = try write("{{ tools[0].name }} {{ x }} {{ y }}", "other.jinja")
        #expect(try rendered("--tools", tools, "--template-file", other, "--var", "x=[1, 2]", "--var", "y=a b").text == "f [1, 2] a b\n")
        #expect(try rendered("--chat-template", "{{ messages[0].role }}").text == "user\n")
        // What the template does not mention is not dropped in silence.
        let idle = try rendered("--tools", tools, "--template-file", other, "--var", "x=1", "--var", "z=1")
        #expect(idle.status == 0 && idle.error == "warning: --var z: no effect, the template does not mention it\n")
        for template in ["none", "alpaca-2"] {
            let idle = try rendered("--tools", tools, "--template", template)
            #expect(idle.status == 0 && idle.error == "warning: --tools: no effect, the template does not mention it\n")
        }
        let said = try run(["generate", base, "hi", "-n", "1", "--template", "alpaca-2", "--var", "z=1"])
        #expect(said.status == 0 && said.error.contains("warning: --var z: no effect"))
        let piped = try run(["template", base, "-m", "-"], input: #"{"messages": [{"role": "user", "content": "山"}]}"#)
        #expect(piped.text == "<s>[user]山!\n")
        let half = try write(#"[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]"#, "messages.json")
        #expect(try run("template", base, "-m", half, "--continue").text == "<s>[user]a[assistant]b\n")

        for (arguments, status, word) in [
            (["--template", "nobody's"], 2, "nobody's"), (["--template", "{% if"], 2, "line 1"), (["--var", "x"], 2, "NAME=VALUE"),
            (["--template", "{{ raise_exception('no more') }}"], 1, "no more"), (["--tools", "/nonexistent"], 1, "/nonexistent"),
            (["--tools", other], 1, "other.jinja: line 1, column 2"), (["--template-file", "/nonexistent"], 1, "/nonexistent"),
            (["--template", "none", "--template-file", other], 2, "not both"),
        ] as [([String], Int32, String)] {
            let result = try run(["template", base, "-m", half] + arguments)
            #expect(result.status == status && result.error.contains(word), "\(arguments): \(result.status) \(result.error)")
        }
        #expect(try run("template", base, "--ids").status == 2)
        // A chat reads the same, and says what the template has against it.
        let chat = try run(["chat", base, "-n", "1", "-c", "256", "--template", "{{ raise_exception('no more') }}"], input: "hi\n")
        #expect(chat.status == 1 && chat.error.contains("no more"))
        #expect(try run(["generate", base, "hi", "-n", "1", "--tools", tools, "--template-file", other]).status == 0)
    }
}

import AlpacaEngine
import Foundation
import Testing

/// What transformers and Jinja make of the same templates.
@Suite struct JinjaGoldenTests {
    static let folder = Fixtures.golden("family/chat")

    @Test func `all 425 renderings are those of transformers`() throws {
        let inputs = try Jinja.json(Self.folder.appendingPathComponent("inputs.json"))
        var templates: [String: String] = [:]
        var count = 0
        for row in try Jinja.lines(Self.folder.appendingPathComponent("rendered.jsonl")) {
            count += 1
            let name = try row.string("template"), messages = try row.string("messages")
            let url = Self.folder.appendingPathComponent("templates/\(name).jinja")
            let source = try templates[name] ?? String(contentsOf: url, encoding: .utf8)
            templates[name] = source
            let difference = try Jinja.difference(row) {
                var variables: [(String, JinjaValue)] = [
                    ("messages", try JinjaValue.conversation(try inputs.member("messages").member(messages))),
                    ("tools", try row.bool("tools") ? JinjaValue(try inputs.member("tools")) : .none), ("documents", .none),
                    ("add_generation_prompt", .boolean(try row.bool("add_generation_prompt"))),
                    ("bos_token", .trusted(try inputs.string("bos_token"))), ("eos_token", .trusted(try inputs.string("eos_token"))),
                ]
                for member in row["kwargs"]?.members ?? inputs.members where row["kwargs"] != nil {
                    variables.append((member.key, JinjaValue(member)))
                }
                return try Jinja.text(source, variables)
            }
            if let difference { Issue.record("\(name), \(messages): \(difference)") }
        }
        #expect(count == 425 && templates.count == 25)
    }

    /// Made by Tests/Goldens/jinja/make_expressions.py.
    @Test func `small templates give what jinja2 gives`() throws {
        let rows = try Jinja.lines(Fixtures.golden("jinja/expressions.jsonl"))
        let data = JinjaValue(try rows[0].member("data"))
        for row in rows.dropFirst() {
            let source = try row.string("template")
            let difference = try Jinja.difference(row) { try Jinja.text(source, [("data", data)]) }
            if let difference { Issue.record("\(source): \(difference)") }
        }
        #expect(rows.count > 900)
    }
}

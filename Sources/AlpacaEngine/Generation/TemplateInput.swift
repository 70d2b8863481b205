/// What a conversation's template gets besides the messages. Templates take from it what they know, and leave the rest.
public struct TemplateInput: Sendable, Equatable {
    /// What the model may call: a JSON array of functions, as OpenAI's interface has them; nil for none.
    public var tools: String?
    /// Texts that the model may quote: a JSON array of objects; nil for none.
    public var documents: String?
    /// Further variables of the template: a JSON object, such as `{"enable_thinking": false}`.
    public var variables: String?
    /// The conversation's last message is the assistant's, and its end is to be written: the prompt stops where it stops.
    public var continuesFinalMessage = false
    /// The time that a template is told, in seconds since 1970, UTC; nil for the system's own.
    public var time: Int64?

    public init() {}

    /// Names that variables can't take: they have a meaning of their own.
    private static let taken: Set<String> = ["messages", "tools", "documents", "add_generation_prompt"]

    var clock: JinjaClock { time.map { JinjaClock(secondsSince1970: $0) } ?? .local }

    /// The variables of the template.
    func values() throws(AlpacaError) -> [(String, JinjaValue)] {
        var values: [(String, JinjaValue)] = [("tools", .none), ("documents", .none)]
        for (index, list) in [("tools", tools), ("documents", documents)].enumerated() {
            guard let text = list.1 else { continue }
            let root = try TemplateInput.json(text, list.0)
            guard !root.isNull else { continue }
            guard root.isArray else { throw root.wrong("an array").withCode(.invalidArgument) }
            values[index].1 = JinjaValue(root)
        }
        guard let variables else { return values }
        let root = try TemplateInput.json(variables, "variables")
        guard root.isObject else { throw root.wrong("an object").withCode(.invalidArgument) }
        for member in root.members {
            guard !TemplateInput.taken.contains(member.key) else {
                throw AlpacaError(
                    .invalidArgument, at: "variables", found: member.key.quoted(limit: 40),
                    expected: "other names than those that every template has")
            }
            values.append((member.key, JinjaValue(member)))
        }
        return values
    }

    /// The names of what is given.
    func names() throws(AlpacaError) -> [String] {
        var names: [String] = []
        if tools != nil { names.append("tools") }
        if documents != nil { names.append("documents") }
        if let variables { names += try TemplateInput.json(variables, "variables").members.map(\.key) }
        return names
    }

    /// Sees that a file's text is what `tools` and `documents` are, so that an error can name the file.
    package static func checkList(_ text: String, of file: String) throws(AlpacaError) {
        let root = try json(text, file)
        guard root.isArray || root.isNull else { throw root.wrong("an array").withCode(.invalidArgument) }
    }

    /// Whether a text is one value in JSON.
    public static func isJSON(_ text: String) -> Bool { (try? json(text, "")) != nil }

    static func json(_ text: String, _ name: String) throws(AlpacaError) -> JSONValue {
        do throws(AlpacaError) {
            return try JSONDocument(Array(text.utf8), name: name).root
        } catch {
            throw error.withCode(.invalidArgument)
        }
    }
}

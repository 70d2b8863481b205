/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    public enum Role: String, Sendable, CaseIterable {
        case system, user, assistant
        /// What a tool answered.
        case tool
    }
    public var role: Role {
        didSet { if role != oldValue { details = nil } }
    }
    public var content: String {
        didSet { if content != oldValue { details = nil } }
    }

    /// All that the message is, where that is more than a role and a text: for templates that know it.
    private(set) var details: Details?

    public init(role: Role, content: String) {
        self.role = role
        self.content = content
    }

    /// A message as programs that speak the form of OpenAI's interface have it: `{"role": "user", "content": "你好"}`. The content may be a list
    /// of parts or missing, the role any; other members, such as `tool_calls`, go to the template.
    ///
    /// - Throws: `invalidArgument`.
    public init(json: String) throws(AlpacaError) { try self.init(TemplateInput.json(json, "message")) }

    /// The messages of a conversation: an array of them, or an object with the member `messages`.
    ///
    /// - Throws: `invalidArgument`.
    public static func list(json: String) throws(AlpacaError) -> [ChatMessage] { try list(json: json, of: "messages") }

    /// The same of a file's text: errors name the file.
    package static func list(json: String, of file: String) throws(AlpacaError) -> [ChatMessage] {
        try list(TemplateInput.json(json, file))
    }

    package static func list(_ root: JSONValue) throws(AlpacaError) -> [ChatMessage] {
        do throws(AlpacaError) {
            let list = root.isObject ? try root.member("messages") : root
            var messages: [ChatMessage] = []
            for element in try list.array() { messages.append(try ChatMessage(element)) }
            return messages
        } catch {
            throw error.withCode(.invalidArgument)
        }
    }

    private init(_ json: JSONValue) throws(AlpacaError) {
        do throws(AlpacaError) {
            let name = try json.string("role")
            var parts = ""
            if let value = try json.memberIfPresent("content") {
                if value.isString {
                    parts = try value.string()
                } else {
                    for part in try value.array() where part.isObject {
                        if let text = try part.memberIfPresent("text"), text.isString { parts += try text.string() }
                    }
                }
            }
            role = Role(rawValue: name) ?? Details.likeness[name] ?? .user
            content = parts
            let isPlain = role.rawValue == name && json.count == 2 && json["content"]?.isString == true
            details = isPlain ? nil : Details(json: json, role: name)
        } catch {
            throw error.withCode(.invalidArgument)
        }
    }

    /// The role as it was written.
    var roleName: String { details?.role ?? role.rawValue }

    /// Bytes that a message has beside its text, about.
    var sizeBeside: Int { details?.json.size ?? 0 }

    /// For a template.
    var value: JinjaValue {
        if let details { return JinjaValue(details.json) }
        return .dictionary([("role", .input(roleName)), ("content", .input(content))])
    }

    struct Details: Sendable, Equatable {
        let json: JSONValue
        let role: String

        /// Roles of some templates, and which of ours they are most like.
        static let likeness: [String: Role] = ["developer": .system, "function": .tool, "ipython": .tool, "model": .assistant]

        static func == (a: Details, b: Details) -> Bool { a.json.storage === b.json.storage && a.json.index == b.json.index }
    }
}

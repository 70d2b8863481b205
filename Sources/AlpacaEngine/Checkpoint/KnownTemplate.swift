// The templates that this library knows by name. Each has a text in Jinja that says the same, for the files that a conversion writes: so other
// programs put a prompt as this one does.

/// A template's name; what it makes of a conversation, `ChatTemplate` knows.
package enum KnownTemplate: String, Sendable, CaseIterable {
    case alpaca
    case alpacaTraining = "alpaca-training"
    case alpacaGradio = "alpaca-gradio"
    case alpacaServer = "alpaca-server"
    case alpacaServerChat = "alpaca-server-chat"
    case alpaca2 = "alpaca-2"
    case alpaca3 = "alpaca-3"

    /// The text that stands before the instructions of the first line's models.
    package static let instructionPreamble =
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
    /// The system text of the second and third line, when the caller gives none.
    package static let systemDefault = "You are a helpful assistant. 你是一个乐于助人的助手。"

    /// The template that a Jinja text is: one of ours, to the byte but for line ends at its end. A text that only looks like one is another.
    package static func named(by source: [UInt8]) -> KnownTemplate? {
        allCases.first { $0.isSaid(by: source) }
    }

    /// Whether the text is this template's.
    package func isSaid(by text: [UInt8]) -> Bool {
        var text = text[...]
        while let last = text.last, last == 0x0a || last == 0x0d { text = text.dropLast() }
        return source.utf8.elementsEqual(text)
    }

    /// The parts of the first line's form.
    package struct Parts: Sendable {
        /// Around the system text.
        let before: String, after: String
        /// Around what the user says.
        let user: String, response: String
        /// Whether a later turn begins as if anew, with the end and the beginning of a sequence; else it goes on in the same text.
        let restarts: Bool
        /// Behind everything.
        var end = ""
    }

    /// nil for the lines that have other forms.
    package var parts: Parts? {
        switch self {
        case .alpaca: Parts(before: "", after: "\n\n", user: "### Instruction:\n\n", response: "\n\n### Response:\n\n", restarts: true)
        case .alpacaTraining: Parts(before: "", after: "\n\n", user: "### Instruction:\n", response: "\n\n### Response: ", restarts: true)
        case .alpacaServer: Parts(before: "", after: "\n    \n", user: "### Instruction:\n", response: "\n\n### Response: ", restarts: true)
        case .alpacaServerChat:
            Parts(before: "", after: "\n\n", user: "### Instruction:\n", response: "\n\n### Response: ", restarts: false)
        case .alpacaGradio:
            Parts(before: "\n", after: "\n", user: "### Instruction:\n", response: "\n\n### Response: ", restarts: false, end: "\n ")
        case .alpaca2, .alpaca3: nil
        }
    }

    // MARK: As Jinja

    /// The template as Hugging Face's tools read it.
    package var source: String {
        switch self {
        case .alpaca2: KnownTemplate.secondLine
        case .alpaca3: KnownTemplate.thirdLine
        default: parts.map { KnownTemplate.firstLine($0) } ?? ""
        }
    }

    private static func firstLine(_ parts: Parts) -> String {
        func quoted(_ text: String) -> String { "'" + text.replacing("\n", with: "\\n") + "'" }
        // An answer begins with a blank, which the response's heading may have already.
        let answer = parts.response.hasSuffix(" ") ? "m['content']" : "' ' + m['content']"
        let between = parts.restarts ? "eos_token + bos_token + '\\n\\n'" : "'\\n\\n'"
        let end = parts.end.isEmpty ? "" : "{{ \(quoted(parts.end)) }}"
        return """
            {{ bos_token + \(quoted(parts.before)) }}{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}\
            {% set messages = messages[1:] %}{% else %}{{ \(quoted(instructionPreamble)) }}{% endif %}{{ \(quoted(parts.after)) }}\
            {% for m in messages %}{% if m['role'] == 'user' %}{% if not loop.first %}{{ \(between) }}{% endif %}\
            {{ \(quoted(parts.user)) + m['content'] + \(quoted(parts.response)) }}\
            {% elif m['role'] == 'assistant' %}{{ \(answer) }}{% endif %}{% endfor %}\(end)
            """
    }

    private static let secondLine = """
        {% set sys = '\(systemDefault)' %}{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}\
        {% set messages = messages[1:] %}{% endif %}{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] \
        {% if loop.first %}<<SYS>>
        {{ sys }}
        <</SYS>>

        {% endif %}{{ m.content }} [/INST]{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}
        """

    private static let thirdLine = """
        {{ bos_token }}{% if messages[0]['role'] != 'system' %}{{ '<|start_header_id|>system<|end_header_id|>\\n\\n\(systemDefault)<|eot_id|>' }}\
        {% endif %}{% for m in messages %}\
        {{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] + '<|eot_id|>' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}
        """
}

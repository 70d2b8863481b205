import AlpacaEngine
import ArgumentParser

struct Template: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a model's chat template, or what it makes of a conversation.",
        discussion: """
            Without messages: the template's text in Jinja2, and on standard error where it comes from. With messages: the prompt that
            a chat with them reads. Messages are a JSON list as in OpenAI's interface, or an object with such a list as "messages".

            Examples:
              alpaca template model.gguf
              alpaca template model.gguf --messages talk.json --var enable_thinking=false
              echo '[{"role": "user", "content": "你好"}]' | alpaca template model.gguf --messages -
            """
    )

    @Argument(help: ModelOptions.modelHelp, completion: .file(), transform: Value.path) var model: String
    @OptionGroup var templates: TemplateOptions
    @Option(
        name: [.customShort("m"), .long], help: "A JSON file with messages; -: standard input.", completion: .file(), transform: Value.path)
    var messages: String?
    @Option(parsing: .unconditional, help: "System text, where the messages have none.", transform: Value.text) var system: String?
    @Flag(name: .customLong("generation-prompt"), inversion: .prefixedNo, help: "End with the beginning of the assistant's answer.")
    var asksForAnswer = true
    @Flag(name: .customLong("continue"), help: "End where the last message ends, so that it can be continued.") var continues = false
    @Flag(help: "Print the prompt's token ids, on one line.") var ids = false
    @Flag(help: "Print JSON: the template and where it comes from, or text and ids.") var json = false

    func validate() throws {
        guard messages == nil else { return }
        for (isGiven, option) in [
            (!asksForAnswer, "--no-generation-prompt"), (continues, "--continue"), (ids, "--ids"), (system != nil, "--system"),
            (templates.tools != nil, "--tools"), (templates.documents != nil, "--documents"), (!templates.variables.isEmpty, "--var"),
        ] where isGiven {
            throw ValidationError("\(option): no effect without --messages")
        }
    }

    func run() throws {
        let choice = try templates.choice()
        let model = try Model(path: model)
        try model.check(choice)
        guard let messages else { return try show(model, choice) }
        var input = try templates.input()
        input.continuesFinalMessage = continues
        let conversation = try ChatMessage.list(json: TextInput.text(file: messages), of: TextInput.name(of: messages))
        try model.warn(of: input, choice)
        let rendered = try model.render(
            conversation, template: choice, systemPrompt: system, input, asksForAnswer: asksForAnswer && !continues)
        if json {
            try Console.print(try JSONReport.text(Rendered(text: rendered.text, ids: rendered.ids)))
        } else if ids {
            try Console.print(rendered.ids.map(String.init).joined(separator: " "))
        } else {
            try Console.print(rendered.text)
        }
    }

    private func show(_ model: Model, _ choice: TemplateChoice) throws {
        let own = model.modelTemplate
        var name = own.name, reason = own.reason, source = model.templateSource()
        switch choice {
        case .named(let template): (name, reason, source) = (template.name, "given on the command line", template.source)
        case .byName(let given) where given.lowercased() == "none": (name, reason, source) = ("none", "given on the command line", nil)
        case .byName(let given) where given.lowercased() != "auto":
            (name, reason, source) = (given, "given on the command line", model.templateSource(named: given))
        default: break
        }
        if json {
            let named = own.named.isEmpty ? nil : own.named.map(\.name)
            return try Console.print(
                try JSONReport.text(Shown(template: name, reason: reason, origin: own.origin, source: source, named: named)))
        }
        Console.error("template \(name): \(reason)")
        if !own.named.isEmpty { Console.error("for special uses: \(own.named.map(\.name).joined(separator: ", "))") }
        if let source { try Console.print(source, terminator: source.hasSuffix("\n") ? "" : "\n") }
    }

    private struct Rendered: Encodable {
        let text: String
        let ids: [TokenID]
    }

    private struct Shown: Encodable {
        let template, reason: String
        let origin, source: String?
        let named: [String]?
    }
}

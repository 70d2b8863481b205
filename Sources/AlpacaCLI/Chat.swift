import AlpacaEngine
import ArgumentParser

struct Chat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Talk with a model, turn by turn.",
        discussion: """
            Type a message and press return; end a line with \\ to go on in the next. Ctrl-C stops an answer, and at the prompt ends the
            program, as Ctrl-D does. A turn that is stopped or fails is left out of the conversation, which goes on.

              /reset        forget what was said
              /system TEXT  set the system text; without a text: show it
              /history      show the conversation
              /save FILE    write it to a file, for /load if the name ends in .json
              /load FILE    go on with a conversation from a .json file
              /help         this list
              /quit         end

            A line that begins with a blank is a message, also with a / behind it. Exit status 1 when the last turn failed.

            Examples:
              alpaca chat model.gguf
              alpaca chat model.gguf --temperature 0.5 --system "你是一个诗人。"
              printf '你好\\n再见\\n' | alpaca chat model.gguf
            """
    )

    @OptionGroup var options: ModelOptions
    @OptionGroup var generation: GenerationOptions
    @Flag(help: "Print counts and speed after each answer.") var stats = false

    func run() throws {
        let parameters = try generation.parameters()
        let model = try options.open(namesTemplate: generation.namesTemplate)
        try model.check(parameters.template)
        // What is wrong with the options is wrong before the first turn.
        try parameters.validate(vocabularySize: model.configuration.vocabularySize)
        let session = try options.session(model)
        generation.warn()
        try model.warn(of: parameters.templateInput, parameters.template)
        var conversation = Conversation(session: session, parameters: parameters, stats: stats)
        if Console.inputIsTerminal, Console.errorIsTerminal {
            Console.error(
                Console.dim("\(PathText.shown(options.model)): template \(model.template?.name ?? "none"). /help for commands.", on: true))
        }
        var input = TextInput.Lines()
        var hasFailed = false
        while true {
            do {
                guard let line = try readMessage(&input) else { break }
                guard try obey(line, &conversation, &hasFailed) else { break }
            } catch let error as TurnError {
                // The conversation is as it was, and goes on.
                hasFailed = true
                Console.error("error: \(error.message)")
            }
        }
        if Console.inputIsTerminal { try Console.print("") }
        if hasFailed { throw ExitCode(1) }
    }

    /// Does what a line says; false at the end.
    private func obey(_ line: String, _ conversation: inout Conversation, _ hasFailed: inout Bool) throws -> Bool {
        guard !line.trimmed.isEmpty else { return true }
        let word = String(line.prefix { !$0.isWhitespace })
        let rest = line.dropFirst(word.count).trimmed
        switch word {
        case "/quit", "/exit": return false
        case "/help": Console.error("/reset  /system TEXT  /history  /save FILE  /load FILE  /quit")
        case "/reset": conversation.reset()
        case "/system":
            if rest.isEmpty { Console.error(conversation.system ?? "no system text") } else { conversation.system = rest }
        case "/history": try Console.print(conversation.text, terminator: "")
        case "/save": try conversation.save(to: rest)
        case "/load": try conversation.load(from: rest)
        case let word where word.hasPrefix("/") && !word.dropFirst().contains("/"):
            Console.error("\(word) is not a command; /help shows them")
        default:
            try conversation.send(TextInput.prompt(line))
            hasFailed = false
        }
        return true
    }

    private func readMessage(_ input: inout TextInput.Lines) throws -> String? {
        var message = ""
        while true {
            if Console.inputIsTerminal { Console.status(Console.bold(message.isEmpty ? "> " : "  ", on: Console.errorIsTerminal)) }
            guard let bytes = try input.next() else { return message.isEmpty ? nil : message }
            let line: String
            do {
                line = try TextInput.text(bytes, of: "\(TextInput.standardInput), line \(input.number)")
            } catch {
                throw TurnError(message: error.message)
            }
            guard line.hasSuffix("\\") else { return message + line }
            message += line.dropLast() + "\n"
        }
    }
}

extension StringProtocol {
    /// Without the blanks around it.
    var trimmed: String {
        var part = self[...]
        while part.first?.isWhitespace == true { part = part.dropFirst() }
        while part.last?.isWhitespace == true { part = part.dropLast() }
        return String(part)
    }
}

import AlpacaEngine
import ArgumentParser

struct Chat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Talk with a model, turn by turn.",
        discussion: """
            Type a message and press return; end a line with \\ to go on in the next. Ctrl-C stops an answer, and at the prompt ends the
            program, as Ctrl-D does.

              /reset        forget the conversation
              /history      show it
              /save FILE    write it to a file
              /help         this list
              /quit         end

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
        let model = try options.open()
        let session = try options.session(model)
        var conversation = Conversation(session: session, parameters: parameters, stats: stats)
        if Console.inputIsTerminal, Console.errorIsTerminal {
            Console.error(Console.dim("\(options.model): template \(model.template?.name ?? "none"). /help for commands.", on: true))
        }
        while let line = readMessage() {
            switch line.split(separator: " ", maxSplits: 1).first.map(String.init) {
            case nil: continue
            case "/quit"?, "/exit"?: return
            case "/help"?: Console.error("/reset  /history  /save FILE  /quit")
            case "/reset"?: conversation.reset()
            case "/history"?: Console.print(conversation.text, terminator: "")
            case "/save"?: conversation.save(to: line.dropFirst(5).trimmed)
            case let word? where word.hasPrefix("/") && !word.dropFirst().contains("/"):
                Console.error("\(word) is not a command; /help shows them")
            default: try conversation.send(line)
            }
        }
        if Console.inputIsTerminal { Console.print("") }
    }

    private func readMessage() -> String? {
        var message = ""
        while true {
            if Console.inputIsTerminal { Console.status(Console.bold(message.isEmpty ? "> " : "  ", on: Console.errorIsTerminal)) }
            guard let line = readLine() else { return message.isEmpty ? nil : message }
            guard line.hasSuffix("\\") else { return message + line }
            message += line.dropLast() + "\n"
        }
    }
}

/// What was said, and the session that says the rest.
struct Conversation {
    let session: Session
    let parameters: GenerationParameters
    let stats: Bool
    private(set) var messages: [ChatMessage] = []

    init(session: Session, parameters: GenerationParameters, stats: Bool) {
        self.session = session
        self.parameters = parameters
        self.stats = stats
        reset()
    }

    mutating func reset() {
        messages = parameters.systemPrompt.map { [ChatMessage(role: .system, content: $0)] } ?? []
    }

    mutating func send(_ message: String) throws {
        Interrupt.clear()
        messages.append(ChatMessage(role: .user, content: message))
        var answer: [UInt8] = []
        let result = try Interrupt.cancelling(session) {
            try session.chat(messages, parameters) { event in
                for i in event.text.indices { answer.append(event.text[i]) }
                return Console.write(bytes: event.text)
            }
        }
        Console.print("")
        messages.append(ChatMessage(role: .assistant, content: String(decoding: answer, as: UTF8.self)))
        if stats { Console.error(Console.dim(Statistics.line(result), on: Console.errorIsTerminal)) }
        if result.finishReason == .contextFull {
            Console.error("the context is full (\(session.contextLength) positions); /reset begins anew, --context-shift goes on")
        }
    }

    var text: String {
        messages.map { "\($0.role.rawValue): \($0.content)\n" }.joined()
    }

    func save(to path: String) {
        guard !path.isEmpty else { return Console.error("/save needs a file's name") }
        do {
            try TextFile.write(text, to: path)
            Console.error("saved to \(path)")
        } catch {
            Console.error("error: \(error)")
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

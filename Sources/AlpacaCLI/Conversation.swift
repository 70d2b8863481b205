import AlpacaEngine
import FoundationEssentials
import Glibc

/// Why a turn, or a command between turns, came to nothing. The conversation goes on.
struct TurnError: Error {
    let message: String
}

/// What was said, and the session that says the rest.
struct Conversation {
    let session: Session
    let parameters: GenerationParameters
    let stats: Bool
    private(set) var messages: [ChatMessage] = []
    /// Messages that did not fit into the last prompt.
    private var leftOut = 0

    init(session: Session, parameters: GenerationParameters, stats: Bool) {
        self.session = session
        self.parameters = parameters
        self.stats = stats
        system = parameters.systemPrompt
    }

    /// The first message, if it is one of the system; it stays when the rest is forgotten.
    var system: String? {
        get { messages.first?.role == .system ? messages.first?.content : nil }
        set {
            if messages.first?.role == .system { messages.removeFirst() }
            if let newValue { messages.insert(ChatMessage(role: .system, content: newValue), at: 0) }
        }
    }

    mutating func reset() { messages.removeAll { $0.role != .system } }

    /// Says `message` and writes the answer. A turn that fails or is stopped leaves the conversation as it was.
    ///
    /// - Throws: `TurnError`; others when the answer can't be written, which end the program.
    mutating func send(_ message: String) throws {
        Interrupt.clear()
        defer { Interrupt.clear() }
        let turn = messages + [ChatMessage(role: .user, content: message)]
        var answer: [UInt8] = []
        var failure: (any Error)?
        let result: GenerationResult
        do throws(AlpacaError) {
            result = try Interrupt.talking(session) { () throws(AlpacaError) in
                try session.chat(turn, parameters) { event in
                    for i in event.text.indices { answer.append(event.text[i]) }
                    do { try Console.write(bytes: event.text) } catch { failure = error }
                    return failure == nil
                }
            }
        } catch {
            // What was shown of the answer ends its line.
            if !answer.isEmpty { try Console.print("") }
            throw TurnError(message: error.message + (error.code == .contextFull ? "; \(advice)" : ""))
        }
        if let failure { throw failure }
        try Console.print("")
        if result.leftOutMessages != leftOut {
            leftOut = result.leftOutMessages
            if leftOut > 0 { Console.error("the context is full: the model does not see the oldest \(leftOut) messages any more") }
        }
        if stats { Console.error(Console.dim(Statistics.line(result), on: Console.errorIsTerminal)) }
        if result.finishReason == .cancelled {
            Console.error("stopped; the turn is left out of the conversation")
            return
        }
        messages = turn + [ChatMessage(role: .assistant, content: String(decoding: answer, as: UTF8.self))]
        if result.finishReason == .contextFull { Console.error("the context is full (\(session.contextLength) positions): \(advice)") }
    }

    private var advice: String {
        parameters.contextShift
            ? "/reset begins anew, /save FILE keeps the conversation"
            : "/reset begins anew, /save FILE keeps the conversation; --context-shift lets the oldest go"
    }

    // MARK: Files

    /// For people, a paragraph a message.
    var text: String { messages.map { "\($0.role.rawValue): \($0.content)\n" }.joined() }

    /// Writes the conversation to a file: as JSON if its name ends so. A file that holds anything but a saved conversation stays.
    func save(to path: String) throws(TurnError) {
        guard !path.isEmpty else { throw TurnError(message: "/save needs a file's name") }
        let content: String
        do { content = path.hasSuffix(".json") ? try JSONReport.text(messages.map(SavedMessage.init)) + "\n" : text } catch {
            throw TurnError(message: "\(path): \(error)")
        }
        var status = stat()
        if stat(path.cPath, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFREG, status.st_size == 0 || Conversation.isSaved(path) else {
                throw TurnError(message: "\(PathText.shown(path)): there is something else than a saved conversation; choose another name")
            }
        }
        try Conversation.write(content, to: path)
        Console.error("saved to \(PathText.shown(path))")
    }

    /// Puts the conversation in a file in place of this one.
    mutating func load(from path: String) throws(TurnError) {
        guard !path.isEmpty else { throw TurnError(message: "/load needs a file's name") }
        do {
            let loaded = try Conversation.messages(in: path)
            // One that can't go on is not taken.
            _ = try AlpacaEngine.Conversation(loaded, systemPrompt: nil, endsWithUser: false)
            messages = loaded
        } catch let error as AlpacaError {
            throw TurnError(message: error.message)
        } catch {
            throw TurnError(message: "\(PathText.shown(path)): \(error)")
        }
        Console.error("\(messages.count) messages")
    }

    private static func messages(in path: String) throws -> [ChatMessage] {
        let text = try TextInput.text(file: path)
        let decoder = JSONDecoder()
        let saved: [LoadedMessage]
        do {
            saved = try decoder.decode([LoadedMessage].self, from: Data(text.utf8))
        } catch {
            guard let body = try? decoder.decode(SavedConversation.self, from: Data(text.utf8)) else {
                throw AlpacaError(
                    .badFormat, path: path, found: "something else", expected: "a JSON list of messages, each with \"role\" and \"content\""
                )
            }
            saved = body.messages
        }
        return try saved.enumerated().map { number, message in
            guard let role = ChatMessage.Role(rawValue: message.role) else {
                throw AlpacaError(
                    .badFormat, path: path, at: "message \(number)", found: "the role \"\(message.role)\"",
                    expected: ChatMessage.Role.allCases.map(\.rawValue).joined(separator: ", "))
            }
            // Nothing is left out in silence: a chat here would say less than the file does.
            if let other = message.others.first {
                throw AlpacaError(
                    .unsupported, path: path, at: "message \(number)", found: "\"\(other)\"",
                    expected: "role and content alone; programs that use the library, and `alpaca template`, take all of it")
            }
            return ChatMessage(role: role, content: message.content)
        }
    }

    /// Whether a file is one that was saved here.
    private static func isSaved(_ path: String) -> Bool {
        if path.hasSuffix(".json") { return (try? messages(in: path)) != nil }
        guard let text = try? TextInput.text(file: path) else { return false }
        return ChatMessage.Role.allCases.contains { text.hasPrefix("\($0.rawValue): ") }
    }

    /// The file appears whole or not at all.
    private static func write(_ text: String, to path: String) throws(TurnError) {
        func failed() -> TurnError { TurnError(message: "\(PathText.shown(path)): cannot write: \(String(cString: strerror(errno)))") }
        let temporary = "\(path).\(getpid()).tmp"
        let descriptor = open(temporary.cPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failed() }
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { done += count } else if count == 0 || errno != EINTR { break }
        }
        let isWhole = done == bytes.count && fsync(descriptor) == 0
        let failure = failed()
        close(descriptor)
        guard isWhole, rename(temporary.cPath, path.cPath) == 0 else {
            let failure = isWhole ? failed() : failure
            unlink(temporary.cPath)
            throw failure
        }
    }

    private struct SavedMessage: Encodable {
        let role, content: String

        init(_ message: ChatMessage) {
            role = message.role.rawValue
            content = message.content
        }
    }

    private struct LoadedMessage: Decodable {
        let role, content: String
        /// The names of what else it has, but for nothing (null).
        let others: [String]

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Key.self)
            role = try members.decode(String.self, forKey: Key(stringValue: "role"))
            content = try members.decode(String.self, forKey: Key(stringValue: "content"))
            var others: [String] = []
            for key in members.allKeys where key.stringValue != "role" && key.stringValue != "content" {
                if try !members.decodeNil(forKey: key) { others.append(key.stringValue) }
            }
            self.others = others.sorted()
        }
    }

    /// What programs that speak the form of OpenAI's interface save.
    private struct SavedConversation: Decodable {
        let messages: [LoadedMessage]
    }
}

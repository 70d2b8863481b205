/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    public enum Role: String, Sendable, CaseIterable {
        case system, user, assistant
    }
    public var role: Role
    public var content: String

    public init(role: Role, content: String) {
        self.role = role
        self.content = content
    }
}

/// A piece of a rendered prompt. Special tokens are named, never written into text: what a user types can't become one.
enum PromptSegment: Equatable {
    case text(String)
    /// Something that the model wrote in an earlier turn.
    case answer(String)
    case bos, eos
    /// A special token by its piece, such as "<|eot_id|>".
    case special(String)
}

/// How a conversation is put to a model: the exact text that its training or its tools used.
public struct ChatTemplate: Sendable, Equatable {
    private let kind: KnownTemplate

    /// Every template's name, the usual one of the Chinese-Alpaca models first:
    ///
    /// - `alpaca`: Chinese-Alpaca with llama.cpp's `-ins` and inference_hf.py; later turns follow as `-ins` puts them;
    /// - `alpaca-training`: the text of training and of the LangChain scripts;
    /// - `alpaca-gradio`, `alpaca-server`, `alpaca-server-chat`: the project's web demo and its OpenAI-style server;
    /// - `alpaca-2`: Chinese-Alpaca-2 (Llama-2's `[INST]`);
    /// - `alpaca-3`: Llama-3-Chinese-Instruct.
    public static let allNames = KnownTemplate.allCases.map(\.rawValue)

    /// The template of this name, nil if there is none.
    public init?(name: String) {
        guard let kind = KnownTemplate(rawValue: name) else { return nil }
        self.kind = kind
    }

    init(_ kind: KnownTemplate) { self.kind = kind }

    public var name: String { kind.rawValue }

    /// The text that stands before the instructions of the first line's models, and the system text of the others, when the caller gives none.
    static let instructionPreamble = KnownTemplate.instructionPreamble, systemDefault = KnownTemplate.systemDefault

    /// Texts at which an answer ends, because they begin the next turn.
    var stops: [String] {
        switch kind {
        case .alpaca, .alpacaTraining, .alpacaGradio, .alpacaServer, .alpacaServerChat: ["### Instruction:"]
        case .alpaca2: ["[INST]"]
        case .alpaca3: []
        }
    }

    /// Pieces that end an answer beside the end-of-sequence token.
    var stopPieces: [String] { kind == .alpaca3 ? ["<|eot_id|>", "<|end_of_text|>"] : [] }

    /// The prompt for the answer to the last message. A system message, which must come first, takes the place of the template's own text.
    ///
    /// - Parameter messages: those of a ``Conversation``.
    /// - Throws: `invalidArgument` when the template has no place for an assistant that speaks first.
    func render(_ messages: [ChatMessage]) throws(AlpacaError) -> [PromptSegment] {
        var turns = messages[...]
        let system = turns.first?.role == .system ? turns.removeFirst().content : nil
        switch kind {
        case .alpaca2: return try alpaca2(turns, system ?? ChatTemplate.systemDefault)
        case .alpaca3: return alpaca3(turns, system ?? ChatTemplate.systemDefault)
        case .alpaca, .alpacaTraining, .alpacaGradio, .alpacaServer, .alpacaServerChat:
            return kind.parts.map { joined(turns, system ?? ChatTemplate.instructionPreamble, $0) } ?? []
        }
    }

    /// The first line's form. Later turns either go on in the same text, or begin as if anew (end and beginning of a sequence between them).
    private func joined(_ turns: ArraySlice<ChatMessage>, _ system: String, _ parts: KnownTemplate.Parts) -> [PromptSegment] {
        var segments: [PromptSegment] = [.bos, .text(parts.before + system + parts.after)]
        var hasAnswer = false
        for turn in turns {
            if turn.role == .user {
                if hasAnswer { segments += parts.restarts ? [.eos, .bos, .text("\n\n")] : [.text("\n\n")] }
                segments.append(.text(parts.user + turn.content + parts.response))
                hasAnswer = false
            } else {
                segments.append(.answer(turn.content))
                hasAnswer = true
            }
        }
        return parts.end.isEmpty ? segments : segments + [.text(parts.end)]
    }

    private func alpaca2(_ turns: ArraySlice<ChatMessage>, _ system: String) throws(AlpacaError) -> [PromptSegment] {
        guard turns.first?.role == .user else {
            // The system text stands in the user's first turn.
            throw AlpacaError(
                .invalidArgument, "messages: the template \(name) begins with the user's, found \(turns.first?.role.rawValue ?? "none")")
        }
        var segments: [PromptSegment] = [.bos]
        var opening = "[INST] <<SYS>>\n\(system)\n<</SYS>>\n\n"
        for turn in turns {
            if turn.role == .user {
                segments.append(.text("\(opening)\(turn.content) [/INST]"))
            } else {
                segments += [.answer(turn.content), .eos, .bos]
                opening = "[INST] "
            }
        }
        return segments
    }

    private func alpaca3(_ turns: ArraySlice<ChatMessage>, _ system: String) -> [PromptSegment] {
        func header(_ role: ChatMessage.Role) -> [PromptSegment] {
            [.special("<|start_header_id|>"), .text(role.rawValue), .special("<|end_header_id|>"), .text("\n\n")]
        }
        var segments: [PromptSegment] = [.bos] + header(.system) + [.text(system), .special("<|eot_id|>")]
        for turn in turns {
            segments += header(turn.role) + [turn.role == .user ? .text(turn.content) : .answer(turn.content), .special("<|eot_id|>")]
        }
        return segments + header(.assistant)
    }
}

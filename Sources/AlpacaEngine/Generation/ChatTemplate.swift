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
    private enum Kind: String, CaseIterable {
        case alpaca
        case alpacaTraining = "alpaca-training"
        case alpacaGradio = "alpaca-gradio"
        case alpacaServer = "alpaca-server"
        case alpacaServerChat = "alpaca-server-chat"
        case alpaca2 = "alpaca-2"
        case alpaca3 = "alpaca-3"
    }
    private let kind: Kind

    /// Every template's name, the usual one of the Chinese-Alpaca models first:
    ///
    /// - `alpaca`: Chinese-Alpaca with llama.cpp's `-ins` and inference_hf.py; later turns follow as `-ins` puts them;
    /// - `alpaca-training`: the text of training and of the LangChain scripts;
    /// - `alpaca-gradio`, `alpaca-server`, `alpaca-server-chat`: the project's web demo and its OpenAI-style server;
    /// - `alpaca-2`: Chinese-Alpaca-2 (Llama-2's `[INST]`);
    /// - `alpaca-3`: Llama-3-Chinese-Instruct.
    public static let allNames = Kind.allCases.map(\.rawValue)

    /// The template of this name, nil if there is none.
    public init?(name: String) {
        guard let kind = Kind(rawValue: name) else { return nil }
        self.kind = kind
    }

    private init(_ kind: Kind) { self.kind = kind }

    public var name: String { kind.rawValue }

    /// The text that stands before the instructions of the first line's models.
    static let instructionPreamble =
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
    /// The system text of the second and third line, when the caller gives none.
    static let systemDefault = "You are a helpful assistant. 你是一个乐于助人的助手。"

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
        case .alpaca:
            return joined(turns, system, before: "", after: "\n\n", "### Instruction:\n\n", "\n\n### Response:\n\n", restarts: true)
        case .alpacaTraining:
            return joined(turns, system, before: "", after: "\n\n", "### Instruction:\n", "\n\n### Response: ", restarts: true)
        case .alpacaServer:
            return joined(turns, system, before: "", after: "\n    \n", "### Instruction:\n", "\n\n### Response: ", restarts: true)
        case .alpacaServerChat:
            return joined(turns, system, before: "", after: "\n\n", "### Instruction:\n", "\n\n### Response: ", restarts: false)
        case .alpacaGradio:
            return joined(turns, system, before: "\n", after: "\n", "### Instruction:\n", "\n\n### Response: ", restarts: false)
                + [.text("\n ")]
        case .alpaca2: return try alpaca2(turns, system ?? ChatTemplate.systemDefault)
        case .alpaca3: return alpaca3(turns, system ?? ChatTemplate.systemDefault)
        }
    }

    /// The first line's form. Later turns either go on in the same text, or begin as if anew (end and beginning of a sequence between them).
    private func joined(
        _ turns: ArraySlice<ChatMessage>, _ system: String?, before: String, after: String, _ user: String, _ response: String,
        restarts: Bool
    ) -> [PromptSegment] {
        var segments: [PromptSegment] = [.bos, .text(before + (system ?? ChatTemplate.instructionPreamble) + after)]
        var hasAnswer = false
        for turn in turns {
            if turn.role == .user {
                if hasAnswer { segments += restarts ? [.eos, .bos, .text("\n\n")] : [.text("\n\n")] }
                segments.append(.text(user + turn.content + response))
                hasAnswer = false
            } else {
                segments.append(.answer(turn.content))
                hasAnswer = true
            }
        }
        return segments
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

extension ChatTemplate {
    /// The template that a model's prompts get by default, and why. The file's own word counts first, then what its vocabulary tells.
    static func detect(metadata: GGUFMetadata, tokenizer: Tokenizer) -> (ChatTemplate?, String) {
        if let name = (try? metadata.stringIfPresent(GGUFKey.alpacaTemplate)) ?? nil {
            if let template = ChatTemplate(name: name) { return (template, "named by the file's key \(GGUFKey.alpacaTemplate)") }
            if name == "none" { return (nil, "the file's key \(GGUFKey.alpacaTemplate) says none") }
        }
        if let text = (try? metadata.stringIfPresent(GGUFKey.chatTemplate)) ?? nil {
            if text.contains("### Instruction:\n\n") || text.contains("### Instruction:\\n\\n") {
                return (ChatTemplate(.alpaca), "the file's chat template has Alpaca's headings")
            }
            if text.contains("### Instruction:") {
                return (ChatTemplate(.alpacaTraining), "the file's chat template has Alpaca's headings")
            }
            if text.contains("[INST]") { return (ChatTemplate(.alpaca2), "the file's chat template has [INST]") }
            if text.contains("<|start_header_id|>") { return (ChatTemplate(.alpaca3), "the file's chat template has Llama 3's headers") }
        }
        let count = tokenizer.count
        let name = ((try? metadata.stringIfPresent(GGUFKey.name)) ?? nil)?.lowercased() ?? ""
        if tokenizer.piece(TokenID(truncatingIfNeeded: count - 1)) == "[PAD]" {
            return (ChatTemplate(.alpaca), "\(count) pieces, the last of them [PAD], as in Chinese-Alpaca")
        }
        switch count {
        case 49953: return (nil, "49953 pieces, as in Chinese-LLaMA, a base model")
        case 55296 where name.contains("alpaca"): return (ChatTemplate(.alpaca2), "55296 pieces and the name, as in Chinese-Alpaca-2")
        case 55296: return (nil, "55296 pieces, as in Chinese-LLaMA-2, and a name without \"alpaca\"")
        case 128256 where name.contains("instruct"): return (ChatTemplate(.alpaca3), "128256 pieces and the name, as in Llama-3-Instruct")
        case 32000: return (nil, "32000 pieces, as in LLaMA, a base model")
        default: return (nil, "nothing in the file tells of a template")
        }
    }
}

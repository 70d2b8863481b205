/// A piece of a rendered prompt. Special tokens are named, never written into text: what a user types can't become one.
enum PromptSegment: Equatable {
    case text(String)
    /// Something that the model wrote in an earlier turn.
    case answer(String)
    case bos, eos
    /// A special token by its piece, such as "<|eot_id|>".
    case special(String)
}

/// How a conversation is put to a model: the exact text that its training or its tools used. Either one that this library knows by name, or a text in
/// Jinja2, as model files carry it.
public struct ChatTemplate: Sendable, Equatable {
    enum Kind: Equatable {
        case known(KnownTemplate)
        case jinja(JinjaChat)
    }
    let kind: Kind

    /// The names of the known ones, the usual one of the Chinese-Alpaca models first:
    ///
    /// - `alpaca`: Chinese-Alpaca with llama.cpp's `-ins` and inference_hf.py; later turns follow as `-ins` puts them;
    /// - `alpaca-training`: the text of training and of the LangChain scripts;
    /// - `alpaca-gradio`, `alpaca-server`, `alpaca-server-chat`: the project's web demo and its OpenAI-style server;
    /// - `alpaca-2`: Chinese-Alpaca-2 (Llama-2's `[INST]`);
    /// - `alpaca-3`: Llama-3-Chinese-Instruct.
    public static let allNames = KnownTemplate.allCases.map(\.rawValue)

    /// The template of this name, nil if there is none.
    public init?(name: String) {
        guard let known = KnownTemplate(rawValue: name) else { return nil }
        kind = .known(known)
    }

    /// A template in Jinja2. It is a program: what it may use of time and memory is bounded.
    ///
    /// - Throws: `badFormat` or `unsupported` for what is no template that can be rendered, with the line and what is found there.
    public init(source: String) throws(AlpacaError) {
        do throws(AlpacaError) {
            kind = .jinja(JinjaChat(source, try JinjaTemplate(source: source), known: nil))
        } catch {
            throw error.inContext("chat template")
        }
    }

    init(_ known: KnownTemplate) { kind = .known(known) }

    /// - Parameter known: the one whose text it is, if it is one of ours.
    init(_ source: String, _ template: JinjaTemplate, known: KnownTemplate?) { kind = .jinja(JinjaChat(source, template, known: known)) }

    /// "jinja" for a text that is none of the known ones.
    public var name: String {
        switch kind {
        case .known(let known): known.rawValue
        case .jinja(let chat): chat.known?.rawValue ?? ModelTemplate.ownText
        }
    }

    /// The template's text in Jinja2; of a known one, the text that says the same.
    public var source: String {
        switch kind {
        case .known(let known): known.source
        case .jinja(let chat): chat.source
        }
    }

    /// The text that stands before the instructions of the first line's models, and the system text of the others, when the caller gives none.
    static let instructionPreamble = KnownTemplate.instructionPreamble, systemDefault = KnownTemplate.systemDefault

    /// What ends an answer beside what ends every text of the vocabulary: tokens, and texts that begin the next turn.
    func ends(_ tokenizer: Tokenizer) -> TemplateEnds {
        switch kind {
        case .known(let known): known.ends(tokenizer)
        case .jinja(let chat): chat.ends(tokenizer)
        }
    }
}

/// What ends an answer.
struct TemplateEnds: Sendable {
    var tokens: [TokenID] = []
    var texts: [String] = []
}

extension KnownTemplate {
    func ends(_ tokenizer: Tokenizer) -> TemplateEnds {
        switch self {
        case .alpaca, .alpacaTraining, .alpacaGradio, .alpacaServer, .alpacaServerChat: TemplateEnds(texts: ["### Instruction:"])
        case .alpaca2: TemplateEnds(texts: ["[INST]"])
        case .alpaca3: TemplateEnds(tokens: ["<|eot_id|>", "<|end_of_text|>"].compactMap { tokenizer.id(ofPiece: $0) })
        }
    }

    /// The prompt for the answer to the last message. A system message, which must come first, takes the place of the template's own text.
    ///
    /// - Parameter messages: those of a ``Conversation``.
    /// - Throws: `invalidArgument` when the template has no place for an assistant that speaks first.
    func render(_ messages: [ChatMessage]) throws(AlpacaError) -> [PromptSegment] {
        var turns = messages[...]
        let system = turns.first?.role == .system ? turns.removeFirst().content : nil
        switch self {
        case .alpaca2: return try alpaca2(turns, system ?? KnownTemplate.systemDefault)
        case .alpaca3: return alpaca3(turns, system ?? KnownTemplate.systemDefault)
        case .alpaca, .alpacaTraining, .alpacaGradio, .alpacaServer, .alpacaServerChat:
            return parts.map { joined(turns, system ?? KnownTemplate.instructionPreamble, $0) } ?? []
        }
    }

    /// The first line's form. Later turns either go on in the same text, or begin as if anew (end and beginning of a sequence between them).
    private func joined(_ turns: ArraySlice<ChatMessage>, _ system: String, _ parts: Parts) -> [PromptSegment] {
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
                .invalidArgument, "messages: the template \(rawValue) begins with the user's, found \(turns.first?.role.rawValue ?? "none")"
            )
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

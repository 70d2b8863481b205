// A conversation through a template in Jinja2.

/// A template's text, read.
final class JinjaChat: Sendable, Equatable {
    let source: String
    let template: JinjaTemplate
    /// The template that this library knows by name and whose text this is.
    let known: KnownTemplate?
    /// What ends its answers, once somebody has asked: for one vocabulary, which is the model's.
    private let found = Lock<(tokenizer: ObjectIdentifier, ends: TemplateEnds)?>(nil)

    init(_ source: String, _ template: JinjaTemplate, known: KnownTemplate?) {
        self.source = source
        self.template = template
        self.known = known
    }

    static func == (a: JinjaChat, b: JinjaChat) -> Bool { a.source == b.source && a.known == b.known }

    /// What the template prints.
    ///
    /// - Parameters:
    ///   - asksForAnswer: whether the beginning of the assistant's answer follows (`add_generation_prompt`).
    /// - Throws: `invalidArgument` for what the template says of the conversation (`raise_exception`) and for what goes wrong in it;
    ///   `unsupported`, `outOfMemory` when it takes too much.
    func pieces(
        _ messages: [ChatMessage], _ input: TemplateInput, asksForAnswer: Bool, _ tokenizer: Tokenizer
    ) throws(AlpacaError) -> [JinjaPiece] {
        var values = messages.map(\.value)
        var goesOn: JinjaText?
        if input.continuesFinalMessage {
            // A text of the template's that never asks for it could print it by chance alone.
            guard source.contains("content") else { throw FinalMessage.lost }
            goesOn = try FinalMessage.mark(&values)
        }
        var variables = JinjaChat.specials(tokenizer)
        variables.append(("messages", try JinjaValue.conversation(values)))
        variables.append(("add_generation_prompt", .boolean(asksForAnswer && !input.continuesFinalMessage)))
        variables += try input.values()
        let pieces: [JinjaPiece]
        do throws(AlpacaError) {
            pieces = try template.render(variables, clock: input.clock)
        } catch {
            throw error.inContext("chat template")
        }
        return if let goesOn { try FinalMessage.cut(pieces, goesOn) } else { pieces }
    }

    /// The special tokens that are set, by the names that templates know. They may become tokens.
    private static func specials(_ tokenizer: Tokenizer) -> [(String, JinjaValue)] {
        let ids = [
            ("bos_token", tokenizer.bos), ("eos_token", tokenizer.eos), ("pad_token", tokenizer.pad), ("unk_token", tokenizer.unknown),
        ]
        return ids.compactMap { name, id in id.flatMap(tokenizer.piece).map { (name, .trusted($0)) } }
    }

    // MARK: Ends

    /// What the template puts behind an answer: a special token ends one, and so does a mark that a vocabulary has no token for, and a heading.
    func ends(_ tokenizer: Tokenizer) -> TemplateEnds {
        let identity = ObjectIdentifier(tokenizer)
        if let found = found.withLock({ $0 }), found.tokenizer == identity { return found.ends }
        var ends = known?.ends(tokenizer) ?? TemplateEnds()
        if let tail = tail(tokenizer) {
            if let token = tokenizer.specialToken(at: tail) {
                if !ends.tokens.contains(token) { ends.tokens.append(token) }
            } else if let text = JinjaChat.mark(at: tail), !ends.texts.contains(text) {
                ends.texts.append(text)
            }
        }
        found.withLock { $0 = (identity, ends) }
        return ends
    }

    /// What stands behind an answer, without the blanks before it; nil where the template renders no answer that can be found.
    private func tail(_ tokenizer: Tokenizer) -> String? {
        let sample = "sampled answer"
        var messages = [
            ChatMessage(role: .user, content: "a"), ChatMessage(role: .assistant, content: sample), ChatMessage(role: .user, content: "b"),
        ]
        while messages.count > 1 {
            if let pieces = try? pieces(messages, TemplateInput(), asksForAnswer: false, tokenizer),
                let place = pieces.lastIndex(where: { $0.isInput && $0.text.contains(sample) })
            {
                // What the caller wrote ends nothing.
                let rest = pieces[(place + 1)...].prefix { !$0.isInput }.map(\.text).joined()
                return String(rest.drop { $0.isWhitespace })
            }
            messages.removeLast()
        }
        return nil
    }

    /// `<|im_end|>`, `### Instruction:`: a text that hardly stands in an answer; nil where it begins with something else.
    static func mark(at text: String) -> String? {
        let line = text.prefix { !$0.isNewline }
        guard line.utf8.count <= 1024 else { return nil }
        if line.first == "<", let end = line.dropFirst().firstIndex(of: ">"), line[..<end].utf8.count <= 64, line[..<end].utf8.count > 1 {
            return String(line[...end])
        }
        guard line.hasPrefix("##"), line.utf8.count <= 64 else { return nil }
        var heading = line
        while heading.last?.isWhitespace == true { heading.removeLast() }
        return heading.utf8.count > 3 ? String(heading) : nil
    }
}

/// A conversation whose last message goes on: the prompt ends where the message does, whatever the template puts behind it.
private enum FinalMessage {
    /// Put behind the message's text, and looked for in what is rendered: so transformers does it. Where the template takes blanks away, the one
    /// at its end is gone.
    private static let tag = "CONTINUE_FINAL_MESSAGE_TAG"

    /// - Returns: the text that goes on.
    static func mark(_ messages: inout [JinjaValue]) throws(AlpacaError) -> JinjaText {
        let result: JinjaText
        let missing = AlpacaError(
            .invalidArgument, "continue_final_message: the last message has no text that could be continued")
        guard case .dictionary(var members)? = messages.last, let place = members.lastIndex(where: { $0.key == "content" }) else {
            throw missing
        }
        switch members[place].value {
        case .text(let text):
            result = text
            members[place].value = marked(text)
        case .list(var parts):
            guard let last = parts.indices.last(where: { text(of: parts[$0]) != nil }), case .dictionary(var part) = parts[last],
                let inner = part.lastIndex(where: { $0.key == "text" }), case .text(let text) = part[inner].value
            else { throw missing }
            result = text
            part[inner].value = marked(text)
            parts[last] = .dictionary(part)
            members[place].value = .list(parts)
        default: throw missing
        }
        messages[messages.count - 1] = .dictionary(members)
        return result
    }

    private static func text(of part: JinjaValue) -> JinjaText? {
        guard case .dictionary(let members) = part, case .text(let text)? = members.last(where: { $0.key == "text" })?.value else {
            return nil
        }
        return text
    }

    private static func marked(_ text: JinjaText) -> JinjaValue {
        var text = text
        text.append(JinjaText("\(tag) ", isInput: true))
        return .text(text)
    }

    static let lost = AlpacaError(
        .invalidArgument,
        "continue_final_message: the chat template leaves the last message out or changes it, so that it can't be continued")

    /// What stands before the mark.
    static func cut(_ pieces: [JinjaPiece], _ message: JinjaText) throws(AlpacaError) -> [JinjaPiece] {
        var text = JinjaText()
        for piece in pieces { text.append(JinjaText(piece.text, isInput: piece.isInput)) }
        let mark = JinjaText(tag)
        guard var end = (0...max(0, text.count - mark.count)).last(where: { text.hasPrefix(mark, at: $0) }),
            holds(text.scalars, message.trimmed { $0.isPythonSpace }.scalars)
        else { throw lost }
        let behind = end + mark.count
        if behind == text.count || text.scalars[behind] != " " {
            while end > 0, text.scalars[end - 1].isPythonSpace { end -= 1 }
        }
        return text[0..<end].pieces
    }

    /// Whether `part` stands in `text`. Each character of the text is looked at a few times (Knuth, Morris and Pratt): texts may be long.
    private static func holds(_ text: [JinjaText.Scalar], _ part: [JinjaText.Scalar]) -> Bool {
        guard !part.isEmpty else { return true }
        var back = [Int](repeating: 0, count: part.count)
        var length = 0
        for i in part.indices.dropFirst() {
            while length > 0, part[i] != part[length] { length = back[length - 1] }
            if part[i] == part[length] { length += 1 }
            back[i] = length
        }
        length = 0
        for scalar in text {
            while length > 0, scalar != part[length] { length = back[length - 1] }
            if scalar == part[length] { length += 1 }
            if length == part.count { return true }
        }
        return false
    }
}

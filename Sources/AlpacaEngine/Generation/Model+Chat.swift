// From a conversation to the tokens of a prompt.

/// A conversation as a template puts it.
public struct RenderedChat: Sendable, Equatable {
    /// The text. Names of special tokens in it are text where a caller wrote them.
    public let text: String
    /// Its tokens.
    public let ids: [TokenID]
}

extension Model {
    /// What a conversation becomes: the text and the tokens that a call of ``Session/chat(_:_:onToken:)`` with these messages reads. Without a
    /// template the messages are lines of a text.
    ///
    /// - Parameters:
    ///   - asksForAnswer: whether the beginning of the assistant's answer follows (`add_generation_prompt`).
    ///   - addsBOS: whether the token that begins a text is put in front, where the model wants one and the template doesn't write it, as for a
    ///     call. transformers doesn't.
    /// - Throws: `invalidArgument` for what the template has against the conversation.
    public func render(
        _ messages: [ChatMessage], template choice: TemplateChoice = .automatic, systemPrompt: String? = nil,
        _ input: TemplateInput = .init(),
        asksForAnswer: Bool = true, addsBOS: Bool = true
    ) throws(AlpacaError) -> RenderedChat {
        try FloatState.standard { () throws(AlpacaError) -> RenderedChat in
            let template = try self.template(choice, withTools: input.tools != nil)
            guard !messages.isEmpty else { throw AlpacaError(.invalidArgument, "messages: found none, expected at least one") }
            guard let template else {
                let text = try Conversation(messages, systemPrompt: systemPrompt, endsWithUser: false).messages()
                    .map(\.content).joined(separator: "\n")
                return RenderedChat(text: text, ids: try tokenizer.ids(of: text, addBOS: addsBOS && tokenizer.addsBOS))
            }
            var messages = messages
            if let systemPrompt, messages.first?.role != .system {
                messages.insert(ChatMessage(role: .system, content: systemPrompt), at: 0)
            }
            let chat = try template.asJinja()
            let isCall = asksForAnswer && !input.continuesFinalMessage && messages.last?.role == .user
            if case .known(let known) = template.kind, isCall {
                messages = try Conversation(messages, systemPrompt: nil).messages()
                let pieces = try chat.pieces(messages, input, asksForAnswer: asksForAnswer, tokenizer)
                return RenderedChat(text: pieces.map(\.text).joined(), ids: try ids(messages, known, stop: nil))
            }
            let pieces = try chat.pieces(messages, input, asksForAnswer: asksForAnswer, tokenizer)
            return RenderedChat(text: pieces.map(\.text).joined(), ids: try ids(pieces, addsBOS: addsBOS, stop: nil))
        }
    }

    // MARK: Which template

    /// A template's text in Jinja2, as the files have it, or as it says the same that a name or the vocabulary tells.
    ///
    /// - Parameter name: nil for the one that prompts get; else a known one's or one of the files'.
    public func templateSource(named name: String? = nil) -> String? {
        guard let name, name.lowercased() != "auto" else { return modelTemplate.source ?? template?.source }
        if name == "default" { return modelTemplate.source }
        return modelTemplate.named.first { $0.name == name }?.source ?? ChatTemplate(name: name.lowercased())?.source
    }

    /// The template that a call asks for; nil for none.
    func chosenTemplate(_ parameters: GenerationParameters) throws(AlpacaError) -> ChatTemplate? {
        let template = try template(parameters.template, withTools: parameters.templateInput.tools != nil)
        guard parameters.templateInput.continuesFinalMessage else { return template }
        guard let template else {
            throw AlpacaError(.invalidArgument, "continue_final_message: found no template, expected one")
        }
        return try template.inJinja()
    }

    /// What of `input` the template does not mention, by its name: there it has no effect. transformers says nothing of it either, but a
    /// misspelt name of a variable shows only so.
    package func unmentioned(_ input: TemplateInput, by choice: TemplateChoice) throws(AlpacaError) -> [String] {
        let given = try input.names()
        guard !given.isEmpty else { return [] }
        guard let template = try template(choice, withTools: input.tools != nil) else { return given }
        let chat = try template.asJinja()
        return given.filter { !chat.template.mentions($0) }
    }

    func template(_ choice: TemplateChoice, withTools: Bool) throws(AlpacaError) -> ChatTemplate? {
        switch choice {
        case .automatic:
            // As transformers chooses: a template made for tools where there are some.
            if withTools, let own = try namedTemplate("tool_use") { return own }
            return template
        case .none: return nil
        case .named(let template): return template
        case .byName(let name):
            let known = name.lowercased()
            if known == "auto" { return try template(.automatic, withTools: withTools) }
            if known == "none" { return nil }
            if let template = ChatTemplate(name: known) { return template }
            if name == "default" || name == ModelTemplate.ownText, let template, case .jinja = template.kind { return template }
            if let own = try namedTemplate(name) { return own }
            let names = ChatTemplate.allNames + modelTemplate.named.prefix(16).map { $0.name.quoted(limit: 40) }
            throw AlpacaError(
                .invalidArgument, "template_name: found \(name.quoted(limit: 100)), expected none, \(names.joined(separator: ", "))")
        }
    }

    /// A template of the model's files for a special use; nil if there is none of this name.
    private func namedTemplate(_ name: String) throws(AlpacaError) -> ChatTemplate? {
        guard let source = modelTemplate.named.first(where: { $0.name == name })?.source else { return nil }
        if let known = namedTemplates.withLock({ $0[name] }) { return known }
        do throws(AlpacaError) {
            let template = try ChatTemplate(source: source)
            namedTemplates.withLock { $0[name] = template }
            return template
        } catch {
            throw error.inContext("template \(name.quoted(limit: 40))").inFile(path)
        }
    }

    // MARK: Tokens

    /// The ids of a conversation's prompt; without a template its messages are the lines of a text. They depend on the messages alone, not on
    /// what a session has read or written.
    func prompt(
        _ messages: [ChatMessage], _ template: ChatTemplate?, _ input: TemplateInput, stop: CancelFlag?
    ) throws(AlpacaError) -> [TokenID] {
        switch template?.kind {
        case nil:
            let text = messages.map(\.content).joined(separator: "\n")
            return try tokenizer.ids(of: text, addBOS: tokenizer.addsBOS, stop: stop)
        case .known(let known)?: return try ids(messages, known, stop: stop)
        case .jinja(let chat)?:
            // The texts in parts, the parts together, and their ids.
            try LargeMemory.ask(messages.reduce(0) { $0 + $1.content.utf8.count + $1.sizeBeside }, of: 16, for: "conversation")
            return try ids(chat.pieces(messages, input, asksForAnswer: true, tokenizer), addsBOS: true, stop: stop)
        }
    }

    /// The ids of what a template in Jinja printed. The token that begins a text is there once.
    private func ids(_ pieces: [JinjaPiece], addsBOS: Bool, stop: CancelFlag?) throws(AlpacaError) -> [TokenID] {
        var ids = try tokenizer.ids(of: pieces, stop: stop)
        if addsBOS, tokenizer.addsBOS, let bos = tokenizer.bos, ids.first != bos { ids.insert(bos, at: 0) }
        return ids
    }

    /// The ids of a conversation in a known template. Texts that follow each other are one text; an answer is a text of its own.
    func ids(_ messages: [ChatMessage], _ template: KnownTemplate, stop: CancelFlag?) throws(AlpacaError) -> [TokenID] {
        var ids: [TokenID] = []
        var text = ""
        var isFirst = true
        func flush() throws(AlpacaError) {
            guard !text.isEmpty else { return }
            ids += try tokenizer.ids(of: text, isBeginning: isFirst, stop: stop)
            text = ""
            isFirst = false
        }
        // The texts in parts, the parts together, and their ids.
        try LargeMemory.ask(messages.reduce(0) { $0 + $1.content.utf8.count }, of: 8, for: "conversation")
        for segment in try template.render(messages) {
            switch segment {
            case .text(let more): text += more
            case .answer(let words):
                try flush()
                ids += try tokenizer.ids(of: words, stop: stop)
            case .bos:
                try flush()
                if let bos = tokenizer.bos { ids.append(bos) }
            case .eos:
                try flush()
                if let eos = tokenizer.eos { ids.append(eos) }
            case .special(let piece):
                try flush()
                guard let id = tokenizer.id(ofPiece: piece) else {
                    throw AlpacaError(.unsupported, "template \(template.rawValue): the vocabulary has no token \(piece.quoted())")
                }
                ids.append(id)
            }
        }
        try flush()
        return ids
    }
}

extension ChatTemplate {
    /// The template as a text in Jinja.
    func asJinja() throws(AlpacaError) -> JinjaChat {
        switch kind {
        case .jinja(let chat): chat
        case .known(let known): JinjaChat(known.source, try JinjaTemplate(source: known.source), known: known)
        }
    }

    func inJinja() throws(AlpacaError) -> ChatTemplate { try ChatTemplate(kind: .jinja(asJinja())) }

    private init(kind: Kind) { self.kind = kind }

    var isJinja: Bool { if case .jinja = kind { true } else { false } }
}

extension Conversation {
    /// The conversation that a call gets.
    init(_ messages: [ChatMessage], _ parameters: GenerationParameters, _ template: ChatTemplate?) throws(AlpacaError) {
        if template?.isJinja == true {
            try self.init(
                asGiven: messages, systemPrompt: parameters.systemPrompt, continues: parameters.templateInput.continuesFinalMessage)
        } else {
            try self.init(messages, systemPrompt: parameters.systemPrompt, endsWithUser: template != nil)
        }
    }
}

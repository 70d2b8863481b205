// A session's high level: prompts and conversations in, text out, token by token.

extension Session {
    /// Answers `prompt` (with a template) or continues it (without). What the session holds of the same beginning is used again; the rest is
    /// forgotten.
    ///
    /// - Parameter onToken: called on this thread after each token, with the text that became whole; returning false stops the answer.
    /// - Throws: `contextFull` when the prompt does not fit, `busy`, `invalidArgument`, `outOfMemory`. A cancelled call does not throw.
    @discardableResult
    public func generate(
        _ prompt: String, _ parameters: GenerationParameters = .init(), onToken: (borrowing TokenEvent) -> Bool
    ) throws(AlpacaError) -> GenerationResult {
        try exclusively { () throws(AlpacaError) -> GenerationResult in
            let template = chosenTemplate(parameters)
            let ids: [TokenID]
            if let template {
                var messages = [ChatMessage(role: .user, content: prompt)]
                if let system = parameters.systemPrompt { messages.insert(ChatMessage(role: .system, content: system), at: 0) }
                ids = try render(messages, template)
            } else {
                ids = try model.tokenizer.ids(of: prompt, addBOS: model.tokenizer.addsBOS, stop: cancelFlag)
            }
            return try write(after: ids, parameters, template: template, onToken)
        }
    }

    /// Writes the assistant's answer to the last message of a conversation. Give the whole conversation each time: what the session has read
    /// of it is not read again.
    ///
    /// - Throws: as ``generate(_:_:onToken:)``; `invalidArgument` when the last message is not the user's.
    @discardableResult
    public func chat(
        _ messages: [ChatMessage], _ parameters: GenerationParameters = .init(), onToken: (borrowing TokenEvent) -> Bool
    ) throws(AlpacaError) -> GenerationResult {
        try exclusively { () throws(AlpacaError) -> GenerationResult in
            let template = chosenTemplate(parameters)
            let ids: [TokenID]
            if let template {
                ids = try render(messages, template)
            } else {
                guard !messages.isEmpty else { throw AlpacaError(.invalidArgument, "messages: found none, expected at least one") }
                let text = messages.map(\.content).joined(separator: "\n")
                ids = try model.tokenizer.ids(of: text, addBOS: model.tokenizer.addsBOS, stop: cancelFlag)
            }
            return try write(after: ids, parameters, template: template, onToken)
        }
    }

    /// Continues token ids; they may share their beginning with what the session holds.
    @discardableResult
    public func generate(
        tokens ids: [TokenID], _ parameters: GenerationParameters = .init(), onToken: (borrowing TokenEvent) -> Bool
    ) throws(AlpacaError) -> GenerationResult {
        try exclusively { () throws(AlpacaError) -> GenerationResult in
            try write(after: ids, parameters, template: nil, onToken)
        }
    }

    // MARK: - Prompts

    private func chosenTemplate(_ parameters: GenerationParameters) -> ChatTemplate? {
        switch parameters.template {
        case .automatic: model.template
        case .none: nil
        case .named(let template): template
        }
    }

    /// The ids of a rendered conversation. Texts that follow each other are one text; an answer is a text of its own. They depend on the messages
    /// alone, not on what the session has read or written.
    func render(_ messages: [ChatMessage], _ template: ChatTemplate) throws(AlpacaError) -> [TokenID] {
        let tokenizer = model.tokenizer
        var ids: [TokenID] = []
        var text = ""
        var isFirst = true
        func flush() throws(AlpacaError) {
            guard !text.isEmpty else { return }
            ids += try tokenizer.ids(of: text, isBeginning: isFirst, stop: cancelFlag)
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
                ids += try tokenizer.ids(of: words, stop: cancelFlag)
            case .bos:
                try flush()
                if let bos = tokenizer.bos { ids.append(bos) }
            case .eos:
                try flush()
                if let eos = tokenizer.eos { ids.append(eos) }
            case .special(let piece):
                try flush()
                guard let id = tokenizer.id(ofPiece: piece) else {
                    throw AlpacaError(.unsupported, "template \(template.name): the vocabulary has no token \(piece.quoted())")
                }
                ids.append(id)
            }
        }
        try flush()
        return ids
    }

    // MARK: - Writing

    private func write(
        after prompt: [TokenID], _ parameters: GenerationParameters, template: ChatTemplate?, _ onToken: (borrowing TokenEvent) -> Bool
    ) throws(AlpacaError) -> GenerationResult {
        try parameters.validate(vocabularySize: model.configuration.vocabularySize)
        var result = GenerationResult()
        guard !cancelFlag.isSet else {
            // While the prompt was cut into tokens, of which there are not all then.
            result.finishReason = .cancelled
            return result
        }
        guard !prompt.isEmpty else { throw AlpacaError(.invalidArgument, "the prompt is empty: expected at least one token") }
        let reused = min(prompt.count - 1, commonPrefix(prompt))
        forget(from: reused)
        try check(prompt[reused...])
        result.promptTokens = prompt.count
        result.cachedTokens = reused
        let start = Clock.now()
        defer {
            sequence.trim()
            model.runnable.executor.departed(ticket)
        }
        guard try finishes({ () throws(AlpacaError) in result.cachedTokens += try evaluate(prompt[reused...]) }) else {
            result.finishReason = .cancelled
            result.promptNanoseconds = Clock.now() &- start
            return result
        }
        let begin = Clock.now()
        result.promptNanoseconds = begin &- start

        var state = GenerationState(
            parameters, model.tokenizer, template: template, random: RandomSource(seed: random.next()))
        while case .token(let id) = try next(&state) {
            // The context may be full with the prompt alone; a token can still be drawn and shown, but not be read.
            guard state.goesOn(onToken(state.event)), try makeRoom(&state, parameters, prompt.count) else { break }
            guard try finishes({ () throws(AlpacaError) in try evaluate(id) }) else {
                state.end(.cancelled)
                break
            }
        }
        if state.flush() { _ = onToken(state.event) }
        result.finishReason = state.finishReason ?? result.finishReason
        result.stopString = state.stopString
        result.generatedTokens = state.count
        result.generationNanoseconds = Clock.now() &- begin
        return result
    }

    private func next(_ state: inout GenerationState) throws(AlpacaError) -> GenerationState.Step {
        let recent = history
        return try lastLogits { logits in state.next(logits, recent: recent.span, position: position, sampler: sampler) }
    }

    /// Sees to it that a token can be read; false when the text ends here.
    private func makeRoom(
        _ state: inout GenerationState, _ parameters: GenerationParameters, _ promptLength: Int
    ) throws(AlpacaError) -> Bool {
        guard position == contextLength else { return true }
        guard parameters.contextShift else {
            state.end(.contextFull)
            return false
        }
        guard try finishes({ () throws(AlpacaError) in try shift(promptLength: promptLength, parameters.keepTokens) }) else {
            state.end(.cancelled)
            return false
        }
        state.shifted(by: contextLength - position)
        return true
    }

    /// Runs `body`; false when it was cancelled.
    private func finishes(_ body: () throws(AlpacaError) -> Void) throws(AlpacaError) -> Bool {
        do throws(AlpacaError) {
            try body()
            return true
        } catch {
            guard error.code == .cancelled else { throw error }
            return false
        }
    }

    /// What the session holds of `ids`: what differs is read again.
    private func commonPrefix(_ ids: [TokenID]) -> Int {
        var count = 0
        while count < ids.count, count < history.count, ids[count] == history[count] { count += 1 }
        return count
    }

    /// Makes room: keeps the first tokens, forgets the older half of the rest, and reads the newer half again.
    private func shift(promptLength: Int, _ keepTokens: Int) throws(AlpacaError) {
        let keep = keepTokens < 0 ? min(promptLength, contextLength / 2) : keepTokens
        guard keep < contextLength - 1 else {
            throw AlpacaError(.contextFull, "n_keep: found \(keep), expected less than \(contextLength - 1) (n_ctx - 1)")
        }
        let rest = Array(history[(keep + (contextLength - keep + 1) / 2)...])
        forget(from: keep)
        try evaluate(rest[...])
    }

    // MARK: - For other calls

    /// The next token from the logits of the last position. With a seed, what is drawn depends on it, the position, the logits and the
    /// parameters alone; else it is drawn with the session's own random numbers.
    func draw(_ parameters: SamplingParameters) throws(AlpacaError) -> TokenID {
        var source = parameters.seed.map { RandomSource(seed: $0, position: position) } ?? random
        let recent = history
        let id = try lastLogits { logits in sampler.sample(logits, recent: recent.span, parameters, &source) }
        if parameters.seed == nil { random = source }
        return id
    }
}

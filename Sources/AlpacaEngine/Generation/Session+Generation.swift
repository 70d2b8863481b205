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
            let template = try model.chosenTemplate(parameters)
            let conversation = try Conversation([ChatMessage(role: .user, content: prompt)], parameters, template)
            let ids = try model.prompt(conversation.messages(), template, parameters.templateInput, stop: cancelFlag)
            return try write(after: ids, parameters, template: template, onToken)
        }
    }

    /// Writes the assistant's answer to the last message of a conversation. Give the whole conversation each time: what the session has read
    /// of it is not read again. A template in Jinja gets the messages as they are; for the others two messages of one role in a row count as
    /// one, with a line end between them. Without a template the messages are lines of a text.
    ///
    /// With ``GenerationParameters/contextShift`` a conversation may outgrow the context: its oldest turns are left out of the prompt then
    /// (``GenerationResult/leftOutMessages``); the system text and the last message stay.
    ///
    /// - Throws: as ``generate(_:_:onToken:)``; `invalidArgument` when the last message is not the user's, a system message is not the first, or the template has
    ///   something against the conversation.
    ///   The session holds what it held before.
    @discardableResult
    public func chat(
        _ messages: [ChatMessage], _ parameters: GenerationParameters = .init(), onToken: (borrowing TokenEvent) -> Bool
    ) throws(AlpacaError) -> GenerationResult {
        try exclusively { () throws(AlpacaError) -> GenerationResult in
            let template = try model.chosenTemplate(parameters)
            let conversation = try Conversation(messages, parameters, template)
            let (ids, leftOut) = try prompt(conversation, template, parameters)
            var result = try write(after: ids, parameters, template: template, onToken)
            result.leftOutMessages = leftOut
            return result
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

    /// The ids of a conversation's prompt, and how many of its messages were left out to make it fit.
    private func prompt(
        _ conversation: Conversation, _ template: ChatTemplate?, _ parameters: GenerationParameters
    ) throws(AlpacaError) -> ([TokenID], Int) {
        let input = parameters.templateInput
        var prompt = try model.prompt(conversation.messages(), template, input, stop: cancelFlag)
        // What is to be written needs room too: a quarter of the context, or less if less is asked for.
        let answer = min(contextLength / 4, parameters.maxNewTokens <= 0 ? contextLength : parameters.maxNewTokens)
        let limit = max(1, contextLength - answer)
        guard parameters.contextShift, prompt.count > limit else { return (prompt, 0) }
        // Headings and ends of turns come on top of a message's own tokens.
        let overhead = 16
        var count = try conversation.turnsToLeaveOut(limit: limit) { (message) throws(AlpacaError) in
            try model.tokenizer.ids(of: message.content, stop: cancelFlag).count + message.sizeBeside / 4 + overhead
        }
        prompt = try model.prompt(conversation.messages(withoutTurns: count), template, input, stop: cancelFlag)
        while prompt.count > limit, count < conversation.turns.count - 1 {
            count += 1
            prompt = try model.prompt(conversation.messages(withoutTurns: count), template, input, stop: cancelFlag)
        }
        return (prompt, conversation.turns.prefix(count).reduce(0) { $0 + $1.count })
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
        // Before anything is forgotten: a call that fails leaves the session as it was.
        try checkIDs(prompt)
        guard prompt.count <= contextLength else {
            throw AlpacaError(
                .contextFull, "the prompt's \(prompt.count) tokens do not fit into the \(contextLength) positions of the context (n_ctx)")
        }
        // Under dynamic NTK what was read in other pieces is not what a fresh session would hold.
        let common = min(prompt.count - 1, commonPrefix(prompt))
        let reused = sequence.isRepeatable(after: common, through: prompt.count) ? common : 0
        forget(from: reused)
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
            parameters, model.tokenizer, ends: template?.ends(model.tokenizer), random: RandomSource(seed: random.next()))
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
        return try lastLogits { (logits) throws(AlpacaError) in
            let step = state.next(logits, recent: recent.span, position: position, sampler: sampler)
            guard sampler.couldChoose(logits) else { throw noNumbers }
            return step
        }
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

    /// The model computed nothing that a token could be chosen by.
    var noNumbers: AlpacaError {
        AlpacaError(
            .badFormat, path: model.path,
            "the model's logits are not numbers (NaN): the file is damaged, or its numbers overflow; `alpaca convert` names the tensors that "
                + "hold some")
    }

    /// The next token from the logits of the last position. With a seed, what is drawn depends on it, the position, the logits and the
    /// parameters alone; else it is drawn with the session's own random numbers.
    func draw(_ parameters: SamplingParameters) throws(AlpacaError) -> TokenID {
        var source = parameters.seed.map { RandomSource(seed: $0, position: position) } ?? random
        let recent = history
        let id = try lastLogits { (logits) throws(AlpacaError) in
            let id = sampler.sample(logits, recent: recent.span, parameters, &source)
            guard sampler.couldChoose(logits) else { throw noNumbers }
            return id
        }
        if parameters.seed == nil { random = source }
        return id
    }
}

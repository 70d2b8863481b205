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
                ids = try model.tokenizer.ids(of: prompt, addBOS: model.tokenizer.addsBOS, stop: forward.cancelFlag)
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
                ids = try model.tokenizer.ids(of: text, addBOS: model.tokenizer.addsBOS, stop: forward.cancelFlag)
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

    /// The ids of a rendered conversation. Texts that follow each other are one text; an answer that this session wrote keeps the ids that
    /// it was written with, so that they are found in the cache.
    func render(_ messages: [ChatMessage], _ template: ChatTemplate) throws(AlpacaError) -> [TokenID] {
        let tokenizer = model.tokenizer
        var ids: [TokenID] = []
        var text = ""
        var isFirst = true
        func flush() throws(AlpacaError) {
            guard !text.isEmpty else { return }
            ids += try tokenizer.ids(of: text, addsSpacePrefix: isFirst, stop: forward.cancelFlag)
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
                if let known = answers[words] { ids += known } else { ids += try tokenizer.ids(of: words, stop: forward.cancelFlag) }
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
        guard !forward.cancelFlag.isSet else {
            // While the prompt was cut into tokens, of which there are not all then.
            var result = GenerationResult()
            result.finishReason = .cancelled
            return result
        }
        guard !prompt.isEmpty else { throw AlpacaError(.invalidArgument, "the prompt is empty: expected at least one token") }
        let reused = min(prompt.count - 1, commonPrefix(prompt))
        forget(from: reused)
        try check(prompt[reused...])
        if let seed = parameters.sampling.seed { random = RandomSource(seed: seed) }

        var result = GenerationResult()
        result.promptTokens = prompt.count
        result.cachedTokens = reused
        let start = Clock.now()
        guard try finishes({ () throws(AlpacaError) in try evaluate(prompt[reused...]) }) else {
            result.finishReason = .cancelled
            result.promptNanoseconds = Clock.now() &- start
            return result
        }
        let begin = Clock.now()
        result.promptNanoseconds = begin &- start

        var answer = Answer(parameters.stop + (template?.stops ?? []), endings: endings(template), stripsSpace: template != nil)
        let most = parameters.maxNewTokens == 0 ? Int.max : parameters.maxNewTokens
        writing: while true {
            guard result.generatedTokens < most else {
                result.finishReason = .length
                break
            }
            // The context may be full with the prompt alone; a token can still be drawn, but not be read.
            let (id, logprob, candidates) = try draw(parameters)
            if answer.endings.contains(id), !parameters.ignoresEndOfSequence {
                result.finishReason = .endOfSequence
                break
            }
            result.generatedTokens += 1
            let stop = answer.add(id, model.tokenizer)
            let goesOn = answer.report(id, logprob, candidates, onToken)
            if let stop {
                result.finishReason = .stopString
                result.stopString = answer.stops[stop]
                break
            }
            guard goesOn else {
                result.finishReason = .callback
                break
            }
            guard result.generatedTokens < most else {
                result.finishReason = .length
                break
            }
            if position == contextLength {
                guard parameters.contextShift else {
                    result.finishReason = .contextFull
                    break
                }
                guard try finishes({ () throws(AlpacaError) in try shift(promptLength: prompt.count, parameters.keepTokens) }) else {
                    result.finishReason = .cancelled
                    break writing
                }
            }
            guard try finishes({ () throws(AlpacaError) in try evaluate(id) }) else {
                result.finishReason = .cancelled
                break
            }
        }
        // What was held back is text after all, unless a stop string ended it; a caller that wants no more is not asked again.
        if result.finishReason != .callback { answer.finish(onToken) }
        remember(answer)
        result.generationNanoseconds = Clock.now() &- begin
        return result
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

    private func commonPrefix(_ ids: [TokenID]) -> Int {
        var count = 0
        while count < ids.count, count < history.count, ids[count] == history[count] { count += 1 }
        return count
    }

    private func endings(_ template: ChatTemplate?) -> [TokenID] {
        var ids = [model.tokenizer.eos, model.tokenizer.eot].compactMap { $0 }
        for piece in template?.stopPieces ?? [] {
            if let id = model.tokenizer.id(ofPiece: piece) { ids.append(id) }
        }
        return ids
    }

    /// The next token from the logits of the last position.
    func draw(_ parameters: GenerationParameters) throws(AlpacaError) -> (id: TokenID, logprob: Float, candidates: [Candidate]) {
        let id = try draw(parameters.sampling)
        guard parameters.candidateCount > 0 else { return (id, .nan, []) }
        let (logprob, top) = try lastLogits { logits in
            sampler.candidates(logits, chosen: id, count: parameters.candidateCount)
        }
        return (id, logprob, top)
    }

    func draw(_ parameters: SamplingParameters) throws(AlpacaError) -> TokenID {
        var source = random
        let recent = history
        let id = try lastLogits { logits in sampler.sample(logits, recent: recent.span, parameters, &source) }
        random = source
        return id
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

    private func remember(_ answer: Answer) {
        guard !answer.ids.isEmpty else { return }
        if answers.count >= 256 { answers.removeAll() }
        answers[String(decoding: answer.text, as: UTF8.self)] = answer.ids
    }
}

/// The text of an answer as it comes about.
struct Answer {
    let stops: [String]
    let endings: [TokenID]
    /// The tokens of ``text``, which is what the caller was shown.
    private(set) var ids: [TokenID] = []
    private(set) var text: [UInt8] = []

    private var matcher: StopMatcher
    private var assembler = UTF8Assembler()
    private var bytes: [UInt8] = []
    private var characters: [UInt8] = []
    private var ready: [UInt8] = []
    private var isStopped = false
    private var stripsSpace: Bool

    /// - Parameter stripsSpace: the blank that the first piece of a text begins with is not shown, as sentencepiece's decoding has it.
    init(_ stops: [String], endings: [TokenID], stripsSpace: Bool) {
        self.stops = stops.filter { !$0.isEmpty }
        self.endings = endings
        self.stripsSpace = stripsSpace
        matcher = StopMatcher(self.stops)
        bytes.reserveCapacity(256)
        characters.reserveCapacity(256)
        ready.reserveCapacity(1024)
    }

    /// Adds a token; the index of the stop string that it completed, if it did.
    mutating func add(_ id: TokenID, _ tokenizer: Tokenizer) -> Int? {
        ids.append(id)
        bytes.removeAll(keepingCapacity: true)
        characters.removeAll(keepingCapacity: true)
        ready.removeAll(keepingCapacity: true)
        tokenizer.appendBytes(of: id, to: &bytes)
        var first = 0
        if stripsSpace, !bytes.isEmpty {
            stripsSpace = false
            if bytes[0] == 0x20 { first = 1 }
        }
        for byte in bytes[first...] { assembler.append(byte, to: &characters) }
        let stop = matcher.append(characters, to: &ready)
        isStopped = stop != nil
        text += ready
        return stop
    }

    /// Tells the caller of the token that was added last.
    func report(_ id: TokenID, _ logprob: Float, _ candidates: [Candidate], _ onToken: (borrowing TokenEvent) -> Bool) -> Bool {
        let shown = ready.span
        return onToken(TokenEvent(id: id, index: ids.count - 1, text: shown, logprob: logprob, candidates: candidates))
    }

    /// The answer ends: shows what was held back.
    mutating func finish(_ onToken: (borrowing TokenEvent) -> Bool) {
        guard !isStopped, let id = ids.last else { return }
        characters.removeAll(keepingCapacity: true)
        ready.removeAll(keepingCapacity: true)
        assembler.flush(to: &characters)
        if matcher.append(characters, to: &ready) == nil { matcher.flush(to: &ready) }
        guard !ready.isEmpty else { return }
        text += ready
        let shown = ready.span
        _ = onToken(TokenEvent(id: id, index: ids.count - 1, text: shown, logprob: .nan, candidates: []))
    }
}

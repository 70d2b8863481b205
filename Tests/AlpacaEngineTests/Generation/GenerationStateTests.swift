import Testing

@testable import AlpacaEngine

/// The machine that writes a text, driven by hand: no session, no model, logits as the test wants them.
@Suite struct GenerationStateTests {
    private let none: [TokenID] = []
    private let tokenizer = Result { try Tokenizer(path: TokenizerTests.mini("mini_chinese_alpaca")) }

    /// Writes `ids` one after the other until the machine ends; what a reader saw, token by token.
    private func drive(
        _ ids: [TokenID], template: ChatTemplate? = nil, wanted: Int = .max, _ change: (inout GenerationParameters) -> Void = { _ in }
    ) throws -> (texts: [String], state: GenerationState) {
        let tokenizer = try tokenizer.get()
        let sampler = try Sampler(vocabularySize: tokenizer.count)
        var parameters = GenerationParameters()
        parameters.sampling = .greedy
        parameters.maxNewTokens = 0
        change(&parameters)
        var state = GenerationState(parameters, tokenizer, ends: template?.ends(tokenizer), random: RandomSource(seed: 0))
        var texts: [String] = []
        func text(_ event: borrowing TokenEvent) -> String {
            String(decoding: event.text.indices.map { event.text[$0] }, as: UTF8.self)
        }
        for (i, id) in ids.enumerated() {
            var logits = [Float](repeating: 0, count: tokenizer.count)
            logits[Int(id)] = 10
            guard case .token(let written) = state.next(logits.span, recent: none.span, position: i, sampler: sampler) else { break }
            #expect(written == id && state.event.id == id && state.event.index == i)
            texts.append(text(state.event))
            guard state.goesOn(texts.count < wanted) else { break }
        }
        if state.flush() { texts.append("+" + text(state.event)) }
        // Asked again, it tells the same end.
        if let reason = state.finishReason {
            let logits = [Float](repeating: 0, count: tokenizer.count)
            let count = state.count
            let again = state.next(logits.span, recent: none.span, position: 0, sampler: sampler)
            let goesOn = state.goesOn(true)
            #expect(again == .finished(reason) && !goesOn && state.count == count)
        }
        return (texts, state)
    }

    private func ids(_ text: String) throws -> [TokenID] { try tokenizer.get().encode(text) }

    @Test func endsOfAText() throws {
        let poem = try ids("白日依山尽")
        let (texts, open) = try drive(poem)
        #expect(texts.joined() == " 白日依山尽" && open.finishReason == nil && open.count == poem.count)
        // With a template the blank in front is not shown.
        #expect(try drive(poem, template: ChatTemplate(name: "alpaca")).texts.joined() == "白日依山尽")

        let ended = try drive(poem + [2] + poem)
        #expect(ended.texts.joined() == " 白日依山尽" && ended.state.finishReason == .endOfSequence && ended.state.count == poem.count)
        let ignored = try drive(poem + [2] + poem) { $0.ignoresEndOfSequence = true }
        #expect(ignored.state.finishReason == nil && ignored.state.count == 2 * poem.count + 1)

        let short = try drive(poem) { $0.maxNewTokens = 2 }
        #expect(short.state.finishReason == .length && short.state.count == 2)
        let unwanted = try drive(poem, wanted: 2)
        #expect(unwanted.state.finishReason == .callback && unwanted.state.count == 2)
        // A reader who wants no more counts more than the budget, a stop text more than both.
        #expect(try drive(poem, wanted: 2) { $0.maxNewTokens = 2 }.state.finishReason == .callback)
        let stopped = try drive(poem, wanted: 1) { ($0.maxNewTokens, $0.stop) = (1, [" "]) }
        #expect(stopped.state.finishReason == .stopString && stopped.state.stopString == " ")
    }

    @Test func heldBackTextIsShownAtTheEnd() throws {
        let poem = try ids("白日依山尽")
        // It looks like a stop text until the end.
        let held = try drive(poem) { ($0.stop, $0.maxNewTokens) = (["依山尽，"], poem.count) }
        #expect(held.texts.joined() == " 白日+依山尽" && held.state.finishReason == .length)
        let stopped = try drive(poem) { $0.stop = ["never", "依山"] }
        #expect(stopped.texts.joined() == " 白日" && stopped.state.stopString == "依山")
        #expect(try drive(poem, template: ChatTemplate(name: "alpaca")) { $0.stop = [""] }.state.stopString == nil)
        // Who wants no more gets no more.
        #expect(try drive(poem, wanted: poem.count) { $0.stop = ["依山尽，"] }.texts.joined() == " 白日")
        // A character of which bytes are missing.
        let byte = try #require(try tokenizer.get().id(ofPiece: "<0xE5>"))
        #expect(try drive([byte]) { $0.maxNewTokens = 1 }.texts == ["", "+\u{FFFD}"])
    }

    @Test func endsFromOutside() throws {
        var (_, state) = try drive(ids("白日"))
        state.end(.contextFull)
        state.end(.cancelled)
        let hasMore = state.flush()
        #expect(state.finishReason == .contextFull && !hasMore)
    }

    @Test func candidatesAreReported() throws {
        let tokenizer = try tokenizer.get()
        let sampler = try Sampler(vocabularySize: tokenizer.count)
        var parameters = GenerationParameters()
        (parameters.sampling, parameters.candidateCount) = (.greedy, 2)
        var state = GenerationState(parameters, tokenizer, ends: nil, random: RandomSource(seed: 0))
        var logits = [Float](repeating: -20, count: tokenizer.count)
        (logits[300], logits[301]) = (2, 1)
        let step = state.next(logits.span, recent: none.span, position: 0, sampler: sampler)
        #expect(step == .token(300))
        #expect(state.event.candidates.map(\.id) == [300, 301] && state.event.candidates[0].logprob == state.event.logprob)
    }
}

import Testing

@testable import AlpacaEngine

/// Equal arguments, equal results: what a seed promises, and that a session's past changes nothing.
@Suite struct SeedTests {
    private let none: [TokenID] = []
    private static let prompt = "写一首五言绝句，题目是《秋夜》"

    private func session(_ contextLength: Int = 0) throws -> Session {
        var options = Session.Options()
        options.contextLength = contextLength
        options.threadCount = 1
        return try SessionTests.model.get().makeSession(options)
    }

    private func parameters(_ seed: UInt64, _ change: (inout SamplingParameters) -> Void = { _ in }) -> GenerationParameters {
        var parameters = GenerationParameters()
        parameters.maxNewTokens = 48
        parameters.sampling.temperature = 1
        parameters.sampling.seed = seed
        change(&parameters.sampling)
        return parameters
    }

    private struct Answer: Equatable {
        var ids: [TokenID] = []
        var text: [UInt8] = []
        var promptTokens = 0
        var finishReason = FinishReason.length
        var string: String { String(decoding: text, as: UTF8.self) }
    }

    private func write(_ body: ((borrowing TokenEvent) -> Bool) throws -> GenerationResult) rethrows -> (answer: Answer, cached: Int) {
        var answer = Answer()
        let result = try body { event in
            if event.index == answer.ids.count { answer.ids.append(event.id) }
            for i in event.text.indices { answer.text.append(event.text[i]) }
            return true
        }
        answer.promptTokens = result.promptTokens
        answer.finishReason = result.finishReason
        return (answer, result.cachedTokens)
    }

    private static let changes: [@Sendable (inout SamplingParameters) -> Void] = [
        { _ in },
        { ($0.topK, $0.topP) = (0, 1) },
        { ($0.topK, $0.topP, $0.minP, $0.temperature) = (0, 0.95, 0.02, 1.5) },
        { ($0.topK, $0.topP, $0.repetitionPenalty, $0.presencePenalty, $0.repeatLastN) = (300, 0.99, 1.3, 0.5, -1) },
    ]

    /// A loop of append and sample draws what generate draws.
    @Test(arguments: [0, 1, 42, UInt64.max], 0..<4) func generateIsALoop(seed: UInt64, change: Int) throws {
        var parameters = parameters(seed, Self.changes[change])
        parameters.candidateCount = change == 2 ? 3 : 0
        let model = try SessionTests.model.get()
        let used = try session()
        let whole = try write { try used.generate(Self.prompt, parameters, onToken: $0) }.answer
        #expect(whole.ids.count > 5)

        let loop = try session()
        let template = try #require(model.template)
        try loop.append(model.prompt([ChatMessage(role: .user, content: Self.prompt)], template, TemplateInput(), stop: nil))
        var ids: [TokenID] = []
        while ids.count < parameters.maxNewTokens {
            let id = try loop.sample(parameters.sampling)
            // Draws of another seed, and without any, change nothing.
            var other = parameters.sampling
            other.seed = nil
            _ = try loop.sample(other)
            #expect(try loop.sample(parameters.sampling) == id)
            if id == model.tokenizer.eos { break }
            ids.append(id)
            try loop.append([id])
        }
        #expect(ids == whole.ids)
        // The same again, in a session that has written since.
        #expect(try write { try used.generate(Self.prompt, parameters, onToken: $0) }.answer == whole)
    }

    @Test func anotherSeedDrawsOthers() throws {
        let session = try session()
        let answers = try (0..<8).map { seed in
            try write { try session.generate(Self.prompt, parameters(seed), onToken: $0) }.answer.string
        }
        #expect(Set(answers).count == 8)
    }

    /// A conversation of several turns, in one session and each turn in a fresh one: the same prompt, the same answer, also where an answer's
    /// text is other tokens than those that were written.
    @Test func aUsedSessionAnswersAsAFreshOne() throws {
        let model = try SessionTests.model.get()
        let template = try #require(model.template)
        var rewritten = 0
        for seed: UInt64 in 0..<6 {
            let used = try session()
            // Something else comes before.
            _ = try write { try used.generate("天地玄黄", parameters(seed + 100), onToken: $0) }
            var messages = [ChatMessage(role: .user, content: Self.prompt)]
            for turn in 0..<3 {
                let parameters = parameters(seed + UInt64(turn)) { ($0.topK, $0.topP, $0.temperature) = (0, 1, 1.3) }
                let old = try write { try used.chat(messages, parameters, onToken: $0) }
                let new = try write { try session().chat(messages, parameters, onToken: $0) }
                #expect(old.answer == new.answer, "seed \(seed), turn \(turn)")
                // Whole pages that the other session has read.
                #expect(new.cached % 64 == 0)
                #expect(try model.prompt(messages, template, TemplateInput(), stop: nil).count == old.answer.promptTokens)
                if model.tokenizer.encode(old.answer.string) != old.answer.ids { rewritten += 1 }
                messages += [ChatMessage(role: .assistant, content: old.answer.string), ChatMessage(role: .user, content: "再写一首")]
            }
        }
        #expect(rewritten > 3, "no answer's text was other tokens than those written")
    }

    /// After a shift positions come again; the draws at them don't.
    @Test func shiftsRepeatNoDraw() throws {
        let model = try SessionTests.model.get()
        let size = model.configuration.vocabularySize
        let sampler = try Sampler(vocabularySize: size)
        // All tokens are as likely: what is drawn tells the random number.
        let logits = [Float](repeating: 0, count: size)
        var parameters = parameters(7) { ($0.topK, $0.topP, $0.repetitionPenalty) = (0, 1, 1) }
        parameters.maxNewTokens = 0
        parameters.ignoresEndOfSequence = true
        var state = GenerationState(parameters, model.tokenizer, ends: nil, random: RandomSource(seed: 1))
        var position = 20
        for drawn in 0..<200 {
            var source = RandomSource(seed: 7, position: 20 + drawn)
            let expected = sampler.sample(logits.span, recent: none.span, parameters.sampling, &source)
            let step = state.next(logits.span, recent: none.span, position: position, sampler: sampler)
            let goesOn = state.goesOn(true)
            #expect(step == .token(expected) && goesOn)
            position += 1
            if position == 32 {
                position -= 9
                state.shifted(by: 9)
            }
        }
    }

    /// The same through a session whose context is too short for the text.
    @Test func shiftsAreTheSameInAUsedSession() throws {
        var parameters = parameters(3)
        parameters.template = .none
        parameters.contextShift = true
        parameters.ignoresEndOfSequence = true
        parameters.maxNewTokens = 120
        let used = try session(32)
        let first = try write { try used.generate("and the", parameters, onToken: $0) }.answer
        #expect(first.ids.count == 120)
        #expect(try write { try used.generate("and the", parameters, onToken: $0) }.answer == first)
        #expect(try write { try session(32).generate("and the", parameters, onToken: $0) }.answer == first)
        // Until the first shift a loop draws the same.
        let loop = try session(32)
        var ids = try SessionTests.model.get().tokenizer.encode("and the", addBOS: true)
        let promptLength = ids.count
        try loop.append(ids)
        while loop.position < 32 {
            ids.append(try loop.sample(parameters.sampling))
            try loop.append([ids[ids.count - 1]])
        }
        #expect(Array(ids[promptLength...]) == Array(first.ids[..<(32 - promptLength)]))
    }

    /// A seed is its call's alone: it does not become what later draws without one begin with.
    @Test func aSeedLeavesNothingBehind() throws {
        let sessions = try (0..<2).map { _ in try session() }
        var parameters = parameters(9) { ($0.topK, $0.topP, $0.temperature) = (0, 1, 5) }
        var drawn: [[TokenID]] = []
        for session in sessions {
            _ = try session.generate(Self.prompt, parameters) { event in event.index < 3 }
            #expect(try session.sample(parameters.sampling) >= 0)
            parameters.sampling.seed = nil
            drawn.append(try (0..<30).map { _ in try session.sample(parameters.sampling) })
            parameters.sampling.seed = 9
        }
        #expect(drawn[0] != drawn[1])
    }

    /// Without a seed a session's draws are its own: two sessions write different texts.
    @Test func withoutASeed() throws {
        var parameters = parameters(0) { $0.seed = nil }
        parameters.maxNewTokens = 40
        let texts = try (0..<3).map { _ in
            try write { try session().generate(Self.prompt, parameters, onToken: $0) }.answer.string
        }
        #expect(Set(texts).count > 1)
    }
}

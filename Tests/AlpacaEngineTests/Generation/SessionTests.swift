import Foundation
import Testing

@testable import AlpacaEngine

/// Whole answers against transformers' `generate`, and a session's manners.
@Suite struct SessionTests {
    static let model = Result { try Model(path: MiniFamily.f16) }

    private func session(_ contextLength: Int = 0, cache: CacheType = .f32) throws -> Session {
        var options = Session.Options()
        options.contextLength = contextLength
        options.keyType = cache
        options.valueType = cache
        return try SessionTests.model.get().makeSession(options)
    }

    private var greedy: GenerationParameters {
        var parameters = GenerationParameters()
        parameters.sampling = .greedy
        parameters.maxNewTokens = 64
        return parameters
    }

    /// The ids and the text of an answer, with the end of sequence when it came.
    private func write(_ body: ((borrowing TokenEvent) -> Bool) throws -> GenerationResult) throws -> (
        ids: [TokenID], text: String, result: GenerationResult
    ) {
        var ids: [TokenID] = []
        var text: [UInt8] = []
        let result = try body { event in
            if event.index == ids.count { ids.append(event.id) }
            for i in event.text.indices { text.append(event.text[i]) }
            return true
        }
        if result.finishReason == .endOfSequence { ids.append(2) }
        return (ids, String(decoding: text, as: UTF8.self), result)
    }

    @Test(arguments: MiniFamily.generation.prompts.map(\.name)) func greedyIsTransformers(name: String) throws {
        let prompt = try #require(MiniFamily.generation.prompts.first { $0.name == name })
        var parameters = greedy
        #expect(try write { try session().generate(tokens: prompt.prompt_ids, parameters, onToken: $0) }.ids == prompt.greedy.ids)
        parameters.sampling.repetitionPenalty = 1.1
        parameters.sampling.repeatLastN = -1
        let penalized = try write { try session().generate(tokens: prompt.prompt_ids, parameters, onToken: $0) }
        #expect(penalized.ids == prompt.greedy_repetition_penalty_1_1.ids)
    }

    /// Text in, text out: the template, the tokenizer and the stream put together give the golden text.
    @Test func promptsBecomeText() throws {
        for prompt in MiniFamily.generation.prompts where prompt.template {
            let answer = try write { try session().generate(prompt.instruction ?? "", greedy, onToken: $0) }
            #expect(answer.text == prompt.greedy.text)
            #expect(answer.result.promptTokens == prompt.prompt_ids.count)
        }
    }

    @Test func everySplitOfAPromptGivesTheSameLogits() throws {
        let ids = MiniFamily.generation.prompts[0].prompt_ids
        func logits(_ parts: [[TokenID]]) throws -> [Float] {
            let session = try session(cache: .f16)
            for part in parts { try session.append(part) }
            return try session.withLogits { row in row.indices.map { row[$0] } }
        }
        let whole = try logits([ids])
        #expect(try logits(ids.map { [$0] }) == whole)
        #expect(try logits([Array(ids[..<40]), Array(ids[40...])]) == whole)
    }

    @Test func secondTurnReadsOnlyWhatIsNew() throws {
        let session = try session()
        var messages = [ChatMessage(role: .user, content: "写一首五言绝句，题目是《山中》")]
        let first = try write { try session.chat(messages, greedy, onToken: $0) }
        let read = session.position
        messages += [ChatMessage(role: .assistant, content: first.text), ChatMessage(role: .user, content: "再写一首")]
        let second = try write { try session.chat(messages, greedy, onToken: $0) }
        #expect(second.result.cachedTokens == read)
        // The same conversation without a cache gives the same answer.
        #expect(try write { try self.session().chat(messages, greedy, onToken: $0) }.ids == second.ids)
    }

    @Test func stopStringsAreNotShown() throws {
        let whole = MiniFamily.generation.prompts[0].greedy.text
        let prompt = MiniFamily.generation.prompts[0].instruction ?? ""
        for length in 1...4 {
            var parameters = greedy
            let start = whole.index(whole.startIndex, offsetBy: 7)
            let stop = String(whole[start..<whole.index(start, offsetBy: length)])
            parameters.stop = ["never", stop]
            let answer = try write { try session().generate(prompt, parameters, onToken: $0) }
            #expect(answer.text == String(whole.prefix(upTo: try #require(whole.range(of: stop)).lowerBound)))
            #expect(answer.result.finishReason == .stopString)
            #expect(answer.result.stopString == stop)
        }
    }

    @Test func fullContextEndsOrShifts() throws {
        var parameters = greedy
        parameters.template = .none
        parameters.ignoresEndOfSequence = true
        parameters.maxNewTokens = 100
        let session = try session(32)
        let ended = try write { try session.generate("and the", parameters, onToken: $0) }
        #expect(ended.result.finishReason == .contextFull)
        #expect(session.position == 32)
        parameters.contextShift = true
        let shifted = try write { try session.generate("and the", parameters, onToken: $0) }
        #expect(shifted.result.finishReason == .length)
        #expect(shifted.result.generatedTokens == 100)
        #expect(shifted.ids.starts(with: ended.ids))
        let tooLong = try #require(alpacaError { try session.append([TokenID](repeating: 5, count: 33)) })
        #expect(tooLong.code == .contextFull)
        #expect(tooLong.message.hasPrefix("33 tokens do not fit: "))
    }

    @Test func callbackAndCancelStop() throws {
        let session = try session()
        var parameters = greedy
        parameters.ignoresEndOfSequence = true
        parameters.maxNewTokens = 0
        var count = 0
        let stopped = try session.generate("写一首诗", parameters) { _ in
            count += 1
            return count < 3
        }
        #expect(stopped.finishReason == .callback)
        #expect(count == 3)
        let cancelled = try session.generate("写一首诗", parameters) { _ in
            session.cancel()
            return true
        }
        #expect(cancelled.finishReason == .cancelled)
        // It goes on as if nothing had been.
        #expect(try write { try session.generate("写一首诗", greedy, onToken: $0) }.result.generatedTokens > 0)
    }

    /// What the last owner's free leaves behind: calls that had found the session before, and have not begun.
    @Test func aClosedSessionRunsNothing() throws {
        let session = try session()
        session.close()
        #expect(alpacaError { try session.append([5, 6]) }?.code == .cancelled)
        #expect(try session.generate("写一首诗", greedy) { _ in true }.finishReason == .cancelled)
        #expect(session.position == 0)
    }

    @Test func callsInsideACallbackAreRefused() throws {
        let session = try session()
        var inside: AlpacaError?
        var position = 0
        var tokens: [TokenID] = []
        try session.generate("写一首诗", greedy) { _ in
            inside = alpacaError { try session.append([5]) }
            position = session.position
            tokens = (try? session.tokens()) ?? []
            return false
        }
        #expect(inside?.code == .busy)
        #expect(position > 0)
        #expect(tokens.count == position)
    }

    @Test func parametersAreChecked() throws {
        let session = try session()
        func message(_ change: (inout GenerationParameters) -> Void) -> String? {
            var parameters = GenerationParameters()
            change(&parameters)
            return alpacaError { try session.generate("a", parameters) { _ in true } }?.message
        }
        #expect(message { $0.sampling.temperature = .nan } == "temperature: found nan, expected 0 or more")
        #expect(message { $0.sampling.topP = 1.5 } == "top_p: found 1.5, expected 0 to 1")
        #expect(message { $0.sampling.repetitionPenalty = 0 } == "repetition_penalty: found 0.0, expected more than 0")
        #expect(message { $0.sampling.logitBias = [4000: 1] } == "logit_bias: found token id 4000, expected 0 to 3940")
        #expect(message { $0.maxNewTokens = -2 } == "max_new_tokens: found -2, expected -1 or more")
        #expect(message { $0.candidateCount = 101 } == "n_probs: found 101, expected 0 to 100")
        let model = try SessionTests.model.get()
        var options = Session.Options()
        options.contextLength = -1
        #expect(
            alpacaError { _ = try model.makeSession(options) }?.message
                == "n_ctx: found -1, expected 1 ... 4194304, or 0 for the model's")
    }

    @Test func asynchronousStream() async throws {
        let session = try session()
        var text = ""
        for try await piece in session.generate(MiniFamily.generation.prompts[0].instruction ?? "", greedy) { text += piece }
        #expect(text == MiniFamily.generation.prompts[0].greedy.text)
        // Leaving the loop stops the writing; the session is free again soon.
        var endless = greedy
        endless.ignoresEndOfSequence = true
        endless.contextShift = true
        endless.maxNewTokens = 0
        for try await piece in session.generate("写一首诗", endless) {
            if !piece.isEmpty { break }
        }
        while alpacaError({ try session.truncate(to: 0) })?.code == .busy { try await Task.sleep(nanoseconds: 1_000_000) }
        #expect(session.position == 0)
    }
}

@Suite struct ReadmeExampleTests {
    /// Names the model relative to the repository, where tests run.
    @Test func runs() async throws { try await writePoem() }
}

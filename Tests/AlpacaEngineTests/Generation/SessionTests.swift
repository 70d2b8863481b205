import Testing

@testable import AlpacaEngine

/// Whole answers against transformers' `generate`.
@Suite struct SessionTests {
    private func write(_ session: Session, _ ids: [TokenID], _ sampling: SamplingParameters, most: Int = 64) throws -> [TokenID] {
        var parameters = GenerationParameters()
        parameters.sampling = sampling
        parameters.maxNewTokens = most
        var written: [TokenID] = []
        let result = try session.generate(tokens: ids, parameters) { event in
            if event.index == written.count { written.append(event.id) }
            return true
        }
        if result.finishReason == .endOfSequence { written.append(2) }
        return written
    }

    private func session() throws -> Session {
        var options = Session.Options()
        options.keyType = .f32
        options.valueType = .f32
        return try Model(path: MiniFamily.f16).makeSession(options)
    }

    @Test(arguments: MiniFamily.generation.prompts.map(\.name)) func greedyIsTransformers(name: String) throws {
        let prompt = try #require(MiniFamily.generation.prompts.first { $0.name == name })
        #expect(try write(session(), prompt.prompt_ids, .greedy) == prompt.greedy.ids)
        var penalized = SamplingParameters.greedy
        penalized.repetitionPenalty = 1.1
        penalized.repeatLastN = -1
        #expect(try write(session(), prompt.prompt_ids, penalized) == prompt.greedy_repetition_penalty_1_1.ids)
    }
}

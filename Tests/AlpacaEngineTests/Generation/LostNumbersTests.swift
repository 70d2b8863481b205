import Testing

@testable import AlpacaEngine

/// Models whose numbers end in NaN: no text is made of them, and whoever asks is told.
@Suite struct LostNumbersTests {
    static func withSession<R>(_ numbers: [String: [Float]], rows: Int? = nil, _ body: (Session) throws -> R) throws -> R {
        try Fixtures.withFolder { work in
            try TinyModel(rows: rows, type: .f32, numbers: numbers).write(to: work + "/model")
            return try body(Model(path: work + "/model").makeSession())
        }
    }

    static let damaged: [[String: [Float]]] = [
        ["model.norm.weight": [.nan]], ["model.layers.0.mlp.down_proj.weight": [.nan]],
        ["model.norm.weight": [.infinity, -.infinity]],
    ]

    @Test(arguments: damaged) func `an error, once, whatever is asked for`(_ numbers: [String: [Float]]) throws {
        try Self.withSession(numbers) { session in
            func check(_ body: () throws -> Void) {
                let error = alpacaError(body)
                #expect(error?.code == .badFormat && error?.path == session.model.path, "\(error?.message ?? "no error")")
                #expect(error?.message.contains("the model's logits are not numbers (NaN)") == true, "\(error?.message ?? "")")
            }
            for temperature: Float in [0, 0.7] {
                var parameters = GenerationParameters()
                parameters.sampling.temperature = temperature
                parameters.maxNewTokens = 4
                for count in [0, 3] {
                    parameters.candidateCount = count
                    var events = 0
                    check {
                        try session.generate("the hen", parameters) { _ in
                            events += 1
                            return true
                        }
                    }
                    #expect(events == 0)
                }
                check { try session.chat([ChatMessage(role: .user, content: "a")], parameters) { _ in true } }
                // The low level gives what there is; drawing from it does not.
                try session.truncate(to: 0)
                try session.append([5, 6])
                try session.withLogits { logits in #expect(logits.count == TinyModel.count) }
                check { _ = try session.sample(parameters.sampling) }
            }
            check { _ = try session.perplexity(of: "the hen in an ant the hen", windowLength: 8) }
            check { _ = try session.perplexity(of: "the hen in an ant the hen", windowLength: 8, stride: 4) }
        }
    }

    /// A row that is never written may hold anything, and a token may have no chance.
    @Test func `some that are none are no matter`() throws {
        let rows = TinyModel.count + 3
        var head = TinyModel.values(rows * 32, 13)
        head.replaceSubrange((rows * 32 - 32)..., with: [Float](repeating: .nan, count: 32))
        try Self.withSession(["lm_head.weight": head], rows: rows) { session in
            try session.append([5, 6])
            #expect(try Int(session.sample(.greedy)) < TinyModel.count)
            #expect(try session.perplexity(of: "the hen in an ant the hen", windowLength: 8).value.isFinite)
        }
    }

    /// One token's logit: text is made of the others, but nothing can be said of probabilities.
    @Test func `a token's own that is none`() throws {
        try Self.withSession(["lm_head.weight": [.nan]]) { session in
            #expect(try session.perplexity(of: "the hen in an ant the hen", windowLength: 8).value == .infinity)
            try session.truncate(to: 0)
            try session.append([5])
            #expect(try session.sample(.greedy) > 0)
        }
    }

    /// Forbidding everything is the caller's doing, and no fault of the model.
    @Test func `biases that forbid everything`() throws {
        try Self.withSession([:]) { session in
            var parameters = GenerationParameters()
            parameters.maxNewTokens = 2
            parameters.sampling.logitBias = Dictionary(uniqueKeysWithValues: (0..<TokenID(TinyModel.count)).map { ($0, -.infinity) })
            for temperature: Float in [0, 1] {
                parameters.sampling.temperature = temperature
                try session.generate("the", parameters) { _ in true }
                try session.truncate(to: 0)
                try session.append([5])
                #expect(try session.sample(parameters.sampling) == 0)
            }
        }
    }
}

import CAlpaca
import Glibc
import Testing

@Suite struct SessionTests {
    private func create(_ change: (inout alpaca_session_params) -> Void) throws -> Outcome {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        var params = alpaca_session_params()
        _ = alpaca_session_params_init(&params, MemoryLayout<alpaca_session_params>.size)
        change(&params)
        var session = OpaquePointer(bitPattern: 1)
        let result = outcome(alpaca_session_create(model, &params, &session))
        if result != .ok { #expect(session == nil, "the handle is NULL after a failure") }
        alpaca_session_free(session)
        return result
    }

    @Test func parameters() throws {
        #expect(try create { _ in } == .ok)
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        #expect(outcome(alpaca_session_create(model, nil, nil)) == .invalid("out: found NULL, expected a place for the result"))
        for value: Int32 in [-1, .min, .max, 1 << 22 + 1] {
            #expect(
                try create { $0.n_ctx = value } == .invalid("n_ctx: found \(value), expected 1 ... 4194304, or 0 for the model's"))
        }
        for value: Int32 in [0, -1, .min, .max, 4097] {
            #expect(try create { $0.n_batch = value } == .invalid("n_batch: found \(value), expected 1 ... 4096"))
        }
        for value: Int32 in [-1, .min, .max, 257] {
            #expect(
                try create { $0.n_threads = value } == .invalid("n_threads: found \(value), expected 1 ... 256, or 0 for all cores"))
        }
        for value: Int32 in [-1, 2, .min, .max] {
            #expect(try create { $0.type_k = value } == .invalid("type_k: found \(value), expected an alpaca_cache_type, 0, 1 or 8"))
            #expect(try create { $0.type_v = value } == .invalid("type_v: found \(value), expected an alpaca_cache_type, 0, 1 or 8"))
        }
        for value: Int32 in [-1, 2, .min, .max] {
            #expect(try create { $0.grow_on_demand = value } == .invalid("grow_on_demand: found \(value), expected 0 or 1"))
        }
        for value in [-1, Double.nan, .infinity, -.infinity] {
            #expect(try create { $0.rope_theta = value } == .invalid("rope_theta: found \(value), expected 1.0 to 1000000000000000.0"))
            #expect(try create { $0.rope_scale = value } == .invalid("rope_scale: found \(value), expected 0.001 to 10000.0"))
        }
        #expect(try create { $0.n_ctx = 1 } == .ok)
        #expect(try create { $0.n_batch = 1 } == .ok)
        #expect(try create { $0.n_batch = 4096 } == .ok)
        #expect(try create { $0.n_threads = 3 } == .ok)
        #expect(try create { ($0.type_k, $0.type_v) = (0, 0) } == .ok)
        #expect(try create { ($0.rope_theta, $0.rope_scale) = (1e6, 4) } == .ok)
        #expect(try create { $0.grow_on_demand = 1 } == .ok)
        for value: Int32 in [-1, 6, .min, .max] {
            #expect(
                try create { $0.rope_scaling = value } == .invalid("rope_scaling: found \(value), expected an alpaca_rope_scaling, 0 to 5"))
        }
        for kind: Int32 in 1...5 { #expect(try create { $0.rope_scaling = kind } == .ok) }
        #expect(try create { ($0.rope_scaling, $0.rope_scale, $0.rope_original_ctx) = (3, 4, 256) } == .ok)
        #expect(try create { ($0.rope_scaling, $0.yarn_attn_factor, $0.yarn_beta_fast, $0.yarn_beta_slow) = (3, 1.2, 24, 2) } == .ok)
        #expect(try create { ($0.rope_scaling, $0.rope_alpha) = (4, 2) } == .ok)
        #expect(
            try create { $0.rope_alpha = 2 } == .invalid("rope_alpha: found 2.0, which has no effect unless rope_scaling is ntk"))
        for value in [-1, Double.nan, .infinity] {
            #expect(try create { ($0.rope_scaling, $0.rope_alpha) = (4, value) } != .ok)
            #expect(try create { ($0.rope_scaling, $0.yarn_beta_fast) = (3, value) } != .ok)
        }
        #expect(try create { ($0.rope_scaling, $0.rope_original_ctx) = (3, -1) } != .ok)
    }

    @Test func getters() throws {
        let session = try Fixture.session {
            $0.n_ctx = 77
            $0.n_threads = 2
        }
        defer { alpaca_session_free(session) }
        #expect(alpaca_session_context_length(session) == 77)
        #expect(alpaca_session_thread_count(session) == 2)
        #expect(alpaca_session_position(session) == 0)
    }

    @Test func appendTruncateAndTokens() throws {
        let session = try Fixture.session { $0.n_ctx = 32 }
        defer { alpaca_session_free(session) }
        let ids: [Int32] = [1, 300, 301, 302]
        #expect(outcome(alpaca_session_append(session, nil, 0)) == .ok)
        #expect(outcome(alpaca_session_append(session, ids, 4)) == .ok)
        #expect(alpaca_session_position(session) == 4)
        #expect(outcome(alpaca_session_append(session, nil, 1)) == .invalid("ids: found NULL, expected 1 ids"))
        for n in [-1, Int.max, Int.min] {
            #expect(
                outcome(alpaca_session_append(session, ids, n))
                    == .invalid("ids: found \(UInt(bitPattern: n)) ids, expected at most \(1 << 28)"))
        }
        for id: Int32 in [-1, .min, .max] {
            let found = outcome(alpaca_session_append(session, [5, id], 2))
            #expect(found.status == "ALPACA_INVALID_ARGUMENT")
            #expect(found.message.hasPrefix("token id at index 1: found \(id), expected 0 "))
        }
        #expect(alpaca_session_position(session) == 4, "a refused call reads nothing")
        let many = [Int32](repeating: 5, count: 29)
        #expect(
            outcome(alpaca_session_append(session, many, 29))
                == Outcome(ALPACA_CONTEXT_FULL, "29 tokens do not fit: 4 of 32 positions (n_ctx) are in use"))
        #expect(outcome(alpaca_session_append(session, many, 28)) == .ok)

        var n = 0
        #expect(alpaca_session_tokens(session, nil, 0, &n) == ALPACA_BUFFER_TOO_SMALL)
        #expect(n == 32)
        var held = [Int32](repeating: -7, count: 33)
        #expect(outcome(alpaca_session_tokens(session, &held, 32, &n)) == .ok)
        #expect(held == ids + many.prefix(28) + [-7])
        #expect(outcome(alpaca_session_tokens(session, &held, 33, nil)) == .invalid("n: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_session_tokens(session, nil, 33, &n)) == .invalid("ids: found NULL, expected room for 32 ids"))

        #expect(outcome(alpaca_session_truncate(session, Int(bitPattern: UInt.max))) == .ok)
        #expect(alpaca_session_position(session) == 32)
        #expect(outcome(alpaca_session_truncate(session, 4)) == .ok)
        #expect(alpaca_session_position(session) == 4)
        #expect(outcome(alpaca_session_truncate(session, 0)) == .ok)
        #expect(alpaca_session_position(session) == 0)
    }

    @Test func logitsAndSampling() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        var logits: UnsafePointer<Float>?
        var n = 0
        var id: Int32 = -1
        let none = Outcome.invalid("the session has no logits: append at least one token first")
        #expect(outcome(alpaca_session_logits(session, &logits, &n)) == none)
        #expect(outcome(alpaca_session_sample(session, nil, &id)) == none)
        #expect(logits == nil && n == 0 && id == -1)

        try #require(outcome(alpaca_session_append(session, [1, 300, 301], 3)) == .ok)
        #expect(outcome(alpaca_session_logits(session, nil, &n)) == .invalid("logits: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_session_logits(session, &logits, nil)) == .invalid("n: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_session_logits(session, &logits, &n)) == .ok)
        let values = try #require(logits.map { Array(UnsafeBufferPointer(start: $0, count: n)) })
        #expect(values.count > 1000 && values.allSatisfy { $0.isFinite })
        let best = try #require(values.indices.max { values[$0] < values[$1] })

        var params = Fixture.greedy { $0.repetition_penalty = 1 }
        #expect(outcome(alpaca_session_sample(session, &params, nil)) == .invalid("id: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_session_sample(session, &params, &id)) == .ok)
        #expect(Int(id) == best)
        #expect(alpaca_session_position(session) == 3, "a drawn token is not appended")
        // With a seed: the same at the same position, another at another, and over many seeds not always the same.
        func draw(_ seed: UInt64) throws -> Int32 {
            params.temperature = 5
            params.top_k = 0
            params.top_p = 1
            params.use_seed = 1
            params.seed = seed
            try #require(outcome(alpaca_session_sample(session, &params, &id)) == .ok)
            return id
        }
        let drawn = try (0..<20).map { try draw($0) }
        #expect(try (0..<20).map { try draw($0) } == drawn)
        #expect(Set(drawn).count > 15)
        // The same tokens in other batches give the same logits, bit for bit.
        let other = try Fixture.session { ($0.n_batch, $0.n_threads) = (1, 1) }
        defer { alpaca_session_free(other) }
        for token: Int32 in [1, 300, 301] { try #require(alpaca_session_append(other, [token], 1) == ALPACA_OK) }
        try #require(alpaca_session_logits(other, &logits, &n) == ALPACA_OK)
        #expect(memcmp(try #require(logits), values, n * 4) == 0)
        #expect(alpaca_session_truncate(session, 2) == ALPACA_OK)
        #expect(outcome(alpaca_session_logits(session, &logits, &n)) == none)
    }
}

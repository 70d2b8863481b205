import CAlpaca
import Glibc
import Testing

/// Memory for keys and values: budgets, growth on demand, common beginnings, a thousand sessions. What goes back to the system is measured by
/// Tests/abi/harness, whose process does nothing else meanwhile.
@Suite struct CacheMemoryTests {
    private static let ids: [Int32] = (0..<300).map { Int32(($0 * 7919 + 13) % 3900) }

    private func model(cacheBytes: UInt64 = 0) throws -> OpaquePointer {
        var params = alpaca_model_params()
        _ = alpaca_model_params_init(&params, MemoryLayout<alpaca_model_params>.size)
        params.cache_bytes = cacheBytes
        var model: OpaquePointer?
        try #require(outcome(alpaca_model_open(Fixture.q8, &params, &model)) == .ok)
        return try #require(model)
    }

    /// How making a session ended, and the session.
    private func create(_ model: OpaquePointer, context: Int32, grows: Bool = false) -> (outcome: Outcome, session: OpaquePointer?) {
        var params = alpaca_session_params()
        _ = alpaca_session_params_init(&params, MemoryLayout<alpaca_session_params>.size)
        (params.n_ctx, params.n_threads, params.n_batch, params.grow_on_demand) = (context, 1, 64, grows ? 1 : 0)
        var session: OpaquePointer?
        return (outcome(alpaca_session_create(model, &params, &session)), session)
    }

    private func session(_ model: OpaquePointer, context: Int32 = 512, grows: Bool = false) throws -> OpaquePointer {
        let made = create(model, context: context, grows: grows)
        try #require(made.outcome == .ok)
        return try #require(made.session)
    }

    /// Bytes of 64 positions with F16 for both, as docs/embedding.md has them.
    private func pageBytes(_ model: OpaquePointer) throws -> UInt64 {
        var info = alpaca_model_info()
        info.struct_size = MemoryLayout<alpaca_model_info>.size
        try #require(alpaca_model_get_info(model, &info) == ALPACA_OK)
        return UInt64(info.n_layer * info.n_head_kv * (info.n_embd / info.n_head) * 64 * 4)
    }

    private func append(_ session: OpaquePointer, _ ids: some Sequence<Int32>) -> Outcome {
        let ids = Array(ids)
        return outcome(alpaca_session_append(session, ids, ids.count))
    }

    private func logits(_ session: OpaquePointer) throws -> [UInt32] {
        var logits: UnsafePointer<Float>?
        var n = 0
        try #require(outcome(alpaca_session_logits(session, &logits, &n)) == .ok)
        return UnsafeBufferPointer(start: try #require(logits), count: n).map(\.bitPattern)
    }

    private func refusal(_ positions: Int, needs: UInt64, of budget: UInt64, taken: UInt64) -> Outcome {
        Outcome(
            ALPACA_OUT_OF_MEMORY,
            "key and value cache of \(positions) positions: needs \(needs) bytes of the \(budget) that the model's sessions share "
                + "(cache_bytes), \(taken) are taken")
    }

    /// No limit, and limits that nothing reaches.
    @Test(arguments: [0, UInt64(Int64.max), 1 << 63, .max]) func largeBudgets(bytes: UInt64) throws {
        let model = try model(cacheBytes: bytes)
        defer { alpaca_model_free(model) }
        for grows in [false, true] {
            let session = try session(model, grows: grows)
            #expect(append(session, CacheMemoryTests.ids) == .ok)
            alpaca_session_free(session)
        }
    }

    @Test func budgetOfOnePage() throws {
        let any = try model()
        let page = try pageBytes(any)
        alpaca_model_free(any)
        for bytes in [1, page - 1] {
            let model = try model(cacheBytes: bytes)
            defer { alpaca_model_free(model) }
            #expect(create(model, context: 1).outcome == refusal(1, needs: page, of: bytes, taken: 0))
        }
        let model = try model(cacheBytes: page)
        defer { alpaca_model_free(model) }
        #expect(create(model, context: 65).outcome == refusal(65, needs: 2 * page, of: page, taken: 0))
        for _ in 0..<2 {
            let only = try session(model, context: 64)
            let second = create(model, context: 64)
            #expect(second.outcome == refusal(64, needs: page, of: page, taken: page))
            #expect(second.session == nil)
            #expect(append(only, CacheMemoryTests.ids[..<64]) == .ok)
            #expect(append(only, [1]).status == "ALPACA_CONTEXT_FULL")
            // What was promised stays promised when it is not in use.
            #expect(alpaca_session_truncate(only, 0) == ALPACA_OK)
            #expect(create(model, context: 64).outcome.status == "ALPACA_OUT_OF_MEMORY")
            alpaca_session_free(only)
        }
    }

    /// A call in the middle of the budget's end leaves the session as it was, and the others too.
    @Test func growing() throws {
        let any = try model()
        let page = try pageBytes(any)
        alpaca_model_free(any)
        let model = try model(cacheBytes: 3 * page)
        defer { alpaca_model_free(model) }
        let promised = try session(model, context: 64)
        let first = try session(model, context: 1 << 22, grows: true), second = try session(model, context: 4096, grows: true)
        defer { for session in [promised, first, second] { alpaca_session_free(session) } }
        #expect(append(first, CacheMemoryTests.ids[..<128]) == .ok)
        let before = try logits(first)
        #expect(append(first, [1]) == refusal(129, needs: page, of: 3 * page, taken: 3 * page))
        #expect(alpaca_session_position(first) == 128)
        #expect(try logits(first) == before)
        #expect(append(second, [1]) == refusal(1, needs: page, of: 3 * page, taken: 3 * page))
        #expect(append(promised, CacheMemoryTests.ids[100..<164]) == .ok)

        // In a step the message names the input, and no session has changed.
        let ids: [Int32] = [5]
        let held = alpaca_session_truncate(promised, 10)
        #expect(held == ALPACA_OK)
        let found = ids.withUnsafeBufferPointer { ids in
            let inputs = [promised, second].map { alpaca_step_input(session: $0, ids: ids.baseAddress, n_ids: 1, reserved: 0) }
            return outcome(alpaca_sessions_step(inputs, 2))
        }
        #expect(found.status == "ALPACA_OUT_OF_MEMORY" && found.message.hasPrefix("inputs[1].session: key and value cache"))
        #expect(alpaca_session_position(promised) == 10 && alpaca_session_position(second) == 0)

        // What one gives back another has.
        #expect(alpaca_session_truncate(first, 64) == ALPACA_OK)
        #expect(append(second, [1]) == .ok)
        #expect(append(first, [1]).status == "ALPACA_OUT_OF_MEMORY")
    }

    /// The memory ends while text is written: a status, and the session holds what it had written.
    @Test func growingWhileWriting() throws {
        let any = try model()
        let page = try pageBytes(any)
        alpaca_model_free(any)
        let model = try model(cacheBytes: page)
        defer { alpaca_model_free(model) }
        let session = try session(model, grows: true)
        defer { alpaca_session_free(session) }
        let recorder = Recorder()
        let found = "none".withCString { template in
            var params = Fixture.greedy {
                ($0.max_new_tokens, $0.ignore_eos) = (0, 1)
                $0.template_name = template
            }
            return outcome(alpaca_session_generate(session, "山", 3, &params, Recorder.callback, recorder.pointer, nil))
        }
        #expect(found == refusal(65, needs: page, of: page, taken: page))
        #expect(alpaca_session_position(session) == 64)
        #expect(recorder.ids.count > 50 && recorder.ids.count < 65)
        #expect(alpaca_session_truncate(session, 3) == ALPACA_OK)
        #expect(append(session, [300]) == .ok)
    }

    /// A beginning that another session holds is not read again, in whole pages; the text is the same.
    @Test func commonBeginnings() throws {
        let model = try model()
        defer { alpaca_model_free(model) }
        let prompt = String(repeating: Fixture.poem, count: 10)
        func answer(_ session: OpaquePointer) throws -> (text: String, result: alpaca_generation_result) {
            let recorder = Recorder()
            var result = alpaca_generation_result.empty
            try "none".withCString { template in
                var params = Fixture.greedy {
                    ($0.max_new_tokens, $0.ignore_eos) = (20, 1)
                    $0.template_name = template
                }
                let length = Int(bitPattern: ALPACA_NUL_TERMINATED)
                try #require(
                    outcome(alpaca_session_generate(session, prompt, length, &params, Recorder.callback, recorder.pointer, &result))
                        == .ok)
            }
            return (recorder.text, result)
        }
        let first = try session(model), second = try session(model, grows: true)
        let one = try answer(first), two = try answer(second)
        try #require(one.result.n_prompt > 128)
        #expect(one.result.n_cached == 0)
        #expect(two.result.n_prompt == one.result.n_prompt)
        #expect(two.result.n_cached == (one.result.n_prompt - 1) / 64 * 64)
        #expect(two.text == one.text)
        // Who holds it may go; what nobody holds is read again.
        alpaca_session_free(first)
        let third = try session(model)
        let three = try answer(third)
        #expect(three.result.n_cached == two.result.n_cached && three.text == one.text)
        alpaca_session_free(second)
        alpaca_session_free(third)
        let fourth = try session(model)
        defer { alpaca_session_free(fourth) }
        let four = try answer(fourth)
        #expect(four.result.n_cached == 0 && four.text == one.text)
    }

    @Test(arguments: [false, true]) func aThousandSessions(grows: Bool) throws {
        let model = try model()
        defer { alpaca_model_free(model) }
        let sessions = try (0..<1000).map { _ in try session(model, context: 64, grows: grows) }
        for session in sessions { try #require(append(session, [300, 301]) == .ok) }
        let expected = try logits(sessions[0])
        for index in [1, 499, 999] { #expect(try logits(sessions[index]) == expected) }
        for session in sessions { alpaca_session_free(session) }
        let last = try session(model)
        defer { alpaca_session_free(last) }
        #expect(append(last, [300, 301]) == .ok)
        #expect(try logits(last) == expected)
    }
}

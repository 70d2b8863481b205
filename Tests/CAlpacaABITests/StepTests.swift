import CAlpaca
import Glibc
import Testing

@Suite struct StepTests {
    /// Calls alpaca_sessions_step with one input for each session and its ids.
    private func step(_ inputs: [(OpaquePointer?, [Int32])], reserved: UInt64 = 0) -> Outcome {
        let ids = inputs.flatMap(\.1)
        return ids.withUnsafeBufferPointer { ids in
            var at = 0
            let array = inputs.map { session, own in
                defer { at += own.count }
                return alpaca_step_input(
                    session: session, ids: ids.baseAddress.map { $0 + at }, n_ids: own.count, reserved: reserved)
            }
            return outcome(alpaca_sessions_step(array, array.count))
        }
    }

    private func sessions(_ count: Int, _ change: (inout alpaca_session_params) -> Void = { _ in }) throws -> [OpaquePointer] {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        var params = alpaca_session_params()
        try #require(alpaca_session_params_init(&params, MemoryLayout<alpaca_session_params>.size) == ALPACA_OK)
        params.n_ctx = 64
        change(&params)
        return try (0..<count).map { _ in
            var session: OpaquePointer?
            try #require(outcome(alpaca_session_create(model, &params, &session)) == .ok)
            return try #require(session)
        }
    }

    private func logits(_ session: OpaquePointer) throws -> [Float] {
        var logits: UnsafePointer<Float>?
        var n = 0
        try #require(outcome(alpaca_session_logits(session, &logits, &n)) == .ok)
        return Array(UnsafeBufferPointer(start: try #require(logits), count: n))
    }

    private func same(_ a: [Float], _ b: [Float]) -> Bool { a.count == b.count && memcmp(a, b, a.count * 4) == 0 }

    /// Tokens of four texts, drawn together and alone.
    @Test(arguments: [(1, 512), (2, 512), (3, 6)] as [(Int32, Int32)]) func sameAsAlone(threads: Int32, batch: Int32) throws {
        let together = try sessions(4) { ($0.n_threads, $0.n_batch) = (threads, batch) }
        let alone = try sessions(4) { ($0.n_threads, $0.type_k) = (1, Int32(ALPACA_CACHE_F16.rawValue)) }
        defer { for session in together + alone { alpaca_session_free(session) } }
        var params = Fixture.greedy()
        var next: [[Int32]] = [[1, 300, 301], [1, 302], [1, 303, 304, 305, 306, 307, 308, 309], [310]]
        for _ in 0..<12 {
            #expect(step(Array(zip(together, next))) == .ok)
            for i in 0..<4 {
                try #require(alpaca_session_append(alone[i], next[i], next[i].count) == ALPACA_OK)
                #expect(same(try logits(together[i]), try logits(alone[i])))
                var ids: [Int32] = [-1, -2]
                #expect(outcome(alpaca_session_sample(together[i], &params, &ids[0])) == .ok)
                #expect(outcome(alpaca_session_sample(alone[i], &params, &ids[1])) == .ok)
                #expect(ids[0] == ids[1])
                next[i] = [ids[0]]
            }
        }
        #expect(together.map { alpaca_session_position($0) } == alone.map { alpaca_session_position($0) })
    }

    @Test func arguments() throws {
        let own = try sessions(3)
        let other = try sessions(1)[0]
        let freed = try sessions(1)[0]
        alpaca_session_free(freed)
        defer { for session in own + [other] { alpaca_session_free(session) } }
        for session in own { try #require(alpaca_session_append(session, [1, 300], 2) == ALPACA_OK) }
        let before = try own.map(logits)
        func unchanged(_ found: Outcome, _ expected: Outcome) throws {
            #expect(found == expected)
            for (session, values) in zip(own, before) {
                #expect(alpaca_session_position(session) == 2)
                #expect(same(try logits(session), values))
            }
        }

        for n in [0, -1, Int.max, Int.min, 1 << 16 + 1] {
            var input = alpaca_step_input(session: own[0], ids: nil, n_ids: 0, reserved: 0)
            let expected = Outcome.invalid("inputs: found \(UInt(bitPattern: n)) of them, expected 1 to 65536 and not NULL")
            try unchanged(outcome(alpaca_sessions_step(&input, n)), expected)
            try unchanged(outcome(alpaca_sessions_step(nil, n)), expected)
        }
        try unchanged(
            outcome(alpaca_sessions_step(nil, 1)), .invalid("inputs: found 1 of them, expected 1 to 65536 and not NULL"))
        try unchanged(
            step([(own[0], [301])], reserved: 1 << 32),
            Outcome(
                ALPACA_UNSUPPORTED, "inputs[0].reserved: found 4294967296, expected 0; this library (1.1.0) gives it no meaning"))

        try unchanged(step([(own[0], [301]), (nil, [301])]), .invalid("inputs[1].session: found NULL, expected a live alpaca_session"))
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        for handle in [freed, model, OpaquePointer(bitPattern: 8), OpaquePointer(bitPattern: UInt(bitPattern: own[0]) + 8)] {
            try unchanged(
                step([(own[0], [301]), (own[1], [301]), (handle, [301])]),
                .invalid("inputs[2].session: found a handle that is freed, of another kind or none, expected a live alpaca_session"))
        }
        try unchanged(
            step([(own[0], [301]), (other, [301])]), .invalid("inputs[1].session: found one of another model than that of inputs[0]"))
        try unchanged(
            step([(own[0], [301]), (own[1], [301]), (own[0], [302])]),
            .invalid("inputs[2].session: found that of inputs[0], expected each session once"))

        for n in [1, -1, Int.max, Int.min] {
            var input = alpaca_step_input(session: own[0], ids: nil, n_ids: n, reserved: 0)
            let found = n == 1 ? "NULL, expected 1 ids" : "\(UInt(bitPattern: n)) ids, expected at most \(1 << 28)"
            try unchanged(outcome(alpaca_sessions_step(&input, 1)), .invalid("inputs[0].ids: found \(found)"))
        }
        try unchanged(step([(own[0], [301]), (own[1], [])]), .invalid("inputs[1].ids: found none, expected at least one"))
        for id: Int32 in [-1, .min, .max, 3941] {
            try unchanged(
                step([(own[0], [301]), (own[1], [301, id])]),
                .invalid("inputs[1].ids: token id at index 1: found \(id), expected 0 ... 3940"))
        }
        try unchanged(
            step([(own[0], [301]), (own[2], [Int32](repeating: 5, count: 63))]),
            Outcome(ALPACA_CONTEXT_FULL, "inputs[1].ids: 63 tokens do not fit: 2 of 64 positions (n_ctx) are in use"))
        #expect(step(own.map { ($0, [301]) }) == .ok)
    }

    /// From a callback of one of its sessions: refused, and the other session is free.
    @Test func busy() throws {
        let pair = try sessions(2) { $0.n_ctx = 128 }
        defer { for session in pair { alpaca_session_free(session) } }
        let recorder = Recorder()
        recorder.body = {
            let expected = "inputs[1].session: the session is in use by another call; give each thread a session of its own"
            #expect(step([(pair[0], [300]), (pair[1], [300])]) == Outcome(ALPACA_BUSY, expected))
            #expect(step([(pair[0], [300])]) == .ok)
            return 1
        }
        var params = Fixture.greedy()
        #expect(
            outcome(alpaca_session_generate(pair[1], "a", 1, &params, Recorder.callback, recorder.pointer, nil)) == .ok)
        #expect(recorder.ids.count == 1)
        #expect(alpaca_session_position(pair[0]) == 1)
    }

    /// A cancel of a session that only waits for its turn, and the end of one: all is as before the call.
    @Test(arguments: [false, true]) func stopped(byFreeing: Bool) throws {
        nonisolated(unsafe) let three = try sessions(3) { ($0.n_ctx, $0.n_batch, $0.n_threads) = (1 << 16, 1, 1) }
        defer { for session in three { alpaca_session_free(session) } }
        for session in three { try #require(alpaca_session_append(session, [1, 300], 2) == ALPACA_OK) }
        let canceller = HostThread {
            // The call holds its sessions from its begin on.
            var n = 0
            while alpaca_session_tokens(three[2], nil, 0, &n) != ALPACA_BUSY { usleep(1000) }
            usleep(1000)
            if byFreeing { alpaca_session_free(three[2]) } else { alpaca_session_cancel(three[2]) }
        }
        let long = [Int32](repeating: 301, count: 60_000)
        var found = Outcome.ok
        // The look of the other thread may have been in the way.
        repeat { found = step([(three[0], long), (three[1], [302]), (three[2], [303])]) } while found.status == "ALPACA_BUSY"
        canceller.join()
        #expect(found == Outcome(ALPACA_CANCELLED, "the call was cancelled"))
        for session in three[..<2] {
            var id: Int32 = 0
            #expect(alpaca_session_position(session) == 2)
            #expect(alpaca_session_sample(session, nil, &id) == ALPACA_INVALID_ARGUMENT)
        }
        #expect(alpaca_session_position(three[2]) == (byFreeing ? 0 : 2))
        #expect(step([(three[0], [304]), (three[1], [304])]) == .ok)
        #expect(same(try logits(three[0]), try logits(three[1])))
    }
}

import CAlpaca
import Glibc
import Testing

/// What alpaca.h says of `seed`: a loop of append and sample draws what generate draws, and a session's past changes nothing.
@Suite struct SeedTests {
    private let terminated = Int(bitPattern: ALPACA_NUL_TERMINATED)

    private func params(_ seed: UInt64, _ kind: Int) -> alpaca_generation_params {
        Fixture.greedy {
            ($0.temperature, $0.use_seed, $0.seed, $0.max_new_tokens, $0.repeat_last_n) = (1, 1, seed, 40, 64)
            if kind == 1 { ($0.top_k, $0.top_p, $0.min_p) = (0, 0.95, 0.01) }
            if kind == 2 { ($0.top_k, $0.top_p, $0.repetition_penalty, $0.temperature) = (0, 1, 1, 1.5) }
        }
    }

    @Test(arguments: [0, 1, 42, UInt64.max], 0..<3) func generateIsALoop(seed: UInt64, kind: Int) throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let session = try Fixture.session()
        let loop = try Fixture.session()
        defer {
            alpaca_session_free(session)
            alpaca_session_free(loop)
        }
        var params = params(seed, kind)
        params.ignore_eos = 1
        let whole = Recorder()
        try "none".withCString { none in
            params.template_name = none
            try #require(
                outcome(
                    alpaca_session_generate(
                        session, Fixture.prompt, terminated, &params, Recorder.callback, whole.pointer, nil)) == .ok)
        }
        params.template_name = nil
        // The last event may be text that was held back.
        let written = Array(whole.ids.prefix(40))
        #expect(written.count == 40)

        var prompt = [Int32](repeating: 0, count: 64)
        var n = 0
        try #require(
            outcome(
                alpaca_tokenize(
                    alpaca_model_tokenizer(model), Fixture.prompt, terminated, UInt32(ALPACA_ADD_BOS.rawValue), &prompt, prompt.count, &n))
                == .ok)
        try #require(outcome(alpaca_session_append(loop, prompt, n)) == .ok)
        var ids: [Int32] = []
        for _ in 0..<40 {
            var id: Int32 = -1
            try #require(outcome(alpaca_session_sample(loop, &params, &id)) == .ok)
            ids.append(id)
            try #require(outcome(alpaca_session_append(loop, [id], 1)) == .ok)
        }
        #expect(ids == written)
    }

    /// Three turns in one session, each again in a fresh one: the prompt has as many tokens, the answer is the same.
    @Test func aUsedSessionAnswersAsAFreshOne() throws {
        let used = try Fixture.session()
        defer { alpaca_session_free(used) }
        var texts = [Fixture.prompt]
        for turn in 0..<3 {
            let copies = texts.map { strdup($0) }
            defer { copies.forEach { free($0) } }
            let messages = copies.enumerated().map { index, text in
                alpaca_message(
                    role: Int32((index % 2 == 0 ? ALPACA_ROLE_USER : ALPACA_ROLE_ASSISTANT).rawValue), reserved: 0,
                    content: UnsafePointer(text), length: terminated)
            }
            func chat(_ session: OpaquePointer) throws -> (recorder: Recorder, result: alpaca_generation_result) {
                let recorder = Recorder()
                var result = alpaca_generation_result.empty
                var params = params(UInt64(turn) + 5, 2)
                try #require(
                    outcome(alpaca_session_chat(session, messages, messages.count, &params, Recorder.callback, recorder.pointer, &result))
                        == .ok)
                return (recorder, result)
            }
            let fresh = try Fixture.session()
            defer { alpaca_session_free(fresh) }
            let old = try chat(used)
            let new = try chat(fresh)
            #expect(old.recorder.ids == new.recorder.ids && old.recorder.text == new.recorder.text, "turn \(turn)")
            #expect(old.result.n_prompt == new.result.n_prompt && new.result.n_cached == 0)
            #expect(turn == 0 || old.result.n_cached > 0)
            texts += [old.recorder.text, "再写一首"]
        }
    }
}

import CAlpaca
import Glibc
import Testing

@Suite struct MeasureTests {
    private static let text: String = {
        let path = Fixture.repository + "/Tests/Goldens/mini/heldout_poems.txt"
        return (try? Fixture.bytes(of: path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }()

    private func empty() -> alpaca_perplexity_result {
        var result = alpaca_perplexity_result()
        result.struct_size = MemoryLayout<alpaca_perplexity_result>.size
        return result
    }

    private func params(_ change: (inout alpaca_perplexity_params) -> Void = { _ in }) -> alpaca_perplexity_params {
        var params = alpaca_perplexity_params()
        _ = alpaca_perplexity_params_init(&params, MemoryLayout<alpaca_perplexity_params>.size)
        change(&params)
        return params
    }

    @Test func perplexityIsTransformers() throws {
        let session = try Fixture.session(Fixture.f16) {
            $0.n_ctx = 256
            $0.type_k = Int32(ALPACA_CACHE_F32.rawValue)
            $0.type_v = Int32(ALPACA_CACHE_F32.rawValue)
        }
        defer { alpaca_session_free(session) }
        var result = empty()
        #expect(outcome(alpaca_perplexity(session, MeasureTests.text, Int(bitPattern: ALPACA_NUL_TERMINATED), nil, &result)) == .ok)
        // Tests/Goldens/mini/perplexity.json.
        #expect(abs(result.perplexity / 107.1948 - 1) < 2e-5)
        #expect(abs(result.standard_error / 7.00928 - 1) < 1e-3)
        #expect(abs(exp(result.mean_nll) / result.perplexity - 1) < 1e-12)
        #expect((result.n_tokens, result.n_windows, result.n_scored) == (4554, 17, 2159))
    }

    @Test func argumentsAreChecked() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        var result = empty()
        #expect(outcome(alpaca_perplexity(nil, "a", 1, nil, &result)) == .invalid("session: found NULL, expected a live alpaca_session"))
        #expect(outcome(alpaca_perplexity(session, "a", 1, nil, nil)) == .invalid("result: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_perplexity(session, nil, 1, nil, &result)) == .invalid("text: found NULL, expected text"))
        #expect(
            outcome(alpaca_perplexity(session, "a", 1, nil, &result))
                == .invalid("the text has 2 tokens, expected more than the 512 of a window (n_ctx)"))
        for (n_ctx, stride, message) in [
            (3, 0, "n_ctx: found 3, expected 4 to 512, the session's"), (-1, 0, "n_ctx: found -1, expected 4 to 512, the session's"),
            (513, 0, "n_ctx: found 513, expected 4 to 512, the session's"), (16, 16, "stride: found 16, expected 0 to 15"),
            (16, -1, "stride: found -1, expected 0 to 15"),
        ] as [(Int32, Int32, String)] {
            var p = params {
                $0.n_ctx = n_ctx
                $0.stride = stride
            }
            #expect(outcome(alpaca_perplexity(session, "a", 1, &p, &result)) == .invalid(message))
        }
        var small = alpaca_perplexity_result()
        small.struct_size = 4
        #expect(alpaca_perplexity(session, "a", 1, nil, &small) == ALPACA_INVALID_ARGUMENT)
        #expect(alpaca_perplexity_params_init(nil, 32) == ALPACA_INVALID_ARGUMENT)
        var p = params()
        #expect(alpaca_perplexity_params_init(&p, 0) == ALPACA_INVALID_ARGUMENT)
        p.struct_size = 0
        #expect(alpaca_perplexity(session, "a", 1, &p, &result) == ALPACA_INVALID_ARGUMENT)
    }

    @Test func progressCancels() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        var result = empty()
        var calls = 0
        var p = params {
            $0.n_ctx = 64
            $0.progress = { progress, user in
                guard let progress, let user else { return 1 }
                let calls = user.assumingMemoryBound(to: Int.self)
                calls.pointee += 1
                return progress.pointee.done > 0 && progress.pointee.done <= progress.pointee.total && calls.pointee < 3 ? 0 : 1
            }
        }
        withUnsafeMutablePointer(to: &calls) { calls in
            p.user_data = UnsafeMutableRawPointer(calls)
            let text = MeasureTests.text
            #expect(alpaca_perplexity(session, text, Int(bitPattern: ALPACA_NUL_TERMINATED), &p, &result) == ALPACA_CANCELLED)
        }
        #expect(calls == 3)
        // The session goes on.
        #expect(outcome(alpaca_session_append(session, [1, 5], 2)) == .ok)
    }
}

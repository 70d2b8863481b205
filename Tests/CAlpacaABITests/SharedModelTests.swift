import CAlpaca
import Glibc
import Synchronization
import Testing

/// All that may happen at once on one model, on eight threads of the host: four write, one disturbs them, one retains and frees the model,
/// one converts and verifies its file, one measures. For ALPACA_THREAD_SECONDS seconds (1); `make test-tsan` does it for a minute.
@Suite struct SharedModelTests {
    /// Where writers show their sessions; 0 for none.
    private final class Slot: Sendable {
        let session = Atomic<UInt>(0)
    }

    /// What went wrong, and how often each thing was done.
    private final class Counts: Sendable {
        let written = Atomic<Int>(0), cancelled = Atomic<Int>(0), refused = Atomic<Int>(0), others = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)

        var goesOn: Bool { !isOver.load(ordering: .relaxed) }

        func expect(_ condition: Bool, _ what: @autoclosure () -> String) {
            if !condition { Issue.record("\(what())") }
        }
    }

    private static let terminated = Int(bitPattern: ALPACA_NUL_TERMINATED)

    @Test func everythingAtOnce() throws {
        let seconds = getenv("ALPACA_THREAD_SECONDS").flatMap { Int(String(cString: $0)) } ?? 1
        nonisolated(unsafe) let model = try Fixture.model()
        let counts = Counts()
        let slots = (0..<4).map { _ in Slot() }
        var threads = slots.enumerated().map { index, slot in
            HostThread(stackSize: 1 << 20) { Self.write(model, Int32(1 + index % 3), slot, counts) }
        }
        threads.append(HostThread(stackSize: 1 << 20) { Self.disturb(slots, counts) })
        threads.append(HostThread(stackSize: 1 << 20) { Self.retain(model, counts) })
        threads.append(HostThread(stackSize: 1 << 20) { Self.convert(counts) })
        threads.append(HostThread(stackSize: 1 << 20) { Self.measure(model, counts) })
        for _ in 0..<10 * seconds { usleep(100_000) }
        counts.isOver.store(true, ordering: .relaxed)
        for thread in threads { thread.join() }
        alpaca_model_free(model)
        #expect(alpaca_model_tokenizer(model) == nil, "nobody holds it any more")
        #expect(counts.written.load(ordering: .relaxed) + counts.cancelled.load(ordering: .relaxed) > 0)
        #expect(counts.others.load(ordering: .relaxed) > 0)
    }

    /// Makes sessions and writes the same poem with each, unless somebody meddles.
    private static func write(_ model: OpaquePointer, _ threadCount: Int32, _ slot: Slot, _ counts: Counts) {
        while counts.goesOn {
            var params = alpaca_session_params()
            _ = alpaca_session_params_init(&params, MemoryLayout<alpaca_session_params>.size)
            params.n_ctx = 256
            params.n_threads = threadCount
            var session: OpaquePointer?
            let made = outcome(alpaca_session_create(model, &params, &session))
            counts.expect(made == .ok, "session: \(made)")
            slot.session.store(UInt(bitPattern: session), ordering: .releasing)
            for _ in 0..<3 {
                let recorder = Recorder()
                var greedy = Fixture.greedy()
                var result = alpaca_generation_result.empty
                let found = outcome(
                    alpaca_session_generate(session, Fixture.prompt, terminated, &greedy, Recorder.callback, recorder.pointer, &result))
                if found == .ok, result.finish_reason != Int32(ALPACA_FINISH_CANCELLED.rawValue) {
                    counts.expect(recorder.text == Fixture.poem, "wrote \(recorder.text)")
                    counts.written.add(1, ordering: .relaxed)
                } else if found == .ok {
                    counts.expect(Fixture.poem.utf8.starts(with: recorder.text.utf8), "wrote \(recorder.text)")
                    counts.cancelled.add(1, ordering: .relaxed)
                } else {
                    // Another thread had just appended, or freed the session.
                    counts.expect(["ALPACA_BUSY", "ALPACA_INVALID_ARGUMENT"].contains(found.status), "generate: \(found)")
                    counts.refused.add(1, ordering: .relaxed)
                }
            }
            slot.session.store(0, ordering: .releasing)
            alpaca_session_free(session)
        }
    }

    /// Uses other threads' sessions, frees some.
    private static func disturb(_ slots: [Slot], _ counts: Counts) {
        let allowed: Set = ["ALPACA_OK", "ALPACA_BUSY", "ALPACA_INVALID_ARGUMENT", "ALPACA_CANCELLED", "ALPACA_CONTEXT_FULL"]
        while counts.goesOn {
            guard let slot = slots.randomElement(), let session = OpaquePointer(bitPattern: slot.session.load(ordering: .acquiring)) else {
                usleep(100)
                continue
            }
            var found = Outcome.ok
            switch Int.random(in: 0..<40) {
            case 0: alpaca_session_free(session)
            case 1..<8: alpaca_session_cancel(session)
            case 8..<16: found = outcome(alpaca_session_append(session, [300], 1))
            case 16..<20:
                var n = 0
                var ids = [Int32](repeating: 0, count: 256)
                found = outcome(alpaca_session_tokens(session, &ids, ids.count, &n))
            case 20..<24: found = outcome(alpaca_session_truncate(session, 3))
            case 24..<28:
                var id: Int32 = 0
                found = outcome(alpaca_session_sample(session, nil, &id))
            default: _ = alpaca_session_position(session) + alpaca_session_thread_count(session)
            }
            counts.expect(allowed.contains(found.status), "disturbing: \(found)")
            usleep(useconds_t.random(in: 0..<3000))
        }
    }

    /// Owners of the model come and go; its tokenizer is used meanwhile.
    private static func retain(_ model: OpaquePointer, _ counts: Counts) {
        while counts.goesOn {
            counts.expect(alpaca_model_retain(model) == model, "retain")
            var ids = [Int32](repeating: 0, count: 64)
            var n = 0
            let found = outcome(
                alpaca_tokenize(alpaca_model_tokenizer(model), Fixture.prompt, terminated, 0, &ids, ids.count, &n))
            counts.expect(found == .ok && n > 5, "tokenize: \(found)")
            var json: OpaquePointer?
            counts.expect(outcome(alpaca_model_describe(model, &json)) == .ok, "describe")
            counts.expect(take(json).count > 100, "a description")
            alpaca_model_free(model)
            counts.others.add(1, ordering: .relaxed)
        }
    }

    /// Converts the model's own file and hashes it; some of it is cancelled.
    private static func convert(_ counts: Counts) {
        let progress: alpaca_progress_callback = { _, _ in Int.random(in: 0..<20) == 0 ? 1 : 0 }
        while counts.goesOn {
            var json: OpaquePointer?
            var found = Outcome.ok
            Fixture.q8.withCString { path in
                "/dev/null".withCString { output in
                    var params = alpaca_convert_params()
                    _ = alpaca_convert_params_init(&params, MemoryLayout<alpaca_convert_params>.size)
                    params.base = path
                    params.output = output
                    params.n_threads = 2
                    params.progress = progress
                    found = outcome(alpaca_convert(&params, nil, &json))
                }
                counts.expect(["ALPACA_OK", "ALPACA_CANCELLED"].contains(found.status), "convert: \(found)")
                alpaca_string_free(json)
                json = nil
                var params = alpaca_verify_params()
                _ = alpaca_verify_params_init(&params, MemoryLayout<alpaca_verify_params>.size)
                params.n_threads = 2
                params.progress = progress
                var paths: [UnsafePointer<CChar>?] = [path, path]
                found = outcome(alpaca_verify(&paths, 2, &params, &json))
                counts.expect(["ALPACA_OK", "ALPACA_CANCELLED"].contains(found.status), "verify: \(found)")
                alpaca_string_free(json)
            }
            counts.others.add(1, ordering: .relaxed)
        }
    }

    /// Perplexity, always the same.
    private static func measure(_ model: OpaquePointer, _ counts: Counts) {
        let text = String(repeating: Fixture.poem, count: 8)
        var first = 0.0
        while counts.goesOn {
            var session: OpaquePointer?
            counts.expect(outcome(alpaca_session_create(model, nil, &session)) == .ok, "session")
            var params = alpaca_perplexity_params()
            _ = alpaca_perplexity_params_init(&params, MemoryLayout<alpaca_perplexity_params>.size)
            params.n_ctx = 32
            var result = alpaca_perplexity_result()
            result.struct_size = MemoryLayout<alpaca_perplexity_result>.size
            let found = outcome(alpaca_perplexity(session, text, terminated, &params, &result))
            counts.expect(found == .ok, "perplexity: \(found)")
            if first == 0 { first = result.perplexity }
            counts.expect(result.perplexity == first, "perplexity: \(result.perplexity), before \(first)")
            alpaca_session_free(session)
            counts.others.add(1, ordering: .relaxed)
        }
    }
}

import CAlpaca
import Glibc
import Synchronization
import Testing

/// Sessions of one model that are called from several threads at once share its executor: what each gets is what it gets alone, and who goes
/// disturbs nobody.
@Suite struct CombinedCallTests {
    private static let terminated = Int(bitPattern: ALPACA_NUL_TERMINATED)

    /// How two sessions differ.
    struct Setup: Sendable, CustomTestStringConvertible {
        let threads: (Int32, Int32)
        let batch: (Int32, Int32)
        var testDescription: String { "n_threads \(threads), n_batch \(batch)" }
    }

    /// One that closures and lists can hold.
    private final class Flag: Sendable {
        let value = Atomic<Bool>(false)
    }

    private static let setups = [
        Setup(threads: (1, 1), batch: (512, 512)), Setup(threads: (2, 2), batch: (512, 512)), Setup(threads: (1, 3), batch: (3, 64)),
    ]
    private static let prompts = [Fixture.prompt, String(repeating: "白日依山尽，黄河入海流。", count: 12)]

    private static func session(_ model: OpaquePointer?, _ threads: Int32, _ batch: Int32) -> OpaquePointer? {
        var params = alpaca_session_params()
        _ = alpaca_session_params_init(&params, MemoryLayout<alpaca_session_params>.size)
        (params.n_ctx, params.n_threads, params.n_batch) = (1024, threads, batch)
        var session: OpaquePointer?
        return alpaca_session_create(model, &params, &session) == ALPACA_OK ? session : nil
    }

    /// 80 tokens after a prompt, drawn with a seed.
    private static func write(_ session: OpaquePointer?, _ number: Int, _ recorder: Recorder) -> Outcome {
        var params = Fixture.greedy {
            ($0.temperature, $0.use_seed, $0.seed, $0.max_new_tokens, $0.ignore_eos) = (0.8, 1, UInt64(number), 80, 1)
        }
        return outcome(
            alpaca_session_generate(
                session, prompts[number], terminated, &params, Recorder.callback, recorder.pointer, nil))
    }

    @Test(arguments: setups) func twoThreadsWriteWhatEachWritesAlone(setup: Setup) throws {
        let alone = try (0..<2).map { number in
            let recorder = Recorder()
            let model = try Fixture.model()
            let session = Self.session(model, 1, 512)
            #expect(Self.write(session, number, recorder) == .ok)
            alpaca_session_free(session)
            alpaca_model_free(model)
            return recorder.ids
        }
        #expect(alone[0].count == 80 && alone[1].count == 80 && alone[0] != alone[1])
        nonisolated(unsafe) let model = try Fixture.model()
        for _ in 0..<3 {
            let recorders = [Recorder(), Recorder()]
            let fine = [Flag(), Flag()]
            let threads = (0..<2).map { number in
                let (recorder, isFine) = (recorders[number], fine[number])
                let count = number == 0 ? setup.threads.0 : setup.threads.1, batch = number == 0 ? setup.batch.0 : setup.batch.1
                return HostThread {
                    let session = Self.session(model, count, batch)
                    isFine.value.store(Self.write(session, number, recorder) == .ok, ordering: .releasing)
                    alpaca_session_free(session)
                }
            }
            for thread in threads { thread.join() }
            #expect(fine.allSatisfy { $0.value.load(ordering: .acquiring) })
            #expect(recorders.map(\.ids) == alone)
        }
        alpaca_model_free(model)
    }

    /// A session is freed while a call on it runs or waits for its turn, and two others write: the call ends, they don't notice.
    @Test(arguments: [false, true]) func freedBesideOthers(readsPrompt: Bool) throws {
        nonisolated(unsafe) let model = try Fixture.model()
        let isOver = Flag()
        let poems = Atomic<Int>(0), failures = Atomic<Int>(0)
        let writers = (0..<2).map { number in
            HostThread {
                let session = Self.session(model, Int32(1 + number), 512)
                while !isOver.value.load(ordering: .acquiring) {
                    let recorder = Recorder()
                    var params = Fixture.greedy()
                    let status = alpaca_session_generate(
                        session, Fixture.prompt, Self.terminated, &params, Recorder.callback, recorder.pointer, nil)
                    // Read from its beginning the next time.
                    let isForgotten = alpaca_session_truncate(session, 0) == ALPACA_OK
                    if status == ALPACA_OK, recorder.text == Fixture.poem, isForgotten {
                        poems.add(1, ordering: .relaxed)
                    } else {
                        failures.add(1, ordering: .relaxed)
                    }
                }
                alpaca_session_free(session)
            }
        }
        for round in 0..<10 {
            nonisolated(unsafe) let session = try #require(Self.session(model, 2, 16))
            let other = HostThread {
                while alpaca_session_position(session) == 0 { usleep(100) }
                usleep(useconds_t(round * 300))
                alpaca_session_free(session)
            }
            if readsPrompt {
                var found = Outcome.ok
                let ids = [Int32](repeating: 300, count: 1000)
                while found == .ok {
                    found = outcome(alpaca_session_append(session, ids, 1000))
                    // Its thousand positions were read before it was freed: from the beginning.
                    if found == .ok { found = outcome(alpaca_session_truncate(session, 1)) }
                }
                // Between two calls the handle is none any more, or the session is closed.
                #expect(["ALPACA_CANCELLED", "ALPACA_INVALID_ARGUMENT"].contains(found.status), "\(found)")
            } else {
                var params = Fixture.greedy { ($0.max_new_tokens, $0.context_shift, $0.ignore_eos) = (0, 1, 1) }
                var result = alpaca_generation_result.empty
                let found = outcome(alpaca_session_generate(session, Fixture.prompt, Self.terminated, &params, nil, nil, &result))
                #expect(found == .ok && result.finish_reason == Int32(ALPACA_FINISH_CANCELLED.rawValue), "\(found)")
            }
            other.join()
            #expect(alpaca_session_context_length(session) == 0)
        }
        isOver.value.store(true, ordering: .releasing)
        for writer in writers { writer.join() }
        #expect(poems.load(ordering: .relaxed) > 0 && failures.load(ordering: .relaxed) == 0)
        alpaca_model_free(model)
    }
}

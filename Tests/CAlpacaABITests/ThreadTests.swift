import CAlpaca
import Glibc
import Synchronization
import Testing

/// Callbacks that call back, calls that meet, calls that are stopped.
@Suite struct ThreadTests {
    private let terminated = Int(bitPattern: ALPACA_NUL_TERMINATED)

    /// Writes without end until the callback or a cancel stops it.
    private func write(_ session: OpaquePointer?, _ recorder: Recorder, _ result: inout alpaca_generation_result) -> Outcome {
        var params = Fixture.greedy {
            $0.max_new_tokens = 0
            $0.context_shift = 1
            $0.ignore_eos = 1
        }
        return outcome(
            alpaca_session_generate(session, Fixture.prompt, terminated, &params, Recorder.callback, recorder.pointer, &result))
    }

    @Test func theCallbackStops() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        for answer: Int32 in [1, -1, .max, .min] {
            let recorder = Recorder()
            recorder.body = { recorder.ids.count == 3 ? answer : 0 }
            var result = alpaca_generation_result.empty
            #expect(write(session, recorder, &result) == .ok)
            #expect(result.finish_reason == Int32(ALPACA_FINISH_CALLBACK.rawValue))
            #expect(result.n_generated == 3 && recorder.ids.count == 3, "it is not asked again")
        }
    }

    @Test func theCallbackCancels() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        let recorder = Recorder()
        recorder.body = {
            if recorder.ids.count == 3 { alpaca_session_cancel(session) }
            return 0
        }
        var result = alpaca_generation_result.empty
        #expect(write(session, recorder, &result) == .ok)
        #expect(result.finish_reason == Int32(ALPACA_FINISH_CANCELLED.rawValue))
        #expect(result.n_generated == 3)
        // Usable afterwards, and a cancel without a call is forgotten.
        alpaca_session_cancel(session)
        recorder.body = { recorder.ids.count == 8 ? 1 : 0 }
        #expect(write(session, recorder, &result) == .ok)
        #expect(result.finish_reason == Int32(ALPACA_FINISH_CALLBACK.rawValue))
    }

    /// From a callback: getters work, calls are refused and do no harm.
    @Test func callingBack() throws {
        let session = try Fixture.session()
        let other = try Fixture.session()
        defer {
            alpaca_session_free(session)
            alpaca_session_free(other)
        }
        let recorder = Recorder()
        let busy = Outcome(ALPACA_BUSY, "the session is in use by another call; give each thread a session of its own")
        recorder.body = {
            guard recorder.ids.count == 2 else { return recorder.ids.count > 4 ? 1 : 0 }
            #expect(alpaca_session_position(session) > 2)
            var n = 0
            #expect(alpaca_session_tokens(session, nil, 0, &n) == ALPACA_BUFFER_TOO_SMALL)
            #expect(n == alpaca_session_position(session))
            var logits: UnsafePointer<Float>?
            #expect(outcome(alpaca_session_logits(session, &logits, &n)) == .ok)
            var id: Int32 = 0
            #expect(outcome(alpaca_session_append(session, [5], 1)) == busy)
            #expect(outcome(alpaca_session_sample(session, nil, &id)) == busy)
            #expect(outcome(alpaca_session_truncate(session, 0)) == busy)
            #expect(outcome(alpaca_session_generate(session, "a", 1, nil, nil, nil, nil)) == busy)
            var message = alpaca_message(role: 1, reserved: 0, content: nil, length: 0)
            #expect(outcome(alpaca_session_chat(session, &message, 1, nil, nil, nil, nil)) == busy)
            // Another session is free.
            #expect(outcome(alpaca_session_append(other, [5], 1)) == .ok)
            return 0
        }
        var result = alpaca_generation_result.empty
        #expect(write(session, recorder, &result) == .ok)
        #expect(result.n_generated == 5)
    }

    /// A session freed in its own callback ends its answer and goes when the call returns.
    @Test func freeingInTheCallback() throws {
        let session = try Fixture.session()
        let recorder = Recorder()
        recorder.body = {
            if recorder.ids.count == 2 { alpaca_session_free(session) }
            return 0
        }
        var result = alpaca_generation_result.empty
        #expect(write(session, recorder, &result) == .ok)
        #expect(result.finish_reason == Int32(ALPACA_FINISH_CANCELLED.rawValue))
        #expect(alpaca_session_context_length(session) == 0)
    }

    /// While one thread writes, others get BUSY from calls and can cancel.
    @Test func otherThreads() throws {
        nonisolated(unsafe) let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        let begun = Atomic<Bool>(false)
        nonisolated(unsafe) var statuses: [String] = []
        let other = HostThread {
            while !begun.load(ordering: .acquiring) { usleep(100) }
            var n = 0
            var logits: UnsafePointer<Float>?
            statuses.append(outcome(alpaca_session_append(session, [5], 1)).status)
            statuses.append(outcome(alpaca_session_tokens(session, nil, 0, &n)).status)
            statuses.append(outcome(alpaca_session_logits(session, &logits, &n)).status)
            statuses.append(alpaca_session_position(session) > 0 ? "position" : "none")
            alpaca_session_cancel(session)
        }
        let recorder = Recorder()
        recorder.body = {
            begun.store(true, ordering: .releasing)
            return 0
        }
        var result = alpaca_generation_result.empty
        #expect(write(session, recorder, &result) == .ok)
        other.join()
        #expect(result.finish_reason == Int32(ALPACA_FINISH_CANCELLED.rawValue))
        #expect(statuses == ["ALPACA_BUSY", "ALPACA_BUSY", "ALPACA_BUSY", "position"])
    }

    /// A call that reads tokens returns a status when it is cancelled; what was read stays.
    @Test func cancelledPrefill() throws {
        nonisolated(unsafe) let session = try Fixture.session { ($0.n_ctx, $0.n_batch, $0.n_threads) = (1 << 16, 1, 1) }
        defer { alpaca_session_free(session) }
        let canceller = HostThread {
            while alpaca_session_position(session) < 20 { usleep(100) }
            alpaca_session_cancel(session)
        }
        let found = outcome(alpaca_session_append(session, [Int32](repeating: 300, count: 1 << 16), 1 << 16))
        canceller.join()
        #expect(found == Outcome(ALPACA_CANCELLED, "the call was cancelled"))
        let position = alpaca_session_position(session)
        #expect(position >= 20 && position < 1 << 16)
        #expect(outcome(alpaca_session_append(session, [300], 1)) == .ok)
        #expect(alpaca_session_position(session) == position + 1)
    }

    /// Freed from another thread in the middle: the call ends, and nothing else happens.
    @Test func freedWhileWriting() throws {
        for _ in 0..<5 {
            nonisolated(unsafe) let session = try Fixture.session()
            let begun = Atomic<Bool>(false)
            let other = HostThread {
                while !begun.load(ordering: .acquiring) { usleep(100) }
                alpaca_session_free(session)
            }
            let recorder = Recorder()
            recorder.body = {
                begun.store(true, ordering: .releasing)
                return 0
            }
            var result = alpaca_generation_result.empty
            #expect(write(session, recorder, &result) == .ok)
            other.join()
            #expect(result.finish_reason == Int32(ALPACA_FINISH_CANCELLED.rawValue))
        }
    }

    /// A signal handler may cancel, also when it interrupts the library itself.
    @Test func cancelFromASignalHandler() throws {
        SignalTarget.session = try Fixture.session()
        defer { alpaca_session_free(SignalTarget.session) }
        var action = sigaction()
        var old = sigaction()
        action.__sigaction_handler.sa_handler = { _ in alpaca_session_cancel(SignalTarget.session) }
        sigaction(SIGUSR1, &action, &old)
        defer { sigaction(SIGUSR1, &old, nil) }
        let done = Atomic<Bool>(false)
        let target = pthread_self()
        let sender = HostThread {
            while !done.load(ordering: .acquiring) {
                pthread_kill(target, SIGUSR1)
                usleep(20)
            }
        }
        // Look-ups hold the table's lock for most of this time.
        for _ in 0..<20_000 { _ = alpaca_session_position(SignalTarget.session) }
        done.store(true, ordering: .releasing)
        sender.join()
    }

    private enum SignalTarget {
        nonisolated(unsafe) static var session: OpaquePointer?
    }

    /// Threads that share a model write what one thread writes.
    @Test func sharedModel() throws {
        nonisolated(unsafe) let model = try Fixture.model(Fixture.f16)
        let recorders = (0..<4).map { _ in Recorder() }
        let threads = recorders.map { recorder in
            HostThread {
                var session: OpaquePointer?
                guard alpaca_session_create(model, nil, &session) == ALPACA_OK else { return }
                var params = Fixture.greedy()
                _ = alpaca_session_generate(
                    session, Fixture.prompt, Int(bitPattern: ALPACA_NUL_TERMINATED), &params, Recorder.callback, recorder.pointer, nil)
                alpaca_session_free(session)
            }
        }
        for thread in threads { thread.join() }
        alpaca_model_free(model)
        #expect(recorders.map(\.text) == Array(repeating: Fixture.poem, count: 4))
    }

    /// Open, use and free on several threads at once: the table of handles stays whole.
    @Test func handlesFromManyThreads() {
        let failures = Atomic<Int>(0)
        let threads = (0..<4).map { _ in
            HostThread {
                for _ in 0..<40 {
                    var model: OpaquePointer?
                    var json: OpaquePointer?
                    let isFine =
                        alpaca_model_open(Fixture.q8, nil, &model) == ALPACA_OK && alpaca_model_retain(model) == model
                        && alpaca_model_describe(model, &json) == ALPACA_OK && alpaca_string_size(json) > 100
                    alpaca_string_free(json)
                    alpaca_model_free(model)
                    alpaca_model_free(model)
                    if !isFine || alpaca_model_tokenizer(model) != nil { failures.add(1, ordering: .relaxed) }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.load(ordering: .relaxed) == 0)
    }
}

import CAlpaca
import Glibc
import Testing

/// Whatever is handed over as a handle: a status, never a fault.
@Suite struct HandleTests {
    /// A call with one handle.
    struct Call: CustomTestStringConvertible, Sendable {
        let name: String
        let kind: String
        /// What messages call the argument, where that is not its kind.
        var argument: String?
        let run: @Sendable (OpaquePointer?) -> alpaca_status
        var testDescription: String { name }
    }

    static let calls: [Call] = [
        Call(name: "alpaca_model_get_info", kind: "model") {
            var info = alpaca_model_info()
            info.struct_size = MemoryLayout<alpaca_model_info>.size
            return alpaca_model_get_info($0, &info)
        },
        Call(name: "alpaca_model_metadata", kind: "model") { alpaca_model_metadata($0, "general.name", nil, 0, nil) },
        Call(name: "alpaca_model_describe", kind: "model") {
            var json: OpaquePointer?
            return alpaca_model_describe($0, &json)
        },
        Call(name: "alpaca_session_create", kind: "model") {
            var session: OpaquePointer?
            return alpaca_session_create($0, nil, &session)
        },
        Call(name: "alpaca_tokenize", kind: "tokenizer") {
            var n = 0
            return alpaca_tokenize($0, "a", 1, 0, nil, 0, &n)
        },
        Call(name: "alpaca_detokenize", kind: "tokenizer") { alpaca_detokenize($0, nil, 0, nil, 0, nil) },
        Call(name: "alpaca_token_piece", kind: "tokenizer") { alpaca_token_piece($0, 0, nil, 0, nil) },
        Call(name: "alpaca_token_special", kind: "tokenizer") {
            var id: Int32 = 0
            return alpaca_token_special($0, 0, &id)
        },
        Call(name: "alpaca_session_generate", kind: "session") { alpaca_session_generate($0, "a", 1, nil, nil, nil, nil) },
        Call(name: "alpaca_session_chat", kind: "session") {
            var message = alpaca_message(role: 1, reserved: 0, content: nil, length: 0)
            return alpaca_session_chat($0, &message, 1, nil, nil, nil, nil)
        },
        Call(name: "alpaca_session_append", kind: "session") { alpaca_session_append($0, nil, 0) },
        Call(name: "alpaca_sessions_step", kind: "session", argument: "inputs[0].session") {
            var input = alpaca_step_input(session: $0, ids: nil, n_ids: 0, reserved: 0)
            return alpaca_sessions_step(&input, 1)
        },
        Call(name: "alpaca_session_logits", kind: "session") {
            var logits: UnsafePointer<Float>?
            var n = 0
            return alpaca_session_logits($0, &logits, &n)
        },
        Call(name: "alpaca_session_sample", kind: "session") {
            var id: Int32 = 0
            return alpaca_session_sample($0, nil, &id)
        },
        Call(name: "alpaca_session_truncate", kind: "session") { alpaca_session_truncate($0, 0) },
        Call(name: "alpaca_session_tokens", kind: "session") {
            var n = 0
            return alpaca_session_tokens($0, nil, 0, &n)
        },
    ]

    @Test(arguments: calls) func whatIsNoHandle(call: Call) throws {
        let argument = call.argument ?? call.kind
        let expected = Outcome.invalid(
            "\(argument): found a handle that is freed, of another kind or none, expected a live alpaca_\(call.kind)")
        #expect(outcome(call.run(nil)) == .invalid("\(argument): found NULL, expected a live alpaca_\(call.kind)"))

        let model = try Fixture.model()
        let tokenizer = try #require(alpaca_model_tokenizer(model))
        var session: OpaquePointer?
        try #require(alpaca_session_create(model, nil, &session) == ALPACA_OK)
        var text: OpaquePointer?
        try #require(alpaca_model_describe(model, &text) == ALPACA_OK)
        let own: [String: OpaquePointer?] = ["model": model, "tokenizer": tokenizer, "session": session, "string": text]
        let live = try #require(own[call.kind] ?? nil)

        // Another kind's.
        for (kind, handle) in own where kind != call.kind { #expect(outcome(call.run(handle)) == expected, "\(kind)") }
        // Addresses that are none: of nothing, of others' memory, inside and around a cell, all over the address space.
        var mine = [UInt64](repeating: 0x616C_7061_6361_0001, count: 16)
        mine.withUnsafeMutableBytes { memory in
            let address = UInt(bitPattern: memory.baseAddress)
            let base = UInt(bitPattern: live)
            let addresses: [UInt] = [
                1, 8, 64, 4096, .max, .max - 63, UInt(Int.max), address, base + 1, base + 8, base + 32, base &- 8, base + (4 << 20),
                base &- (4 << 20), base + 64 * 60_000,
            ]
            for address in addresses { #expect(outcome(call.run(OpaquePointer(bitPattern: address))) == expected, "\(address)") }
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            #expect(call.run(OpaquePointer(bitPattern: UInt(truncatingIfNeeded: random.next()))) == ALPACA_INVALID_ARGUMENT)
        }

        // Freed.
        alpaca_string_free(text)
        alpaca_session_free(session)
        alpaca_model_free(model)
        for (kind, handle) in own { #expect(outcome(call.run(handle)) == expected, "freed \(kind)") }
    }

    /// Functions that give no status.
    @Test func gettersOfNothing() throws {
        let session = try Fixture.session()
        let freed = try Fixture.model()
        alpaca_model_free(freed)
        let nothing: [OpaquePointer?] = [nil, OpaquePointer(bitPattern: 1), OpaquePointer(bitPattern: UInt.max), freed]
        for handle in nothing {
            #expect(alpaca_model_retain(handle) == nil)
            #expect(alpaca_model_tokenizer(handle) == nil)
            #expect(alpaca_tokenizer_size(handle) == 0)
            #expect(alpaca_session_position(handle) == 0)
            #expect(alpaca_session_context_length(handle) == 0)
            #expect(alpaca_session_thread_count(handle) == 0)
            alpaca_session_cancel(handle)
            alpaca_model_free(handle)
            alpaca_tokenizer_free(handle)
            alpaca_session_free(handle)
            alpaca_string_free(handle)
        }
        // A free function of another kind leaves a handle alone.
        alpaca_model_free(session)
        alpaca_tokenizer_free(session)
        alpaca_string_free(session)
        #expect(alpaca_session_context_length(session) > 0)
        alpaca_session_free(session)
        #expect(alpaca_session_context_length(session) == 0)
    }

    @Test func modelsCountTheirOwners() throws {
        let model = try Fixture.model()
        #expect(alpaca_model_retain(model) == model)
        #expect(alpaca_model_retain(model) == model)
        for _ in 0..<2 {
            alpaca_model_free(model)
            #expect(alpaca_tokenizer_size(alpaca_model_tokenizer(model)) > 0)
        }
        let tokenizer = alpaca_model_tokenizer(model)
        // A borrowed tokenizer can't be freed by who borrowed it.
        alpaca_tokenizer_free(tokenizer)
        #expect(alpaca_tokenizer_size(tokenizer) > 0)
        alpaca_model_free(model)
        #expect(alpaca_model_tokenizer(model) == nil)
        #expect(alpaca_tokenizer_size(tokenizer) == 0)
    }

    @Test func sessionsKeepTheirModel() throws {
        let session = try Fixture.session(Fixture.f16)  // the model's handle is freed
        defer { alpaca_session_free(session) }
        let recorder = Recorder()
        var params = Fixture.greedy()
        #expect(
            outcome(
                alpaca_session_generate(
                    session, Fixture.prompt, Int(bitPattern: ALPACA_NUL_TERMINATED), &params, Recorder.callback, recorder.pointer, nil))
                == .ok)
        #expect(recorder.text == Fixture.poem)
    }

    /// A freed cell is the last to be used again: a stale handle is told for long.
    @Test func staleHandlesStayStale() throws {
        var stale: OpaquePointer?
        try #require(alpaca_inspect(Fixture.q8, &stale) == ALPACA_OK)
        alpaca_string_free(stale)
        for _ in 0..<300 {
            var text: OpaquePointer?
            try #require(alpaca_tokenizer_open(Fixture.q8 + "x", &text) == ALPACA_NOT_FOUND)
            #expect(text == nil)
            #expect(alpaca_string_data(stale) == nil)
        }
    }
}

import CAlpaca
import Glibc
import Testing

/// Structs grow in both directions: older clients have fewer fields, newer ones more.
@Suite struct StructTests {
    struct Kind: CustomTestStringConvertible, Sendable {
        let name: String
        let size: Int
        let initialize: @Sendable (UnsafeMutableRawPointer?, Int) -> alpaca_status
        /// A call that reads the struct and does nothing else of weight.
        let use: @Sendable (UnsafeMutableRawPointer) -> alpaca_status
        var testDescription: String { name }
    }

    static let kinds: [Kind] = [
        Kind(
            name: "alpaca_model_params", size: MemoryLayout<alpaca_model_params>.size,
            initialize: { alpaca_model_params_init($0?.assumingMemoryBound(to: alpaca_model_params.self), $1) },
            use: { params in
                var model: OpaquePointer?
                defer { alpaca_model_free(model) }
                return alpaca_model_open(Fixture.q8, params.assumingMemoryBound(to: alpaca_model_params.self), &model)
            }),
        Kind(
            name: "alpaca_session_params", size: MemoryLayout<alpaca_session_params>.size,
            initialize: { alpaca_session_params_init($0?.assumingMemoryBound(to: alpaca_session_params.self), $1) },
            use: { params in
                var model: OpaquePointer?
                var session: OpaquePointer?
                _ = alpaca_model_open(Fixture.q8, nil, &model)
                defer {
                    alpaca_session_free(session)
                    alpaca_model_free(model)
                }
                return alpaca_session_create(model, params.assumingMemoryBound(to: alpaca_session_params.self), &session)
            }),
        Kind(
            name: "alpaca_generation_params", size: MemoryLayout<alpaca_generation_params>.size,
            initialize: { alpaca_generation_params_init($0?.assumingMemoryBound(to: alpaca_generation_params.self), $1) },
            use: { params in
                guard let session = try? Fixture.session() else { return ALPACA_INTERNAL }
                defer { alpaca_session_free(session) }
                let typed = params.assumingMemoryBound(to: alpaca_generation_params.self)
                return alpaca_session_generate(session, "a", 1, typed, { _, _ in 1 }, nil, nil)
            }),
        Kind(
            name: "alpaca_render_params", size: MemoryLayout<alpaca_render_params>.size,
            initialize: { alpaca_render_params_init($0?.assumingMemoryBound(to: alpaca_render_params.self), $1) },
            use: { params in
                guard let model = try? Fixture.model() else { return ALPACA_INTERNAL }
                defer { alpaca_model_free(model) }
                var text: OpaquePointer?
                defer { alpaca_string_free(text) }
                let typed = params.assumingMemoryBound(to: alpaca_render_params.self)
                return alpaca_model_render_chat(model, World.messages, World.messages.utf8.count, typed, &text, nil, 0, nil)
            }),
        Kind(
            name: "alpaca_verify_params", size: MemoryLayout<alpaca_verify_params>.size,
            initialize: { alpaca_verify_params_init($0?.assumingMemoryBound(to: alpaca_verify_params.self), $1) },
            use: { params in
                var json: OpaquePointer?
                defer { alpaca_string_free(json) }
                return Fixture.q8.withCString {
                    var path: UnsafePointer<CChar>? = $0
                    return alpaca_verify(&path, 1, params.assumingMemoryBound(to: alpaca_verify_params.self), &json)
                }
            }),
    ]

    /// 256 bytes of 0xAA, as a client's stack might be.
    private func withMemory(_ body: (UnsafeMutableRawPointer) throws -> Void) rethrows {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 1 << 17, alignment: 16)
        defer { memory.deallocate() }
        memset(memory, 0xAA, 1 << 17)
        try body(memory)
    }

    @Test(arguments: kinds) func sizes(kind: Kind) {
        #expect(outcome(kind.initialize(nil, kind.size)) == .invalid("params: found NULL, expected a place for the result"))
        withMemory { memory in
            for size in [0, 1, 7, 9, kind.size - 1, kind.size + 1, kind.size - 4, 1 << 16 | 8, Int.max, -1, -8, Int.min] {
                let expected = Outcome.invalid("size: found \(UInt(bitPattern: size)), expected \(kind.size) (sizeof the struct)")
                #expect(outcome(kind.initialize(memory, size)) == expected)
                #expect(memory.load(as: UInt64.self) == 0xAAAA_AAAA_AAAA_AAAA)
                memory.storeBytes(of: size, as: Int.self)
                let told = Outcome.invalid(
                    "params.struct_size: found \(UInt(bitPattern: size)), expected \(kind.size) (sizeof the struct)")
                #expect(outcome(kind.use(memory)) == told)
                memset(memory, 0xAA, 8)
            }
        }
    }

    @Test(arguments: kinds) func olderClients(kind: Kind) {
        for size in stride(from: 8, through: kind.size, by: 8) {
            withMemory { memory in
                #expect(outcome(kind.initialize(memory, size)) == .ok)
                #expect(memory.load(as: Int.self) == size)
                // Not a byte behind the client's struct is touched.
                for i in size..<size + 128 { #expect(memory.load(fromByteOffset: i, as: UInt8.self) == 0xAA) }
                // What it does not have takes its default: the call works, whatever stands behind.
                #expect(outcome(kind.use(memory)) == .ok)
            }
        }
    }

    @Test(arguments: kinds) func newerClients(kind: Kind) {
        for size in [kind.size + 8, kind.size + 64, 1 << 16] {
            withMemory { memory in
                #expect(outcome(kind.initialize(memory, size)) == .ok)
                #expect(memory.load(as: Int.self) == size)
                for i in kind.size..<size where memory.load(fromByteOffset: i, as: UInt8.self) != 0 { Issue.record("byte \(i) is not 0") }
                #expect(memory.load(fromByteOffset: size, as: UInt8.self) == 0xAA)
                #expect(outcome(kind.use(memory)) == .ok)
                for at in [kind.size, size - 1] {
                    memory.storeBytes(of: 1, toByteOffset: at, as: UInt8.self)
                    let expected = Outcome(
                        ALPACA_UNSUPPORTED,
                        "params: byte \(at) is set, this library (1.1.0) knows \(kind.size) bytes of the struct; use a newer one")
                    #expect(outcome(kind.use(memory)) == expected)
                    memory.storeBytes(of: 0, toByteOffset: at, as: UInt8.self)
                }
            }
        }
    }

    /// Reserved fields are not garbage that a later version would stumble over.
    @Test func reservedFields() throws {
        func expected(_ name: String) -> Outcome {
            Outcome(ALPACA_UNSUPPORTED, "\(name): found 7, expected 0; this library (1.1.0) gives it no meaning")
        }
        var model: OpaquePointer?
        var params = alpaca_model_params()
        _ = alpaca_model_params_init(&params, MemoryLayout<alpaca_model_params>.size)
        params.reserved = 7
        #expect(outcome(alpaca_model_open(Fixture.q8, &params, &model)) == expected("params.reserved"))
        #expect(model == nil)

        model = try Fixture.model()
        defer { alpaca_model_free(model) }
        var session: OpaquePointer?
        var sessionParams = alpaca_session_params()
        _ = alpaca_session_params_init(&sessionParams, MemoryLayout<alpaca_session_params>.size)
        sessionParams.reserved = 7
        #expect(outcome(alpaca_session_create(model, &sessionParams, &session)) == expected("params.reserved"))
        (sessionParams.reserved, sessionParams.reserved2) = (0, 7)
        #expect(outcome(alpaca_session_create(model, &sessionParams, &session)) == expected("params.reserved2"))
        #expect(session == nil)

        let other = try Fixture.session()
        defer { alpaca_session_free(other) }
        var message = alpaca_message(role: 1, reserved: 7, content: nil, length: 0)
        #expect(outcome(alpaca_session_chat(other, &message, 1, nil, nil, nil, nil)) == expected("messages[0].reserved"))
    }

    @Test func defaults() {
        var model = alpaca_model_params()
        _ = alpaca_model_params_init(&model, MemoryLayout<alpaca_model_params>.size)
        #expect(model.use_mmap == -1 && model.lock_memory == 0 && model.prefetch == 0 && model.progress == nil && model.user_data == nil)
        #expect(model.cache_bytes == 0)

        var session = alpaca_session_params()
        _ = alpaca_session_params_init(&session, MemoryLayout<alpaca_session_params>.size)
        #expect(session.n_ctx == 0 && session.n_batch == 512 && session.n_threads == 0)
        #expect(session.type_k == Int32(ALPACA_CACHE_F16.rawValue) && session.type_v == Int32(ALPACA_CACHE_F16.rawValue))
        #expect(session.rope_theta == 0 && session.rope_scale == 0)
        #expect(session.grow_on_demand == 0 && session.reserved2 == 0)

        var p = alpaca_generation_params()
        _ = alpaca_generation_params_init(&p, MemoryLayout<alpaca_generation_params>.size)
        #expect(p.struct_size == MemoryLayout<alpaca_generation_params>.size)
        // Those of the project's scripts.
        #expect(p.temperature == 0.2 && p.top_k == 40 && p.top_p == 0.9 && p.repetition_penalty == 1.1)
        #expect(p.max_new_tokens == 512 && p.min_p == 0 && p.repeat_last_n == 64 && p.presence_penalty == 0 && p.frequency_penalty == 0)
        #expect(p.use_seed == 0 && p.seed == 0 && p.stop == nil && p.n_stop == 0 && p.logit_bias == nil && p.n_logit_bias == 0)
        #expect(p.template_name == nil && p.system == nil && p.n_probs == 0 && p.context_shift == 0 && p.n_keep == -1 && p.ignore_eos == 0)
        #expect(p.template_text == nil && p.tools == nil && p.documents == nil && p.variables == nil && p.template_time == 0)
        #expect(p.continue_final_message == 0 && p.show_special == 0)
    }

    /// A result goes as far as the client's struct reaches.
    @Test func results() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let whole = MemoryLayout<alpaca_model_info>.size
        withMemory { memory in
            for size in [16, 48, whole, whole + 24] {
                memset(memory, 0xAA, whole + 256)
                memory.storeBytes(of: size, as: Int.self)
                #expect(outcome(alpaca_model_get_info(model, memory.assumingMemoryBound(to: alpaca_model_info.self))) == .ok)
                #expect(memory.load(as: Int.self) == min(size, whole))
                #expect(memory.load(fromByteOffset: 8, as: Int32.self) > 0)
                for i in size..<size + 100 { #expect(memory.load(fromByteOffset: i, as: UInt8.self) == 0xAA) }
            }
            for size in [0, 7, 12, -1, Int.max] {
                memory.storeBytes(of: size, as: Int.self)
                let expected = Outcome.invalid("info.struct_size: found \(UInt(bitPattern: size)), expected \(whole) (sizeof the struct)")
                #expect(outcome(alpaca_model_get_info(model, memory.assumingMemoryBound(to: alpaca_model_info.self))) == expected)
            }
        }
        #expect(outcome(alpaca_model_get_info(model, nil)) == .invalid("info: found NULL, expected a place for the result"))

        // The size is looked at before the work.
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        var result = alpaca_generation_result()
        result.struct_size = 3
        let recorder = Recorder()
        #expect(
            outcome(alpaca_session_generate(session, "a", 1, nil, Recorder.callback, recorder.pointer, &result))
                == .invalid("result.struct_size: found 3, expected 64 (sizeof the struct)"))
        #expect(recorder.ids.isEmpty)
    }
}

import AlpacaEngine
import CAlpaca
import Glibc
import Synchronization
import Testing

@Suite struct GenerationTests {
    private let terminated = Int(bitPattern: ALPACA_NUL_TERMINATED)

    private func generate(
        _ session: OpaquePointer, _ prompt: String = Fixture.prompt, _ params: alpaca_generation_params = Fixture.greedy(),
        _ recorder: Recorder = Recorder(), result: UnsafeMutablePointer<alpaca_generation_result>? = nil
    ) -> Outcome {
        var params = params
        return outcome(
            alpaca_session_generate(session, prompt, terminated, &params, Recorder.callback, recorder.pointer, result))
    }

    @Test func streams() throws {
        let session = try Fixture.session(Fixture.f16)
        defer { alpaca_session_free(session) }
        let recorder = Recorder()
        var result = alpaca_generation_result.empty
        #expect(generate(session, Fixture.prompt, Fixture.greedy(), recorder, result: &result) == .ok)
        #expect(recorder.text == Fixture.poem)
        #expect(recorder.texts.allSatisfy { !$0.contains("\u{FFFD}") }, "whole characters only")
        #expect(recorder.events.map(\.index) == Array(0..<Int32(recorder.ids.count)))
        #expect(recorder.events.allSatisfy { $0.struct_size == MemoryLayout<alpaca_token_event>.size && $0.text != nil })
        #expect(recorder.events.allSatisfy { $0.logprob.isNaN && $0.candidates == nil && $0.n_candidates == 0 })
        #expect(result.struct_size == MemoryLayout<alpaca_generation_result>.size)
        #expect(result.finish_reason == Int32(ALPACA_FINISH_END_OF_SEQUENCE.rawValue))
        #expect(result.n_generated == UInt64(recorder.ids.count) && result.n_prompt > 0 && result.n_cached == 0)
        #expect(result.prompt_ns > 0 && result.generation_ns > 0)
        #expect(alpaca_session_position(session) == Int(result.n_prompt + result.n_generated))

        // The same again: all of the prompt but its last token is there already.
        #expect(generate(session, Fixture.prompt, Fixture.greedy(), Recorder(), result: &result) == .ok)
        #expect(result.n_cached == result.n_prompt - 1)
        // Without callback, parameters, result: it writes, and nobody looks.
        #expect(outcome(alpaca_session_generate(session, "a", 1, nil, nil, nil, nil)) == .ok)
    }

    /// The Swift interface draws what the C interface draws.
    @Test(arguments: [1, 42, UInt64.max]) func theSameSeedInSwift(seed: UInt64) throws {
        let session = try Fixture.session(Fixture.f16)
        defer { alpaca_session_free(session) }
        let recorder = Recorder()
        let params = Fixture.greedy {
            ($0.temperature, $0.use_seed, $0.seed, $0.max_new_tokens, $0.repeat_last_n) = (1, 1, seed, 48, 64)
        }
        #expect(generate(session, Fixture.prompt, params, recorder) == .ok)
        var swift = GenerationParameters()
        (swift.sampling.temperature, swift.sampling.seed, swift.maxNewTokens) = (1, seed, 48)
        var ids: [Int32] = []
        _ = try Model(path: Fixture.f16).makeSession().generate(Fixture.prompt, swift) { event in
            ids.append(event.id)
            return true
        }
        #expect(recorder.ids == ids && ids.count > 10)
    }

    @Test func candidates() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        let recorder = Recorder()
        let params = Fixture.greedy {
            $0.n_probs = 3
            $0.max_new_tokens = 8
            $0.repetition_penalty = 1
        }
        #expect(generate(session, Fixture.prompt, params, recorder) == .ok)
        #expect(recorder.ids.count == 8)
        #expect(recorder.candidates.allSatisfy { $0.count == 3 })
        #expect(zip(recorder.ids, recorder.candidates).allSatisfy { $0 == $1[0] }, "greedy takes the likeliest")
        #expect(recorder.events.allSatisfy { $0.logprob <= 0 && $0.n_candidates == 3 })
    }

    @Test func chatReusesWhatWasRead() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        var texts = [Fixture.prompt]
        var cached: [UInt64] = []
        var prompts: [UInt64] = []
        for _ in 0..<3 {
            let copies = texts.map { strdup($0) }
            defer { copies.forEach { free($0) } }
            let messages = copies.enumerated().map { index, text in
                alpaca_message(
                    role: Int32((index % 2 == 0 ? ALPACA_ROLE_USER : ALPACA_ROLE_ASSISTANT).rawValue), reserved: 0,
                    content: UnsafePointer(text),
                    length: terminated)
            }
            let recorder = Recorder()
            var params = Fixture.greedy()
            var result = alpaca_generation_result.empty
            #expect(
                outcome(alpaca_session_chat(session, messages, messages.count, &params, Recorder.callback, recorder.pointer, &result))
                    == .ok)
            cached.append(result.n_cached)
            prompts.append(result.n_prompt + result.n_generated)
            texts += [recorder.text, "再写一首"]
        }
        #expect(cached[0] == 0)
        for turn in 1..<3 { #expect(cached[turn] >= prompts[turn - 1], "turn \(turn) reads the new tokens only") }
    }

    @Test func chatArguments() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        func chat(_ messages: [alpaca_message], _ n: Int? = nil) -> Outcome {
            outcome(alpaca_session_chat(session, messages, n ?? messages.count, nil, nil, nil, nil))
        }
        func message(_ role: Int32, _ length: Int = 0) -> alpaca_message {
            alpaca_message(role: role, reserved: 0, content: nil, length: length)
        }
        for n in [0, -1, Int.max, Int.min, 1 << 20 + 1] {
            #expect(
                chat([message(1)], n) == .invalid("messages: found \(UInt(bitPattern: n)) of them, expected 1 to 1048576 and not NULL"))
        }
        #expect(
            outcome(alpaca_session_chat(session, nil, 1, nil, nil, nil, nil))
                == .invalid("messages: found 1 of them, expected 1 to 1048576 and not NULL"))
        for role: Int32 in [-1, 4, .max, .min] {
            #expect(chat([message(role)]) == .invalid("messages[0].role: found \(role), expected an alpaca_role, 0 to 3"))
        }
        #expect(chat([message(1), message(3)]).message.contains("found tool"))  // the model's template has no place for it
        #expect(chat([message(1, 5)]) == .invalid("messages[0].content: found NULL, expected text"))
        #expect(chat([message(1), message(2)]).status == "ALPACA_INVALID_ARGUMENT")  // the last one is not the user's
        #expect(chat([message(1), message(0), message(1)]).status == "ALPACA_INVALID_ARGUMENT")  // system is not first
        let bad: [CChar] = [CChar(bitPattern: 0xFF), 0]
        bad.withUnsafeBufferPointer { bytes in
            let bytes = alpaca_message(role: 1, reserved: 0, content: bytes.baseAddress, length: 1)
            #expect(chat([bytes]) == .invalid("messages[0].content: found bytes that are not UTF-8 at byte 0"))
        }
    }

    @Test func prompts() throws {
        let session = try Fixture.session { $0.n_ctx = 64 }
        defer { alpaca_session_free(session) }
        func run(_ text: UnsafePointer<CChar>?, _ length: Int) -> Outcome {
            outcome(alpaca_session_generate(session, text, length, nil, nil, nil, nil))
        }
        #expect(run(nil, 1) == .invalid("prompt: found NULL, expected text"))
        #expect(run(nil, terminated) == .invalid("prompt: found NULL, expected text"))
        for length in [Int.max, Int.min, -2] {
            #expect(
                run("a", length) == .invalid("prompt: found a length of \(UInt(bitPattern: length)) bytes, expected at most \(1 << 30)"))
        }
        for bytes: [UInt8] in [[0xFF], [0xE5, 0xA5], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xF5, 0x80, 0x80, 0x80]] {
            let signed = Array("好a".utf8 + bytes).map { CChar(bitPattern: $0) }
            #expect(run(signed, signed.count) == .invalid("prompt: found bytes that are not UTF-8 at byte 4"))
        }
        let long = String(repeating: "好", count: 200)
        #expect(run(long, terminated).status == "ALPACA_CONTEXT_FULL")
        // A zero inside a text with a length is a character.
        #expect(["ALPACA_OK", "ALPACA_CONTEXT_FULL"].contains(run("a\0b", 3).status))
    }

    /// Every number of the parameters, at every value that is none of it.
    @Test func numbers() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        func expectInvalid(_ message: String, _ change: (inout alpaca_generation_params) -> Void) {
            var params = Fixture.greedy(change)
            #expect(outcome(alpaca_session_generate(session, "a", 1, &params, { _, _ in 1 }, nil, nil)) == .invalid(message))
        }
        func expectOK(_ change: (inout alpaca_generation_params) -> Void) {
            var params = Fixture.greedy {
                $0.max_new_tokens = 2
                change(&$0)
            }
            #expect(outcome(alpaca_session_generate(session, "a", 1, &params, nil, nil, nil)) == .ok)
        }
        for value in [-1, -.infinity, .infinity, Float.nan] {
            expectInvalid("temperature: found \(value), expected 0 or more") { $0.temperature = value }
        }
        for value in [-0.1, 1.1, .infinity, -.infinity, Float.nan] {
            expectInvalid("top_p: found \(value), expected 0 to 1") { $0.top_p = value }
            expectInvalid("min_p: found \(value), expected 0 to 1") { $0.min_p = value }
        }
        for value in [0, -1, .infinity, -.infinity, Float.nan] {
            expectInvalid("repetition_penalty: found \(value), expected more than 0") { $0.repetition_penalty = value }
        }
        for value in [.infinity, -.infinity, Float.nan] {
            expectInvalid("presence_penalty: found \(value), expected a finite number") { $0.presence_penalty = value }
            expectInvalid("frequency_penalty: found \(value), expected a finite number") { $0.frequency_penalty = value }
        }
        for value: Int32 in [-1, .min] {
            expectInvalid("top_k: found \(value), expected 0 or more") { $0.top_k = value }
        }
        for value: Int32 in [-2, .min] {
            expectInvalid("max_new_tokens: found \(value), expected -1 or more") { $0.max_new_tokens = value }
            expectInvalid("repeat_last_n: found \(value), expected -1 or more") { $0.repeat_last_n = value }
            expectInvalid("n_keep: found \(value), expected -1 or more") { $0.n_keep = value }
        }
        for value: Int32 in [-1, 101, .max, .min] {
            expectInvalid("n_probs: found \(value), expected 0 to 100") { $0.n_probs = value }
        }
        for value: Int32 in [-1, 2, .max, .min] {
            expectInvalid("use_seed: found \(value), expected 0 or 1") { $0.use_seed = value }
            expectInvalid("context_shift: found \(value), expected 0 or 1") { $0.context_shift = value }
            expectInvalid("ignore_eos: found \(value), expected 0 or 1") { $0.ignore_eos = value }
        }
        for value in [65, -1, Int.max, Int.min] {
            expectInvalid("n_stop: found \(UInt(bitPattern: value)), expected 0 to 64") { $0.n_stop = value }
        }
        expectInvalid("stop: found NULL, expected n_stop texts") { $0.n_stop = 1 }
        for value in [-1, Int.max, Int.min, 1 << 20 + 1] {
            expectInvalid("n_logit_bias: found \(UInt(bitPattern: value)), expected 0 to 1048576") { $0.n_logit_bias = value }
        }
        expectInvalid("logit_bias: found NULL, expected n_logit_bias of them") { $0.n_logit_bias = 1 }
        // The edges of what is allowed, alone and together.
        for temperature in [Float.leastNonzeroMagnitude, 1e-30, 1, 1e30, .greatestFiniteMagnitude] {
            expectOK {
                $0.temperature = temperature
                $0.use_seed = 1
            }
        }
        expectOK { ($0.top_p, $0.top_k, $0.temperature) = (0, .max, 1) }
        expectOK { ($0.top_p, $0.top_k, $0.temperature, $0.min_p) = (1, 0, 1, 1) }
        expectOK { ($0.repetition_penalty, $0.repeat_last_n) = (.greatestFiniteMagnitude, .max) }
        expectOK { ($0.repetition_penalty, $0.temperature) = (.leastNonzeroMagnitude, 1) }
        expectOK { ($0.presence_penalty, $0.frequency_penalty) = (.greatestFiniteMagnitude, -.greatestFiniteMagnitude) }
        expectOK { ($0.presence_penalty, $0.frequency_penalty, $0.temperature) = (-.greatestFiniteMagnitude, 3e38, 1) }
        expectOK { ($0.n_probs, $0.n_keep, $0.context_shift, $0.ignore_eos, $0.seed) = (100, .max, 1, 1, .max) }
    }

    @Test func stopTexts() throws {
        let session = try Fixture.session(Fixture.f16)
        defer { alpaca_session_free(session) }
        func run(_ stops: [String?], _ recorder: Recorder, _ result: inout alpaca_generation_result) -> Outcome {
            let copies = stops.map { $0.map { strdup($0) } ?? nil }
            defer { copies.forEach { free($0) } }
            let pointers: [UnsafePointer<CChar>?] = copies.map { UnsafePointer($0) }
            return pointers.withUnsafeBufferPointer { pointers in
                let params = Fixture.greedy {
                    $0.stop = pointers.baseAddress
                    $0.n_stop = pointers.count
                }
                return generate(session, Fixture.prompt, params, recorder, result: &result)
            }
        }
        var result = alpaca_generation_result.empty
        let recorder = Recorder()
        // It spans several tokens; no part of it is shown.
        #expect(run(["花枝尽", "下水流。\n不"], recorder, &result) == .ok)
        #expect(recorder.text == "故国无尘土，山林")
        #expect(result.finish_reason == Int32(ALPACA_FINISH_STOP_STRING.rawValue))
        #expect(run([nil], Recorder(), &result) == .invalid("stop[0]: found NULL, expected text"))
        #expect(run(["", "x"], Recorder(), &result) == .ok)
        #expect(run(Array(repeating: "x", count: 64), Recorder(), &result) == .ok)
        #expect(
            run([String(repeating: "x", count: 1025)], Recorder(), &result)
                == .invalid("stop: expected at most 64 texts of at most 1024 bytes"))
    }

    @Test func logitBias() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        func run(_ biases: [alpaca_logit_bias], _ recorder: Recorder = Recorder()) -> Outcome {
            biases.withUnsafeBufferPointer { biases in
                let params = Fixture.greedy {
                    $0.logit_bias = biases.baseAddress
                    $0.n_logit_bias = biases.count
                    $0.max_new_tokens = 4
                    $0.repetition_penalty = 1
                }
                return generate(session, Fixture.prompt, params, recorder)
            }
        }
        let forced = Recorder()
        #expect(run([alpaca_logit_bias(id: 300, bias: 1e9)], forced) == .ok)
        #expect(forced.ids == [300, 300, 300, 300])
        let plain = Recorder()
        #expect(run([], plain) == .ok)
        let forbidden = Recorder()
        #expect(run([alpaca_logit_bias(id: plain.ids[0], bias: -.infinity)], forbidden) == .ok)
        #expect(!forbidden.ids.contains(plain.ids[0]))
        for id: Int32 in [-1, .max, .min] {
            #expect(run([alpaca_logit_bias(id: id, bias: 0)]).message.hasPrefix("logit_bias: found token id \(id), expected 0 to "))
        }
        for bias in [Float.nan, .infinity] {
            #expect(
                run([alpaca_logit_bias(id: 5, bias: bias)])
                    == .invalid("logit_bias of token 5: found \(bias), expected a number, or minus infinity"))
        }
    }

    @Test func templates() throws {
        let session = try Fixture.session()
        defer { alpaca_session_free(session) }
        func run(_ name: String?, system: String? = nil) -> (Outcome, alpaca_generation_result) {
            let name = name.map { strdup($0) } ?? nil
            let system = system.map { strdup($0) } ?? nil
            defer {
                free(name)
                free(system)
            }
            var result = alpaca_generation_result.empty
            let params = Fixture.greedy {
                $0.template_name = UnsafePointer(name)
                $0.system = UnsafePointer(system)
                $0.max_new_tokens = 2
            }
            return (generate(session, "你好", params, Recorder(), result: &result), result)
        }
        let (outcome, own) = run(nil)
        #expect(outcome == .ok)
        #expect(run("alpaca").1.n_prompt == own.n_prompt)
        #expect(run("none").1.n_prompt < own.n_prompt)
        #expect(run("alpaca", system: "短").0 == .ok)
        for name in ["alpaca-training", "alpaca-gradio", "alpaca-server", "alpaca-server-chat", "alpaca-2"] {
            #expect(run(name).0 == .ok, "\(name)")
        }
        #expect(run("alpaca-3").0.status == "ALPACA_UNSUPPORTED")  // this vocabulary lacks its tokens
        let names = "none, alpaca, alpaca-training, alpaca-gradio, alpaca-server, alpaca-server-chat, alpaca-2, alpaca-3"
        #expect(run("Alpaca").1.n_prompt == own.n_prompt && run("auto").1.n_prompt == own.n_prompt)
        for name in ["", "x"] {
            #expect(run(name).0 == .invalid("template_name: found \"\(name)\", expected \(names)"))
        }
    }

    @Test func contextFull() throws {
        let session = try Fixture.session { $0.n_ctx = 96 }
        defer { alpaca_session_free(session) }
        var result = alpaca_generation_result.empty
        var params = Fixture.greedy {
            $0.max_new_tokens = 0
            $0.ignore_eos = 1
        }
        #expect(generate(session, Fixture.prompt, params, Recorder(), result: &result) == .ok)
        #expect(result.finish_reason == Int32(ALPACA_FINISH_CONTEXT_FULL.rawValue))
        #expect(alpaca_session_position(session) == 96)
        params.context_shift = 1
        params.max_new_tokens = 200
        #expect(generate(session, Fixture.prompt, params, Recorder(), result: &result) == .ok)
        #expect(result.finish_reason == Int32(ALPACA_FINISH_LENGTH.rawValue))
        #expect(result.n_generated == 200)
    }
}

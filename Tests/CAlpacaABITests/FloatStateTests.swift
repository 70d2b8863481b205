import CAlpaca
import Glibc
import Testing

/// A host that rounds otherwise, flushes denormals to zero or traps: nothing that is computed changes, nothing traps, and the host finds its
/// state as it left it, in callbacks too.
@Suite struct FloatStateTests {
    private static func state() -> fenv_t {
        var state = fenv_t()
        fegetenv(&state)
        return state
    }

    #if arch(x86_64)
        private static func word(_ state: fenv_t) -> UInt32 { state.__mxcsr & ~0x3F | UInt32(state.__control_word) << 16 }
        private static let changes: [(String, @Sendable (inout fenv_t) -> Void)] = [
            ("denormals are zero", { $0.__mxcsr |= 0x8040 }),
            (
                "up",
                {
                    $0.__mxcsr |= 0x4000; $0.__control_word |= 0x800
                }
            ),
            (
                "down",
                {
                    $0.__mxcsr |= 0x2000; $0.__control_word |= 0x400
                }
            ),
            (
                "toward zero",
                {
                    $0.__mxcsr |= 0x6000; $0.__control_word |= 0xC00
                }
            ),
            (  // Invalid operations, divisions by zero, overflow: what hosts let trap. The test itself rounds.
                "traps", { $0.__mxcsr &= ~0x680 }
            ),
        ]
    #else
        private static func word(_ state: fenv_t) -> UInt32 { state.__fpcr }
        private static let changes: [(String, @Sendable (inout fenv_t) -> Void)] = [
            ("denormals are zero", { $0.__fpcr |= 1 << 24 }), ("up", { $0.__fpcr |= 1 << 22 }), ("down", { $0.__fpcr |= 2 << 22 }),
            ("toward zero", { $0.__fpcr |= 3 << 22 }),
        ]
    #endif

    private final class Seen {
        var words: Set<UInt32> = []
        var text: [UInt8] = []
    }

    private struct Work: Equatable {
        var logits: [UInt32] = []
        var text: [UInt8] = []
        var file: [UInt8] = []
        var mostLikely: [UInt64] = []
        var wordsOfCallbacks: Set<UInt32> = []
    }

    /// Opens, reads, writes, measures, converts; the host's word while callbacks ran.
    private static func work() throws -> Work {
        var work = Work()
        let session = try Fixture.session {
            $0.n_ctx = 128
            $0.n_threads = 3
        }
        defer { alpaca_session_free(session) }
        let ids: [Int32] = [1, 300, 301, 302, 303, 304, 305, 306]
        try #require(alpaca_session_append(session, ids, ids.count) == ALPACA_OK)
        var logits: UnsafePointer<Float>?
        var count = 0
        try #require(alpaca_session_logits(session, &logits, &count) == ALPACA_OK)
        work.logits = (0..<count).map { logits?[$0].bitPattern ?? 0 }

        let seen = Seen()
        var params = Fixture.greedy {
            $0.temperature = 0.9
            $0.use_seed = 1
            $0.seed = 7
            $0.max_new_tokens = 24
            $0.n_probs = 2
        }
        let status = alpaca_session_generate(
            session, Fixture.prompt, -1, &params,
            { event, user in
                guard let event, let user else { return 1 }
                let seen = Unmanaged<Seen>.fromOpaque(user).takeUnretainedValue()
                seen.words.insert(FloatStateTests.word(FloatStateTests.state()))
                for i in 0..<event.pointee.text_length { seen.text.append(UInt8(bitPattern: event.pointee.text[i])) }
                return 0
            }, Unmanaged.passUnretained(seen).toOpaque(), nil)
        try #require(status == ALPACA_OK)
        work.text = seen.text

        var perplexity = alpaca_perplexity_result()
        perplexity.struct_size = MemoryLayout<alpaca_perplexity_result>.size
        var windows = alpaca_perplexity_params()
        windows.struct_size = MemoryLayout<alpaca_perplexity_params>.size
        windows.n_ctx = 32
        let text = String(repeating: Fixture.poem, count: 4)
        try #require(outcome(alpaca_perplexity(session, text, -1, &windows, &perplexity)) == .ok)
        work.mostLikely = [perplexity.perplexity.bitPattern, perplexity.standard_error.bitPattern]

        let path = "/tmp/alpaca-float-\(getpid())-\(UInt.random(in: 0...UInt.max)).gguf"
        defer { unlink(path) }
        try Fixture.f16.withCString { base in
            try path.withCString { output in
                try "Q4_K_M".withCString { type in
                    var convert = alpaca_convert_params()
                    _ = alpaca_convert_params_init(&convert, MemoryLayout<alpaca_convert_params>.size)
                    convert.base = base
                    convert.output = output
                    convert.quantization = type
                    convert.n_threads = 2
                    convert.progress = { _, user in
                        guard let user else { return 1 }
                        Unmanaged<Seen>.fromOpaque(user).takeUnretainedValue().words.insert(
                            FloatStateTests.word(FloatStateTests.state()))
                        return 0
                    }
                    convert.user_data = Unmanaged.passUnretained(seen).toOpaque()
                    try #require(outcome(alpaca_convert(&convert, nil, nil)) == .ok)
                }
            }
        }
        work.file = try Fixture.bytes(of: path)
        work.wordsOfCallbacks = seen.words
        return work
    }

    @Test func anyStateOfTheHost() throws {
        let before = Self.state()
        defer {
            var before = before
            fesetenv(&before)
        }
        var expected = try Self.work()
        #expect(expected.wordsOfCallbacks == [Self.word(before)])
        for (name, change) in Self.changes {
            var changed = before
            change(&changed)
            fesetenv(&changed)
            let result = Result { try Self.work() }
            let after = Self.state()
            var restored = before
            fesetenv(&restored)
            #expect(Self.word(after) == Self.word(changed), "\(name): the state after the calls")
            expected.wordsOfCallbacks = [Self.word(changed)]
            #expect(try result.get() == expected, "\(name)")
        }
    }
}

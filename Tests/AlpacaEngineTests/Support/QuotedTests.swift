import AlpacaEngine
import Testing

@Suite struct QuotedTests {
    @Test func plainTextStaysReadable() {
        #expect("blk.0.attn_q.weight".quoted() == "\"blk.0.attn_q.weight\"")
        #expect("你好，🦙".quoted() == "\"你好，🦙\"")
        #expect("".quoted() == "\"\"")
        #expect("a\"b\\c".quoted() == "\"a\\\"b\\\\c\"")
    }

    /// Nothing that moves a cursor, turns the direction of writing or ends a line gets through.
    @Test func controlCharactersAreNamed() {
        #expect("a\n\u{1b}[2J\u{7f}".quoted() == "\"a\\u{a}\\u{1b}[2J\\u{7f}\"")
        #expect("\u{9b}31m\u{202e}x\u{2028}\u{feff}".quoted() == "\"\\u{9b}31m\\u{202e}x\\u{2028}\\u{feff}\"")
    }

    @Test func longTextIsCut() {
        #expect(String(repeating: "山", count: 5).quoted(limit: 5) == "\"山山山山山\"")
        #expect(String(repeating: "山", count: 6).quoted(limit: 5) == "\"山山山山山...\" (18 bytes)")
    }

    @Test func bytesThatAreNoText() {
        #expect([0x41, 0xff, 0x42].quoted() == "\"A\u{fffd}B\"")
    }
}

// Templates of strangers: what a model's file brings, with what a caller says.

import Glibc

@testable import AlpacaEngine

/// A template, a zero byte, and the texts of a conversation, with zero bytes between them.
enum JinjaTarget {
    private static let tokenizer = try! Tokenizer(path: getenv("FUZZ_TOKENIZER").map { String(cString: $0) } ?? "")

    /// Small ones, so that nothing takes long.
    private static let limits: JinjaLimits = {
        var limits = JinjaLimits()
        (limits.steps, limits.iterations, limits.rangeLength) = (20_000, 2_000, 2_000)
        (limits.textLength, limits.listLength, limits.made) = (1 << 14, 1 << 12, 1 << 18)
        return limits
    }()

    static func run(_ bytes: [UInt8]) throws {
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        guard let source = parts.first else { return }
        let template = try JinjaTemplate(source: source, limits: limits)
        let messages = parts.dropFirst().enumerated().map { number, text in
            JinjaValue.dictionary([("role", .input(["user", "assistant", "system", "tool"][number % 4])), ("content", .input(text))])
        }
        let variables: [(String, JinjaValue)] = [
            ("messages", try JinjaValue.conversation(messages)), ("add_generation_prompt", .boolean(true)), ("tools", .none),
            ("bos_token", .trusted("<s>")), ("eos_token", .trusted("</s>")),
        ]
        func render() throws(AlpacaError) -> [JinjaPiece] {
            try template.render(variables, clock: JinjaClock(secondsSince1970: 1_720_256_703))
        }
        let pieces = try render()
        let again = try render()
        precondition(again == pieces, "a template prints something else the second time")
        precondition(pieces.reduce(0) { $0 + $1.text.unicodeScalars.count } <= limits.textLength, "more text than the limit")
        // Special tokens come from the template's own parts, each by itself.
        let ids = try tokenizer.ids(of: pieces)
        let own = try pieces.filter { !$0.isInput }.reduce(0) { $0 + count(try tokenizer.ids(of: [$1])) }
        precondition(count(ids) == own, "a caller's text became a special token, or kept one from being one")
    }

    private static func count(_ ids: [TokenID]) -> Int { ids.count { tokenizer.kind($0) == .control } }
}

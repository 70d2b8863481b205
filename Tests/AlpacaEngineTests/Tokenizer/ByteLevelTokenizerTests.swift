import Foundation
import Testing

@testable import AlpacaEngine

/// Byte-level tokenizers against the goldens that the library `tokenizers` made of the same files: every line, no tolerance.
@Suite(.enabled(if: Fixtures.isShared("fixtures/family/tokenizers/qwen2.jsonl"), "the family's tokenizers are not in ALPACA_SHARED"))
struct ByteLevelTokenizerTests {
    private static func path(_ name: String) -> String { Shared.path("family/" + name) }

    /// A line of NAME.jsonl: see the fixtures' README.
    struct Line: Decodable {
        let kind, text: String
        let ids: [TokenID]
        let plain, added: [TokenID]?
        let decoded, skipped, hex: String?

        var bytes: [UInt8] {
            guard let hex else { return Array(text.utf8) }
            return stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
        }
    }

    static func lines(_ name: String) throws -> [Line] {
        let text = try String(contentsOfFile: path("tokenizers/\(name).jsonl"), encoding: .utf8)
        // Not by Character: a line may have any character, U+2028 too.
        return try text.utf8.split(separator: 10).map { try JSONDecoder().decode(Line.self, from: Data($0)) }
    }

    private func json(_ name: String) throws -> Tokenizer {
        let file = try InputFile(path: Self.path("tokenizers/\(name)/tokenizer.json"))
        return Tokenizer(try ByteLevelTokenizer(ByteLevelTokenizer.Parts(tokenizerJSON: JSONDocument(file).root)))
    }

    /// Lines of which something is wrong, the first few in words.
    private func check(_ tokenizer: Tokenizer, _ lines: [Line], flags: Bool = true) -> (Int, [String]) {
        var wrong = 0
        var said: [String] = []
        for line in lines {
            let ids = tokenizer.encode(utf8: line.bytes, parseSpecial: true)
            let plain = tokenizer.encode(utf8: line.bytes)
            let skipped = tokenizer.decode(line.ids)
            let added = tokenizer.encode(utf8: line.bytes, addBOS: tokenizer.addsBOS, parseSpecial: true)
            let isRight =
                ids == line.ids && plain == line.plain ?? line.ids && skipped == line.skipped ?? line.decoded ?? line.text
                && (line.added == nil || added == line.added)
            if isRight { continue }
            wrong += 1
            if said.count < 5 { said.append("\(line.kind) \(line.text.quoted()): \(ids) \(line.ids) \(skipped.quoted())") }
        }
        return (wrong, said)
    }

    @Test(arguments: ["llama_bpe", "qwen2", "smollm", "gpt2"]) func everyGoldenLine(name: String) throws {
        let lines = try Self.lines(name)
        #expect(lines.count > 2500)
        let (wrong, said) = check(try json(name), lines)
        #expect(wrong == 0, "\(said)")
    }

    /// The same ids from GGUF. It keeps no flags of added tokens: what they change is left out, in gpt2 alone.
    @Test(arguments: ["llama_bpe", "llama_bpe-no-pre", "qwen2", "smollm", "gpt2"]) func gguf(name: String) throws {
        let file = try GGUFReader(InputFile(path: Self.path("gguf/vocab-\(name).gguf")))
        if name == "llama_bpe-no-pre" {
            // 3,251 pieces are no published vocabulary's: nothing tells the pattern.
            #expect(throws: AlpacaError.self) { try Tokenizer(file.metadata) }
            return
        }
        let tokenizer = try Tokenizer(file.metadata)
        let other = try json(name)
        #expect(tokenizer.kindName == "byte-level-bpe" && tokenizer.bos == other.bos || name != "llama_bpe")
        var different = 0
        for line in try Self.lines(name) where tokenizer.encode(utf8: line.bytes, parseSpecial: true) != line.ids { different += 1 }
        #expect(name == "gpt2" ? different > 0 && different < 80 : different == 0)
    }

    /// Meta's file of ranks.
    @Test func tiktoken() throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Self.path("tokenizers/llama_bpe/tokenizer.model"))))
        #expect(TiktokenFile.isOne(bytes))
        let tokenizer = try Tokenizer(file: Self.path("tokenizers/llama_bpe/tokenizer.model"))
        #expect(tokenizer.addsBOS && tokenizer.bos.flatMap { tokenizer.piece($0) } == "<|begin_of_text|>")
        guard case .tokenizer(let description) = try Inspection(path: Self.path("tokenizers/llama_bpe/tokenizer.model")) else {
            Issue.record("no description")
            return
        }
        #expect(description.problem == nil && description.count == tokenizer.count && description.format.contains("tiktoken"))
        for line in try Self.lines("llama_bpe") where line.kind != "special" {
            #expect(tokenizer.encode(utf8: line.bytes) == line.plain ?? line.ids, "\(line.text.quoted())")
        }
    }

    /// What stands beside an added token that must be a word of its own: seen in the library `tokenizers`, character by character.
    @Test func neighboursOfWords() throws {
        let tokenizer = try json("gpt2")
        let user = try #require(tokenizer.id(ofPiece: "user"))
        for text in ["user\u{BD}", "\u{B2}user", "user", "user\u{2460}", "user<", "user \u{661}"] {
            #expect(tokenizer.encode(text).contains(user), "\(text)")
        }
        for text in ["user\u{200D}", "\u{200C}user", "users", "user_", "user\u{661}", "user\u{2163}", "user\u{301}", "山user"] {
            #expect(!tokenizer.encode(text).contains(user), "\(text)")
        }
    }

    /// Long words by the heap, short ones without: the same.
    @Test func everyWayOfJoiningIsTheSame() throws {
        let file = try InputFile(path: Self.path("tokenizers/qwen2/tokenizer.json"))
        let parts = try JSONDocument(file).root
        let model = try ByteLevelTokenizer(ByteLevelTokenizer.Parts(tokenizerJSON: parts))
        var scratch = ByteLevelBPE.Scratch()
        for line in try Self.lines("qwen2") where !line.bytes.isEmpty && line.bytes.count <= 64 {
            var short: [TokenID] = []
            var long: [TokenID] = []
            #expect(model.bpe.encode(line.bytes.span, EncodingTerms(), &scratch, &short) == nil)
            #expect(model.bpe.encode(line.bytes.span, shortWord: 0, EncodingTerms(), &scratch, &long) == nil)
            #expect(short == long)
        }
    }

    /// The tables are the fixture's.
    @Test func classes() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: Self.path("tokenizers/unicode_classes.json")))
        let ranges = try JSONDecoder().decode([String: [[UInt32]]].self, from: data)
        let kinds: [(String, UnicodeClasses.Kind)] = [
            ("L", .letter), ("N", .number), ("space", .space), ("word", .word), ("Digits", .digit),
        ]
        for (name, kind) in kinds {
            var expected = [Bool](repeating: false, count: 0x110000)
            for range in try #require(ranges[name]) { for scalar in range[0]...range[1] { expected[Int(scalar)] = true } }
            #expect((0..<0x110000).allSatisfy { UnicodeClasses.shared[UInt32($0)].contains(kind) == expected[$0] }, "\(name)")
        }
    }

    /// deepseek-llm's split on what its rules name: pieces by pieces, with the letters that other rules take as words.
    @Test func deepSeeksWords() throws {
        func words(_ text: String) -> [String] {
            let bytes = Array(text.utf8)
            var scanner = WordScanner(.deepseek, bytes.span)
            var words: [String] = [], at = 0
            while at < bytes.count {
                let end = scanner.end(bytes.span, from: at)
                words.append(String(decoding: bytes[at..<end], as: UTF8.self))
                at = end
            }
            return words
        }
        #expect(words("Hello world") == ["Hello", " world"])
        #expect(words("白日依山尽，黄河 入海流。") == ["白日依山尽", "，", "黄河", " ", "入海流", "。"])
        #expect(words("a\n\n b  ") == ["a", "\n", "\n", " b", "  "])
        #expect(words("x  y") == ["x", " ", " y"])
        #expect(words("12345年") == ["12345", "年"])
        #expect(words("it's $5!! ok") == ["it", "'", "s", " $", "5", "!!", " ok"])
        // The third pattern has ASCII's letters among its marks, and is searched in what the second has found.
        #expect(words("Ünïçødé") == ["Ü", "n", "ïçø", "d", "é"])
        #expect(words("\u{3042}\u{AC00} 1") == ["\u{3042}\u{AC00}", " ", "1"])
        #expect(words("\r\n") == ["\r", "\n"])
    }

    /// A text of a megabyte without a place to divide it, and runs of marks and of blanks: none takes more than moments.
    @Test func anyInputInBoundedTime() throws {
        let tokenizer = try json("qwen2")
        for part in ["a", "山", "\u{301}", " ", "\u{3000}", "ㅏ", "e\u{301}\u{323}", "<", "<|", "1", "'", "\n "] {
            let text = String(repeating: part, count: 1 << 18)
            let ids = tokenizer.encode(text)
            #expect(Array(tokenizer.decode(ids).utf8).count >= text.utf8.count / 2)
        }
    }
}

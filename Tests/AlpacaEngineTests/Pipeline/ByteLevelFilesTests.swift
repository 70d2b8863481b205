import Foundation
import Testing

@testable import AlpacaEngine

/// The files of byte-level tokenizers that conversions write: a tokenizer.json that gives the same ids, or the one that was there.
@Suite(.enabled(if: Fixtures.isShared("fixtures/family/tokenizers/qwen2.jsonl"), "the family's tokenizers are not in ALPACA_SHARED"))
struct ByteLevelFilesTests {
    private static let names = ["llama_bpe", "qwen2", "smollm", "gpt2"]

    private static func parts(_ path: String) throws -> ByteLevelTokenizer.Parts {
        try ByteLevelTokenizer.Parts(tokenizerJSON: TokenizerJSON.root(FileRegion(InputFile(path: path))))
    }

    private static func fixture(_ name: String) throws -> ByteLevelTokenizer.Parts {
        try parts(Shared.path("family/tokenizers/\(name)/tokenizer.json"))
    }

    /// Reads a text as a tokenizer.json.
    private static func read(_ text: [UInt8]) throws -> ByteLevelTokenizer.Parts {
        try ByteLevelTokenizer.Parts(tokenizerJSON: JSONDocument(text, name: "tokenizer.json").root)
    }

    /// What a tokenizer does hangs on these.
    private static func check(_ found: ByteLevelTokenizer.Parts, is expected: ByteLevelTokenizer.Parts, flags: Bool = true) {
        #expect(found.pieces.elementsEqual(expected.pieces) { $0.elementsEqual($1) } && found.kinds == expected.kinds)
        #expect(found.rule == expected.rule && found.normalizes == expected.normalizes && found.ignoresMerges == expected.ignoresMerges)
        #expect(found.merges.elementsEqual(expected.merges) { $0 == $1 })
        #expect(
            found.specials.addsBOS == expected.specials.addsBOS
                && (!expected.specials.addsBOS || found.specials.bos == expected.specials.bos))
        func sorted(_ parts: ByteLevelTokenizer.Parts) -> [AddedToken] { parts.added.sorted { $0.id < $1.id } }
        for (a, b) in zip(sorted(found), sorted(expected)) {
            #expect(a.id == b.id && a.content == b.content && a.isSpecial == b.isSpecial)
            if flags {
                #expect(a.stripsLeft == b.stripsLeft && a.stripsRight == b.stripsRight)
                #expect(a.isSingleWord == b.isSingleWord && a.isNormalized == b.isNormalized)
            }
        }
        #expect(found.added.count == expected.added.count)
    }

    @Test(arguments: names) func writtenAndReadAgain(name: String) throws {
        let parts = try Self.fixture(name)
        let again = try Self.read(parts.tokenizerJSON())
        Self.check(again, is: parts)
        let tokenizer = Tokenizer(try ByteLevelTokenizer(again))
        var wrong = 0
        for line in try ByteLevelTokenizerTests.lines(name) {
            let ids = tokenizer.encode(utf8: line.bytes, parseSpecial: true)
            if ids != line.ids || tokenizer.decode(ids) != line.skipped ?? line.decoded ?? line.text { wrong += 1 }
        }
        #expect(wrong == 0)
        // GGUF metadata says all but the flags.
        var metadata = GGUFMetadata()
        try metadata.setTokenizer(parts)
        try Self.check(Self.read(ByteLevelTokenizer.Parts(metadata).tokenizerJSON()), is: parts, flags: false)
    }

    @Test func deepSeeksPatterns() throws {
        var parts = try Self.fixture("gpt2")
        parts.rule = .deepseek
        let again = try Self.read(parts.tokenizerJSON())
        #expect(again.rule == .deepseek)
    }

    @Test func metasRanks() throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Shared.path("family/tokenizers/llama_bpe/tokenizer.model"))))
        let parts = try TiktokenFile.parts(bytes)
        #expect(try TiktokenFile.bytes(of: parts) == bytes)
        try Self.check(Self.read(parts.tokenizerJSON()), is: parts)
        // Merges in another order are not those of ranks.
        var other = parts
        other.merges.swapAt(0, other.merges.count - 1)
        #expect(try TiktokenFile.bytes(of: other) == nil)
        #expect(try TiktokenFile.bytes(of: Self.fixture("qwen2")) == nil)
    }

    /// What a JSON text can't say is refused, not changed.
    @Test func whatJSONCannotSay() throws {
        var parts = try Self.fixture("gpt2")
        parts.pieces.append([0xFF])
        parts.kinds.append(.normal)
        #expect(alpacaError { _ = try parts.tokenizerJSON() }?.code == .unsupported)
        parts = try Self.fixture("gpt2")
        parts.pieces.append(Array(parts.pieces[5]))
        parts.kinds.append(.normal)
        #expect(alpacaError { _ = try parts.tokenizerJSON() }?.message.contains("two pieces are") == true)
        // Rows without a token stay out of the file; ids keep their places.
        parts = try Self.fixture("qwen2")
        let count = parts.pieces.count
        parts.pad(to: count + 7)
        #expect(try Self.read(parts.tokenizerJSON()).pieces.count == count)
    }

    /// A gap between the vocabulary and an added token: readers would give the token the next free id.
    @Test func gapsBeforeAddedTokens() throws {
        var parts = try Self.fixture("gpt2")
        let count = parts.pieces.count
        parts.pad(to: count + 3)
        parts.added.append(AddedToken(content: Array("<late>".utf8), id: TokenID(count + 3), isSpecial: true))
        parts.pieces.append("<late>".utf8)
        parts.kinds.append(.control)
        let again = try Self.read(parts.tokenizerJSON())
        #expect(again.id(ofAdded: "<late>") == TokenID(count + 3))
        let text = try JSONDocument(parts.tokenizerJSON(), name: "x").root
        #expect(try text.member("model").member("vocab").int("<late>") == count + 3)
    }

    // MARK: - Conversions

    private static func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

    @Test(arguments: ["qwen2", "llama3-tied"]) func foldersAndBack(name: String) throws {
        let folder = Shared.path("family/models/\(name)")
        try Fixtures.withFolder { work in
            func convert(_ base: String, _ output: String, _ format: OutputFormat) throws {
                var options = ConversionOptions(base: base, output: "\(work)/\(output)")
                options.format = format
                _ = try Converter.convert(options)
            }
            // Carried along to the byte.
            try convert(folder, "hf", .huggingFace)
            for file in ["tokenizer.json", "tokenizer_config.json"] {
                #expect(try Self.bytes("\(work)/hf/\(file)") == Self.bytes("\(folder)/\(file)"), "\(file)")
            }
            // By a GGUF file: made anew, and the same.
            try convert(folder, "m.gguf", .gguf)
            try convert("\(work)/m.gguf", "back", .huggingFace)
            let original = try Self.parts("\(folder)/tokenizer.json")
            try Self.check(Self.parts("\(work)/back/tokenizer.json"), is: original, flags: false)
            let config = try JSONDocument(Self.bytes("\(work)/back/tokenizer_config.json"), name: "x").root
            #expect(try config.string("tokenizer_class") == "PreTrainedTokenizerFast")
            #expect(try config.member("added_tokens_decoder").count == original.added.count)
            let first = try Model(path: folder), last = try Model(path: "\(work)/back")
            #expect(first.tokenizer.bos == last.tokenizer.bos && first.tokenizer.addsBOS == last.tokenizer.addsBOS)
            #expect(Set(first.tokenizer.endings) == Set(last.tokenizer.endings) && first.tokenizer.pad == last.tokenizer.pad)
            for text in ["从前有座山, it's 2024!\n\n  <|im_start|>user", "é e\u{301} ①２"] {
                #expect(first.tokenizer.encode(text, parseSpecial: true) == last.tokenizer.encode(text, parseSpecial: true))
            }
            #expect(try Self.bytes("\(work)/back/model.safetensors").count > 1000)
        }
    }

    /// The kind has no file that can be extended.
    @Test func editingIsRefused() throws {
        let tokenizer = try Tokenizer(file: Shared.path("family/tokenizers/qwen2/tokenizer.json"))
        try Fixtures.withFolder { work in
            for body in [
                { _ = try tokenizer.adding(piece: "x") }, { try tokenizer.save(to: work + "/tokenizer.model") },
                { _ = try tokenizer.merging(piecesOf: Shared.path("family/tokenizers/qwen2/tokenizer.json")) },
            ] as [() throws -> Void] {
                let error = alpacaError(body)
                #expect(error?.code == .unsupported && error?.message.contains("byte-level-bpe") == true)
            }
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// The walk with short parts on the stack against the heap alone, on random bytes of all sorts.
@Suite struct SentencePieceBPETests {
    private static let sorts: [[String]] = [
        "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏，。、：“”！？学而时习之不亦说乎人工智能语言模型中国".map(String.init),
        [
            "the ", "and ", "of ", "house", "ing ", "un", "believ", "able ", "a", "e", "s", "t", "1", "20", "23 ", ".", ", ", "\n",
            "def f(x):\n    ",
        ],
        [" ", "  ", "        ", "▁", "\t", "\u{3000}", "\0", "\u{FFFD}", "\u{FEFF}"],
        ["🙂", "👩‍👩‍👧", "𠮷", "é", "ñ", "Я", "ß", "한", "あ", "ا", "\u{10FFFF}", "鱾", "龘"],
        ["<0x0A>", "</s>", "<s>", "<unk>", "[PAD]"],
    ]

    private func text(_ random: inout RandomSource) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<random.next() % 12 {
            let sort = Int(random.next() % 7)
            for _ in 0..<1 + random.next() % 24 {
                if sort < SentencePieceBPETests.sorts.count {
                    let parts = SentencePieceBPETests.sorts[sort]
                    bytes += Array(parts[Int(random.next() % UInt64(parts.count))].utf8)
                } else if sort == 5 {
                    bytes.append(UInt8(truncatingIfNeeded: random.next()))
                } else {
                    bytes.append(UInt8(0x61 + random.next() % 4))
                }
            }
        }
        // Characters cut in two.
        if !bytes.isEmpty, random.next() % 2 == 0 { bytes.remove(at: Int(random.next() % UInt64(bytes.count))) }
        return bytes
    }

    private static func open(_ path: String) throws -> SentencePieceTokenizer {
        try SentencePieceTokenizer(SentencePieceModel(InputFile(path: path)))
    }

    private func check(_ tokenizer: SentencePieceTokenizer, texts: Int) {
        var random = RandomSource(seed: 7)
        var wrong = 0
        for _ in 0..<texts {
            let text = text(&random)
            let blank = random.next() % 2 == 0
            var lists: [[TokenID]] = [[], [], [], []]
            for (i, limit) in [SentencePieceBPE.shortPart, 2, 3, 7].enumerated() {
                tokenizer.encoder.encode(text.span, startsWithBlank: blank, shortPart: limit, to: &lists[i])
            }
            if !lists.allSatisfy({ $0 == lists[0] }) { wrong += 1 }
            // As valid text, the same tokens.
            var repaired: [TokenID] = []
            var valid: [UInt8] = []
            var at = 0
            while at < text.count {
                let (scalar, length) = UTF8Text.decode(text.span, at, text.count)
                valid += scalar == 0xFFFD && length == 1 ? [0xEF, 0xBF, 0xBD] : Array(text[at..<at + length])
                at += length
            }
            tokenizer.encoder.encode(valid.span, startsWithBlank: blank, to: &repaired)
            if repaired != lists[0] { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test(arguments: ["mini_llama", "mini_chinese_llama", "mini_chinese_alpaca"]) func shortPartsAreLongOnes(name: String) throws {
        try check(Self.open(TokenizerTests.mini(name)), texts: 300)
    }

    @Test(.enabled(if: Shared.hasPublishedTokenizers, Shared.noPublishedTokenizers), arguments: ["llama", "chinese_alpaca2"])
    func shortPartsOfThePublished(name: String) throws {
        try check(Self.open(Shared.path("tokenizers/\(name).model")), texts: 300)
    }

    /// User-defined pieces, one with a blank, and no byte pieces: unknown characters are one token.
    @Test func userDefinedPiecesAndUnknownText() throws {
        let texts = ["<unk>", "▁", "a", "b", "ab", "▁ab", "b▁a", "山", "ab山a", "abababababab"]
        var kinds = [TokenKind](repeating: .normal, count: texts.count)
        kinds[0] = .unknown
        kinds[6] = .userDefined
        let model = try SentencePieceTokenizer(
            pieces: GGUFStrings(texts), scores: [0, -1, -2, -3, 2, 1, 0, -4, 3, 3], kinds: kinds, specials: SpecialTokens(unknown: 0),
            addsSpacePrefix: true)
        let tokenizer = Tokenizer(model)
        #expect(tokenizer.encode("ab") == [5])
        #expect(tokenizer.encode("ab ab") == [1, 2, 6, 3])
        #expect(tokenizer.encode("水火a水") == [1, 0, 2, 0])
        #expect(tokenizer.encode("山水山") == [1, 7, 0, 7])
        #expect(tokenizer.id(ofPiece: "abababababab") == 9)
        #expect(tokenizer.id(ofPiece: "ababababababab") == nil)
        check(model, texts: 300)
    }

    @Test func namesOfBytes() {
        for byte in UInt8.min...UInt8.max {
            for format in ["<0x%02X>", "<0x%02x>"] { #expect(TokenKind.byte(Array(String(format: format, byte).utf8)[...]) == byte) }
        }
        // A slice counts from where it begins.
        #expect(TokenKind.byte(Array("ab<0xE2>".utf8)[2...]) == 0xE2)
        for other in ["", "<0x>", "<0xA>", "<0x+A>", "<0x-0>", "<0xAG>", "<0x0A", "<0x0A>>", "<0X0A>", "[0x0A>", "<0x0A]"] {
            #expect(TokenKind.byte(Array(other.utf8)[...]) == nil, "\(other)")
        }
    }

    /// Every piece is found by its bytes, alone and in the walk's window, and what is longer by one is not taken for it.
    /// Texts of which each part is short, and one that is a single part.
    @Test(arguments: ["the house. 天地 ", "aaaaaaaa"]) func stops(words: String) throws {
        let tokenizer = try Model(path: MiniFamily.f16).tokenizer
        let text = Array(String(repeating: words, count: 50_000).utf8)
        let flag = CancelFlag()
        let all = tokenizer.encode(utf8: text, stop: flag)
        #expect(all == tokenizer.encode(utf8: text))
        flag.set()
        #expect(tokenizer.encode(utf8: text, stop: flag).count < all.count || words.utf8.allSatisfy { $0 == 0x61 })
        // Nothing of the text that was given up is left in what comes next.
        #expect(tokenizer.encode("天地") == tokenizer.encode(utf8: Array("天地".utf8), stop: CancelFlag()))
    }

    @Test func everyPieceIsFound() throws {
        let vocabulary = try Self.open(TokenizerTests.mini("mini_chinese_alpaca")).vocabulary
        for id in 0..<vocabulary.count where vocabulary.kinds[id] == .normal {
            let piece = Array(vocabulary.pieces[id])
            let padded = piece + [UInt8](repeating: 0x7F, count: 8)
            #expect(vocabulary.table.find(piece.span).token == TokenID(id))
            let found = padded.withUnsafeBytes { vocabulary.table.find(padded: $0.baseAddress!, piece.count) }
            #expect((found.token, found.score) == (TokenID(id), vocabulary.scores[id]))
            #expect(vocabulary.table.find((piece + [0]).span).token == -1)
        }
    }
}

import Testing

@testable import AlpacaEngine

/// The face over a family of tokenizers, shown by a family of the test's own: a token a byte.
@Suite struct TokenizerModelTests {
    private final class Bytes: TokenizerModel {
        static let ggufNames = ["bytes"]
        init(_ gguf: GGUFMetadata) throws(AlpacaError) {}

        let kindName = "bytes"
        let count = 259
        let specials = SpecialTokens(bos: 256, eos: 257, addsBOS: true)
        let addsSpacePrefix = true
        let controlPieces: [(bytes: [UInt8], id: TokenID)] = [(Array("<end>".utf8), 257), (Array("<b>".utf8), 256)]

        func encode(_ text: Span<UInt8>, isBeginning: Bool, terms: EncodingTerms, to ids: inout [TokenID]) -> AlpacaError? {
            if isBeginning { ids.append(0x20) }
            for i in text.indices {
                if terms.stop?.isSet == true { break }
                ids.append(TokenID(text[i]))
            }
            return nil
        }
        func decode(_ ids: [TokenID]) -> [UInt8] { ids.compactMap { (0..<256).contains($0) ? UInt8($0) : nil } }
        func mostBytes(of ids: [TokenID]) -> Int { ids.count }
        func appendBytes(of id: TokenID, to bytes: inout [UInt8]) { if id < 256 { bytes.append(UInt8(id)) } }
        func piece(_ id: TokenID) -> String { "\(id)" }
        func kind(_ id: TokenID) -> TokenKind { id < 256 ? .byte : .control }
        func score(_ id: TokenID) -> Float { 0 }
        func id(ofPiece piece: [UInt8]) -> TokenID? { TokenID(String(decoding: piece, as: UTF8.self)) }
    }

    @Test func theFaceAddsWhatIsNoFamilys() throws {
        let tokenizer = Tokenizer(try Bytes(GGUFMetadata()))
        #expect((tokenizer.count, tokenizer.bos, tokenizer.eos, tokenizer.unknown, tokenizer.kindName) == (259, 256, 257, nil, "bytes"))
        #expect(tokenizer.encode("a<b>") == [0x20] + "a<b>".utf8.map { TokenID($0) })
        #expect(tokenizer.encode("a<end>b", addBOS: true, addEOS: true, parseSpecial: true) == [256, 0x20, 0x61, 257, 0x20, 0x62, 257])
        #expect(tokenizer.encode("", addBOS: true) == [256])
        #expect(try tokenizer.ids(of: "ab", isBeginning: false, stop: CancelFlag()) == [0x61, 0x62])
        let flag = CancelFlag()
        flag.set()
        #expect(try tokenizer.ids(of: "ab", isBeginning: false, stop: flag) == [])
        #expect(tokenizer.decode([256, 0x61, -1, 259, 0x62]) == "ab")
        #expect(try tokenizer.text(of: [0x61, 257]) == "a")
        // Ids outside the vocabulary never reach a family.
        for id: TokenID in [-1, 259, .max, .min] {
            #expect(tokenizer.piece(id) == nil && tokenizer.kind(id) == nil && tokenizer.score(id) == nil)
            var bytes: [UInt8] = []
            tokenizer.appendBytes(of: id, to: &bytes)
            #expect(bytes.isEmpty)
        }
        #expect(tokenizer.piece(258) == "258" && tokenizer.kind(258) == .control && tokenizer.id(ofPiece: "") == nil)
        // What is sentencepiece's alone.
        #expect(alpacaError { _ = try tokenizer.adding(piece: "x") }?.code == .unsupported)
        #expect(alpacaError { try tokenizer.save(to: "/nowhere") }?.code == .unsupported)
    }

    /// A vocabulary that wants no blank before a text gets none, also as the beginning of a prompt in parts.
    @Test(arguments: [true, false]) func blankInFront(isWanted: Bool) throws {
        let tokenizer = Tokenizer(
            try SentencePieceTokenizer(
                pieces: GGUFStrings(["<unk>", "a", "▁", "▁a"]), scores: [0, -1, -1, 0], kinds: [.unknown, .normal, .normal, .normal],
                specials: SpecialTokens(unknown: 0), addsSpacePrefix: isWanted))
        #expect(tokenizer.addsSpacePrefix == isWanted)
        #expect(tokenizer.encode("a") == (isWanted ? [3] : [1]))
        #expect(try tokenizer.ids(of: "a", isBeginning: true, stop: CancelFlag()) == (isWanted ? [3] : [1]))
        #expect(try tokenizer.ids(of: "a", isBeginning: false, stop: CancelFlag()) == [1])
        #expect(tokenizer.decode([3]) == (isWanted ? "a" : " a"))
    }

    @Test func theFileSaysWhichFamily() throws {
        func message(_ kind: String) -> String? {
            var metadata = GGUFMetadata()
            metadata[GGUFKey.tokenizerModel] = .string(kind)
            return alpacaError { _ = try Tokenizer(metadata) }?.message
        }
        #expect(message("bert") == "metadata key \"tokenizer.ggml.model\": found \"bert\", supported is \"llama\", \"gpt2\"")
        #expect(message("llama")?.contains("tokenizer.ggml.tokens") == true)
        let names = TokenizerRegistry.families.flatMap { $0.ggufNames }
        #expect(names.contains("llama") && Set(names).count == names.count)
    }
}

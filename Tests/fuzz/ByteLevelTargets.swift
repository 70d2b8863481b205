// What reaches byte-level tokenizers: their files, and a caller's text under each rule of cutting it into words.

@testable import AlpacaEngine

/// A tokenizer.json: whatever is taken must be written and read again as the same, and put texts into tokens and back.
enum TokenizerJSONTarget {
    static func run(_ bytes: [UInt8]) throws {
        let root = try JSONDocument(bytes, name: "x").root
        _ = try? TokenizerJSON(root)
        if let parts = try? MergedTokenizer.Parts(tokenizerJSON: root), let model = try? MergedTokenizer(parts) {
            check(Tokenizer(model))
        }
        let parts = try ByteLevelTokenizer.Parts(tokenizerJSON: root)
        let tokenizer = Tokenizer(try ByteLevelTokenizer(parts))
        check(tokenizer)
        guard let written = try? parts.tokenizerJSON() else { return }
        let again = try ByteLevelTokenizer.Parts(tokenizerJSON: JSONDocument(written, name: "x").root)
        let other = Tokenizer(try ByteLevelTokenizer(again))
        for text in samples {
            precondition(
                tokenizer.encode(utf8: text, parseSpecial: true) == other.encode(utf8: text, parseSpecial: true),
                "a tokenizer.json that was written gives other ids")
        }
    }

    private static let samples =
        ["the theory  in\n\n an", "山 a<s>b <|eot_id|>!", "e\u{301}'S １23", ""].map { Array($0.utf8) } + [[0xE5, 0xB1, 0xFF, 0x20]]

    private static func check(_ tokenizer: Tokenizer) {
        for text in samples {
            let ids = tokenizer.encode(utf8: text, addBOS: true, parseSpecial: true)
            precondition(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.count }, "an id that is none")
            precondition(tokenizer.model.mostBytes(of: ids) >= tokenizer.model.decode(ids).count, "a text is longer than it can be")
        }
    }
}

/// The first byte chooses the rule, and how the others are put into tokens and back.
enum ByteLevelTarget {
    private static let rules: [SplitRule] = [.llama(digits: 3), .llama(digits: 1), .smollm, .gpt2, .deepseek]
    /// Some merges of letters, blanks and the bytes of a Chinese character, and added tokens with each flag.
    private static let models: [ByteLevelTokenizer] = rules.map { rule in
        var pieces = GGUFStrings()
        var kinds: [TokenKind] = []
        var contents: [[UInt8]: TokenID] = [:]
        func add(_ content: [UInt8]) -> TokenID {
            if let known = contents[content] { return known }
            let id = TokenID(pieces.count)
            contents[content] = id
            pieces.append(ByteLetters.piece(of: content[...]))
            kinds.append(.normal)
            return id
        }
        for byte in UInt8.min...UInt8.max { _ = add([byte]) }
        var merges: [(left: TokenID, right: TokenID, to: TokenID)] = []
        let pairs: [(String, String)] = [
            ("a", "b"), ("b", "a"), ("ab", "a"), ("a", "ba"), ("ab", "ab"), (" ", "a"), (" ", " "), ("  ", "  "), ("1", "2"), ("\n", "\n"),
            ("'", "s"), ("aba", "b"), (" a", "b"),
        ]
        for (left, right) in pairs { merges.append((add(Array(left.utf8)), add(Array(right.utf8)), add(Array((left + right).utf8)))) }
        merges.append((add([0xE5]), add([0xB1]), add([0xE5, 0xB1])))
        merges.append((add([0xE5, 0xB1]), add([0xB1]), add([0xE5, 0xB1, 0xB1])))
        var added: [AddedToken] = []
        func named(_ text: String, _ change: (inout AddedToken) -> Void) {
            var token = AddedToken(content: Array(text.utf8), id: TokenID(pieces.count))
            change(&token)
            pieces.append(text.utf8)
            kinds.append(token.isSpecial ? .control : .userDefined)
            added.append(token)
        }
        named("<s>") { $0.isSpecial = true }
        named("<<") { _ in }
        named("<l>") { ($0.isSpecial, $0.stripsLeft) = (true, true) }
        named("<r>") { ($0.isSpecial, $0.stripsRight) = (true, true) }
        named("bb") { ($0.isSpecial, $0.isSingleWord) = (true, true) }
        named("\u{C5}") { $0.isNormalized = true }
        return try! ByteLevelTokenizer(
            ByteLevelTokenizer.Parts(
                pieces: pieces, kinds: kinds, merges: merges, added: added, rule: rule, normalizes: rule == .llama(digits: 1),
                ignoresMerges: rule == .llama(digits: 3)))
    }

    static func run(_ bytes: [UInt8]) throws {
        guard let choice = bytes.first else { return }
        let text = Array(bytes.dropFirst())
        let model = models[Int(choice & 7) % models.count], tokenizer = Tokenizer(model)
        let parsesSpecial = choice & 8 != 0
        let ids = try tokenizer.ids(of: text, parseSpecial: parsesSpecial)
        precondition(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.count }, "an id that is none")
        let decoded = tokenizer.decode(ids)
        // Ill-formed parts become U+FFFD; tokens that strip blanks, and special ones, are not given back.
        var expected = Array(String(decoding: text, as: UTF8.self).utf8)
        if model.normalizes { expected = NormalizationFormC.shared.normalized(expected.span) }
        if !parsesSpecial { precondition(decoded.utf8.elementsEqual(expected), "a text changes on its way to tokens and back") }

        var assembler = UTF8Assembler()
        var piece: [UInt8] = [], whole: [UInt8] = []
        for id in ids { tokenizer.appendBytes(of: id, to: &piece) }
        for byte in piece { assembler.append(byte, to: &whole) }
        assembler.flush(to: &whole)
        precondition(whole.elementsEqual(decoded.utf8), "a text that is streamed is another")

        guard choice & 16 != 0, !text.isEmpty else { return }
        // Long words are solved in another way than short ones.
        var scratch = ByteLevelBPE.Scratch()
        var short: [TokenID] = [], long: [TokenID] = []
        for start in stride(from: 0, to: text.count, by: 48) {
            let word = text[start..<min(text.count, start + 48)]
            _ = model.bpe.encode(word.span, EncodingTerms(), &scratch, &short)
            _ = model.bpe.encode(word.span, shortWord: 0, EncodingTerms(), &scratch, &long)
        }
        precondition(short == long, "short and long words give other tokens")
    }
}

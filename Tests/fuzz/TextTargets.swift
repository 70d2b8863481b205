// What the texts of a caller reach: tokenizers, templates of conversations, stop strings.

import Glibc

@testable import AlpacaEngine

/// The first byte chooses how the others are put into tokens and back.
enum TextTarget {
    private static let trained = try! Tokenizer(path: getenv("FUZZ_TOKENIZER").map { String(cString: $0) } ?? "")

    /// Without byte pieces, and with pieces that a user defined: what trained ones of the family don't have.
    private static let plain: Tokenizer = {
        let pieces = ["<unk>", "<s>", "</s>", "\u{2581}", "a", "b", "ab", "aba", "bab", "山", "依山", "a b", "\u{2581}a", "<<", "山山山"]
        let model = try! SentencePieceTokenizer(
            pieces: GGUFStrings(pieces), scores: pieces.indices.map { -Float($0 % 5) },
            kinds: [.unknown, .control, .control] + pieces.dropFirst(3).map { $0 == "a b" || $0 == "<<" ? .userDefined : .normal },
            specials: SpecialTokens(bos: 1, eos: 2, unknown: 0, addsBOS: true), addsSpacePrefix: true)
        return Tokenizer(model)
    }()

    static func run(_ bytes: [UInt8]) throws {
        guard let choice = bytes.first else { return }
        let text = Array(bytes.dropFirst())
        let tokenizer = choice & 1 == 0 ? trained : plain
        let parsesSpecial = choice & 2 != 0
        let ids = try tokenizer.ids(of: text, addBOS: choice & 4 != 0, parseSpecial: parsesSpecial)
        precondition(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.count }, "an id that is none")

        var assembler = UTF8Assembler()
        var piece: [UInt8] = [], whole: [UInt8] = []
        for id in ids { tokenizer.appendBytes(of: id, to: &piece) }
        for byte in piece { assembler.append(byte, to: &whole) }
        assembler.flush(to: &whole)
        precondition(String(validating: whole, as: UTF8.self) != nil, "pieces give no UTF-8")

        let decoded = tokenizer.decode(ids)
        if tokenizer === trained, !parsesSpecial, let valid = String(validating: text, as: UTF8.self),
            !valid.unicodeScalars.contains("\u{2581}")
        {
            precondition(decoded.utf8.elementsEqual(valid.utf8), "a text changes on its way to tokens and back")
        }
        // Long parts are solved in another way than short ones.
        guard choice & 8 != 0, !text.isEmpty, let model = tokenizer.model as? SentencePieceTokenizer else { return }
        var short: [TokenID] = [], long: [TokenID] = []
        model.encoder.encode(text.span, startsWithBlank: true, to: &short)
        model.encoder.encode(text.span, startsWithBlank: true, shortPart: 2, to: &long)
        precondition(short == long, "short and long parts give other tokens")
    }
}

/// The first byte chooses the template, the second how the text comes in pieces; zero bytes part the messages.
enum TemplateTarget {
    private static let templates = KnownTemplate.allCases

    static func run(_ bytes: [UInt8]) throws {
        guard bytes.count > 2 else { return }
        let text = bytes.dropFirst(2)
        let messages = text.split(separator: 0, omittingEmptySubsequences: false).enumerated().map { i, part in
            ChatMessage(
                role: part.first == UInt8(ascii: "s") ? .system : i % 2 == 0 ? .user : .assistant,
                content: String(decoding: part, as: UTF8.self))
        }
        if let segments = try? templates[Int(bytes[0]) % templates.count].render(messages) {
            precondition(!segments.isEmpty, "a prompt without anything")
        }
        stop(Array(text), pieces: Int(bytes[1] % 8) + 1, [messages[0].content, messages.last?.content ?? "", "### Instruction:"])
    }

    /// The stop strings, found piece by piece, against a search in all of the text so far.
    private static func stop(_ text: [UInt8], pieces: Int, _ stops: [String]) {
        let wanted = stops.map { String($0.prefix(6)) }
        let spelled = wanted.map { Array($0.utf8) }.filter { !$0.isEmpty }
        var matcher = StopMatcher(wanted)
        var shown: [UInt8] = []
        var end = 0
        while end < min(text.count, 64) {
            let start = end
            end = min(text.count, end + pieces)
            let found = matcher.append(Array(text[start..<end]), to: &shown)
            let first = (0..<end).first { at in spelled.contains { text[at..<end].starts(with: $0) } }
            precondition((found == nil) == (first == nil), "a stop string is passed over, or found where there is none")
            if let first {
                precondition(shown.elementsEqual(text[..<first]), "the text before a stop string is another")
                return
            }
            precondition(text[..<end].starts(with: shown), "text that goes on is another")
        }
        matcher.flush(to: &shown)
        precondition(shown.elementsEqual(text[..<end]), "text is left out")
    }
}

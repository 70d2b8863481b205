/// Meta's `tokenizer.model` since Llama 3: tiktoken's lines of a piece in base64 and its rank, which is its id. Of the pairs that stand side by
/// side the one whose joined bytes have the least rank is joined first. The special tokens are not in the file; they are Llama 3's.
enum TiktokenFile {
    /// Whether a file's beginning is that of such a file: its first line is the piece "!" with the rank 0. Sentencepiece's begin with 0x0A.
    static func isOne(_ beginning: some Sequence<UInt8>) -> Bool { beginning.starts(with: Array("IQ== 0\n".utf8)) }

    /// Bytes of a piece at most; Llama 3's longest has 128.
    private static let longestPiece = 512
    /// Specials stand behind the pieces, 256 of them.
    private static let specialCount = 256

    static func parts(_ text: [UInt8]) throws(AlpacaError) -> ByteLevelTokenizer.Parts {
        // Pieces in bytes and in letters, a table of slots, and the merges, of which a piece may have many.
        try LargeMemory.ask(text.count, of: 24, for: "vocabulary")
        var contents = GGUFStrings()
        var line = 0
        var at = 0
        while at < text.count {
            let end = text[at...].firstIndex(of: 10) ?? text.count
            defer { at = end + 1 }
            guard end > at else { continue }
            line += 1
            guard let blank = text[at..<end].firstIndex(of: 0x20), let piece = base64(text[at..<blank]), !piece.isEmpty,
                Int(String(decoding: text[(blank + 1)..<end], as: UTF8.self)) == line - 1, line <= VocabularyLimit.count - specialCount
            else {
                throw AlpacaError(
                    .badFormat, at: "line \(line)", found: text[at..<end].quoted(limit: 60),
                    expected: "a piece in base64 and its rank, \(line - 1)")
            }
            // Each way to cut a piece is looked up, which takes the square of its length.
            guard piece.count <= longestPiece else {
                throw AlpacaError(
                    .badFormat, at: "line \(line)", found: "a piece of \(piece.count) bytes", expected: "at most \(longestPiece)")
            }
            contents.append(piece)
        }
        let table = try PieceTable(contents)
        for id in 0..<contents.count where !table.add(TokenID(id), score: 0) {
            throw AlpacaError(.badFormat, "line \(id + 1): its piece stands in the file before")
        }
        var merges: [(left: TokenID, right: TokenID, to: TokenID)] = []
        let bytes = contents.bytes
        for id in 0..<contents.count {
            let range = contents.range(of: id)
            for cut in range.dropFirst() {
                let left = table.find(bytes.span.extracting(range.lowerBound..<cut)).token
                guard left >= 0 else { continue }
                let right = table.find(bytes.span.extracting(cut..<range.upperBound)).token
                if right >= 0 { merges.append((left, right, TokenID(id))) }
            }
        }
        var pieces = GGUFStrings()
        for content in contents { pieces.append(ByteLetters.piece(of: content)) }
        var kinds = [TokenKind](repeating: .normal, count: contents.count)
        var added: [AddedToken] = []
        for name in specialNames {
            added.append(AddedToken(content: Array(name.utf8), id: TokenID(pieces.count), isSpecial: true))
            pieces.append(name.utf8)
            kinds.append(.control)
        }
        func special(_ index: Int) -> TokenID { TokenID(contents.count + index) }
        return ByteLevelTokenizer.Parts(
            pieces: pieces, kinds: kinds, merges: merges, added: added, rule: .llama(digits: 3), ignoresMerges: true,
            specials: SpecialTokens(bos: special(0), eos: special(1), pad: special(4), eot: special(9), addsBOS: true))
    }

    /// As Llama 3.1 calls them; the ids are those of Llama 3 too.
    private static let specialNames: [String] = {
        let named = [
            "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
            "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
            "<|eot_id|>", "<|python_tag|>",
        ]
        return named + (3..<3 + specialCount - named.count).map { "<|reserved_special_token_\($0)|>" }
    }()

    /// Bytes in base64 (RFC 4648), with its padding; nil for what is none.
    private static func base64(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var padding = 0
        for byte in text {
            let digit: UInt32
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = UInt32(byte - UInt8(ascii: "A"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = UInt32(byte - UInt8(ascii: "a") + 26)
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt32(byte - UInt8(ascii: "0") + 52)
            case UInt8(ascii: "+"): digit = 62
            case UInt8(ascii: "/"): digit = 63
            case UInt8(ascii: "="):
                digit = 0
                padding += 1
            default: return nil
            }
            guard padding == 0 || byte == UInt8(ascii: "="), padding <= 2 else { return nil }
            bits = bits << 6 | digit
            count += 1
            if count % 4 == 0 { for shift: UInt32 in [16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) } }
        }
        bytes.removeLast(min(padding, bytes.count))
        return bytes
    }

    // MARK: Writing

    /// Meta's file of a tokenizer that such a file can mean; nil for others: of another pattern, with other special tokens, or whose merges are not
    /// those that the ranks give.
    static func bytes(of tokenizer: ByteLevelTokenizer.Parts) throws(AlpacaError) -> [UInt8]? {
        let count = tokenizer.pieces.count - specialCount
        guard tokenizer.rule == .llama(digits: 3), tokenizer.ignoresMerges, !tokenizer.normalizes, count > 0,
            tokenizer.kinds.prefix(count).allSatisfy({ $0 == .normal }), tokenizer.kinds.dropFirst(count).allSatisfy({ $0 == .control }),
            // Those with a task: their names are the same in all versions.
            [0, 1, 6, 7, 9].allSatisfy({ tokenizer.pieces[count + $0].elementsEqual(specialNames[$0].utf8) })
        else { return nil }
        try LargeMemory.ask(tokenizer.pieces.bytes.count + 16 * count, of: 2, for: "vocabulary")
        var text: [UInt8] = []
        for id in 0..<count {
            guard let content = ByteLetters.bytes(of: tokenizer.pieces[id]), !content.isEmpty else { return nil }
            appendBase64(content, to: &text)
            text.append(contentsOf: Array(" \(id)\n".utf8))
        }
        guard isOne(text), let again = try? parts(text), again.merges.count == tokenizer.merges.count else { return nil }
        var last: TokenID = -1
        var known: Set<UInt64> = []
        try LargeMemory.ask(again.merges.count, of: 32, for: "merges")
        for merge in again.merges { known.insert(pair(merge.left, merge.right)) }
        for merge in tokenizer.merges {
            guard merge.to >= last, known.contains(pair(merge.left, merge.right)) else { return nil }
            last = merge.to
        }
        return text
    }

    private static func pair(_ left: TokenID, _ right: TokenID) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private static func appendBase64(_ bytes: [UInt8], to text: inout [UInt8]) {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for (place, byte) in group.enumerated() { bits |= UInt32(byte) << UInt32(16 - 8 * place) }
            for place in 0..<4 {
                text.append(place <= group.count ? digits[Int(bits >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
            }
        }
    }
}

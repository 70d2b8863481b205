/// Byte-pair encoding as sentencepiece does it: characters are joined, the pair of the highest score first and the leftmost among equals,
/// as long as a pair is a piece. What is left and no piece becomes its bytes' tokens, or the unknown token.
///
/// Two things make it fast. Text is cut wherever the two characters at a place stand side by side in no piece: no join can span it, so each
/// part is solved alone (a word, or two or three Chinese characters). And parts keep their pairs in a heap, so that even a text without
/// such places costs n log n.
struct SentencePieceBPE: Sendable {
    let vocabulary: Vocabulary
    let unknown: TokenID
    /// One bit a pair of characters that occurs in a piece, by hash: a bit that is set by chance only makes a part longer.
    private let neighbours: [UInt64]
    /// User-defined pieces, longest first: taken out of the text before anything is joined.
    private let fixed: [(bytes: [UInt8], id: TokenID)]

    private static let neighbourBits = 1 << 21

    init(_ vocabulary: Vocabulary, unknown: TokenID) {
        self.vocabulary = vocabulary
        self.unknown = unknown
        var neighbours = [UInt64](repeating: 0, count: SentencePieceBPE.neighbourBits / 64)
        var fixed: [(bytes: [UInt8], id: TokenID)] = []
        let bytes = vocabulary.pieces.bytes
        for id in 0..<vocabulary.count {
            guard vocabulary.kinds[id] == .normal || vocabulary.kinds[id] == .userDefined else { continue }
            let range = vocabulary.pieces.range(of: id)
            if vocabulary.kinds[id] == .userDefined { fixed.append((Array(bytes[range]), TokenID(id))) }
            var at = range.lowerBound
            var last: UInt32?
            while at < range.upperBound {
                let (scalar, length) = UTF8Text.decode(bytes, at, range.upperBound)
                if let last {
                    let bit = SentencePieceBPE.bit(last, scalar)
                    neighbours[bit >> 6] |= 1 << UInt64(bit & 63)
                }
                last = scalar
                at += length
            }
        }
        self.neighbours = neighbours
        self.fixed = fixed.sorted { $0.bytes.count > $1.bytes.count }
    }

    private static func bit(_ a: UInt32, _ b: UInt32) -> Int {
        let h = (UInt64(a) << 32 | UInt64(b)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: h >> 43)
    }

    /// A run of text that is one piece or on its way to one.
    private struct Symbol {
        var start, length: Int
        var previous, next: Int
        /// The token of this symbol, -1 if it is no piece.
        var token: TokenID
    }

    /// Two symbols that may be joined.
    private struct Pair {
        var score: Float
        var left: Int
        /// Bytes of both when the pair was found: another number now means that one of them has been joined meanwhile.
        var length: Int
        var token: TokenID

        func isBefore(_ other: Pair) -> Bool { score > other.score || (score == other.score && left < other.left) }
    }

    /// Appends the tokens of `text` (blanks already written as U+2581, valid UTF-8).
    func encode(_ text: [UInt8], to ids: inout [TokenID]) {
        var symbols: [Symbol] = []
        var heap: [Pair] = []
        var at = 0
        var last: UInt32 = 0
        while at < text.count {
            if !fixed.isEmpty, let match = fixedPiece(text, at) {
                solve(text, &symbols, &heap, &ids)
                ids.append(match.id)
                at += match.bytes.count
                continue
            }
            let (scalar, length) = UTF8Text.decode(text, at, text.count)
            if !symbols.isEmpty {
                let bit = SentencePieceBPE.bit(last, scalar)
                if neighbours[bit >> 6] >> UInt64(bit & 63) & 1 == 0 { solve(text, &symbols, &heap, &ids) }
            }
            symbols.append(
                Symbol(
                    start: at, length: length, previous: symbols.count - 1, next: symbols.count + 1,
                    token: vocabulary.token(scalar, text, at..<at + length)))
            last = scalar
            at += length
        }
        solve(text, &symbols, &heap, &ids)
    }

    private func fixedPiece(_ text: [UInt8], _ at: Int) -> (bytes: [UInt8], id: TokenID)? {
        fixed.first { $0.bytes.count <= text.count - at && text[at..<at + $0.bytes.count].elementsEqual($0.bytes) }
    }

    /// Joins the symbols of one part, appends their tokens, and forgets them.
    private func solve(_ text: [UInt8], _ symbols: inout [Symbol], _ heap: inout [Pair], _ ids: inout [TokenID]) {
        guard !symbols.isEmpty else { return }
        let end = symbols.count
        for i in 1..<max(1, end) { push(text, symbols, i - 1, i, &heap) }
        while !heap.isEmpty {
            let pair = pop(&heap)
            let left = pair.left
            let next = symbols[left].next
            guard symbols[left].length > 0, next < end, symbols[left].length + symbols[next].length == pair.length else { continue }
            let right = next
            symbols[left].length = pair.length
            symbols[left].token = pair.token
            symbols[left].next = symbols[right].next
            symbols[right].length = 0
            if symbols[right].next < end { symbols[symbols[right].next].previous = pair.left }
            if symbols[left].previous >= 0 { push(text, symbols, symbols[left].previous, pair.left, &heap) }
            if symbols[left].next < end { push(text, symbols, pair.left, symbols[left].next, &heap) }
        }
        var i = 0
        while i < end {
            let symbol = symbols[i]
            if symbol.token >= 0 {
                ids.append(symbol.token)
            } else if vocabulary.hasByteFallback {
                for k in symbol.start..<symbol.start + symbol.length { ids.append(vocabulary.byteTokens[Int(text[k])]) }
            } else if ids.last != unknown {
                ids.append(unknown)
            }
            i = symbol.next
        }
        symbols.removeAll(keepingCapacity: true)
    }

    /// Adds the pair of `left` and `right` if joined they are a piece.
    private func push(_ text: [UInt8], _ symbols: [Symbol], _ left: Int, _ right: Int, _ heap: inout [Pair]) {
        let start = symbols[left].start
        let length = symbols[left].length + symbols[right].length
        let token = vocabulary.token(text, start..<start + length)
        guard token >= 0 else { return }
        let pair = Pair(score: vocabulary.scores[Int(token)], left: left, length: length, token: token)
        heap.append(pair)
        var at = heap.count - 1
        while at > 0 {
            let parent = (at - 1) / 2
            guard pair.isBefore(heap[parent]) else { break }
            heap[at] = heap[parent]
            at = parent
        }
        heap[at] = pair
    }

    private func pop(_ heap: inout [Pair]) -> Pair {
        let top = heap[0]
        let pair = heap.removeLast()
        let count = heap.count
        guard count > 0 else { return top }
        var at = 0
        while true {
            var child = 2 * at + 1
            guard child < count else { break }
            if child + 1 < count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(pair) else { break }
            heap[at] = heap[child]
            at = child
        }
        heap[at] = pair
        return top
    }
}

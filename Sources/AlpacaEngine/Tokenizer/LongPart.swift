/// A part of a text that no join can leave, of any length: its symbols are a list, and its pairs wait in a heap.
struct LongPart {
    private let vocabulary: Vocabulary
    private let terms: EncodingTerms
    /// The part's bytes, valid UTF-8.
    private var text: [UInt8] = []
    private var symbols: [Symbol] = []
    private var heap: [Pair] = []

    /// Why a part could not be solved.
    private(set) var refusal: AlpacaError?

    init(_ vocabulary: Vocabulary, _ terms: EncodingTerms) {
        self.vocabulary = vocabulary
        self.terms = terms
    }

    var isEmpty: Bool { text.isEmpty }
    mutating func append(_ byte: UInt8) { text.append(byte) }

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

    /// Joins what can be joined, appends the tokens, and forgets the part.
    mutating func solve(_ unknown: TokenID, _ ids: inout [TokenID]) {
        defer {
            heap.removeAll(keepingCapacity: true)
            symbols.removeAll(keepingCapacity: true)
            text.removeAll(keepingCapacity: true)
        }
        let characters = text.count { $0 & 0xC0 != 0x80 }
        if let error = askForRoom(characters) {
            refusal = error
            return
        }
        // Lists that grow are copied, which nothing interrupts.
        symbols.reserveCapacity(characters)
        heap.reserveCapacity(characters)
        var at = 0
        while at < text.count {
            if symbols.count % 4096 == 0, terms.stop?.isSet == true { break }
            let (_, length) = UTF8Text.decode(text.span, at, text.count)
            let token = vocabulary.token(text, at..<at + length)
            symbols.append(Symbol(start: at, length: length, previous: symbols.count - 1, next: symbols.count + 1, token: token))
            at += length
        }
        let end = symbols.count
        for i in 1..<max(1, end) {
            if i % 4096 == 0, terms.stop?.isSet == true { break }
            push(i - 1, i)
        }
        while !heap.isEmpty, terms.stop?.isSet != true {
            let pair = pop()
            let left = pair.left
            let next = symbols[left].next
            guard symbols[left].length > 0, next < end, symbols[left].length + symbols[next].length == pair.length else { continue }
            let right = next
            symbols[left].length = pair.length
            symbols[left].token = pair.token
            symbols[left].next = symbols[right].next
            symbols[right].length = 0
            if symbols[right].next < end { symbols[symbols[right].next].previous = pair.left }
            if symbols[left].previous >= 0 { push(symbols[left].previous, pair.left) }
            if symbols[left].next < end { push(pair.left, symbols[left].next) }
        }
        if terms.stop?.isSet == true { return }
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
    }

    /// There are as many symbols as characters, and with each join two pairs more may wait; a heap that has to grow does so by doubling.
    private func askForRoom(_ characters: Int) -> AlpacaError? {
        guard terms.mayAsk else { return nil }
        let size = MemoryLayout<Symbol>.stride + 3 * MemoryLayout<Pair>.stride
        do throws(AlpacaError) {
            try LargeMemory.ask(characters, of: 3 * size, for: "tokens of a text")
            return nil
        } catch {
            return error
        }
    }

    /// Adds the pair of `left` and `right` if joined they are a piece.
    private mutating func push(_ left: Int, _ right: Int) {
        let start = symbols[left].start
        let length = symbols[left].length + symbols[right].length
        let match = vocabulary.table.find(text.span.extracting(start..<start + length))
        guard match.token >= 0 else { return }
        let pair = Pair(score: match.score, left: left, length: length, token: match.token)
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

    private mutating func pop() -> Pair {
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

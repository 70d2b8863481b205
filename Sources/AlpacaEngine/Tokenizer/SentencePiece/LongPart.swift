/// A part of a text that no join can leave, of up to 2 GiB: its symbols are a list, and its pairs wait in a heap.
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
        var start, length: Int32
        var previous, next: Int32
        /// The token of this symbol, -1 if it is no piece.
        var token: TokenID
    }

    /// Two symbols that may be joined.
    private struct Pair {
        var score: Float
        var left: Int32
        /// Bytes of both when the pair was found: another number now means that one of them has been joined meanwhile.
        var length: Int32
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
        guard text.count <= Int32.max else {
            refusal = AlpacaError(
                .unsupported, "a part of the text without a place to divide it has \(text.count) bytes; at most \(Int32.max) are read")
            return
        }
        let characters = text.count { $0 & 0xC0 != 0x80 }
        // A join takes one pair from the heap and adds at most two, and there are fewer joins than characters.
        let pairs = 2 * characters
        if let error = askForRoom(characters, pairs) {
            refusal = error
            return
        }
        // Lists that grow are copied, which nothing interrupts.
        symbols.reserveCapacity(characters)
        heap.reserveCapacity(pairs)
        var at = 0
        while at < text.count {
            if symbols.count % 4096 == 0, terms.stop?.isSet == true { break }
            let (_, length) = UTF8Text.decode(text.span, at, text.count)
            let token = vocabulary.token(text, at..<at + length)
            let index = Int32(symbols.count)
            symbols.append(Symbol(start: Int32(at), length: Int32(length), previous: index - 1, next: index + 1, token: token))
            at += length
        }
        let end = symbols.count
        for i in 1..<max(1, end) {
            if i % 4096 == 0, terms.stop?.isSet == true { break }
            push(i - 1, i)
        }
        while !heap.isEmpty, terms.stop?.isSet != true {
            let pair = pop()
            let left = Int(pair.left)
            let right = Int(symbols[left].next)
            guard symbols[left].length > 0, right < end, symbols[left].length + symbols[right].length == pair.length else { continue }
            symbols[left].length = pair.length
            symbols[left].token = pair.token
            symbols[right].length = 0
            let previous = Int(symbols[left].previous)
            let next = Int(symbols[right].next)
            symbols[left].next = symbols[right].next
            if next < end { symbols[next].previous = pair.left }
            if previous >= 0 { push(previous, left) }
            if next < end { push(left, next) }
        }
        if terms.stop?.isSet == true { return }
        var i = 0
        while i < end {
            let symbol = symbols[i]
            if symbol.token >= 0 {
                ids.append(symbol.token)
            } else if vocabulary.hasByteFallback {
                for k in Int(symbol.start)..<Int(symbol.start + symbol.length) { ids.append(vocabulary.byteTokens[Int(text[k])]) }
            } else if ids.last != unknown {
                ids.append(unknown)
            }
            i = Int(symbol.next)
        }
    }

    private func askForRoom(_ symbols: Int, _ pairs: Int) -> AlpacaError? {
        guard terms.mayAsk else { return nil }
        do throws(AlpacaError) {
            let size = MemoryLayout<Symbol>.stride * symbols + MemoryLayout<Pair>.stride * pairs
            try LargeMemory.ask(size, for: "tokens of a text")
            return nil
        } catch {
            return error
        }
    }

    /// Adds the pair of `left` and `right` if joined they are a piece.
    private mutating func push(_ left: Int, _ right: Int) {
        let start = Int(symbols[left].start)
        let length = symbols[left].length + symbols[right].length
        let match = vocabulary.table.find(text.span.extracting(start..<start + Int(length)))
        guard match.token >= 0 else { return }
        let pair = Pair(score: match.score, left: Int32(left), length: length, token: match.token)
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

/// A word of up to 2 GiB: its tokens are a list, and the pairs that can be joined wait in a heap.
struct LongWord {
    /// A token of the word on its way.
    private struct Symbol {
        var token: TokenID
        var previous, next: Int32
    }

    /// Two neighbours that may be joined.
    private struct Pair {
        var merge: UInt64
        var at: Int32
        /// The tokens when the pair was found: others now mean that one of them has been joined meanwhile.
        var left, right: TokenID

        func isBefore(_ other: Pair) -> Bool {
            merge >> 32 < other.merge >> 32 || (merge >> 32 == other.merge >> 32 && at < other.at)
        }
    }

    private var symbols: [Symbol] = []
    private var heap: [Pair] = []
    /// Stands in the place of a token that was joined to the one before it.
    private static let gone: TokenID = -1

    /// Joins what can be joined of a word's bytes and appends the tokens.
    ///
    /// - Returns: why they are not all there; else nil.
    mutating func solve(_ word: Span<UInt8>, _ bpe: ByteLevelBPE, _ terms: EncodingTerms, _ ids: inout [TokenID]) -> AlpacaError? {
        if let refusal = begin(word.count, terms) { return refusal }
        for i in 0..<word.count {
            if i % 4096 == 0, terms.stop?.isSet == true { return nil }
            let token = bpe.byteTokens[Int(word[i])]
            if token >= 0 { append(token) }
        }
        join(bpe.merges, terms, &ids)
        return nil
    }

    /// Makes room for a word of at most so many tokens.
    ///
    /// - Returns: why there is none; else nil.
    mutating func begin(_ count: Int, _ terms: EncodingTerms) -> AlpacaError? {
        // What a long word took is given back; the next is likely to be short.
        symbols.removeAll(keepingCapacity: symbols.capacity <= 1 << 16)
        heap.removeAll(keepingCapacity: heap.capacity <= 1 << 16)
        guard count <= Int32.max else {
            return AlpacaError(
                .unsupported, "a part of the text without a place to divide it has \(count) bytes; at most \(Int32.max) are read")
        }
        if terms.mayAsk {
            do throws(AlpacaError) {
                // A join takes one pair from the heap and adds at most two.
                try LargeMemory.ask(count, of: MemoryLayout<Symbol>.stride + 2 * MemoryLayout<Pair>.stride, for: "tokens of a text")
            } catch {
                return error
            }
        }
        symbols.reserveCapacity(count)
        return nil
    }

    /// The next token of the word.
    mutating func append(_ token: TokenID) {
        let place = Int32(symbols.count)
        symbols.append(Symbol(token: token, previous: place - 1, next: place + 1))
    }

    /// Joins what can be joined and appends the tokens; a beginning of them where `terms` stops it.
    mutating func join(_ merges: MergeTable, _ terms: EncodingTerms, _ ids: inout [TokenID]) {
        for i in 1..<max(1, symbols.count) {
            if i % 4096 == 0, terms.stop?.isSet == true { return }
            push(i - 1, i, merges)
        }
        var joins = 0
        while !heap.isEmpty {
            joins += 1
            if joins % 4096 == 0, terms.stop?.isSet == true { return }
            let pair = pop()
            let left = Int(pair.at)
            let right = Int(symbols[left].next)
            guard right < symbols.count, symbols[left].token == pair.left, symbols[right].token == pair.right else { continue }
            symbols[left].token = TokenID(truncatingIfNeeded: pair.merge & 0xFFFF_FFFF)
            symbols[right].token = Self.gone
            let next = Int(symbols[right].next)
            symbols[left].next = symbols[right].next
            if next < symbols.count {
                symbols[next].previous = pair.at
                push(left, next, merges)
            }
            if symbols[left].previous >= 0 { push(Int(symbols[left].previous), left, merges) }
        }
        var at = 0
        while at < symbols.count {
            ids.append(symbols[at].token)
            at = Int(symbols[at].next)
        }
    }

    private mutating func push(_ left: Int, _ right: Int, _ merges: MergeTable) {
        let merge = merges.find(symbols[left].token, symbols[right].token)
        guard merge != MergeTable.none else { return }
        let pair = Pair(merge: merge, at: Int32(left), left: symbols[left].token, right: symbols[right].token)
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
        guard !heap.isEmpty else { return top }
        var at = 0
        while true {
            var child = 2 * at + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(pair) else { break }
            heap[at] = heap[child]
            at = child
        }
        heap[at] = pair
        return top
    }
}

import Synchronization

/// Joins the bytes of a word to tokens: of the pairs that stand side by side the one that is earliest in the list of merges, the leftmost among
/// equals, until no pair is in it.
///
/// Most words of a text are tokens as they are; whether merges lead to such a token is found out once and kept. Short words are solved in two
/// small arrays, the rare long one with a heap (``LongWord``), so that a text without a place to divide it costs n log n.
final class ByteLevelBPE: Sendable {
    let merges: MergeTable
    /// Pieces by the bytes that they stand for.
    let pieces: PieceTable
    /// The token of each byte; -1 for one that the vocabulary lacks, as some published ones do: it is left out of what is written in tokens.
    let byteTokens: [TokenID]
    /// A word that is a piece is that token, whether merges lead to it or not.
    let ignoresMerges: Bool
    private let reached: ReachedTokens

    /// Bytes of a word that is solved without a heap.
    static let shortWord = 64

    init(merges: MergeTable, pieces: PieceTable, byteTokens: [TokenID], ignoresMerges: Bool, count: Int) throws(AlpacaError) {
        self.merges = merges
        self.pieces = pieces
        self.byteTokens = byteTokens
        self.ignoresMerges = ignoresMerges
        reached = try ReachedTokens(count)
    }

    /// Memory for the words of one text.
    struct Scratch {
        fileprivate var tokens = [TokenID](repeating: 0, count: ByteLevelBPE.shortWord)
        /// The merge of each token with the next.
        fileprivate var pairs = [UInt64](repeating: 0, count: ByteLevelBPE.shortWord)
        fileprivate var long = LongWord()
    }

    /// Appends the tokens of a word, which has at least one byte.
    ///
    /// - Returns: why they are not all there; else nil.
    @inline(__always) func encode(
        _ word: Span<UInt8>, shortWord: Int = shortWord, _ terms: EncodingTerms, _ scratch: inout Scratch, _ ids: inout [TokenID]
    ) -> AlpacaError? {
        if word.count == 1 {
            let token = byteTokens[Int(word[0])]
            if token >= 0 { ids.append(token) }
            return nil
        }
        let whole = pieces.find(word).token
        if whole >= 0, ignoresMerges || reached.isKnown(whole) {
            ids.append(whole)
            return nil
        }
        if word.count > min(shortWord, ByteLevelBPE.shortWord) {
            return scratch.long.solve(word, self, terms, &ids)
        }
        let first = ids.count
        join(word, &scratch, &ids)
        if whole >= 0, ids.count == first + 1, ids[first] == whole { reached.note(whole) }
        return nil
    }

    private func join(_ word: Span<UInt8>, _ scratch: inout Scratch, _ ids: inout [TokenID]) {
        let merges = merges
        unsafe scratch.tokens.withUnsafeMutableBufferPointer { tokens in
            unsafe scratch.pairs.withUnsafeMutableBufferPointer { pairs in
                // Bounds: indices are below `count`, which is at most word.count, at most `shortWord`, and then only falls.
                var count = 0
                for i in 0..<word.count {
                    let token = byteTokens[Int(word[i])]
                    guard token >= 0 else { continue }
                    unsafe tokens[count] = token
                    count += 1
                }
                for i in 0..<max(0, count - 1) { unsafe pairs[i] = merges.find(tokens[i], tokens[i + 1]) }
                while count > 1 {
                    var best = MergeTable.none
                    var at = 0
                    for i in 0..<count - 1 where unsafe pairs[i] >> 32 < best >> 32 {
                        best = unsafe pairs[i]
                        at = i
                    }
                    guard best != MergeTable.none else { break }
                    count -= 1
                    unsafe tokens[at] = TokenID(truncatingIfNeeded: best & 0xFFFF_FFFF)
                    for i in at + 1..<max(at + 1, count) { unsafe tokens[i] = tokens[i + 1] }
                    for i in at..<max(at, count - 1) { unsafe pairs[i] = pairs[i + 1] }
                    if at < count - 1 { unsafe pairs[at] = merges.find(tokens[at], tokens[at + 1]) }
                    if at > 0 { unsafe pairs[at - 1] = merges.find(tokens[at - 1], tokens[at]) }
                }
                for i in 0..<count { unsafe ids.append(tokens[i]) }
            }
        }
    }
}

/// Tokens that merges lead to, as far as that has been found out: a bit a token, set by any thread, never taken back.
@safe private final class ReachedTokens: @unchecked Sendable {
    private let buffer: AlignedBuffer
    private let words: UnsafeMutablePointer<Atomic<UInt32>>

    init(_ count: Int) throws(AlpacaError) {
        buffer = try AlignedBuffer((count + 31) / 32, of: UInt32.self, for: "vocabulary")
        // Zeroed memory is a zero of an atomic.
        unsafe words = buffer.base.assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// - Parameter token: of the vocabulary, so that its bit lies in the buffer.
    @inline(__always) func isKnown(_ token: TokenID) -> Bool {
        unsafe words[Int(token >> 5)].load(ordering: .relaxed) >> UInt32(token & 31) & 1 != 0
    }

    func note(_ token: TokenID) { unsafe words[Int(token >> 5)].bitwiseOr(1 << UInt32(token & 31), ordering: .relaxed) }
}

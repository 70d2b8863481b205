/// A token that text is searched for as it stands, before it is cut into words.
struct AddedToken {
    var content: [UInt8]
    var id: TokenID
    /// Found only where a caller wants names of special tokens to be those.
    var isSpecial = false
    /// Takes the white space before it, and after it, along.
    var stripsLeft = false
    var stripsRight = false
    /// Must not stand inside a word.
    var isSingleWord = false
    /// Searched in normalized text.
    var isNormalized = false
}

/// Finds added tokens: the leftmost, and of those that begin at one place the longest.
struct AddedTokenFinder: Sendable {
    /// Bytes of a token's text at most; those of real ones have a few dozen.
    static let longest = 4096

    private let contents: GGUFStrings
    private let tokens: [AddedToken]
    /// For each first byte the range of ``tokens``, which are in the order of their bytes.
    private let ranges: [Range<Int>]
    var isEmpty: Bool { tokens.isEmpty }

    init(_ tokens: [AddedToken]) {
        self.tokens = tokens.filter { !$0.content.isEmpty && $0.content.count <= AddedTokenFinder.longest }
            .sorted { $0.content.lexicographicallyPrecedes($1.content) }
        var contents = GGUFStrings()
        for token in self.tokens { contents.append(token.content) }
        self.contents = contents
        var ranges = [Range<Int>](repeating: 0..<0, count: 256)
        for (place, token) in self.tokens.enumerated() {
            let byte = Int(token.content[0])
            ranges[byte] = (ranges[byte].isEmpty ? place : ranges[byte].lowerBound)..<place + 1
        }
        self.ranges = ranges
    }

    /// Cuts a text at its added tokens.
    ///
    /// - Parameters:
    ///   - text: UTF-8.
    ///   - special: whether special ones are found too.
    ///   - allowed: where tokens may stand, in order; nil: anywhere.
    ///   - part: called for what is between tokens and not empty, and for tokens, in order; what it gives ends the search.
    func cut(
        _ text: Span<UInt8>, special: Bool, within allowed: [Range<Int>]? = nil,
        part: (_ text: Range<Int>, _ token: TokenID?) -> AlpacaError?
    ) -> AlpacaError? {
        var start = 0
        var at = 0
        var place = 0
        while at < text.count {
            var limit = text.count
            if let allowed {
                while place < allowed.count, allowed[place].upperBound <= at { place += 1 }
                guard place < allowed.count else { break }
                at = max(at, allowed[place].lowerBound)
                limit = min(limit, allowed[place].upperBound)
            }
            guard at < limit, let (token, length) = longest(text, at, limit, special: special) else {
                at += 1
                continue
            }
            var (begin, end) = (at, at + length)
            if token.isSingleWord, isWord(text, before: begin) || isWord(text, at: end) {
                at = end
                continue
            }
            if token.stripsLeft { while begin > start, let before = space(text, before: begin) { begin = before } }
            if token.stripsRight { while let after = space(text, at: end) { end = after } }
            if begin > start, let stop = part(start..<begin, nil) { return stop }
            if let stop = part(begin..<end, token.id) { return stop }
            start = end
            at = end
        }
        return start < text.count ? part(start..<text.count, nil) : nil
    }

    /// The longest token that begins at `at` and ends at `limit` or before.
    private func longest(_ text: Span<UInt8>, _ at: Int, _ limit: Int, special: Bool) -> (AddedToken, Int)? {
        var range = ranges[Int(text[at])]
        guard !range.isEmpty else { return nil }
        var best: (AddedToken, Int)?
        var length = 1
        // Those that share the bytes so far are neighbours; the shortest of them, if it ends here, is the first.
        while !range.isEmpty {
            var first = range.lowerBound
            while first < range.upperBound, tokens[first].content.count == length {
                if special || !tokens[first].isSpecial { best = (tokens[first], length) }
                first += 1
            }
            guard at + length < limit, first < range.upperBound else { break }
            let byte = text[at + length]
            let low = partition(first..<range.upperBound) { contents[$0][contents[$0].startIndex + length] < byte }
            let high = partition(low..<range.upperBound) { contents[$0][contents[$0].startIndex + length] <= byte }
            range = low..<high
            length += 1
        }
        return best
    }

    /// The first place in `range` for which `isBefore` is false.
    private func partition(_ range: Range<Int>, _ isBefore: (Int) -> Bool) -> Int {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = (low + high) / 2
            if isBefore(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func isWord(_ text: Span<UInt8>, before at: Int) -> Bool { at > 0 && isWord(text, at: UTF8Character.start(before: at, text)) }

    private func isWord(_ text: Span<UInt8>, at: Int) -> Bool {
        guard at < text.count else { return false }
        let scalar = UTF8Character(text, at).scalar
        switch scalar {
        // The table has the class of patterns. The library searches added tokens by another engine, whose class differs in these: superscripts and
        // fractions of Latin-1, and what joins characters.
        case 0xB2, 0xB3, 0xB9, 0xBC...0xBE: return false
        case 0x200C, 0x200D: return true
        default: return UnicodeClasses.shared[scalar].contains(.word)
        }
    }

    /// Where the white space before `at` begins; nil if there is none.
    private func space(_ text: Span<UInt8>, before at: Int) -> Int? {
        let start = UTF8Character.start(before: at, text)
        return space(text, at: start) == nil ? nil : start
    }

    /// Where the white space at `at` ends; nil if there is none.
    private func space(_ text: Span<UInt8>, at: Int) -> Int? {
        guard at < text.count else { return nil }
        let character = UTF8Character(text, at)
        return UnicodeClasses.shared[character.scalar].contains(.space) ? at + character.length : nil
    }
}

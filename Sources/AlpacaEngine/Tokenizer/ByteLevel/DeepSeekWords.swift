/// deepseek-llm's words: six patterns, each searched in every piece that those before it have left. What a pattern matches and what stands
/// between its matches are pieces.
struct DeepSeekWords: ~Escapable {
    private let text: Span<UInt8>
    private let classes = UnicodeClasses.shared
    private static let patternCount = 6

    @_lifetime(copy text)
    private init(_ text: Span<UInt8>) { self.text = text }

    /// Where the words of `text`, UTF-8, end.
    static func ends(of text: Span<UInt8>) -> [Int] {
        let words = DeepSeekWords(text)
        var pieces = [0..<text.count]
        for pattern in 0..<patternCount {
            var cut: [Range<Int>] = []
            for piece in pieces {
                var start = piece.lowerBound
                var at = start
                while at < piece.upperBound {
                    let (isMatch, stop) = words.match(pattern, at, piece.upperBound)
                    if isMatch {
                        if start < at { cut.append(start..<at) }
                        cut.append(at..<stop)
                        start = stop
                    }
                    at = stop
                }
                if start < piece.upperBound { cut.append(start..<piece.upperBound) }
            }
            pieces = cut
        }
        return pieces.map(\.upperBound)
    }

    /// Whether a pattern matches at `at` in a piece that ends at `end`; where the match ends, or where the next may begin.
    private func match(_ pattern: Int, _ at: Int, _ end: Int) -> (Bool, Int) {
        let stop: Int
        switch pattern {
        case 0: stop = text[at] == 10 || text[at] == 13 ? at + 1 : at
        case 1: stop = spaced(at, end) { _, kind in kind.contains(.cased) }
        case 2: stop = spaced(at, end) { scalar, _ in Self.isMark(scalar) }
        case 3:
            // \s+$: white space that ends the piece.
            let spaces = run(at, end) { _, kind in kind.contains(.space) }
            if spaces > at { return (spaces == end, spaces) }
            stop = at
        case 4: stop = run(at, end) { scalar, _ in Self.isEastAsian(scalar) }
        default: stop = run(at, end) { _, kind in kind.contains(.number) }
        }
        return stop > at ? (true, stop) : (false, at + UTF8Character(text, at).length)
    }

    private func run(_ at: Int, _ end: Int, _ belongs: (UInt32, UnicodeClasses.Kind) -> Bool) -> Int {
        var stop = at
        while stop < end {
            let character = UTF8Character(text, stop)
            guard belongs(character.scalar, classes[character.scalar]) else { break }
            stop += character.length
        }
        return stop
    }

    /// `\s?` and a run of what belongs; `at` where there is none.
    private func spaced(_ at: Int, _ end: Int, _ belongs: (UInt32, UnicodeClasses.Kind) -> Bool) -> Int {
        let first = UTF8Character(text, at)
        let start = !belongs(first.scalar, classes[first.scalar]) && classes[first.scalar].contains(.space) ? at + first.length : at
        let stop = run(start, end, belongs)
        return stop == start ? at : stop
    }

    // !-/:-~, their full-width forms, quotation marks, Chinese full stops.
    private static func isMark(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x21...0x2F, 0x3A...0x7E, 0xFF01...0xFF0F, 0xFF1A...0xFF5E, 0x2018...0x201F, 0x3000...0x3002: true
        default: false
        }
    }

    private static func isEastAsian(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x0800...0x9FA5, 0xAC00...0xD7FF: true
        default: false
        }
    }
}

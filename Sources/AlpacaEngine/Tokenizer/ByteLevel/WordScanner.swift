/// Cuts a text into words by a ``SplitRule``. Each word ends where the next begins; each takes at least one character.
struct WordScanner {
    private let rule: SplitRule
    private let classes = UnicodeClasses.shared
    /// smollm: where the piece between digits ends that the scanner is in.
    private var pieceEnd = 0
    /// deepseek-llm: the ends of the words, which several passes find, and the next of them.
    private var ends: [Int] = []
    private var next = 0

    /// - Parameter text: what is to be cut, UTF-8.
    init(_ rule: SplitRule, _ text: Span<UInt8>) {
        self.rule = rule
        if rule == .deepseek { ends = DeepSeekWords.ends(of: text) }
    }

    /// The end of the word that begins at `at`.
    @inline(__always) mutating func end(_ text: Span<UInt8>, from at: Int) -> Int {
        switch rule {
        case .llama(let digits): return llama(text, at, digits)
        case .gpt2: return gpt2(text, at, text.count)
        case .smollm: return smollm(text, at)
        case .deepseek:
            next += 1
            return next <= ends.count ? ends[next - 1] : text.count
        }
    }

    private typealias Kind = UnicodeClasses.Kind
    private static let other: Kind = [.letter, .number, .space]

    /// A character and its classes; none at the end of the text.
    @inline(__always) private func look(_ text: Span<UInt8>, _ at: Int, _ end: Int) -> (kind: Kind, length: Int)? {
        guard at < end else { return nil }
        let character = UTF8Character(text, at)
        return (classes[character.scalar], character.length)
    }

    @inline(__always) private func run(_ text: Span<UInt8>, _ at: Int, _ end: Int, while belongs: (Kind) -> Bool) -> Int {
        var at = at
        while let (kind, length) = look(text, at, end), belongs(kind) { at += length }
        return at
    }

    // MARK: - Llama 3, Qwen

    // (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
    private func llama(_ text: Span<UInt8>, _ at: Int, _ digits: Int) -> Int {
        let end = text.count
        guard let (kind, length) = look(text, at, end) else { return end }
        if kind.contains(.letter) { return run(text, at + length, end) { $0.contains(.letter) } }
        let byte = text[at]
        if byte == UInt8(ascii: "'") {
            let short = contraction(text, at, end, foldsCase: true)
            if short > 0 { return at + short }
        }
        if kind.contains(.number) {
            var stop = at + length
            var count = 1
            while count < digits, let (kind, length) = look(text, stop, end), kind.contains(.number) {
                stop += length
                count += 1
            }
            return stop
        }
        let isLineEnd = byte == 10 || byte == 13
        let following = look(text, at + length, end)
        if !isLineEnd, let following, following.kind.contains(.letter) {
            return run(text, at + length + following.length, end) { $0.contains(.letter) }
        }
        if !kind.contains(.space) || byte == 0x20 && following.map({ $0.kind.isDisjoint(with: Self.other) }) == true {
            var stop = run(text, at + length, end) { $0.isDisjoint(with: Self.other) }
            while stop < end, text[stop] == 10 || text[stop] == 13 { stop += 1 }
            return stop
        }
        // White space: up to its last line end; else all, or all but the last where something follows.
        var stop = at
        var lastLineEnd: Int?
        var beforeLast = at
        while let (kind, length) = look(text, stop, end), kind.contains(.space) {
            if text[stop] == 10 || text[stop] == 13 { lastLineEnd = stop + 1 }
            beforeLast = stop
            stop += length
        }
        if let lastLineEnd { return lastLineEnd }
        return stop == end || beforeLast == at ? stop : beforeLast
    }

    // MARK: - GPT-2, SmolLM

    // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    private func gpt2(_ text: Span<UInt8>, _ at: Int, _ end: Int) -> Int {
        guard let (first, firstLength) = look(text, at, end) else { return end }
        if text[at] == UInt8(ascii: "'") {
            let short = contraction(text, at, end, foldsCase: false)
            if short > 0 { return at + short }
        }
        var (kind, start) = (first, at)
        if text[at] == 0x20, let following = look(text, at + 1, end), !following.kind.contains(.space) {
            (kind, start) = (following.kind, at + 1)
        }
        if kind.contains(.letter) { return run(text, start, end) { $0.contains(.letter) } }
        if kind.contains(.number) { return run(text, start, end) { $0.contains(.number) } }
        if !kind.contains(.space) { return run(text, start, end) { $0.isDisjoint(with: Self.other) } }
        var stop = at + firstLength
        var beforeLast = at
        while let (kind, length) = look(text, stop, end), kind.contains(.space) {
            beforeLast = stop
            stop += length
        }
        return stop == end || beforeLast == at ? stop : beforeLast
    }

    private mutating func smollm(_ text: Span<UInt8>, _ at: Int) -> Int {
        if at >= pieceEnd {
            guard let (kind, length) = look(text, at, text.count) else { return text.count }
            if kind.contains(.digit) { return at + length }
            pieceEnd = run(text, at + length, text.count) { !$0.contains(.digit) }
        }
        return gpt2(text, at, pieceEnd)
    }

    /// Bytes of "'s", "'re" and the like at `at`, 0 if there is none. The letter ſ is an s where case does not count.
    private func contraction(_ text: Span<UInt8>, _ at: Int, _ end: Int, foldsCase: Bool) -> Int {
        func letter(_ at: Int) -> UInt8 {
            guard at < end else { return 0 }
            return foldsCase && text[at] < 0x80 ? text[at] | 0x20 : text[at]
        }
        switch (letter(at + 1), letter(at + 2)) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _): return 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")), (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return 3
        case (0xC5, 0xBF) where foldsCase: return 3
        default: return 0
        }
    }
}

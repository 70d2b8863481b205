/// A part of a text that no join can leave, while it is short: its symbols lie side by side, and each join looks at all of them.
@safe struct ShortPart {
    /// A run of text that is one piece or on its way to one.
    struct Symbol: BitwiseCopyable {
        var start, length: Int32
        /// The token of this symbol, -1 if it is no piece.
        var token: TokenID
        /// What this symbol and the next are if joined: token, -1 if no piece, and score.
        var joined: TokenID
        var score: Float
    }

    // Valid for `limit` symbols and 4 * limit + 8 bytes as long as the walk lasts.
    private let symbols: UnsafeMutablePointer<Symbol>
    private let window: UnsafeMutableRawPointer
    private let limit: Int
    /// Tokens on their way: appending them one by one to an array costs more than finding them. Room for `waitingMost`.
    private let waiting: UnsafeMutablePointer<TokenID>
    private var waitingCount = 0
    static let waitingMost = 64
    private let vocabulary: Vocabulary
    private let table: PieceTable
    private let unknown: TokenID
    /// Symbols, at most `limit`, and their bytes, at most 4 * count.
    private var count = 0
    private var size = 0
    private var last: UInt32 = 0

    @unsafe init(
        _ symbols: UnsafeMutablePointer<Symbol>, _ window: UnsafeMutableRawPointer, _ waiting: UnsafeMutablePointer<TokenID>, _ limit: Int,
        _ vocabulary: Vocabulary, _ unknown: TokenID
    ) {
        unsafe self.symbols = symbols
        unsafe self.window = window
        unsafe self.waiting = waiting
        self.limit = limit
        self.vocabulary = vocabulary
        table = vocabulary.table
        self.unknown = unknown
    }

    /// Adds a character; ends the part first if none of its joins can reach the character.
    @inline(__always)
    mutating func add(_ character: SentencePieceBPE.Character, _ long: inout LongPart, _ ids: inout [TokenID]) {
        if count > 0, !table.areNeighbours(last, character.scalar) { finish(&long, &ids) }
        last = character.scalar
        guard count < limit else { return spill(character, &long) }
        // Bound: size <= 4 * count < 4 * limit, and 8 bytes are behind that.
        unsafe window.storeBytes(of: character.bytes.littleEndian, toByteOffset: size, as: UInt32.self)
        let token =
            character.scalar < 1 << 16
            ? table.token(ofBasic: character.scalar) : unsafe table.find(padded: window + size, character.size).token
        unsafe symbols[count] = Symbol(
            start: Int32(truncatingIfNeeded: size), length: Int32(truncatingIfNeeded: character.size), token: token, joined: -1, score: 0)
        count += 1
        size += character.size
    }

    /// Appends the tokens of the part and forgets it.
    @inline(__always)
    mutating func finish(_ long: inout LongPart, _ ids: inout [TokenID]) {
        if count > 1 { solve(&long, &ids) }
        // Bound: count <= limit.
        for i in 0..<count {
            let symbol = unsafe symbols[i]
            guard symbol.token >= 0 else {
                spell(symbol, &ids)
                continue
            }
            if waitingCount == ShortPart.waitingMost { flush(&ids) }
            // Bound: waitingCount < waitingMost.
            unsafe waiting[waitingCount] = symbol.token
            waitingCount += 1
        }
        count = 0
        size = 0
    }

    /// Appends the tokens that wait; also called at the end.
    mutating func flush(_ ids: inout [TokenID]) {
        unsafe ids.append(contentsOf: UnsafeBufferPointer(start: waiting, count: waitingCount))
        waitingCount = 0
    }

    /// The part is too long for this: its bytes go to `long`.
    private func spill(_ character: SentencePieceBPE.Character, _ long: inout LongPart) {
        if long.isEmpty {
            for i in 0..<size { unsafe long.append(window.load(fromByteOffset: i, as: UInt8.self)) }
        }
        for i in 0..<character.size { long.append(UInt8(truncatingIfNeeded: character.bytes >> UInt32(8 * i))) }
    }

    private mutating func solve(_ long: inout LongPart, _ ids: inout [TokenID]) {
        guard long.isEmpty else {
            flush(&ids)
            long.solve(unknown, &ids)
            count = 0
            return
        }
        var n = count
        for i in 0..<n - 1 { look(i) }
        while true {
            // Bound: all indices are below n <= limit.
            var best = -1
            var score = -Float.infinity
            for i in 0..<n - 1 where unsafe symbols[i].joined >= 0 && (symbols[i].score > score || best < 0) {
                best = i
                score = unsafe symbols[i].score
            }
            guard best >= 0 else { break }
            unsafe symbols[best].length += symbols[best + 1].length
            unsafe symbols[best].token = symbols[best].joined
            n -= 1
            var i = best + 1
            while i < n {
                unsafe symbols[i] = symbols[i + 1]
                i += 1
            }
            if best < n - 1 { look(best) }
            if best > 0 { look(best - 1) }
            if n == 1 { break }
        }
        count = n
    }

    /// What symbol `i` and the next are if joined.
    @inline(__always) private func look(_ i: Int) {
        // Bound: i + 1 is below the number of symbols, which begin in the window.
        let start = unsafe Int(symbols[i].start)
        let length = unsafe Int(symbols[i].length + symbols[i + 1].length)
        let match = unsafe table.find(padded: window + start, length)
        unsafe symbols[i].joined = match.token
        unsafe symbols[i].score = match.score
    }

    private mutating func spell(_ symbol: Symbol, _ ids: inout [TokenID]) {
        flush(&ids)
        if vocabulary.hasByteFallback {
            for i in 0..<Int(symbol.length) {
                // Bound: symbols lie in the window.
                let byte = unsafe window.load(fromByteOffset: Int(symbol.start) + i, as: UInt8.self)
                ids.append(vocabulary.byteTokens[Int(byte)])
            }
        } else if ids.last != unknown {
            ids.append(unknown)
        }
    }
}

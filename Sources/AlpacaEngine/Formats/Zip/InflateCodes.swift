/// A prefix code of at most 15 bits: a table for the codes of up to 10 bits, the canonical rule for the longer ones.
struct PrefixCode {
    private static let quickBits = 10
    /// By the next 10 bits: symbol * 16 + length, 0 where the code is longer or none.
    private var quick = [UInt16](repeating: 0, count: 1 << quickBits)
    /// By length: how many codes there are, and the symbols in the codes' order.
    private var counts = [UInt16](repeating: 0, count: 16)
    private var symbols: [UInt16] = []

    /// - Parameter lengths: bits of each symbol's code, 0 (none) to 15.
    /// - Parameter mayBeIncomplete: a single code of one bit, or none at all, is allowed for distances.
    mutating func set(_ lengths: ArraySlice<UInt8>, mayBeIncomplete: Bool) throws(AlpacaError) {
        for i in counts.indices { counts[i] = 0 }
        for i in quick.indices { quick[i] = 0 }
        for length in lengths { counts[Int(length & 15)] += 1 }
        counts[0] = 0
        var starts = [Int](repeating: 0, count: 17)
        var nextCode = [Int](repeating: 0, count: 17)
        var left = 1
        for length in 1...15 {
            left = left * 2 - Int(counts[length])
            guard left >= 0 else { throw AlpacaError(.badFormat, "the packed data have an impossible table of codes") }
            starts[length + 1] = starts[length] + Int(counts[length])
            nextCode[length + 1] = (nextCode[length] + Int(counts[length])) * 2
        }
        let total = starts[16]
        guard left == 0 || mayBeIncomplete && (total == 0 || total == 1 && counts[1] == 1) else {
            throw AlpacaError(.badFormat, "the packed data have an incomplete table of codes")
        }
        symbols = [UInt16](repeating: 0, count: total)
        for (symbol, length) in lengths.enumerated() where length > 0 {
            let length = Int(length & 15)
            symbols[starts[length]] = UInt16(truncatingIfNeeded: symbol)
            starts[length] += 1
            let code = nextCode[length]
            nextCode[length] += 1
            guard length <= PrefixCode.quickBits else { continue }
            // Codes come with their highest bit first: backwards, they are what the next bits look like.
            var entry = 0
            for bit in 0..<length { entry |= (code >> bit & 1) << (length - 1 - bit) }
            while entry < quick.count {
                quick[entry] = UInt16(truncatingIfNeeded: symbol << 4 | length)
                entry += 1 << length
            }
        }
    }

    /// The next symbol, -1 if the bits are no code. 15 bits have to be there.
    @inline(__always) func next(_ input: inout InflateInput) -> Int {
        let bits = input.next
        // Bound: the table has an entry for each value of 10 bits.
        let entry = Int(unsafe quick.span[unchecked: Int(truncatingIfNeeded: bits & 0x3ff)])
        if entry != 0 {
            input.drop(entry & 15)
            return entry >> 4
        }
        return slowNext(&input)
    }

    private func slowNext(_ input: inout InflateInput) -> Int {
        var code = 0
        var first = 0
        var index = 0
        for length in 1...15 {
            code |= Int(truncatingIfNeeded: input.next >> UInt64(length - 1) & 1)
            let count = Int(counts[length])
            if code - first < count {
                input.drop(length)
                return Int(symbols[index + code - first])
            }
            index += count
            first = (first + count) << 1
            code <<= 1
        }
        return -1
    }
}

/// The two codes of a block: literals with lengths of copies, and their distances.
struct InflateCodes {
    private(set) var literals = PrefixCode()
    private(set) var distances = PrefixCode()

    /// The codes that need no table in the data (3.2.6).
    mutating func setFixed() {
        var lengths = [UInt8](repeating: 8, count: 288)
        for symbol in 144..<256 { lengths[symbol] = 9 }
        for symbol in 256..<280 { lengths[symbol] = 7 }
        // These tables are complete.
        try? literals.set(lengths[...], mayBeIncomplete: false)
        try? distances.set([UInt8](repeating: 5, count: 32)[...], mayBeIncomplete: false)
    }

    private static let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    /// Reads the tables of a block (3.2.7): lengths of codes, themselves packed by a code.
    mutating func read(_ input: inout InflateInput) throws(AlpacaError) {
        try input.refill()
        let literalCount = input.take(5) + 257
        let distanceCount = input.take(5) + 1
        let lengthCount = input.take(4) + 4
        guard literalCount <= 286, distanceCount <= 30 else { throw AlpacaError(.badFormat, "the packed data have too many codes") }
        var lengths = [UInt8](repeating: 0, count: 19)
        for symbol in InflateCodes.order.prefix(lengthCount) {
            try input.refill()
            lengths[symbol] = UInt8(truncatingIfNeeded: input.take(3))
        }
        var code = PrefixCode()
        try code.set(lengths[...], mayBeIncomplete: false)
        var all: [UInt8] = []
        while all.count < literalCount + distanceCount {
            try input.refill()
            let symbol = code.next(&input)
            switch symbol {
            case 0..<16: all.append(UInt8(truncatingIfNeeded: symbol))
            case 16:
                guard let last = all.last else { throw AlpacaError(.badFormat, "the packed data repeat a length before the first") }
                all.append(contentsOf: repeatElement(last, count: 3 + input.take(2)))
            case 17: all.append(contentsOf: repeatElement(0, count: 3 + input.take(3)))
            case 18: all.append(contentsOf: repeatElement(0, count: 11 + input.take(7)))
            default: throw AlpacaError(.badFormat, "the packed data have an unknown code")
            }
        }
        guard all.count == literalCount + distanceCount, all[256] != 0 else {
            throw AlpacaError(.badFormat, "the packed data have a damaged table of codes")
        }
        try literals.set(all[..<literalCount], mayBeIncomplete: false)
        try distances.set(all[literalCount...], mayBeIncomplete: true)
    }

    private static let lengthBases: [UInt16] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
    ]
    private static let distanceBases: [UInt16] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1_025, 1_537, 2_049, 3_073, 4_097, 6_145, 8_193,
        12_289, 16_385, 24_577,
    ]

    /// The length of a copy from its code, 0 to 28; takes up to 5 bits.
    @inline(__always) static func length(_ code: Int, _ input: inout InflateInput) -> Int {
        let extra = code < 8 || code == 28 ? 0 : (code >> 2) - 1
        return Int(lengthBases[code]) + input.take(extra)
    }

    /// Its distance, from a code of 0 to 29; takes up to 13 bits.
    @inline(__always) static func distance(_ code: Int, _ input: inout InflateInput) -> Int {
        let extra = code < 4 ? 0 : (code >> 1) - 1
        return Int(distanceBases[code]) + input.take(extra)
    }
}

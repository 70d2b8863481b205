/// The class of each character, as the patterns of tokenizers name them. One table for the process, made when it is first asked for.
@safe final class UnicodeClasses: @unchecked Sendable {
    /// A set of classes, as ``UnicodeTables/classes`` has them.
    struct Kind: OptionSet {
        let rawValue: UInt8
        /// \p{L}, \p{N}, \s, \w
        static let letter = Kind(rawValue: 1)
        static let number = Kind(rawValue: 2)
        static let space = Kind(rawValue: 4)
        static let word = Kind(rawValue: 16)
        /// A number that the step "Digits" cuts out alone.
        static let digit = Kind(rawValue: 8)
        /// May look different in normalization form C, or take part in what does.
        static let unsettled = Kind(rawValue: 32)
        /// A letter with case, in deepseek-llm's pattern.
        static let cased = Kind(rawValue: 64)
    }

    static let shared = UnicodeClasses()

    /// Blocks of 256 characters; equal ones are kept once.
    private let blocks: UnsafeMutablePointer<UInt8>
    /// For each block of the code space where its characters begin in ``blocks``: 0x1100 of them.
    private let starts: UnsafeMutablePointer<UInt32>

    private init() {
        var kinds = [UInt8](repeating: 0, count: 0x110000)
        let table = UnicodeTables.classes
        for (place, entry) in table.enumerated() {
            let end = place + 1 < table.count ? Int(table[place + 1] >> 8) : kinds.count
            for scalar in Int(entry >> 8)..<end { kinds[scalar] = UInt8(entry & 0xFF) }
        }
        var known: [ArraySlice<UInt8>: UInt32] = [:]
        var all: [UInt8] = []
        var begins: [UInt32] = []
        for block in stride(from: 0, to: kinds.count, by: 256) {
            let content = kinds[block..<block + 256]
            if let start = known[content] {
                begins.append(start)
            } else {
                begins.append(UInt32(all.count))
                known[content] = UInt32(all.count)
                all += content
            }
        }
        // Never given back: the table lives as long as the process.
        unsafe blocks = .allocate(capacity: all.count)
        unsafe starts = .allocate(capacity: begins.count)
        for i in all.indices { unsafe (blocks + i).initialize(to: all[i]) }
        for i in begins.indices { unsafe (starts + i).initialize(to: begins[i]) }
    }

    /// - Parameter scalar: below 0x110000.
    @inline(__always) subscript(scalar: UInt32) -> Kind {
        // Bound: 0x1100 starts, each of a block of 256.
        let block = unsafe starts[Int(min(scalar, 0x10FFFF) >> 8)]
        return unsafe Kind(rawValue: blocks[Int(block) + Int(scalar & 0xFF)])
    }
}

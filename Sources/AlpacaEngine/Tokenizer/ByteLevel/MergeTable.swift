/// Which two tokens may be joined, how early, and what they become. Filled by one thread, then only read, by any number of them.
@safe final class MergeTable: @unchecked Sendable {
    private struct Slot: BitwiseCopyable {
        /// The left token times 2^32, plus the right one; all ones in an empty slot.
        var key: UInt64
        var value: UInt64
    }

    private let buffer: AlignedBuffer
    /// Open addressing: 2^(64 - shift) slots, at least twice the number of merges.
    private let slots: UnsafeMutablePointer<Slot>
    private let shift: UInt64
    private var mask: Int { Int(truncatingIfNeeded: UInt64.max >> shift) }
    private var count = 0
    private let most: Int

    /// No merge: greater than every one.
    static let none = UInt64.max

    /// - Parameter count: merges that will be added at most.
    init(count: Int) throws(AlpacaError) {
        var bits = 2
        while 1 << bits < 2 * count { bits += 1 }
        shift = UInt64(64 - bits)
        most = count
        buffer = try AlignedBuffer(1 << bits, of: Slot.self, for: "merges")
        unsafe slots = buffer.pointer()
        for i in 0..<1 << bits { unsafe slots[i] = Slot(key: .max, value: MergeTable.none) }
    }

    /// Adds a merge; of equal pairs the first counts.
    ///
    /// - Parameter rank: its place in the list, from 0.
    func add(_ left: TokenID, _ right: TokenID, rank: Int, to token: TokenID) {
        guard count < most else { return }
        let key = MergeTable.key(left, right)
        var slot = index(key)
        // Ends, and bound: more slots than merges, and the mask gives one of them.
        while unsafe slots[slot].key != .max {
            if unsafe slots[slot].key == key { return }
            slot = (slot + 1) & mask
        }
        unsafe slots[slot] = Slot(key: key, value: UInt64(rank) << 32 | UInt64(UInt32(bitPattern: token)))
        count += 1
    }

    /// The merge of two tokens: its rank times 2^32, plus the token that they become; ``none`` if there is none.
    @inline(__always) func find(_ left: TokenID, _ right: TokenID) -> UInt64 {
        let key = MergeTable.key(left, right)
        var slot = index(key)
        while true {
            // Bound: as above.
            let found = unsafe slots[slot]
            if found.key == key || found.key == .max { return found.value }
            slot = (slot + 1) & mask
        }
    }

    @inline(__always) private static func key(_ left: TokenID, _ right: TokenID) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always) private func index(_ key: UInt64) -> Int {
        let hash = (key ^ key >> 29) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: hash &>> shift)
    }
}

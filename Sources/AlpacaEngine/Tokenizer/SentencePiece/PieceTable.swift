/// What text can become, made for quick questions: pieces by their bytes, characters that are pieces, and characters that stand side by
/// side in a piece. Filled by one thread, then only read, by any number of them.
///
/// A slot holds a short piece's bytes themselves, so that a question about a word or two Chinese characters costs one cache line.
@safe final class PieceTable: @unchecked Sendable {
    /// A piece that text is, and its score; token -1 if it is none.
    struct Match {
        var token: TokenID = -1
        var score: Float = 0
    }

    private struct Slot: BitwiseCopyable {
        /// The piece's bytes, the first lowest, if there are at most 8; else their hash.
        var key: UInt64
        /// Bits 22 to 31 have the length in bytes, at most 1023, and 0 in an empty slot; bits 0 to 21 the token.
        var label: UInt32
        var score: Float
    }

    private let pieces: GGUFStrings
    private let slotBuffer: AlignedBuffer
    private let characterBuffer: AlignedBuffer
    private let neighbourBuffer: AlignedBuffer
    /// Open addressing: 2^(64 - shift) slots, at least twice the number of pieces.
    private let slots: UnsafeMutablePointer<Slot>
    private let shift: UInt64
    /// One more than the token of each character of the basic plane, 0 where there is none: 2^16.
    private let characters: UnsafeMutablePointer<TokenID>
    /// One bit a pair of characters that occurs in a piece, by hash; a bit that is set by chance does no harm. 2^19 bits.
    private let neighbours: UnsafeMutablePointer<UInt64>
    /// The longest piece in bytes.
    private(set) var longest = 0

    /// - Parameter pieces: at most 2^22, none added yet.
    init(_ pieces: GGUFStrings) throws(AlpacaError) {
        self.pieces = pieces
        var bits = 2
        while 1 << bits < 2 * pieces.count { bits += 1 }
        shift = UInt64(64 - bits)
        slotBuffer = try AlignedBuffer(1 << bits, of: Slot.self, for: "vocabulary")
        characterBuffer = try AlignedBuffer(1 << 16, of: TokenID.self, for: "vocabulary")
        neighbourBuffer = try AlignedBuffer(1 << 13, of: UInt64.self, for: "vocabulary")
        unsafe slots = slotBuffer.pointer()
        unsafe characters = characterBuffer.pointer()
        unsafe neighbours = neighbourBuffer.pointer()
    }

    /// Adds a piece that is not empty. Of equal pieces the first counts, as in sentencepiece's table: returns false for the others.
    func add(_ id: TokenID, score: Float) -> Bool {
        let range = pieces.range(of: Int(id))
        let all = pieces.bytes
        let text = all.span.extracting(range)
        let length = text.count
        longest = max(longest, length)
        addNeighbours(text)
        let key = PieceTable.key(text)
        let tag = UInt32(min(length, 1023))
        var slot = index(key, length)
        // Ends: more slots than pieces.
        while unsafe slots[slot].label != 0 {
            let found = unsafe slots[slot]
            if found.key == key, found.label >> 22 == tag, length <= 8 || isPiece(text, found.label) { return false }
            slot = (slot + 1) & mask
        }
        unsafe slots[slot] = Slot(key: key, label: tag << 22 | UInt32(id), score: score)
        let (scalar, size) = UTF8Text.decode(text, 0, length)
        // No text has bytes that are no character.
        if size == length, scalar < 1 << 16, scalar != 0xFFFD || length == 3 { unsafe characters[Int(scalar)] = id + 1 }
        return true
    }

    private func addNeighbours(_ text: Span<UInt8>) {
        var at = 0
        var last: UInt32?
        while at < text.count {
            let (scalar, length) = UTF8Text.decode(text, at, text.count)
            if let last {
                let bit = PieceTable.bit(last, scalar)
                // Bound: bits are below 2^19.
                unsafe neighbours[bit >> 6] |= 1 << UInt64(bit & 63)
            }
            last = scalar
            at += length
        }
    }

    /// The piece that `text` is.
    func find(_ text: Span<UInt8>) -> Match {
        guard text.count > 0, text.count <= longest else { return Match() }
        return find(PieceTable.key(text), text)
    }

    /// The same, quicker, for `text` in memory of which 8 bytes from its beginning may be read.
    @unsafe @inline(__always) func find(padded text: UnsafeRawPointer, _ length: Int) -> Match {
        guard length <= longest else { return Match() }
        guard length <= 8 else {
            let span = unsafe Span<UInt8>(_unsafeStart: text.assumingMemoryBound(to: UInt8.self), count: length)
            return find(PieceTable.key(span), span)
        }
        let word = unsafe UInt64(littleEndian: text.loadUnaligned(as: UInt64.self))
        let key = word & (.max &>> UInt64(64 - 8 * length))
        var slot = index(key, length)
        while true {
            // Bound: `index` and the mask give slots of the table, of which at least one is empty.
            let found = unsafe slots[slot]
            if found.key == key, found.label >> 22 == UInt32(length) {
                return Match(token: TokenID(found.label & 0x3F_FFFF), score: found.score)
            }
            if found.label == 0 { return Match() }
            slot = (slot + 1) & mask
        }
    }

    private func find(_ key: UInt64, _ text: Span<UInt8>) -> Match {
        let tag = UInt32(min(text.count, 1023))
        var slot = index(key, text.count)
        while true {
            // Bound: as above.
            let found = unsafe slots[slot]
            if found.key == key, found.label >> 22 == tag, text.count <= 8 || isPiece(text, found.label) {
                return Match(token: TokenID(found.label & 0x3F_FFFF), score: found.score)
            }
            if found.label == 0 { return Match() }
            slot = (slot + 1) & mask
        }
    }

    /// The token of a character of the basic plane, -1 if none.
    @inline(__always) func token(ofBasic scalar: UInt32) -> TokenID {
        // Bound: 2^16 elements.
        unsafe characters[Int(scalar & 0xFFFF)] - 1
    }

    /// Whether two characters may stand side by side in a piece.
    @inline(__always) func areNeighbours(_ a: UInt32, _ b: UInt32) -> Bool {
        let bit = PieceTable.bit(a, b)
        // Bound: bits are below 2^19.
        return unsafe neighbours[bit >> 6] >> UInt64(bit & 63) & 1 != 0
    }

    // MARK: - Hashes

    private var mask: Int { Int(truncatingIfNeeded: UInt64.max >> shift) }

    @inline(__always) private static func bit(_ a: UInt32, _ b: UInt32) -> Int {
        let h = (UInt64(a) << 32 | UInt64(b)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: h >> 45)
    }

    @inline(__always) private func index(_ key: UInt64, _ length: Int) -> Int {
        Int(truncatingIfNeeded: ((key ^ UInt64(truncatingIfNeeded: length) << 56) &* 0x9E37_79B9_7F4A_7C15) &>> shift)
    }

    private static func key(_ text: Span<UInt8>) -> UInt64 {
        let count = text.count
        if count <= 8 {
            var key: UInt64 = 0
            for i in 0..<count { key |= UInt64(text[i]) << UInt64(8 * i) }
            return key
        }
        var hash: UInt64 = 0
        var at = 0
        while true {
            hash = (hash ^ word(text, at)) &* 0xD6E8_FEB8_6659_FD93
            hash ^= hash >> 32
            if at == count - 8 { return hash }
            // The last word overlaps the one before it.
            at = min(at + 8, count - 8)
        }
    }

    private static func word(_ text: Span<UInt8>, _ at: Int) -> UInt64 {
        unsafe text.withUnsafeBytes { unsafe UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
    }

    /// Whether `text`, longer than 8 bytes, is the piece of a slot.
    private func isPiece(_ text: Span<UInt8>, _ label: UInt32) -> Bool {
        let range = pieces.range(of: Int(label & 0x3F_FFFF))
        guard range.count == text.count else { return false }
        let all = pieces.bytes
        let piece = all.span.extracting(range)
        var at = 0
        while true {
            if PieceTable.word(text, at) != PieceTable.word(piece, at) { return false }
            if at == text.count - 8 { return true }
            at = min(at + 8, text.count - 8)
        }
    }
}

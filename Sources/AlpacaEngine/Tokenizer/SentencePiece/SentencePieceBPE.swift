/// Byte-pair encoding as sentencepiece does it: characters are joined, the pair of the highest score first and the leftmost among equals,
/// as long as a pair is a piece. What is left and no piece becomes its bytes' tokens, or the unknown token.
///
/// Two things make it fast. Text is cut wherever the two characters at a place stand side by side in no piece: no join can span it, so each
/// part is solved alone (a word, or a few Chinese characters), in one walk over the text and on the stack. And the rare long part keeps its
/// pairs in a heap (``LongPart``), so that even a text without such places costs n log n.
struct SentencePieceBPE: Sendable {
    let vocabulary: Vocabulary
    let unknown: TokenID
    /// User-defined pieces, longest first: taken out of the text before anything is joined.
    private let fixed: [(bytes: [UInt8], id: TokenID)]

    /// Characters of a part that is still solved on the stack.
    static let shortPart = 32
    /// Text between two looks at whether to stop: some milliseconds.
    private static let bytesBetweenLooks = 1 << 16

    init(_ vocabulary: Vocabulary, unknown: TokenID) {
        self.vocabulary = vocabulary
        self.unknown = unknown
        var fixed: [(bytes: [UInt8], id: TokenID)] = []
        for id in 0..<vocabulary.count where vocabulary.kinds[id] == .userDefined && !vocabulary.pieces[id].isEmpty {
            fixed.append((Array(vocabulary.pieces[id]), TokenID(id)))
        }
        self.fixed = fixed.sorted { $0.bytes.count > $1.bytes.count }
    }

    /// Appends the tokens of `text`, any bytes: blanks count as U+2581, each byte that is not UTF-8 as U+FFFD.
    ///
    /// - Parameters:
    ///   - shortPart: longer parts go to the heap; tests set it, at least 2.
    /// - Returns: why the ids are not all there, where large memory is asked for; else nil.
    @discardableResult func encode(
        _ text: Span<UInt8>, startsWithBlank: Bool, shortPart: Int = shortPart, terms: EncodingTerms = .init(), to ids: inout [TokenID]
    ) -> AlpacaError? {
        guard !fixed.isEmpty else { return walk(text, startsWithBlank, shortPart, terms, &ids) }
        // User-defined pieces may have blanks in them: they are looked for in what the text is normalized to.
        let normal = SentencePieceBPE.normalized(text, startsWithBlank: startsWithBlank)
        var at = 0
        var start = 0
        while at < normal.count {
            if let match = fixed.first(where: { normal[at...].starts(with: $0.bytes) }) {
                if let refusal = walk(normal.span.extracting(start..<at), false, shortPart, terms, &ids) { return refusal }
                ids.append(match.id)
                at += match.bytes.count
                start = at
            } else {
                at += UTF8Text.decode(normal.span, at, normal.count).length
            }
        }
        return walk(normal.span.extracting(start..<normal.count), false, shortPart, terms, &ids)
    }

    /// `text` in UTF-8 with U+2581 for blanks; what was normalized stays as it is.
    private static func normalized(_ text: Span<UInt8>, startsWithBlank: Bool) -> [UInt8] {
        var normal: [UInt8] = []
        normal.reserveCapacity(text.count + text.count / 4 + 8)
        if startsWithBlank { normal += [0xE2, 0x96, 0x81] }
        var at = 0
        while at < text.count {
            let character = Character(text, at)
            for i in 0..<character.size { normal.append(UInt8(truncatingIfNeeded: character.bytes >> UInt32(8 * i))) }
            at += character.length
        }
        return normal
    }

    /// Cuts `text` into parts and appends the tokens of each.
    private func walk(
        _ text: Span<UInt8>, _ startsWithBlank: Bool, _ shortPart: Int, _ terms: EncodingTerms, _ ids: inout [TokenID]
    ) -> AlpacaError? {
        let most = SentencePieceBPE.shortPart
        return unsafe withUnsafeTemporaryAllocation(of: ShortPart.Symbol.self, capacity: most) { symbols in
            // A character takes at most 4 bytes; questions to the table read 8 from where a symbol begins.
            return unsafe withUnsafeTemporaryAllocation(byteCount: 4 * most + 8, alignment: 8) { bytes in
                return unsafe withUnsafeTemporaryAllocation(of: TokenID.self, capacity: ShortPart.waitingMost) { waiting in
                    guard let symbols = symbols.baseAddress, let window = bytes.baseAddress, let waiting = waiting.baseAddress else {
                        return nil
                    }
                    unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
                    var part = unsafe ShortPart(symbols, window, waiting, max(2, min(shortPart, most)), vocabulary, unknown)
                    var long = LongPart(vocabulary, terms)
                    if startsWithBlank { part.add(.blank, &long, &ids) }
                    var at = 0
                    while at < text.count, terms.stop?.isSet != true, long.refusal == nil {
                        let pause = min(text.count, at + SentencePieceBPE.bytesBetweenLooks)
                        while at < pause {
                            let character = Character(text, at)
                            part.add(character, &long, &ids)
                            at += character.length
                        }
                    }
                    part.finish(&long, &ids)
                    part.flush(&ids)
                    return long.refusal
                }
            }
        }
    }
}

extension SentencePieceBPE {
    /// A character of a text, normalized.
    struct Character {
        var scalar: UInt32
        /// Its UTF-8, the first byte lowest, and their number.
        var bytes: UInt32
        var size: Int
        /// Bytes that it takes in the text.
        var length: Int

        static var blank: Character { Character(scalar: 0x2581, bytes: 0x81_96E2, size: 3, length: 1) }

        /// The character at `at`, which is in `text`.
        @inline(__always) init(_ text: Span<UInt8>, _ at: Int) {
            let first = text[at]
            if first < 0x80 {
                self = first == 0x20 ? .blank : Character(scalar: UInt32(first), bytes: UInt32(first), size: 1, length: 1)
                return
            }
            // Most characters of Chinese; E0 and ED have more rules.
            if first > 0xE0, first < 0xF0, first != 0xED, text.count - at >= 3 {
                let second = text[at + 1]
                let third = text[at + 2]
                if second & 0xC0 == 0x80, third & 0xC0 == 0x80 {
                    self.init(
                        scalar: UInt32(first & 0x0F) << 12 | UInt32(second & 0x3F) << 6 | UInt32(third & 0x3F),
                        bytes: UInt32(first) | UInt32(second) << 8 | UInt32(third) << 16, size: 3, length: 3)
                    return
                }
            }
            self.init(rare: text, at)
        }

        private init(rare text: Span<UInt8>, _ at: Int) {
            let (scalar, length) = UTF8Text.decode(text, at, text.count)
            // No character begins with this byte.
            if length == 1 {
                self.init(scalar: 0xFFFD, bytes: 0xBD_BFEF, size: 3, length: 1)
                return
            }
            var bytes: UInt32 = 0
            for i in 0..<length { bytes |= UInt32(text[at + i]) << UInt32(8 * i) }
            self.init(scalar: scalar, bytes: bytes, size: length, length: length)
        }

        private init(scalar: UInt32, bytes: UInt32, size: Int, length: Int) {
            self.scalar = scalar
            self.bytes = bytes
            self.size = size
            self.length = length
        }
    }
}

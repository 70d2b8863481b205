/// Unicode's normalization form C: characters taken apart, marks put in their order, and together again what has a character of its own.
/// Source: Unicode Standard Annex 15; Hangul by the arithmetic of the Standard's section 3.12.
final class NormalizationFormC: Sendable {
    static let shared = NormalizationFormC()

    /// The parts of a character, the second 0 where there is one.
    private let parts: [UInt32: (UInt32, UInt32)]
    /// The character of two parts: the first times 2^32, plus the second.
    private let composed: [UInt64: UInt32]
    /// Characters that are a second part.
    private let seconds: Set<UInt32>
    /// Where the combining class changes, ascending, and the class from there on.
    private let marks: [(start: UInt32, kind: UInt8)]

    private init() {
        var parts: [UInt32: (UInt32, UInt32)] = [:]
        var composed: [UInt64: UInt32] = [:]
        let table = UnicodeTables.decompositions
        for at in stride(from: 0, to: table.count - 2, by: 3) {
            let scalar = table[at] & 0x7FFF_FFFF
            parts[scalar] = (table[at + 1], table[at + 2])
            if table[at] >> 31 == 1 { composed[UInt64(table[at + 1]) << 32 | UInt64(table[at + 2])] = scalar }
        }
        self.parts = parts
        self.composed = composed
        seconds = Set(composed.keys.map { UInt32(truncatingIfNeeded: $0) })
        marks = UnicodeTables.combiningClasses.map { ($0 >> 8, UInt8($0 & 0xFF)) }
    }

    /// Whether `text`, which is UTF-8, is in form C for sure: so is all ASCII, and all ordinary Chinese.
    static func isSettled(_ text: Span<UInt8>) -> Bool {
        let classes = UnicodeClasses.shared
        var at = 0
        while at < text.count {
            if text[at] < 0x80 {
                at += 1
                continue
            }
            let character = UTF8Character(text, at)
            if classes[character.scalar].contains(.unsettled) { return false }
            at += character.length
        }
        return true
    }

    /// `text`, which is UTF-8, in form C.
    func normalized(_ text: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        // What is taken apart since the last character that joins nothing before it.
        var run: [(scalar: UInt32, kind: UInt8)] = []
        var apart: [UInt32] = []
        var at = 0
        while at < text.count {
            let character = UTF8Character(text, at)
            at += character.length
            apart.removeAll(keepingCapacity: true)
            decompose(character.scalar, &apart)
            for scalar in apart {
                let kind = combiningClass(scalar)
                if kind == 0, !joins(scalar) { flush(&run, &result) }
                run.append((scalar, kind))
            }
        }
        flush(&run, &result)
        return result
    }

    /// Orders the marks of a run and puts together what it can.
    private func flush(_ run: inout [(scalar: UInt32, kind: UInt8)], _ result: inout [UInt8]) {
        defer { run.removeAll(keepingCapacity: true) }
        guard run.count > 1 else {
            if let only = run.first { result.appendCharacter(only.scalar) }
            return
        }
        order(&run)
        var kept: [UInt32] = []
        var starter: Int?
        // The class of the last one that stayed behind the starter, 0 if none did.
        var last: UInt8 = 0
        for (scalar, kind) in run {
            if let starter, last == 0 || last < kind, let joined = join(kept[starter], scalar) {
                kept[starter] = joined
                continue
            }
            if kind == 0 { starter = kept.count }
            last = kind
            kept.append(scalar)
        }
        for scalar in kept { result.appendCharacter(scalar) }
    }

    /// Puts marks in the order of their classes; those of one class keep theirs.
    private func order(_ run: inout [(scalar: UInt32, kind: UInt8)]) {
        var start = 0
        while start < run.count {
            guard run[start].kind != 0 else {
                start += 1
                continue
            }
            var end = start
            while end < run.count, run[end].kind != 0 { end += 1 }
            let sorted = run[start..<end].enumerated().sorted { ($0.element.kind, $0.offset) < ($1.element.kind, $1.offset) }
            run.replaceSubrange(start..<end, with: sorted.map(\.element))
            start = end
        }
    }

    /// Whether a character that is no mark may join the one before it.
    private func joins(_ scalar: UInt32) -> Bool {
        if scalar >= Hangul.vowel, scalar < Hangul.vowel + Hangul.vowels { return true }
        if scalar > Hangul.tail, scalar < Hangul.tail + Hangul.tails { return true }
        return seconds.contains(scalar)
    }

    private func combiningClass(_ scalar: UInt32) -> UInt8 {
        guard scalar >= 0x300 else { return 0 }
        var low = 0
        var high = marks.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if marks[middle].start <= scalar { low = middle } else { high = middle }
        }
        return marks[low].kind
    }

    /// Parts are taken apart again, the first of two; no chain is longer than four.
    private func decompose(_ scalar: UInt32, _ result: inout [UInt32]) {
        var behind: [UInt32] = []
        var scalar = scalar
        if scalar >= Hangul.base, scalar < Hangul.base + Hangul.count {
            let index = scalar - Hangul.base
            result += [Hangul.leading + index / (Hangul.vowels * Hangul.tails), Hangul.vowel + index / Hangul.tails % Hangul.vowels]
            if index % Hangul.tails != 0 { result.append(Hangul.tail + index % Hangul.tails) }
            return
        }
        while let (first, second) = parts[scalar] {
            if second != 0 { behind.append(second) }
            scalar = first
        }
        result.append(scalar)
        result += behind.reversed()
    }

    private func join(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if first >= Hangul.leading, first < Hangul.leading + 19, second >= Hangul.vowel, second < Hangul.vowel + Hangul.vowels {
            return Hangul.base + ((first - Hangul.leading) * Hangul.vowels + second - Hangul.vowel) * Hangul.tails
        }
        if first >= Hangul.base, first < Hangul.base + Hangul.count, (first - Hangul.base) % Hangul.tails == 0, second > Hangul.tail,
            second < Hangul.tail + Hangul.tails
        {
            return first + second - Hangul.tail
        }
        return composed[UInt64(first) << 32 | UInt64(second)]
    }

    private enum Hangul {
        static let base: UInt32 = 0xAC00
        static let leading: UInt32 = 0x1100
        static let vowel: UInt32 = 0x1161
        static let tail: UInt32 = 0x11A7
        static let vowels: UInt32 = 21
        static let tails: UInt32 = 28
        static let count: UInt32 = 11172
    }
}

/// A text that knows which of its characters came from the caller of a template and which from the template itself.
///
/// A chat template is rendered into one text, in which special tokens are found later. What a caller wrote must not become one, so the mark
/// goes along with every operation: cutting keeps it, joining keeps the parts apart, changing a letter keeps that letter's mark.
///
/// Characters are code points, as in Python; texts are equal if their code points are, whoever wrote them.
package struct JinjaText: Sendable {
    package typealias Scalar = Unicode.Scalar

    package private(set) var scalars: [Scalar] = []
    /// The mark of all characters, where ``runs`` is empty.
    private var mark = false
    /// Where both kinds are in the text: for each part its end, twice, plus one if the caller wrote it.
    private var runs: [Int] = []

    package init() {}

    package init(_ string: String, isInput: Bool = false) {
        scalars = Array(string.unicodeScalars)
        mark = isInput
    }

    init(_ scalars: [Scalar], isInput: Bool) {
        self.scalars = scalars
        mark = isInput
    }

    init(_ scalar: Scalar, isInput: Bool) { self.init([scalar], isInput: isInput) }

    package var count: Int { scalars.count }
    package var isEmpty: Bool { scalars.isEmpty }
    package var string: String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// How much memory it takes, in characters of four bytes.
    var cost: Int { scalars.count + 2 * runs.count + 4 }

    /// Whether a caller wrote any of it.
    package var hasInput: Bool { !isEmpty && (mark || !runs.isEmpty) }

    // MARK: Parts

    var partCount: Int { isEmpty ? 0 : max(1, runs.count) }

    func part(_ index: Int) -> (range: Range<Int>, isInput: Bool) {
        guard !runs.isEmpty else { return (0..<scalars.count, mark) }
        let start = index == 0 ? 0 : runs[index - 1] >> 1
        return (start..<runs[index] >> 1, runs[index] & 1 == 1)
    }

    /// The part that holds the character at `offset`.
    private func partIndex(at offset: Int) -> Int {
        var low = 0, high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle] >> 1 <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func isInput(at offset: Int) -> Bool { runs.isEmpty ? mark : runs[min(partIndex(at: offset), runs.count - 1)] & 1 == 1 }

    /// The characters of `range`, which must lie within the text.
    subscript(range: Range<Int>) -> JinjaText {
        guard !range.isEmpty else { return JinjaText() }
        guard range.count < count else { return self }
        var result = JinjaText(Array(scalars[range]), isInput: isInput(at: range.lowerBound))
        guard !runs.isEmpty else { return result }
        var index = partIndex(at: range.lowerBound)
        var found: [Int] = []
        while index < runs.count {
            let end = min(runs[index] >> 1, range.upperBound)
            found.append((end - range.lowerBound) << 1 | runs[index] & 1)
            if end == range.upperBound { break }
            index += 1
        }
        if found.count > 1 { result.runs = found }
        return result
    }

    // MARK: Building

    mutating func append(_ other: JinjaText) {
        guard !other.isEmpty else { return }
        guard !isEmpty else {
            self = other
            return
        }
        let base = count
        if runs.isEmpty && other.runs.isEmpty && mark == other.mark {
            scalars.append(contentsOf: other.scalars)
            return
        }
        if runs.isEmpty { runs = [base << 1 | (mark ? 1 : 0)] }
        for index in 0..<other.partCount {
            let part = other.part(index)
            addRun(upTo: base + part.range.upperBound, part.isInput)
        }
        scalars.append(contentsOf: other.scalars)
    }

    mutating func append(_ scalar: Scalar, isInput: Bool) {
        if isEmpty {
            mark = isInput
        } else if !runs.isEmpty || mark != isInput {
            if runs.isEmpty { runs = [count << 1 | (mark ? 1 : 0)] }
            addRun(upTo: count + 1, isInput)
        }
        scalars.append(scalar)
    }

    mutating func append(_ string: String) { append(JinjaText(string)) }

    private mutating func addRun(upTo end: Int, _ isInput: Bool) {
        let run = end << 1 | (isInput ? 1 : 0)
        if let last = runs.last, last & 1 == run & 1 { runs[runs.count - 1] = run } else { runs.append(run) }
    }

    /// Every character replaced by what `change` makes of it and its place; the new ones have its mark.
    func mapped(_ change: (Scalar, Int) -> String) -> JinjaText {
        var result = JinjaText()
        for index in 0..<partCount {
            let (range, isInput) = part(index)
            var changed: [Scalar] = []
            changed.reserveCapacity(range.count)
            for offset in range { changed.append(contentsOf: change(scalars[offset], offset).unicodeScalars) }
            result.append(JinjaText(changed, isInput: isInput))
        }
        return result
    }

    /// The same characters, all of which the caller wrote.
    var asInput: JinjaText { JinjaText(scalars, isInput: true) }

    func reversed() -> JinjaText {
        var result = JinjaText()
        for index in (0..<partCount).reversed() {
            let (range, isInput) = part(index)
            result.append(JinjaText(Array(scalars[range].reversed()), isInput: isInput))
        }
        return result
    }

    // MARK: Searching

    func hasPrefix(_ other: JinjaText, at offset: Int = 0) -> Bool {
        guard offset >= 0, offset <= count, other.count <= count - offset else { return false }
        return scalars[offset..<offset + other.count].elementsEqual(other.scalars)
    }

    func hasSuffix(_ other: JinjaText) -> Bool { hasPrefix(other, at: count - other.count) }

    /// Where `other` begins first, within `range`. Takes no more than count(range) + count(other) steps (Knuth, Morris, Pratt).
    func firstIndex(of other: JinjaText, in range: Range<Int>) -> Int? {
        let needle = other.scalars
        guard let first = needle.first else { return range.lowerBound }
        guard needle.count <= range.count else { return nil }
        if needle.count == 1 { return scalars[range].firstIndex(of: first) }
        let borders = Self.borders(of: needle)
        var matched = 0
        for offset in range {
            while matched > 0 && scalars[offset] != needle[matched] { matched = borders[matched - 1] }
            if scalars[offset] == needle[matched] { matched += 1 }
            if matched == needle.count { return offset + 1 - needle.count }
        }
        return nil
    }

    /// Where `other` stands, from left to right and apart from each other, at most `limit` times.
    func indices(of other: JinjaText, limit: Int = Int.max) -> [Int] {
        let needle = other.scalars
        guard !needle.isEmpty, needle.count <= count, limit > 0 else { return [] }
        let borders = Self.borders(of: needle)
        var found: [Int] = []
        var matched = 0
        for offset in 0..<count {
            while matched > 0 && scalars[offset] != needle[matched] { matched = borders[matched - 1] }
            if scalars[offset] == needle[matched] { matched += 1 }
            if matched == needle.count {
                found.append(offset + 1 - needle.count)
                matched = 0
                if found.count == limit { break }
            }
        }
        return found
    }

    /// For each beginning of `needle`, the length of the longest shorter beginning that is also its end.
    private static func borders(of needle: [Scalar]) -> [Int] {
        var borders = [Int](repeating: 0, count: needle.count)
        var length = 0
        for index in 1..<max(1, needle.count) {
            while length > 0 && needle[index] != needle[length] { length = borders[length - 1] }
            if needle[index] == needle[length] { length += 1 }
            borders[index] = length
        }
        return borders
    }

    func contains(_ other: JinjaText) -> Bool { firstIndex(of: other, in: 0..<count) != nil }

    // MARK: Ends

    /// Without what `isStripped` finds at its beginning, its end or both.
    func trimmed(left: Bool = true, right: Bool = true, _ isStripped: (Scalar) -> Bool) -> JinjaText {
        var start = 0, end = count
        if left { while start < end && isStripped(scalars[start]) { start += 1 } }
        if right { while end > start && isStripped(scalars[end - 1]) { end -= 1 } }
        return self[start..<end]
    }

    var pieces: [JinjaPiece] {
        (0..<partCount).map { index in
            let (range, isInput) = part(index)
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars[range])
            return JinjaPiece(text: String(view), isInput: isInput)
        }
    }
}

extension JinjaText: Hashable {
    package static func == (a: JinjaText, b: JinjaText) -> Bool { a.scalars == b.scalars }
    package func hash(into hasher: inout Hasher) { hasher.combine(scalars) }
}

extension JinjaText: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(value) }
}

extension Unicode.Scalar {
    /// What Python's `str.isspace` and `str.strip` take for a blank.
    var isPythonSpace: Bool {
        switch value {
        case 0x09...0x0d, 0x1c...0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000: true
        default: false
        }
    }
}

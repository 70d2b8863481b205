// Regular expressions as configurations of adapters have them: what Python's `re` and others read alike. The places where a match may end are
// kept as a set, so that no expression takes long, whoever wrote it.

/// A regular expression over ASCII: literals, `.`, classes, groups, `|`, `*`, `+`, `?`, `{m,n}`, `^`, `$`.
package struct Expression: Sendable {
    private let root: Node

    private indirect enum Node: Sendable {
        case one([Bool])
        case all([Node])
        case any([Node])
        case some(Node, least: Int, most: Int?)
        case begin, end
        /// Between a letter, digit or underscore and something else.
        case boundary
    }

    /// Groups inside each other, and repetitions of repetitions, at most; times that something is counted.
    private static let mostNested = 16, mostRepeated = 3, mostCounted = 64
    private static let mostBytes = 1_024

    /// nil where `text` is none, or has what this does not know.
    package init?(_ text: String) {
        guard text.utf8.count <= Expression.mostBytes else { return nil }
        var parser = Parser(Array(text.utf8))
        guard let node = parser.alternatives(0), parser.isAtEnd, Expression.repeats(node) <= Expression.mostRepeated else { return nil }
        root = node
    }

    /// Whether all of `text` from `start` on matches.
    package func matches(_ text: [UInt8], from start: Int = 0) -> Bool {
        guard text.count <= Expression.mostBytes else { return false }
        return ends(root, text, [start]).contains(text.count)
    }

    private static func isDigit(_ byte: Int) -> Bool { (0x30...0x39).contains(byte) }

    private static func isWord(_ byte: Int) -> Bool {
        isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
    }

    private static func repeats(_ node: Node) -> Int {
        switch node {
        case .one, .begin, .end, .boundary: 0
        case .all(let nodes), .any(let nodes): nodes.map(repeats).max() ?? 0
        case .some(let node, _, _): repeats(node) + 1
        }
    }

    /// Where matches of `node` that begin at one of `starts` end.
    private func ends(_ node: Node, _ text: [UInt8], _ starts: Set<Int>) -> Set<Int> {
        guard !starts.isEmpty else { return [] }
        switch node {
        case .one(let bytes): return Set(starts.filter { $0 < text.count && bytes[Int(text[$0])] }.map { $0 + 1 })
        case .begin: return starts.filter { $0 == 0 }
        case .end: return starts.filter { $0 == text.count }
        case .boundary:
            func isWord(_ at: Int) -> Bool { text.indices.contains(at) && Expression.isWord(Int(text[at])) }
            return starts.filter { isWord($0 - 1) != isWord($0) }
        case .all(let nodes): return nodes.reduce(starts) { ends($1, text, $0) }
        case .any(let nodes): return nodes.reduce(into: []) { $0.formUnion(ends($1, text, starts)) }
        case .some(let node, let least, let most):
            var new = starts
            for _ in 0..<least { new = ends(node, text, new) }
            var found = new
            var count = least
            while !new.isEmpty, count < most ?? Int.max {
                new = ends(node, text, new).subtracting(found)
                found.formUnion(new)
                count += 1
            }
            return found
        }
    }

    private struct Parser {
        private let text: [UInt8]
        private var at = 0

        init(_ text: [UInt8]) { self.text = text }

        var isAtEnd: Bool { at == text.count }
        private var current: UInt8? { at < text.count ? text[at] : nil }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard current == UInt8(ascii: character) else { return false }
            at += 1
            return true
        }

        mutating func alternatives(_ depth: Int) -> Node? {
            guard depth <= Expression.mostNested else { return nil }
            var all: [Node] = []
            repeat {
                guard let next = sequence(depth) else { return nil }
                all.append(next)
            } while take("|")
            return all.count == 1 ? all[0] : .any(all)
        }

        private mutating func sequence(_ depth: Int) -> Node? {
            var nodes: [Node] = []
            while let byte = current, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
                guard let atom = atom(depth), let node = repeated(atom) else { return nil }
                nodes.append(node)
            }
            return .all(nodes)
        }

        private mutating func repeated(_ atom: Node) -> Node? {
            let bounds: (least: Int, most: Int?)
            if take("*") {
                bounds = (0, nil)
            } else if take("+") {
                bounds = (1, nil)
            } else if take("?") {
                bounds = (0, 1)
            } else if take("{") {
                guard let counted = counted() else { return nil }
                bounds = counted
            } else {
                return atom
            }
            // As few as possible: the same texts match.
            _ = take("?")
            if let next = current, "*+?{".utf8.contains(next) { return nil }
            return .some(atom, least: bounds.least, most: bounds.most)
        }

        /// `m}`, `m,}` or `m,n}`
        private mutating func counted() -> (least: Int, most: Int?)? {
            guard let least = number() else { return nil }
            var most: Int? = least
            if take(",") { most = number() }
            guard take("}"), most ?? least >= least else { return nil }
            return (least, most)
        }

        private mutating func number() -> Int? {
            var value: Int?
            while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                let next = (value ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
                guard next <= Expression.mostCounted else { return nil }
                value = next
                at += 1
            }
            return value
        }

        private mutating func atom(_ depth: Int) -> Node? {
            guard let byte = current, byte < 0x80 else { return nil }
            at += 1
            switch Unicode.Scalar(byte) {
            case "^": return .begin
            case "$": return .end
            case ".": return .one((0..<256).map { $0 != 0x0A })
            case "[": return bracket()
            case "(":
                if take("?"), !take(":") { return nil }
                guard let inside = alternatives(depth + 1), take(")") else { return nil }
                return inside
            case "\\":
                if take("b") { return .boundary }
                return escaped().map { .one($0) }
            case "*", "+", "?", "{", "}", "]": return nil
            default: return .one(Parser.only(byte))
            }
        }

        private static func only(_ byte: UInt8) -> [Bool] { (0..<256).map { $0 == Int(byte) } }

        /// What a backslash stands for: a class, or the character behind it.
        private mutating func escaped() -> [Bool]? {
            guard let byte = current, byte < 0x80 else { return nil }
            at += 1
            switch Unicode.Scalar(byte) {
            case "d": return (0..<256).map(Expression.isDigit)
            case "D": return (0..<256).map { !Expression.isDigit($0) }
            case "w": return (0..<256).map(Expression.isWord)
            case "W": return (0..<256).map { !Expression.isWord($0) }
            default: return Expression.isWord(Int(byte)) ? nil : Parser.only(byte)
            }
        }

        private mutating func bracket() -> Node? {
            let isNegated = take("^")
            var set = [Bool](repeating: false, count: 256)
            var isFirst = true
            while let byte = current, byte != UInt8(ascii: "]") || isFirst {
                isFirst = false
                at += 1
                guard byte < 0x80, byte != UInt8(ascii: "[") else { return nil }
                if byte == UInt8(ascii: "\\") {
                    guard let more = escaped() else { return nil }
                    for i in 0..<256 where more[i] { set[i] = true }
                    continue
                }
                var last = byte
                if at + 1 < text.count, text[at] == UInt8(ascii: "-"), text[at + 1] != UInt8(ascii: "]") {
                    last = text[at + 1]
                    guard last >= byte, last < 0x80, last != UInt8(ascii: "\\") else { return nil }
                    at += 2
                }
                for i in Int(byte)...Int(last) { set[i] = true }
            }
            guard take("]") else { return nil }
            return .one(isNegated ? set.map { !$0 } : set)
        }
    }
}

/// Facts for people, a line each under a title, the values below each other.
package enum FactTable {
    package static func text(_ title: String, _ lines: [(String, String)]) -> String {
        let width = lines.map(\.0.count).max() ?? 0
        let text = ([title] + lines.map { "  \($0.0)\(String(repeating: " ", count: width - $0.0.count))  \($0.1)" }).joined(
            separator: "\n")
        return PathText.shown(text)
    }

    /// The values of one fact: its name stands beside the first.
    package static func lines(_ name: String, _ values: [String]) -> [(String, String)] {
        values.enumerated().map { ($0 == 0 ? name : "", $1) }
    }

    /// "10000" instead of "10000.0".
    package static func number(_ value: Double) -> String { Int(exactly: value).map { "\($0)" } ?? "\(value)" }

    /// "5,855,840"
    package static func grouped(_ value: Int) -> String {
        var text = ""
        for (i, digit) in String(value).reversed().enumerated() {
            if i > 0, i % 3 == 0, digit != "-" { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    /// "5.6 MiB (5,855,840 bytes)"
    package static func size(_ bytes: Int) -> String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var tenths = bytes * 10
        if bytes < 1024 || bytes > Int.max / 16 { return "\(grouped(bytes)) bytes" }
        var unit = 0
        while tenths >= 10 * 1024, unit < units.count - 1 {
            tenths /= 1024
            unit += 1
        }
        return "\(tenths / 10).\(tenths % 10) \(units[unit]) (\(grouped(bytes)) bytes)"
    }

    /// "0-5, 7": ascending numbers, neighbors together.
    package static func ranges(_ numbers: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound == number - 1 {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
    }

    /// "1 file", "2 files"
    package static func count(_ number: Int, _ what: String) -> String { "\(grouped(number)) \(what)\(number == 1 ? "" : "s")" }
}

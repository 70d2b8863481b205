/// Numbers as people read them, without Foundation.
enum Decimal {
    /// `value` with `digits` (0 ... 6) decimals.
    static func text(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e12, (0...6).contains(digits) else { return "\(value)" }
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        let all = Int((abs(value) * Double(scale)).rounded())
        let tail = String(all % scale)
        let sign = value < 0 && all > 0 ? "-" : ""
        return digits == 0 ? "\(sign)\(all)" : "\(sign)\(all / scale).\(String(repeating: "0", count: digits - tail.count))\(tail)"
    }
}

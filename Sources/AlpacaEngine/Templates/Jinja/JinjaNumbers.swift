import Glibc

/// Numbers as Python writes, reads and rounds them, without Foundation.
enum JinjaNumbers {
    /// Python's `repr`: the shortest digits that give the number back, with an exponent below 1e-4 and from 1e16 on.
    static func text(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        let sign = value.sign == .minus ? "-" : ""
        guard value != 0 else { return sign + "0.0" }
        let (digits, exponent) = shortest(value.magnitude)
        guard (-4..<16).contains(exponent) else {
            let tail = digits.count > 1 ? "." + digits.dropFirst() : ""
            let power = String(exponent.magnitude)
            return sign + digits.prefix(1) + tail + "e" + (exponent < 0 ? "-" : "+") + (power.count < 2 ? "0" : "") + power
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 { return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0" }
        return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
    }

    /// The shortest digits and the power of ten of the first; from Swift's description, which has the same digits in another form.
    private static func shortest(_ value: Double) -> (digits: String, exponent: Int) {
        let parts = value.description.split(separator: "e")
        let mantissa = parts.first ?? "0"
        let power = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let halves = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        let whole = halves.first ?? ""
        let all = String(whole) + (halves.count > 1 ? String(halves[1]) : "")
        let leading = all.prefix { $0 == "0" }.count
        var digits = String(all.dropFirst(leading))
        while digits.count > 1 && digits.last == "0" { digits.removeLast() }
        return (digits.isEmpty ? "0" : digits, power + whole.count - 1 - leading)
    }

    /// `value` with `decimals` digits behind the point, rounded half to even from its exact value, as C's `%.2f`.
    static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return text(value) }
        let (whole, fraction) = exact(value.magnitude)
        var digits = whole + fraction.prefix(decimals)
        if fraction.count < decimals { digits += [UInt8](repeating: 0, count: decimals - fraction.count) }
        let rest = fraction.dropFirst(decimals)
        if let first = rest.first {
            let isAbove = first > 5 || (first == 5 && rest.dropFirst().contains { $0 != 0 })
            if isAbove || (first == 5 && (digits.last ?? 0) % 2 == 1) { increment(&digits) }
        }
        let point = digits.count - decimals
        var result = value.sign == .minus ? "-" : ""
        for index in digits.indices {
            if index == point { result += "." }
            result.append(Character(Unicode.Scalar(digits[index] + 48)))
        }
        return result
    }

    /// As C's `%.3e`: one digit, a point, `decimals` digits, an exponent.
    static func scientific(_ value: Double, decimals: Int) -> String {
        let (digits, exponent) = significant(value, decimals + 1)
        let tail = decimals > 0 ? "." + digits.dropFirst() : ""
        let power = String(exponent.magnitude)
        return digits.prefix(1) + tail + "e" + (exponent < 0 ? "-" : "+") + (power.count < 2 ? "0" : "") + power
    }

    /// As C's `%.3g`.
    static func general(_ value: Double, digits count: Int) -> String {
        let count = max(1, count)
        let (_, exponent) = significant(value, count)
        let isFixed = (-4..<count).contains(exponent)
        let text = isFixed ? fixed(value, decimals: count - 1 - exponent) : scientific(value, decimals: count - 1)
        let parts = text.split(separator: "e")
        var mantissa = String(parts.first ?? "")
        if mantissa.contains(".") {
            while mantissa.last == "0" { mantissa.removeLast() }
            if mantissa.last == "." { mantissa.removeLast() }
        }
        return parts.count > 1 ? mantissa + "e" + parts[1] : mantissa
    }

    /// The first `count` digits, rounded, and the power of ten of the first.
    private static func significant(_ value: Double, _ count: Int) -> (digits: String, exponent: Int) {
        guard value != 0 else { return (String(repeating: "0", count: count), 0) }
        let (whole, fraction) = exact(value)
        let all = whole + fraction
        let leading = all.prefix { $0 == 0 }.count
        var digits = Array(all.dropFirst(leading).prefix(count))
        var exponent = whole.count - 1 - leading
        let rest = all.dropFirst(leading + count)
        if let first = rest.first {
            let isAbove = first > 5 || (first == 5 && rest.dropFirst().contains { $0 != 0 })
            if isAbove || (first == 5 && (digits.last ?? 0) % 2 == 1) {
                increment(&digits)
                if digits.count > count {
                    digits.removeLast()
                    exponent += 1
                }
            }
        }
        digits += [UInt8](repeating: 0, count: count - digits.count)
        var text = ""
        for digit in digits { text.append(Character(Unicode.Scalar(digit + 48))) }
        return (text, exponent)
    }

    private static func increment(_ digits: inout [UInt8]) {
        for index in digits.indices.reversed() {
            if digits[index] < 9 {
                digits[index] += 1
                return
            }
            digits[index] = 0
        }
        digits.insert(1, at: 0)
    }

    /// All decimal digits of a finite number, before and behind the point: at most 309 and 1074.
    private static func exact(_ value: Double) -> (whole: [UInt8], fraction: [UInt8]) {
        var whole: [UInt8] = [0]
        var bits = value.rounded(.towardZero)
        // The whole part from its significant bits, doubled as often as needed.
        if bits > 0 {
            let exponent = max(0, Int(bits.exponent) - 52)
            bits = bits / Double(sign: .plus, exponent: exponent, significand: 1)
            whole = String(UInt64(bits)).utf8.map { $0 - 48 }
            for _ in 0..<exponent {
                var carry: UInt8 = 0
                for index in whole.indices.reversed() {
                    let digit = whole[index] * 2 + carry
                    whole[index] = digit % 10
                    carry = digit / 10
                }
                if carry > 0 { whole.insert(carry, at: 0) }
            }
        }
        var fraction: [UInt8] = []
        let rest = value - value.rounded(.towardZero)
        if rest > 0 {
            // rest = bits * 2^-places: halve the integer `places` times, one digit more each time.
            let places = 52 - Int(rest.exponent)
            let scaled = rest.significandBitPattern | (rest.isNormal ? 1 << 52 : 0)
            let significant = rest.isNormal ? places : 1074
            fraction = String(scaled).utf8.map { $0 - 48 }
            var integerDigits = fraction.count
            for _ in 0..<significant {
                var carry: UInt8 = 0
                for index in fraction.indices {
                    let digit = fraction[index] + carry * 10
                    fraction[index] = digit / 2
                    carry = digit % 2
                }
                if carry > 0 { fraction.append(5) }
            }
            // What stands before the point is 0 by now.
            while integerDigits > 0 && !fraction.isEmpty {
                fraction.removeFirst()
                integerDigits -= 1
            }
        }
        return (whole, fraction)
    }

    /// Python's `round(value, digits)`.
    static func rounded(_ value: Double, digits: Int) -> Double {
        guard value.isFinite, digits < 324 else { return value }
        if digits >= 0 { return Double(fixed(value, decimals: digits)) ?? value }
        guard digits > -309 else { return value.sign == .minus ? -0.0 : 0 }
        let power = (0..<(-digits)).reduce(1.0) { result, _ in result * 10 }
        return (value / power).rounded(.toNearestOrEven) * power
    }

    static func power(_ x: Double, _ y: Double) throws(AlpacaError) -> Double {
        guard x != 0 || y >= 0 else { throw AlpacaError(.invalidArgument, "the template divides by zero") }
        let result = pow(x, y)
        guard result.isFinite || !x.isFinite || !y.isFinite else {
            throw AlpacaError(.unsupported, "a power in the template is no finite number")
        }
        return result
    }

    /// Python's `int(text)`, nil where it is none.
    static func integer(_ text: JinjaText, base: Int = 10) -> Int128? {
        var digits = trimmed(text)
        var isNegative = false
        if digits.first == "-" || digits.first == "+" {
            isNegative = digits.first == "-"
            digits.removeFirst()
        }
        var radix = base
        if digits.first == "0", digits.count > 2, let letter = digits.dropFirst().first {
            let prefix: Int? =
                switch letter {
                case "x", "X": 16
                case "o", "O": 8
                case "b", "B": 2
                default: nil
                }
            if let prefix, base == prefix || base == 0 {
                radix = prefix
                digits.removeFirst(2)
            }
        }
        if radix == 0 { radix = 10 }
        guard (2...36).contains(radix), let plain = withoutSeparators(digits), plain.first != "-", plain.first != "+" else { return nil }
        return Int128((isNegative ? "-" : "") + plain, radix: radix)
    }

    /// Python's `float(text)`.
    static func float(_ text: JinjaText) -> Double? {
        guard let plain = withoutSeparators(trimmed(text)) else { return nil }
        switch plain.lowercased() {
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        case "nan", "+nan", "-nan": return .nan
        default:
            guard plain.utf8.allSatisfy({ (48...57).contains($0) || [43, 45, 46, 69, 101].contains($0) }) else { return nil }
            return Double(plain) ?? (plain.hasSuffix(".") ? Double(plain + "0") : nil)
        }
    }

    private static func trimmed(_ text: JinjaText) -> [Unicode.Scalar] { text.trimmed { $0.isPythonSpace }.scalars }

    /// Without the underscores between digits; nil for an empty text or a misplaced one.
    private static func withoutSeparators(_ scalars: [Unicode.Scalar]) -> String? {
        guard !scalars.isEmpty, scalars.count <= 4000 else { return nil }
        var view = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            guard scalar == "_" else {
                view.append(scalar)
                continue
            }
            guard index > 0, index + 1 < scalars.count, Character(scalars[index - 1]).isHexDigit || Character(scalars[index - 1]).isLetter,
                Character(scalars[index + 1]).isHexDigit || Character(scalars[index + 1]).isLetter
            else { return nil }
        }
        return String(view)
    }
}

// One value in the way that a format asks for.
extension JinjaMachine {
    func formatted(_ value: JinjaItem, _ spec: JinjaFormatSpec) throws(AlpacaError) -> JinjaText {
        if case .undefined(let what) = value, !spec.isPercent || !"sra".unicodeScalars.contains(spec.type ?? "s"), spec.isSpecial {
            throw AlpacaError(.invalidArgument, what.description)
        }
        guard spec.precision ?? 0 <= 1000 || spec.type == "s" else {
            throw AlpacaError(.unsupported, found: "a format with \(spec.precision ?? 0) digits", expected: "at most 1000")
        }
        let type = spec.type ?? standardType(value, spec)
        if !spec.isPercent, spec.isSpecial {
            switch value {
            case .text where spec.grouping != nil: throw formatError("a format with separators needs a number, found str")
            case .boolean, .integer, .float, .text: break
            default: throw formatError("a value of type \(value.typeName) has no format but its own")
            }
        }
        switch type {
        case "s" where !spec.isPercent && spec.type != nil && Number(value) != nil:
            throw formatError("the format \"s\" needs a text, found \(value.typeName)")
        case "s", "r", "a":
            var text = type == "s" ? try shown(value) : try represented(value)
            if let precision = spec.precision, precision < text.count { text = text[0..<precision] }
            return try aligned(text, spec, standard: "<")
        case "c":
            if case .text(let text) = value, text.count == 1 { return try aligned(text, spec, standard: "<") }
            guard case .integer(let code)? = Number(value), let code = UInt32(exactly: code), let scalar = Unicode.Scalar(code) else {
                throw formatError("the format \"c\" needs a character's number")
            }
            // A number may come from the caller: the character counts as the caller's.
            return try aligned(JinjaText(scalar, isInput: true), spec, standard: "<")
        case "d", "i", "u", "n", "b", "o", "x", "X": return try wholeNumber(value, type, spec)
        case "e", "E", "f", "F", "g", "G", "%": return try decimalNumber(value, type, spec)
        default: throw formatError("the format \(String(Character(type)).quoted()) is unknown")
        }
    }

    private func standardType(_ value: JinjaItem, _ spec: JinjaFormatSpec) -> Unicode.Scalar {
        switch value {
        case .boolean where spec.isSpecial: "d"
        case .integer: "d"
        case .float: "g"
        default: "s"
        }
    }

    private func wholeNumber(_ value: JinjaItem, _ type: Unicode.Scalar, _ spec: JinjaFormatSpec) throws(AlpacaError) -> JinjaText {
        let number: Int128
        switch Number(value) {
        case .integer(let value)?: number = value
        case .float(let value)? where spec.isPercent && !"oxX".unicodeScalars.contains(type):
            guard let whole = Int128(exactly: value.rounded(.towardZero)) else { throw formatError("a format needs a finite number") }
            number = whole
        default:
            throw formatError("the format \(String(Character(type)).quoted()) needs an integer, found \(value.typeName)")
        }
        let radix = type == "b" ? 2 : type == "o" ? 8 : type == "x" || type == "X" ? 16 : 10
        var digits = String(number.magnitude, radix: radix, uppercase: type == "X")
        if spec.isPercent, let precision = spec.precision, digits.count < precision {
            digits = String(repeating: "0", count: precision - digits.count) + digits
        }
        if let grouping = spec.grouping { digits = grouped(digits, grouping, every: radix == 10 ? 3 : 4) }
        let prefix = spec.isAlternate && radix != 10 ? "0" + String(Character(type)) : ""
        return try signed(digits, prefix: prefix, isNegative: number < 0, spec)
    }

    private func decimalNumber(_ value: JinjaItem, _ type: Unicode.Scalar, _ spec: JinjaFormatSpec) throws(AlpacaError) -> JinjaText {
        guard let given = Number(value)?.double else {
            throw formatError("the format \(String(Character(type)).quoted()) needs a number, found \(value.typeName)")
        }
        let number = type == "%" ? given * 100 : given
        try stepForDigits(of: number)
        var digits: String
        let magnitude = number.magnitude
        let precision = spec.precision ?? 6
        switch type {
        case _ where !number.isFinite: digits = number.isNaN ? "nan" : "inf"
        case "e", "E": digits = JinjaNumbers.scientific(magnitude, decimals: precision)
        case "g", "G":
            // Without a type and a precision: as it prints.
            digits =
                spec.type == nil && spec.precision == nil
                ? JinjaNumbers.text(magnitude) : JinjaNumbers.general(magnitude, digits: precision)
        default: digits = JinjaNumbers.fixed(magnitude, decimals: precision)
        }
        if spec.type == nil, spec.precision != nil, !digits.contains("."), !digits.contains("e"), number.isFinite { digits += ".0" }
        if type == "E" || type == "G" || type == "F" { digits = digits.uppercased() }
        if let grouping = spec.grouping {
            let whole = digits.prefix { $0.isNumber }
            digits = grouped(String(whole), grouping, every: 3) + digits.dropFirst(whole.count)
        }
        if type == "%" { digits += "%" }
        return try signed(digits, prefix: "", isNegative: number.sign == .minus && !number.isNaN, spec)
    }

    private func grouped(_ digits: String, _ separator: String, every: Int) -> String {
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % every == 0 { result += separator }
            result.append(digit)
        }
        return result
    }

    private func signed(
        _ digits: String, prefix: String, isNegative: Bool, _ spec: JinjaFormatSpec
    ) throws(AlpacaError) -> JinjaText {
        let sign = isNegative ? "-" : spec.sign == "+" ? "+" : spec.sign == " " ? " " : ""
        guard spec.align == "=" else { return try aligned(JinjaText(sign + prefix + digits), spec, standard: ">") }
        var result = JinjaText(sign + prefix)
        let missing = spec.width - sign.count - prefix.count - digits.count
        try append(try repeated(spec.fill, Int128(missing)), to: &result)
        try append(JinjaText(digits), to: &result)
        return result
    }

    private func aligned(_ text: JinjaText, _ spec: JinjaFormatSpec, standard: Unicode.Scalar) throws(AlpacaError) -> JinjaText {
        let missing = spec.width - text.count
        guard missing > 0 else { return text }
        let left =
            switch spec.align ?? standard {
            case "<": 0
            case "^": missing / 2
            default: missing
            }
        var result = try repeated(spec.fill, Int128(left))
        try append(text, to: &result)
        try append(try repeated(spec.fill, Int128(missing - left)), to: &result)
        return result
    }
}

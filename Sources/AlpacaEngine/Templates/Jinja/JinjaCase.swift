/// Letters, words and lines as Python's methods of texts see them.
enum JinjaCase {
    /// Sigma at the end of a word has a letter of its own.
    static func lower(_ scalar: Unicode.Scalar, at place: Int, in scalars: [Unicode.Scalar]) -> String {
        guard scalar == "\u{3a3}" else { return scalar.properties.lowercaseMapping }
        // Whether a letter stands before and behind, beyond what case does not see (bounded, for long runs of marks).
        let before = scalars[..<place].suffix(64).last { !$0.properties.isCaseIgnorable }
        let behind = scalars[(place + 1)...].prefix(64).first { !$0.properties.isCaseIgnorable }
        let isFinal = (before?.properties.isCased ?? false) && !(behind?.properties.isCased ?? false)
        return isFinal ? "\u{3c2}" : "\u{3c3}"
    }

    /// What `casefold` makes of a letter: its large form made small, which unfolds ligatures and other forms of the same letter.
    static func fold(_ scalar: Unicode.Scalar) -> String {
        // The i without a dot stays one.
        scalar == "\u{131}" ? "\u{131}" : scalar.properties.uppercaseMapping.lowercased()
    }

    /// An upper, lower or title letter.
    static func isCased(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isLowercase || scalar.properties.isUppercase || scalar.properties.generalCategory == .titlecaseLetter
    }

    /// `isalpha` and the like: true of no empty text but `isascii`.
    static func isAll(_ name: String, _ scalars: [Unicode.Scalar]) -> Bool {
        switch name {
        case "isascii": return scalars.allSatisfy { $0.isASCII }
        case "islower": return scalars.contains { $0.properties.isLowercase } && !scalars.contains { isUpper($0) }
        case "isupper": return scalars.contains { $0.properties.isUppercase } && !scalars.contains { isLower($0) }
        case "istitle": return isTitle(scalars)
        default: break
        }
        let test: (Unicode.Scalar) -> Bool
        switch name {
        case "isalpha": test = isLetter
        case "isalnum": test = isAlphanumeric
        case "isdecimal": test = { $0.properties.numericType == .decimal }
        case "isdigit": test = { $0.properties.numericType == .decimal || $0.properties.numericType == .digit }
        case "isnumeric": test = { $0.properties.numericType != nil }
        default: test = { $0.isPythonSpace }
        }
        return !scalars.isEmpty && scalars.allSatisfy(test)
    }

    private static func isUpper(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isUppercase || scalar.properties.generalCategory == .titlecaseLetter
    }

    private static func isLower(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isLowercase || scalar.properties.generalCategory == .titlecaseLetter
    }

    static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool { isLetter(scalar) || scalar.properties.numericType != nil }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    private static func isTitle(_ scalars: [Unicode.Scalar]) -> Bool {
        var hasLetter = false, wasCased = false
        for scalar in scalars {
            if isUpper(scalar) {
                if wasCased { return false }
                hasLetter = true
                wasCased = true
            } else if scalar.properties.isLowercase {
                if !wasCased { return false }
                hasLetter = true
            } else {
                wasCased = false
            }
        }
        return hasLetter
    }

    static func endsLine(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0a...0x0d, 0x1c...0x1e, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// What stands between blanks; after `limit` cuts the rest in one.
    static func words(_ scalars: [Unicode.Scalar], _ limit: Int) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var at = 0
        while true {
            while at < scalars.count && scalars[at].isPythonSpace { at += 1 }
            guard at < scalars.count else { return ranges }
            guard ranges.count < limit else {
                ranges.append(at..<scalars.count)
                return ranges
            }
            let start = at
            while at < scalars.count && !scalars[at].isPythonSpace { at += 1 }
            ranges.append(start..<at)
        }
    }

    static func wordsFromRight(_ scalars: [Unicode.Scalar], _ limit: Int) -> [Range<Int>] {
        words(scalars.reversed(), limit).reversed().map { scalars.count - $0.upperBound..<scalars.count - $0.lowerBound }
    }
}

/// Escapes in the strings of a template: those of Python.
enum JinjaEscapes {
    static func read(_ text: ArraySlice<Unicode.Scalar>, line: Int) throws(AlpacaError) -> [Unicode.Scalar] {
        guard text.contains("\\") else { return Array(text) }
        var result: [Unicode.Scalar] = []
        var at = text.startIndex
        while at < text.endIndex {
            let scalar = text[at]
            at += 1
            guard scalar == "\\", at < text.endIndex else {
                result.append(scalar)
                continue
            }
            let letter = text[at]
            at += 1
            switch letter {
            case "\n": break
            case "\\", "'", "\"": result.append(letter)
            case "a": result.append("\u{7}")
            case "b": result.append("\u{8}")
            case "f": result.append("\u{c}")
            case "n": result.append("\n")
            case "r": result.append("\r")
            case "t": result.append("\t")
            case "v": result.append("\u{b}")
            case "x": result.append(try code(text, &at, radix: 16, 2...2, line))
            case "u": result.append(try code(text, &at, radix: 16, 4...4, line))
            case "U": result.append(try code(text, &at, radix: 16, 8...8, line))
            case "0"..."7":
                at -= 1
                result.append(try code(text, &at, radix: 8, 1...3, line))
            case "N":
                throw AlpacaError(.unsupported, at: "line \(line)", found: "the escape \\N in a string", expected: "\\u and its number")
            default: result += ["\\", letter]
            }
        }
        return result
    }

    private static func code(
        _ text: ArraySlice<Unicode.Scalar>, _ at: inout Int, radix: Int, _ lengths: ClosedRange<Int>, _ line: Int
    ) throws(AlpacaError) -> Unicode.Scalar {
        var value: UInt32 = 0
        var length = 0
        while length < lengths.upperBound, at < text.endIndex, let digit = Character(text[at]).hexDigitValue, digit < radix {
            value = value &* UInt32(radix) &+ UInt32(digit)
            at += 1
            length += 1
        }
        guard length >= lengths.lowerBound else {
            throw AlpacaError(
                .badFormat, at: "line \(line)", found: "\(length) digits of an escape in a string", expected: "\(lengths.lowerBound)")
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw AlpacaError(
                .badFormat, at: "line \(line)", found: "the escape of \(String(value, radix: 16)) in a string",
                expected: "a character's number")
        }
        return scalar
    }
}

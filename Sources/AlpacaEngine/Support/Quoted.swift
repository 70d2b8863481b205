// Names, keys and other text from a file or a caller go into messages only through here: a message is one line, of a length that one
// can read, and can't move a terminal's cursor or hide its own end.

extension StringProtocol {
    /// The text in quotation marks, cut to `limit` characters, with control and direction characters written as `\u{..}`.
    package func quoted(limit: Int = 80) -> String {
        var result = "\""
        var length = 0
        for scalar in unicodeScalars {
            guard length < limit else {
                result += "...\" (\(utf8.count) bytes)"
                return result
            }
            length += 1
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                if scalar == "\"" || scalar == "\\" { result += "\\" }
                result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension Sequence<UInt8> {
    /// The bytes as text, what is not UTF-8 replaced by U+FFFD, in quotation marks.
    package func quoted(limit: Int = 80) -> String {
        String(decoding: Array(self), as: UTF8.self).quoted(limit: limit)
    }
}

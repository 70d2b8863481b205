/// Writes JSON, value by value, in the order of the calls: reports, and the config.json of models we make.
///
///     var json = JSONWriter()
///     json.beginObject()
///     json.member("n_layer", 32)
///     json.beginArray("names")
///     json.value("一")
///     json.end()
///     json.end()
///     print(json.text)
package struct JSONWriter {
    package private(set) var text = ""
    private let indent: String
    /// What closes each open container, and whether something stands in it already.
    private var open: [(closing: String, isEmpty: Bool)] = []

    /// - Parameter indent: spaces a level; 0 writes one line.
    package init(indent: Int = 2) {
        self.indent = String(repeating: " ", count: max(0, indent))
    }

    // MARK: Containers

    /// Begins an object, as a value or, with a key, as a member.
    package mutating func beginObject(_ key: String? = nil) { begin("{", "}", key) }
    package mutating func beginArray(_ key: String? = nil) { begin("[", "]", key) }

    /// Ends the innermost object or array.
    package mutating func end() {
        guard let last = open.popLast() else { return }
        if !last.isEmpty { newLine() }
        text += last.closing
    }

    private mutating func begin(_ opening: String, _ closing: String, _ key: String?) {
        place(key)
        text += opening
        open.append((closing, true))
    }

    // MARK: Values

    package mutating func member(_ key: String, _ value: String?) { write(value.map(Self.quote), key) }
    package mutating func member(_ key: String, _ value: Bool?) { write(value?.description, key) }
    package mutating func member(_ key: String, _ value: (some FixedWidthInteger)?) { write(value?.description, key) }
    /// What is not finite is written as null: JSON has no word for it.
    package mutating func member(_ key: String, _ value: Double?) { write(value.flatMap { $0.isFinite ? $0.description : nil }, key) }
    package mutating func member(_ key: String, _ value: Float?) { write(value.flatMap { $0.isFinite ? $0.description : nil }, key) }

    package mutating func value(_ value: String?) { write(value.map(Self.quote), nil) }
    package mutating func value(_ value: Bool?) { write(value?.description, nil) }
    package mutating func value(_ value: (some FixedWidthInteger)?) { write(value?.description, nil) }
    package mutating func value(_ value: Double?) { write(value.flatMap { $0.isFinite ? $0.description : nil }, nil) }
    package mutating func value(_ value: Float?) { write(value.flatMap { $0.isFinite ? $0.description : nil }, nil) }

    private mutating func write(_ spelled: String?, _ key: String?) {
        place(key)
        text += spelled ?? "null"
    }

    /// The comma, the line and the key before a value.
    private mutating func place(_ key: String?) {
        if !open.isEmpty {
            if !open[open.count - 1].isEmpty { text += indent.isEmpty ? ", " : "," }
            open[open.count - 1].isEmpty = false
            newLine()
        }
        if let key { text += Self.quote(key) + ": " }
    }

    private mutating func newLine() {
        guard !indent.isEmpty else { return }
        text += "\n"
        for _ in open { text += indent }
    }

    /// Escapes what JSON demands, in its shortest form, and nothing else: Chinese text stays readable.
    static func quote(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{8}": result += "\\b"
            case "\u{c}": result += "\\f"
            case "\u{0}"..<"\u{20}":
                let code = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - code.count) + code
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// JSON as Python's `json.dump(object, file, indent=2)` writes what `json.load` read: members in their order, all but ASCII escaped, numbers
/// as `repr` has them, no line end behind the last bracket. Files that a Python script copied have a known SHA-256.
package enum PythonJSON {
    /// A member of an object that gets another value, or is added behind the others: `["metadata", "total_size"]`.
    package struct Change: Sendable {
        let path: [String]
        let value: Int

        package init(_ path: [String], _ value: Int) {
            self.path = path
            self.value = value
        }
    }

    /// An object or array that is not closed yet.
    private struct Open {
        let key: String
        let isObject: Bool
        /// The node behind its last.
        let end: Int
        var isEmpty = true
    }

    /// The text, ASCII. A change whose object isn't there is left out.
    package static func text(of document: JSONDocument, changing changes: [Change] = []) -> String {
        let storage = document.root.storage
        var text = ""
        var open: [Open] = []
        var pending = changes
        var at = document.root.index
        let end = storage.next(after: at)
        // The nodes lie in the order of the text: one loop, whatever the depth.
        while at < end || !open.isEmpty {
            if let last = open.last, at >= last.end {
                if last.isObject {
                    for change in pending where isParent(open, of: change) {
                        place(change.path.last, &text, &open)
                        text += "\(change.value)"
                    }
                }
                close(&text, &open)
                continue
            }
            let value = JSONValue(storage: storage, index: at)
            let key = open.last?.isObject == true ? value.key : nil
            place(key, &text, &open)
            if let number = pending.firstIndex(where: { $0.path.last == key && isParent(open, of: $0) }), key != nil {
                text += "\(pending.remove(at: number).value)"
                at = storage.next(after: at)
                continue
            }
            let node = storage.nodes[at]
            switch node.kind {
            case .object, .array:
                text += node.kind == .object ? "{" : "["
                open.append(Open(key: value.key, isObject: node.kind == .object, end: node.low))
            case .null: text += "null"
            case .bool: text += node.payload == 1 ? "true" : "false"
            case .int: text += "\(Int(truncatingIfNeeded: node.payload))"
            case .double: text += number(Double(bitPattern: node.payload))
            case .string: text += quote(String(decoding: storage.text[node.high..<node.high + node.low], as: UTF8.self))
            }
            at += 1
        }
        return text
    }

    private static func isParent(_ open: [Open], of change: Change) -> Bool {
        open.allSatisfy(\.isObject) && open.dropFirst().map(\.key).elementsEqual(change.path.dropLast())
    }

    /// The comma, the line and the key before a value.
    private static func place(_ key: String?, _ text: inout String, _ open: inout [Open]) {
        guard !open.isEmpty else { return }
        text += open[open.count - 1].isEmpty ? "\n" : ",\n"
        open[open.count - 1].isEmpty = false
        text += String(repeating: "  ", count: open.count)
        if let key { text += quote(key) + ": " }
    }

    private static func close(_ text: inout String, _ open: inout [Open]) {
        guard let last = open.popLast() else { return }
        if !last.isEmpty { text += "\n" + String(repeating: "  ", count: open.count) }
        text += last.isObject ? "}" : "]"
    }

    /// The shortest decimal that reads as the same number; from 10^16 with an exponent. Python and Swift write the same.
    static func number(_ value: Double) -> String { value.description }

    private static func quote(_ string: String) -> String {
        var result = "\""
        for unit in string.utf16 {
            switch unit {
            case UInt16(UInt8(ascii: "\"")): result += "\\\""
            case UInt16(UInt8(ascii: "\\")): result += "\\\\"
            case 0x0a: result += "\\n"
            case 0x0d: result += "\\r"
            case 0x09: result += "\\t"
            case 0x08: result += "\\b"
            case 0x0c: result += "\\f"
            case 0x20...0x7e: result.unicodeScalars.append(Unicode.Scalar(UInt8(clamping: unit)))
            default:
                let code = String(unit, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - code.count) + code
            }
        }
        return result + "\""
    }
}

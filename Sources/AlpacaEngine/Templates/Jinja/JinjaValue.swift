/// A value that a caller hands to a template. Texts made from Swift's strings and from JSON are marked as the caller's: they can't become
/// special tokens. ``JinjaText`` itself can be told otherwise, as for `bos_token`.
package indirect enum JinjaValue: Sendable {
    case undefined
    case none
    case boolean(Bool)
    case integer(Int128)
    case float(Double)
    case text(JinjaText)
    case list([JinjaValue])
    /// The keys in their order; of equal ones the last counts.
    case dictionary([(key: JinjaText, value: JinjaValue)])

    package static func input(_ string: String) -> JinjaValue { .text(JinjaText(string, isInput: true)) }

    /// A text of the model's own, such as its `bos_token`: it may become a special token.
    package static func trusted(_ string: String) -> JinjaValue { .text(JinjaText(string)) }

    /// What a JSON text holds. Recursion goes as deep as the parser of JSON allows: 64 unless it was told otherwise.
    package init(_ json: JSONValue, isInput: Bool = true) {
        let node = json.storage.nodes[json.index]
        switch node.kind {
        case .null: self = .none
        case .bool: self = .boolean(node.payload == 1)
        case .int: self = .integer(Int128(Int(truncatingIfNeeded: node.payload)))
        case .double: self = .float(Double(bitPattern: node.payload))
        case .string:
            let bytes = json.storage.text[node.high..<node.high + node.low]
            self = .text(JinjaText(String(decoding: bytes, as: UTF8.self), isInput: isInput))
        case .array: self = .list(json.elements.map { JinjaValue($0, isInput: isInput) })
        case .object:
            self = .dictionary(json.members.map { (JinjaText($0.key, isInput: isInput), JinjaValue($0, isInput: isInput)) })
        }
    }
}

extension JinjaValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral {
    package init(stringLiteral value: String) { self = .input(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(integerLiteral value: Int) { self = .integer(Int128(value)) }
}

/// A part of what a template rendered.
package struct JinjaPiece: Equatable, Sendable {
    package var text: String
    /// The caller wrote it: it must be tokenized without special tokens.
    package var isInput: Bool

    package init(text: String, isInput: Bool) {
        self.text = text
        self.isInput = isInput
    }
}

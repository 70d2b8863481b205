/// A word of a template.
struct JinjaToken {
    enum Kind: Equatable {
        /// Text between tags.
        case data([Unicode.Scalar])
        case outputBegin, outputEnd, blockBegin, blockEnd
        case name(String)
        case string([Unicode.Scalar])
        case integer(Int128)
        case float(Double)
        /// An operator or a bracket.
        case symbol(String)
        case end
    }
    let kind: Kind
    let line: Int

    /// For messages.
    var description: String {
        switch kind {
        case .data(let scalars): "the text \(JinjaText(scalars, isInput: false).string.quoted(limit: 20))"
        case .outputBegin: "\"{{\""
        case .outputEnd: "\"}}\""
        case .blockBegin: "\"{%\""
        case .blockEnd: "\"%}\""
        case .name(let name): name.quoted(limit: 40)
        case .string(let scalars): "the string \(JinjaText(scalars, isInput: false).string.quoted(limit: 20))"
        case .integer(let value): "\(value)"
        case .float(let value): "\(value)"
        case .symbol(let symbol): symbol.quoted()
        case .end: "the end of the template"
        }
    }
}

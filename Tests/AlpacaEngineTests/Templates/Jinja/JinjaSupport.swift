import AlpacaEngine
import Foundation
import Testing

/// Templates in tests.
enum Jinja {
    /// The moment of the goldens.
    static let clock = JinjaClock(year: 2024, month: 7, day: 6, hour: 9, minute: 5, second: 3)

    static func pieces(
        _ source: String, _ variables: [(String, JinjaValue)] = [], limits: JinjaLimits = JinjaLimits()
    ) throws -> [JinjaPiece] {
        try JinjaTemplate(source: source, limits: limits).render(variables, clock: clock)
    }

    static func text(
        _ source: String, _ variables: [(String, JinjaValue)] = [], limits: JinjaLimits = JinjaLimits()
    ) throws -> String {
        try pieces(source, variables, limits: limits).map(\.text).joined()
    }

    /// What is between bars came from the caller: `a|b|c`.
    static func marked(_ source: String, _ variables: [(String, JinjaValue)]) throws -> String {
        try pieces(source, variables).map { $0.isInput ? "|\($0.text)|" : $0.text }.joined()
    }

    static func json(_ url: URL) throws -> JSONValue { try JSONDocument(Array(Data(contentsOf: url)), name: url.lastPathComponent).root }

    /// A JSON text a line.
    static func lines(_ url: URL) throws -> [JSONValue] {
        try Data(contentsOf: url).split(separator: UInt8(ascii: "\n")).map { line throws in
            try JSONDocument(Array(line), name: url.lastPathComponent).root
        }
    }

    /// What differs from the golden row, nil if nothing does. Bytes are compared: equal texts of Swift may differ in them.
    static func difference(_ row: JSONValue, _ render: () throws -> String) throws -> String? {
        let wanted = try row.stringIfPresent("text")
        do {
            let text = try render()
            guard let wanted else { return "found \(text.quoted(limit: 200)), expected an error as \(try row.string("error").quoted())" }
            return text.utf8.elementsEqual(wanted.utf8) ? nil : "found \(text.quoted(limit: 400)), expected \(wanted.quoted(limit: 400))"
        } catch let error as AlpacaError {
            if wanted != nil { return "found the error \(error.message), expected a text" }
            // A sentence, and one of the kinds that are documented.
            let isKnown = [.badFormat, .unsupported, .invalidArgument, .outOfMemory].contains(error.code)
            return isKnown && error.message.hasPrefix("line ") ? nil : "found the error \(error.code): \(error.message)"
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct AlpacaErrorTests {
    @Test func `a message says where, what was found, what was expected`() {
        let sentence = AlpacaError(.io, "cannot read")
        #expect(sentence.message == "cannot read" && sentence.path == nil && sentence.expected == nil)
        let error = AlpacaError(.badFormat, at: "type", found: "77", expected: "0 to 30")
        #expect(error.message == "type: found 77, expected 0 to 30" && error.found == "77" && error.expected == "0 to 30")
        let whole = error.inContext("tensor \"a\"").inContext("header").inFile("m.gguf")
        #expect(whole.message == "m.gguf: header: tensor \"a\": type: found 77, expected 0 to 30")
        #expect(whole.context == ["header", "tensor \"a\"", "type"] && whole.path == "m.gguf" && whole.code == .badFormat)
    }

    @Test func `the file nearest to what went wrong is named, once`() {
        let error = AlpacaError(.truncated, path: "f.zip/data.pkl", "it ends too early")
        #expect(error.inFile("f.zip").message == "f.zip/data.pkl: it ends too early")
        // A file is outermost in the message, whatever is said of it later.
        #expect(error.inContext("tensor \"a\"").inFile("f.zip").message == "f.zip/data.pkl: tensor \"a\": it ends too early")
        #expect(error.withCode(.badFormat).message == error.message && error.withCode(.badFormat).code == .badFormat)
    }

    @Test func `errors are equal that say the same`() {
        #expect(AlpacaError(.io, path: "a", at: "b", found: "c", expected: "d") == AlpacaError(.io, "a: b: found c, expected d"))
        #expect(AlpacaError(.io, path: "a", "b") != AlpacaError(.badFormat, path: "a", "b"))
        #expect(AlpacaError(.io, path: "a", "b") != AlpacaError(.io, path: "b", "b"))
    }

    /// A path inside a sentence would be told twice when the file is named on the way up.
    @Test func `no sentence begins with a path, and nobody reads one`() throws {
        let folder = Fixtures.repository.appendingPathComponent("Sources")
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        #expect(paths.count > 100)
        for path in paths {
            let text = try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
            #expect(Self.faults(text) == [], "\(path)")
        }
        let wrong = ["AlpacaError(\n    .io,\n    \"\\(file.path): gone\")", "AlpacaError(.io, \"\\(path): gone\")"]
        #expect(wrong.allSatisfy { Self.faults($0).count == 1 })
        #expect(Self.faults("throw error.message.hasPrefix(path) ? error : x") == ["error.message.hasPrefix"])
        #expect(Self.faults("AlpacaError(.io, path: path, \"gone: \\(path): x\"); Console.error(error.message)") == [])
    }

    private static func faults(_ text: String) -> [String] {
        let sentence = #/AlpacaError\(\s*\.\w+,\s*"\\\((\w+\??\.)*(path|documentName)\): /#
        let question = #/\w+\.message\.(hasPrefix|hasSuffix|contains|range|split|first)/#
        return text.matches(of: sentence).map { String($0.output.0) } + text.matches(of: question).map { String($0.output.0) }
    }
}

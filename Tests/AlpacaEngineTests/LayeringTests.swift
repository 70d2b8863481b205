// The engine is one module, because modules of their own would cost speed; its folders are layers all the same. A file may name types of
// its own layer and of lower ones. The compiler can't check that, so this test does, from the sources.

import Foundation
import Testing

@Suite struct LayeringTests {
    /// Folders of Sources/AlpacaEngine, lowest first.
    static let layers = [
        "Support", "Storage", "Tensor", "Formats", "Tokenizer", "Architecture", "Checkpoint", "Adapters", "Model", "Generation",
        "Pipeline", "Inspection",
    ]

    /// What the pipeline may not name although it lies below: it converts files, and runs no model.
    static let closedToPipeline = ["Model", "Generation"]

    @Test func `no file names a type of a higher layer`() throws {
        let folder = Fixtures.repository.appendingPathComponent("Sources/AlpacaEngine")
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        let files = try paths.sorted().map { path in
            SourceFile(path: path, text: try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8))
        }
        #expect(files.count > 50, "the sources were not found")
        #expect(Self.violations(files) == [])
    }

    @Test func `every folder has its place`() throws {
        let folder = Fixtures.repository.appendingPathComponent("Sources/AlpacaEngine")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }
        #expect(Set(names).subtracting(Self.layers) == [], "give the folder a place in LayeringTests.layers")
    }

    @Test func `the check finds what it is for`() {
        let session = SourceFile(path: "Generation/Session.swift", text: "public final class Session {\n    struct Options {}\n}\n")
        let forward = SourceFile(path: "Model/Forward.swift", text: "struct Forward {}\n")
        func found(_ path: String, _ text: String) -> [String] {
            Self.violations([session, forward, SourceFile(path: path, text: text)])
        }
        #expect(found("Model/A.swift", "let a: Session? = nil") == ["Model/A.swift names Session of Generation"])
        #expect(found("Support/A.swift", "let a = \"\\(f(Session.self))\"") == ["Support/A.swift names Session of Generation"])
        #expect(found("Pipeline/A.swift", "extension Session {}") == ["Pipeline/A.swift names Session of Generation"])
        #expect(found("Pipeline/A.swift", "var a = Forward()") == ["Pipeline/A.swift names Forward of Model"])
        #expect(found("Generation/A.swift", "let a: Session, b: Forward") == [])
        #expect(found("Model/A.swift", "// Session\n/* Session */ let a = \"Session (Session)\", b = \"\"\"\n  Session\n  \"\"\"") == [])
        #expect(found("Model/A.swift", "let a: Options, sessionCount: Int, b = Kind.Session") == [])
    }

    /// "FILE names TYPE of LAYER", for each type that a file may not name.
    static func violations(_ files: [SourceFile]) -> [String] {
        var home: [Substring: SourceFile] = [:]
        for file in files {
            for name in file.types { home[name] = file }
        }
        return files.flatMap { file in
            file.words.compactMap { word in home[word].map { (word, $0) } }.filter { !isAllowed(from: file, to: $0.1) }
                .map { "\(file.path) names \($0.0) of \($0.1.layer)" }.sorted()
        }
    }

    private static func isAllowed(from user: SourceFile, to owner: SourceFile) -> Bool {
        if user.layer == "Pipeline", closedToPipeline.contains(owner.layer) { return false }
        guard let low = layers.firstIndex(of: owner.layer), let high = layers.firstIndex(of: user.layer) else { return false }
        return low <= high
    }
}

/// What the check needs to know of a file.
struct SourceFile {
    let path: String
    /// Types that the file declares at its top: declarations inside others are indented.
    let types: [Substring]
    /// Words of its code that may be types, behind no dot: not those in comments and texts, nor those that it declares itself, at any depth.
    let words: Set<Substring>

    var layer: String { String(path.prefix { $0 != "/" }) }
    var name: String { String(path.split(separator: "/").last ?? "") }

    init(path: String, text: String) {
        self.path = path
        let code = Self.withoutCommentsAndTexts(text)
        let declaration =
            /(?m)^(?<indent> *)(?:@\w+ |[a-z]+(?:\([a-z]+\))? )*(?:struct|class|enum|actor|protocol|typealias) (?<name>[A-Z]\w*)/
        let declared = code.matches(of: declaration)
        types = declared.filter(\.output.indent.isEmpty).map { Substring(String($0.output.name)) }
        let own = Set(declared.map { Substring(String($0.output.name)) })
        words = Set(code.matches(of: /(?:^|[^.\w])([A-Z]\w*)/).map { Substring(String($0.output.1)) }).subtracting(own)
    }

    /// The code alone. What a text interpolates is code; parentheses are counted to find its end.
    private static func withoutCommentsAndTexts(_ source: String) -> String {
        var rest = Array(source.utf8)[...]
        var code: [UInt8] = []
        var texts: [(quote: String, parentheses: Int)] = []
        func begins(_ text: String) -> Bool { rest.first == text.utf8.first && rest.starts(with: text.utf8) }
        while let byte = rest.first {
            if let text = texts.last, text.parentheses == 0 {
                if begins(text.quote) {
                    texts.removeLast()
                    rest = rest.dropFirst(text.quote.utf8.count)
                } else if begins("\\(") {
                    texts[texts.count - 1].parentheses = 1
                    code.append(UInt8(ascii: " "))
                    rest = rest.dropFirst(2)
                } else {
                    rest = rest.dropFirst(begins("\\") ? 2 : 1)
                }
            } else if begins("//") {
                rest = rest.drop { $0 != UInt8(ascii: "\n") }
            } else if begins("/*") {
                rest = rest.dropFirst(2)
                while !rest.isEmpty, !begins("*/") { rest = rest.dropFirst() }
                rest = rest.dropFirst(2)
            } else if begins("\"") {
                texts.append((begins("\"\"\"") ? "\"\"\"" : "\"", 0))
                rest = rest.dropFirst(begins("\"\"\"") ? 3 : 1)
            } else {
                if let last = texts.indices.last {
                    if begins("(") { texts[last].parentheses += 1 }
                    if begins(")") { texts[last].parentheses -= 1 }
                }
                code.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: code, as: UTF8.self)
    }
}

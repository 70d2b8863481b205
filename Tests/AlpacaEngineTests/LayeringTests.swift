// The engine is one module, because modules of their own would cost speed; its folders are layers all the same. A file may use what its own
// layer and lower ones declare. The compiler allows more, so this test looks: at the index that the compiler writes while it builds, which
// has every name with what it stands for. Members behind a dot, members of extensions, nested types, functions and operators are all found;
// words in comments and texts are none.

import Foundation
import Testing

@Suite struct LayeringTests {
    /// Folders of Sources/AlpacaEngine, lowest first. CONTRIBUTING.md has them in a drawing and a table.
    static let layers = [
        "Support", "Storage", "Tensor", "Formats", "Templates", "Tokenizer", "Architecture", "Checkpoint", "Adapters", "Compute", "Runtime",
        "Generation",
        "Measure", "Pipeline", "Inspection",
    ]

    /// What the pipeline may not use although it lies below: it converts files, and runs no model.
    static let closedToPipeline: Set = ["Compute", "Runtime", "Generation", "Measure"]

    static let folder = Fixtures.repository.appendingPathComponent("Sources/AlpacaEngine").path

    @Test(.enabled(if: SourceIndex.isThere, SourceIndex.missing))
    func `no file uses what a higher layer declares`() throws {
        let index = try SourceIndex.ofTheEngine()
        let paths = try FileManager.default.subpathsOfDirectory(atPath: Self.folder).filter { $0.hasSuffix(".swift") }
        #expect(paths.count > 50, "the sources were not found")
        #expect(Set(paths).subtracting(index.files) == [], "the index knows nothing of these: build first")
        #expect(index.uses(butFor: Self.isAllowed) == [])
    }

    @Test func `every folder has its place`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder).filter { !$0.hasPrefix(".") }
        #expect(Set(names) == Set(Self.layers), "LayeringTests.layers differs from the folders")
        #expect(Self.closedToPipeline.isSubset(of: Self.layers))
    }

    @Test func `CONTRIBUTING draws these layers`() throws {
        let text = try String(contentsOf: Fixtures.repository.appendingPathComponent("CONTRIBUTING.md"), encoding: .utf8)
        let section = try #require(text.firstMatch(of: #/(?s)\n## Layout\n(.*?)\n## /#)).output.1
        // Lines of the drawing: | Inspection |, or | Pipeline | Measure |. The left column of two may not use the right one.
        let lines = section.matches(of: /(?m)^\|([^|\n]*)\|(?:([^|\n]*)\|)?$/)
        let drawing = lines.prefix { !$0.output.1.contains("folder") }
        func name(_ cell: Substring?) -> String? {
            let name = (cell ?? "").trimmingCharacters(in: .whitespaces)
            return name.isEmpty ? nil : name
        }
        var below: [String] = [], left: [String] = [], right: [String] = [], above: [String] = []
        for line in drawing.reversed() {
            if line.output.2 != nil {
                left += name(line.output.1).map { [$0] } ?? []
                right += name(line.output.2).map { [$0] } ?? []
            } else if right.isEmpty {
                below += name(line.output.1).map { [$0] } ?? []
            } else {
                above += name(line.output.1).map { [$0] } ?? []
            }
        }
        #expect(below + right + left + above == Self.layers, "the drawing")
        #expect(left == ["Pipeline"] && Set(right) == Self.closedToPipeline, "the drawing's columns")
        let table = section.matches(of: /(?m)^\| ([A-Z][a-z]+) \| .*\|$/).map { String($0.output.1) }
        #expect(table == Self.layers, "the table")
    }

    static func isAllowed(user: String, home: String) -> Bool {
        let user = layer(user), home = layer(home)
        if user == "Pipeline", closedToPipeline.contains(home) { return false }
        guard let low = layers.firstIndex(of: home), let high = layers.firstIndex(of: user) else { return false }
        return low <= high
    }

    private static func layer(_ path: String) -> String { String(path.prefix { $0 != "/" }) }

    // MARK: What is found

    /// A file of a higher layer, and files of lower ones with what they may not do: one kind of name each, compiled for this test.
    private static let violations: [(file: String, text: String, found: [String])] = [
        (
            "Generation/High.swift",
            """
            struct High { struct Inner { init() {} }; static let constant = 1; var stored = 2; func method() {} }
            enum Kind { case one, two }
            protocol Able {}
            extension Able { func viaProtocol() {} }
            extension Low: Able { var added: Int { 3 }; static func make() -> Low { Low() }; subscript(i: String) -> Int { 4 } }
            extension Array { var middle: Int { 5 } }
            func free() {}
            infix operator <~>
            func <~> (a: Low, b: Low) {}
            typealias Other = Int
            let global = 6
            """, []
        ),
        ("Tensor/Low.swift", "struct Low { var own = 1 }\nfunc take(_ low: Low) -> Int { low.own }", []),
        ("Tensor/Type.swift", "func a1() -> Any { High.self }", ["1 names High"]),
        ("Tensor/Nested.swift", "func a2(_ x: High.Inner?) {}", ["1 names High", "1 names Inner"]),
        ("Tensor/Static.swift", "func a3() -> Int { High.constant }", ["1 names High", "1 names constant"]),
        ("Tensor/Extension.swift", "extension High {}", ["1 names High"]),
        ("Tensor/Behind.swift", "func a4(_ low: Low) -> Int {\n    low.added\n}", ["2 names added"]),
        ("Tensor/Implicit.swift", "func a5() -> Low { .make() }", ["1 names make()"]),
        ("Tensor/Subscript.swift", "func a6(_ low: Low) -> Int { low[\"a\"] }", ["1 names subscript(_:)"]),
        ("Tensor/Foreign.swift", "func a7() -> Int { [1, 2].middle }", ["1 names middle"]),
        ("Tensor/Protocol.swift", "func a8(_ low: Low) { low.viaProtocol() }", ["1 names viaProtocol()"]),
        ("Tensor/Free.swift", "func a9() { free() }", ["1 names free()"]),
        ("Tensor/Operator.swift", "func a10(_ low: Low) { low <~> low }", ["1 names <~>(_:_:)"]),
        ("Tensor/Alias.swift", "func a11(_ x: Other) {}", ["1 names Other"]),
        ("Tensor/Global.swift", "func a12() -> Int { global }", ["1 names global"]),
        ("Tensor/Interpolated.swift", "func a13() -> String { \"\\(global)\" }", ["1 names global"]),
        ("Pipeline/Closed.swift", "func b1() { free() }", ["1 names free()"]),
        ("Pipeline/Open.swift", "func b2(_ low: Low) -> Int { low.own + take(low) }", []),
        (
            "Tensor/Words.swift",
            "// High, free()\nfunc a14(_ global: Int) -> String { let added = global; return \"High free() \\(added)\" }", []
        ),
        ("Inspection/Above.swift", "func c1() -> Any { free(); return (High.constant, Low().added) }", []),
    ]

    @Test(.enabled(if: Toolchain.indexStoreLibrary != nil, "the toolchain has no libIndexStore.so"))
    func `each kind of violation is found`() throws {
        let files = Dictionary(uniqueKeysWithValues: Self.violations.map { ($0.file, $0.text + "\n") })
        try Fixtures.withFolder(of: files) { folder in
            // The compiler writes the paths that it is given, and resolves none.
            let paths = Self.violations.map { folder + "/" + $0.file }
            _ = try Toolchain.run(
                ["swiftc", "-c", "-module-name", "Layers", "-index-store-path", "store", "-index-ignore-system-modules"] + paths, in: folder
            )
            let index = try SourceIndex(store: folder + "/store", folder: folder)
            #expect(index.files == Set(files.keys))
            let found = index.uses(butFor: Self.isAllowed)
            for (file, _, expected) in Self.violations {
                let lines = expected.map { "\(file):\($0) of Generation/High.swift" }.sorted()
                #expect(found.filter { $0.hasPrefix(file + ":") } == lines, "\(file)")
            }
        }
    }
}

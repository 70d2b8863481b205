import Foundation
import Testing

/// docs/walks.md names types and members; what it names is there.
@Suite struct WalkTests {
    @Test(.enabled(if: SourceIndex.isThere, SourceIndex.missing))
    func `the walks name what exists`() throws {
        let index = try SourceIndex.ofTheEngine()
        let text = try String(contentsOf: Fixtures.repository.appendingPathComponent("docs/walks.md"), encoding: .utf8)
        let names = Set(text.matches(of: /`([A-Z]\w+(?:\.\w+)?)`/).map { String($0.output.1) })
        #expect(names.count > 20)
        #expect(names.filter { !index.declares($0) } == [])
        #expect(!index.declares("NoSuchType") && !index.declares("Converter.never") && !index.declares("ByteCount.convert"))
    }
}

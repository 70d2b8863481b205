import Foundation
import Testing

/// The recipe for a new architecture shows code that is there.
@Suite struct RecipeTests {
    @Test func `every line of code in the recipe is in Qwen2's folder`() throws {
        func read(_ path: String) throws -> String {
            try String(contentsOf: Fixtures.repository.appendingPathComponent(path), encoding: .utf8)
        }
        let recipe = try #require(
            try read("docs/extending.md").firstMatch(of: #/(?s)\n## A new architecture\n(.*?)(?:\n## |$)/#)
        ).output.1
        let folder = "Sources/AlpacaEngine/Architecture/Qwen2"
        let files = try FileManager.default.contentsOfDirectory(atPath: Fixtures.repository.appendingPathComponent(folder).path)
        let source = try files.map { try read("\(folder)/\($0)") }.joined()
        func lines(_ text: some StringProtocol) -> [String] {
            text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        }
        let there = Set(lines(source))
        let blocks = String(recipe).components(separatedBy: "```swift").dropFirst().compactMap { $0.components(separatedBy: "```").first }
        #expect(blocks.count == 7)
        for line in blocks.flatMap({ lines($0) }) { #expect(there.contains(line), "\(line)") }
    }
}

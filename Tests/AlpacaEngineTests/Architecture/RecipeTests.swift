import Foundation
import Testing

/// The recipe for a new architecture shows code that is there.
@Suite struct RecipeTests {
    @Test func `every line of code in the recipe is in Qwen2's folder`() throws {
        let recipe = try String(
            contentsOf: Fixtures.repository.appendingPathComponent("docs/extending-architecture.part.md"), encoding: .utf8)
        let source = try String(
            contentsOf: Fixtures.repository.appendingPathComponent("Sources/AlpacaEngine/Architecture/Qwen2/Qwen2.swift"), encoding: .utf8)
        func lines(_ text: some StringProtocol) -> [String] {
            text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        }
        let there = Set(lines(source))
        let blocks = recipe.components(separatedBy: "```swift").dropFirst().compactMap { $0.components(separatedBy: "```").first }
        #expect(blocks.count == 6)
        for line in blocks.flatMap({ lines($0) }) { #expect(there.contains(line), "\(line)") }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// The forward pass against transformers, and against itself however the work is cut.
@Suite struct LlamaForwardTests {
    static let withLogits = MiniFamily.generation.prompts.filter { MiniFamily.logits[$0.name] != nil }

    private func logits(_ model: Model, _ ids: [TokenID], threads: Int = 2, batch: Int = 512, cache: CacheType = .f32) throws -> [[Float]] {
        var options = Session.Options()
        options.threadCount = threads
        options.batchSize = batch
        options.keyType = cache
        options.valueType = cache
        let session = try model.makeSession(options)
        var rows: [[Float]] = []
        try session.evaluate(ids) { _, row in rows.append(row.indices.map { row[$0] }) }
        return rows
    }

    /// Keys and values in F32, as transformers has them; what is left is the order of sums.
    @Test(arguments: withLogits.map(\.name)) func matchesTransformers(name: String) throws {
        let prompt = try #require(MiniFamily.generation.prompts.first { $0.name == name })
        let expected = try #require(MiniFamily.logits[name])
        let rows = try logits(Model(path: MiniFamily.f16), prompt.prompt_ids)
        #expect(rows.count == prompt.prompt_ids.count)
        var worst: Float = 0
        for (i, value) in rows.joined().enumerated() { worst = max(worst, abs(value - expected[i])) }
        print("\(name): largest difference to transformers \(worst)")
        #expect(worst <= 2e-3)
    }
}

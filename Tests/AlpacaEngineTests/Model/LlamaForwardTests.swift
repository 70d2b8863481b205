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

/// The same bits, however the work is cut and on every path that this processor has.
@Suite struct SameBitsTests {
    static let files = [MiniFamily.f16, MiniFamily.q8_0]
    static let ids = MiniFamily.generation.prompts[0].prompt_ids

    private func bits(_ model: Model, threads: Int, batch: Int, cache: CacheType) throws -> [UInt32] {
        var options = Session.Options()
        options.threadCount = threads
        options.batchSize = batch
        options.keyType = cache
        options.valueType = cache
        let session = try model.makeSession(options)
        var bits: [UInt32] = []
        try session.evaluate(SameBitsTests.ids) { _, row in for i in row.indices { bits.append(row[i].bitPattern) } }
        return bits
    }

    @Test(arguments: files, CacheType.allCases) func anyThreadsAnyBatch(file: String, cache: CacheType) throws {
        let model = try Model(path: file)
        let expected = try bits(model, threads: 1, batch: 512, cache: cache)
        #expect(expected.count == SameBitsTests.ids.count * 3941)
        for (threads, batch) in [(1, 1), (2, 1), (3, 7), (2, 32), (2, 512), (3, 512), (1, 7)] {
            let found = try bits(model, threads: threads, batch: batch, cache: cache)
            #expect(found == expected, "\(threads) threads, batch \(batch)")
        }
    }

    /// The other quantized files of the family, which are read in place, against what llama.cpp's types decode to: perplexity is near.
    @Test(arguments: ["q4_0", "q4_k_m"]) func otherTypes(type: String) throws {
        guard let path = Shared.path("mini/gguf/mini-chinese-alpaca-\(type).gguf") else { return }
        let model = try Model(path: path)
        let expected = try bits(model, threads: 1, batch: 512, cache: .f16)
        for (threads, batch) in [(2, 1), (3, 7), (2, 32)] {
            #expect(try bits(model, threads: threads, batch: batch, cache: .f16) == expected, "\(threads) threads, batch \(batch)")
        }
    }
}

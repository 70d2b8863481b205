import Foundation
import Testing

@testable import AlpacaEngine

/// The forward pass against transformers, and against itself however the work is cut.
@Suite struct ForwardTests {
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

    /// 8 bits for keys and values cost about what they cost for inputs of matrices, and types can be mixed.
    @Test(arguments: [(CacheType.q8_0, CacheType.q8_0), (.f16, .q8_0), (.q8_0, .f32)])
    func cachesOfEightBits(keys: CacheType, values: CacheType) throws {
        let model = try Model(path: MiniFamily.f16)
        var options = Session.Options()
        options.keyType = keys
        options.valueType = values
        let prompt = try #require(MiniFamily.generation.prompts.first { MiniFamily.logits[$0.name] != nil })
        let expected = try #require(MiniFamily.logits[prompt.name])
        var found: [Float] = []
        try model.makeSession(options).evaluate(prompt.prompt_ids) { _, row in for i in row.indices { found.append(row[i]) } }
        let error = zip(found, expected).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) } / Double(found.count)
        print("cache of \(keys) and \(values): mean difference to transformers \(error)")
        #expect(found.count == expected.count && error > 0 && error < 0.05)
    }

    /// The other quantized files of the family, which are read in place, against what llama.cpp's types decode to: perplexity is near.
    @Test(arguments: ["q4_0", "q4_k_m"]) func otherTypes(type: String) throws {
        try MiniFamily.withQuantized(type) { path in
            let model = try Model(path: path)
            let expected = try bits(model, threads: 1, batch: 512, cache: .f16)
            for (threads, batch) in [(2, 1), (3, 7), (2, 32)] {
                #expect(try bits(model, threads: threads, batch: batch, cache: .f16) == expected, "\(threads) threads, batch \(batch)")
            }
        }
    }
}

/// The same for types that no file of the family has: converted here. Their logits are nearer to those of F16 than those of another type
/// with about as many bits.
@Suite struct ConvertedTypeTests {
    static func logits(_ path: String, threads: Int = 2, batch: Int = 512) throws -> [Float] {
        var options = Session.Options()
        options.threadCount = threads
        options.batchSize = batch
        var logits: [Float] = []
        try Model(path: path).makeSession(options).evaluate(SameBitsTests.ids) { _, row in for i in row.indices { logits.append(row[i]) } }
        return logits
    }

    @Test(arguments: [(TensorType.iq4_NL, TensorType.q4_0), (.iq4_XS, .q4_0), (.mxfp4, .q3_K), (.tq2_0, .tq2_0), (.tq1_0, .tq1_0)])
    func sameBitsAndNearTheOriginal(type: TensorType, other: TensorType) throws {
        try Fixtures.withFolder { folder in
            func converted(_ type: TensorType) throws -> String {
                let path = "\(folder)/\(type).gguf"
                _ = try Converter.convert(QuantizeTests.options(MiniFamily.f16, path, type.description, pure: true))
                return path
            }
            let path = try converted(type)
            let expected = try Self.logits(path, threads: 1)
            for (threads, batch) in [(1, 1), (2, 1), (3, 7), (2, 32), (2, 512), (1, 7)] {
                #expect(try Self.logits(path, threads: threads, batch: batch).bits == expected.bits, "\(threads) threads, batch \(batch)")
            }
            let original = try Self.logits(MiniFamily.f16)
            func error(_ logits: [Float]) -> Double {
                zip(logits, original).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) } / Double(original.count)
            }
            let own = error(expected), others = try type == other ? own : error(Self.logits(converted(other)))
            print("mean difference to F16: \(type) \(own), \(other) \(others)")
            #expect(own > 0 && (own < others || type == other))
        }
    }
}

/// Scaled rotary angles against transformers (Tests/Goldens/mini/rope.json): linear scaling, and a divisor for each frequency as Llama 3.1 has.
@Suite struct RopeScalingTests {
    struct Golden: Decodable {
        struct Case: Decodable {
            let factors: [Float]
            let logits: [Float]
        }
        let cases: [Case]
    }

    @Test func matchesTransformers() throws {
        let data = try Data(contentsOf: MiniFamily.goldens.appendingPathComponent("rope.json"))
        let golden = try JSONDecoder().decode(Golden.self, from: data)
        let model = try Model(path: MiniFamily.f16)
        let ids = MiniFamily.generation.prompts[0].prompt_ids
        #expect(golden.cases.count == 2)

        // The first case through a session's option.
        var options = Session.Options()
        options.ropeScale = 4
        options.keyType = .f32
        options.valueType = .f32
        let session = try model.makeSession(options)
        try session.append(ids)
        let difference = try session.withLogits { row in row.indices.map { abs(row[$0] - golden.cases[0].logits[$0]) }.max() ?? .infinity }
        #expect(difference < 2e-3)

        // Both as a file's factors.
        for golden in golden.cases {
            let raw = try RawSession(model.runnable, factors: golden.factors)
            try raw.append(ids)
            let difference = zip(raw.logits, golden.logits).map { abs($0 - $1) }.max() ?? .infinity
            #expect(difference < 2e-3)
        }
    }
}

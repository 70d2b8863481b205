import Foundation
import Testing

@testable import AlpacaEngine

/// Angles of real configurations as transformers has them.
@Suite(.enabled(if: Fixtures.isShared("fixtures/family/rope.json"), "the family's angles are not in ALPACA_SHARED"))
struct RopeAnglesTests {
    private static func row(_ row: [String: Any]) throws -> (name: String, model: ModelConfiguration) {
        var config = try #require(row["config"] as? [String: Any])
        for (key, value) in ["intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 8] { config[key] = value }
        config["model_type"] = "llama"
        let text = try JSONSerialization.data(withJSONObject: config)
        let document = try JSONDocument([UInt8](text), name: "config.json")
        return (try #require(row["name"] as? String), try ModelConfiguration.huggingFace(document) { _ in nil }.configuration)
    }

    @Test func everyRow() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: Shared.path("family/rope.json")))
        let root = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let positions = try #require(root["positions"] as? [Int])
        let rows = try #require(root["rows"] as? [[String: Any]])
        #expect(rows.count >= 14)
        for entry in rows {
            let (name, model) = try Self.row(entry)
            let expected = try #require(entry["inv_freq"] as? [Double])
            // "dynamic, 3000 positions in one call"
            let length = name.hasPrefix("dynamic") ? try #require(Int(name.split(separator: " ")[1])) : 0
            let factor = model.ropeScaling.baseFactor(length: length, dimension: model.ropeDimension)
            if length > model.contextLength { #expect(factor > 1) } else { #expect(factor == 1) }
            let (values, scale) = model.ropeScaling.frequencies(theta: model.ropeTheta * factor, dimension: model.ropeDimension)
            #expect(values.count == expected.count)
            for (a, b) in zip(values, expected) {
                // transformers computes them in F32, in several steps.
                #expect(abs(a - b) <= 3e-6 * b, "\(name): \(a) \(b)")
            }
            #expect(abs(scale - (try #require(entry["attention_scaling"] as? Double))) <= 1e-6)
            guard length == 0 else { continue }
            let cosines = try #require(entry["cos"] as? [[Double]]), sines = try #require(entry["sin"] as? [[Double]])
            for (number, position) in positions.enumerated() {
                // Theirs are products in F32 of frequencies in F32: each is off by up to a unit of its last place.
                let bound = 2e-6 + 1e-7 * Double(position)
                for (k, frequency) in values.enumerated() {
                    let angle = Double(position) * frequency
                    #expect(abs(cos(angle) * scale - cosines[number][k]) <= bound * scale, "\(name) \(position) \(k)")
                    #expect(abs(sin(angle) * scale - sines[number][k]) <= bound * scale, "\(name) \(position) \(k)")
                }
            }
        }
    }

    // MARK: - Dynamic NTK

    private static let dynamic = Shared.path("family/models/llama2-dynamic")

    private static func session(_ model: Model, threads: Int = 2, batch: Int = 64, _ change: (inout Session.Options) -> Void = { _ in })
        throws -> Session
    {
        var options = Session.Options()
        options.contextLength = 512
        options.keyType = .f32
        options.valueType = .f32
        options.threadCount = threads
        options.batchSize = batch
        change(&options)
        return try model.makeSession(options)
    }

    /// One call for each sequence, as transformers' forward pass was; in batches of 64 and on two threads.
    @Test func oneCallHasOneBase() throws {
        let (golden, arrays) = try FamilyLogitsTests.golden("llama2-dynamic")
        let model = try Model(path: Self.dynamic)
        let size = model.configuration.vocabularySize
        var worst: Float = 0
        var seen = 0
        for k in golden.sequences.indices {
            let ids = try arrays.numbers("ids\(k)", as: TokenID.self)
            let positions = try arrays.numbers("at\(k)", as: Int32.self).map { Int($0) }
            let expected = try arrays.numbers("logits\(k)", as: Float.self)
            try Self.session(model).evaluate(ids) { position, logits in
                guard let row = positions.firstIndex(of: position) else { return }
                seen += 1
                for i in 0..<size { worst = max(worst, abs(logits[i] - expected[row * size + i])) }
            }
            #expect(seen > 0)
        }
        print("llama2-dynamic: largest difference to transformers \(worst)")
        #expect(worst <= 2e-4 && seen > golden.sequences.count)
    }

    /// A prompt, then token by token with cached keys.
    @Test func greedyTextIsTransformers() throws {
        let (golden, arrays) = try FamilyLogitsTests.golden("llama2-dynamic")
        let model = try Model(path: Self.dynamic)
        for greedy in golden.greedy {
            let number = try #require(golden.sequences.firstIndex(of: greedy.prompt))
            let prompt = try arrays.numbers("ids\(number)", as: TokenID.self)
            let session = try Self.session(model)
            try session.append(prompt)
            var ids: [TokenID] = []
            while ids.count < greedy.ids.count {
                let best = try session.withLogits { logits in
                    logits.indices.max { logits[$0] < logits[$1] || (logits[$0] == logits[$1] && $0 > $1) } ?? 0
                }
                ids.append(TokenID(best))
                try session.append([TokenID(best)])
            }
            #expect(ids == greedy.ids)
            // The same through generate, in a session that held something else before.
            let used = try Self.session(model)
            try used.append(Array(prompt.reversed()))
            var parameters = GenerationParameters()
            parameters.maxNewTokens = greedy.ids.count
            parameters.sampling.temperature = 0
            parameters.sampling.repetitionPenalty = 1
            parameters.ignoresEndOfSequence = true
            var written: [TokenID] = []
            for _ in 0..<2 {
                written = []
                _ = try used.generate(tokens: prompt, parameters) { event in
                    written.append(event.id)
                    return true
                }
            }
            #expect(written == greedy.ids)
        }
    }

    private static func logits(_ session: Session) throws -> [Float] { try session.withLogits { l in l.indices.map { l[$0] } } }

    /// However the work is cut, and whoever else has read the same: pages with other angles are never taken over.
    @Test func sameBitsAndNoStrangePages() throws {
        let (_, arrays) = try FamilyLogitsTests.golden("llama2-dynamic")
        let ids = try arrays.numbers("ids7", as: TokenID.self)
        let model = try Model(path: Self.dynamic)
        let first = try Self.session(model, threads: 1)
        try first.append(ids)
        let expected = try Self.logits(first)
        for (threads, batch) in [(2, 64), (3, 7), (2, 512)] {
            let session = try Self.session(model, threads: threads, batch: batch)
            try session.append(ids)
            #expect(try Self.logits(session) == expected)
        }
        // In two pieces it is another text to the model; and that piece's pages are nobody else's either.
        let other = try Self.session(model)
        try other.append(Array(ids[..<200]))
        try other.append(Array(ids[200...]))
        let inPieces = try Self.logits(other)
        #expect(inPieces != expected)
        let again = try Self.session(model)
        try again.append(ids)
        #expect(try Self.logits(again) == expected)
        // Forgetting all begins anew; forgetting some keeps the angles of what stays.
        try other.truncate(to: 0)
        try other.append(ids)
        #expect(try Self.logits(other) == expected)
        try other.truncate(to: 0)
        try other.append(Array(ids[..<200]))
        try other.append(Array(ids[200...]))
        #expect(try Self.logits(other) == inPieces)
        // Within the original context the pages are shared as usual: 64 positions are one.
        let short = try Self.session(model), shorter = try Self.session(model)
        try short.append(Array(ids[..<64]))
        var parameters = GenerationParameters()
        parameters.maxNewTokens = 1
        let result = try shorter.generate(tokens: Array(ids[..<64]), parameters) { _ in true }
        #expect(result.cachedTokens == 0 || result.cachedTokens == 64)
    }

    /// A step that fails changes nothing, the angles neither.
    @Test func stepsOfSeveralSessions() throws {
        let (_, arrays) = try FamilyLogitsTests.golden("llama2-dynamic")
        let ids = try arrays.numbers("ids6", as: TokenID.self)
        let model = try Model(path: Self.dynamic)
        let alone = try Self.session(model)
        try alone.append(ids)
        let a = try Self.session(model), b = try Self.session(model)
        try Session.step([(a, ids), (b, Array(ids[..<40]))])
        #expect(try Self.logits(a) == Self.logits(alone))
        #expect(throws: AlpacaError.self) { try Session.step([(a, [1]), (b, [-1])]) }
        try Session.step([(a, [5]), (b, Array(ids[40...]))])
        try alone.append([5])
        #expect(try Self.logits(a) == Self.logits(alone))
        let pieces = try Self.session(model)
        try pieces.append(Array(ids[..<40]))
        try pieces.append(Array(ids[40...]))
        #expect(try Self.logits(b) == Self.logits(pieces))
    }
}

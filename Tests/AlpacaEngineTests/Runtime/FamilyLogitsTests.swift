import Foundation
import Testing

@testable import AlpacaEngine

/// Families other than Llama against transformers, by ids: Qwen2 (biases, pairs of halves), Mistral (a window of 32 positions) and Mixtral (two
/// of eight experts).
@Suite struct FamilyLogitsTests {
    struct Golden: Decodable {
        struct Greedy: Decodable {
            let prompt: Int
            let ids: [TokenID]
        }
        let sequences: [Int]
        let greedy: [Greedy]
    }

    static let files =
        [
            ("qwen2", FamilyFixtures.model("qwen2")), ("qwen2", FamilyFixtures.gguf("qwen2")),
            ("mistral-window", FamilyFixtures.model("mistral-window")), ("mixtral", FamilyFixtures.model("mixtral")),
        ] + shared

    /// Those that are in the shared fixtures alone: angles of every kind, norms of heads, other dimensions of heads.
    private static let shared: [(String, String)] = {
        guard Fixtures.isShared("fixtures/family/models/qwen3/golden.json") else { return [] }
        let folders = [
            "qwen3", "qwen2-yarn", "llama2-linear", "llama2-yarn", "llama2-yarn-attention-factor", "llama2-yarn-mscale", "llama3-tied",
            "llama3-untied", "llama3-plain", "llama-head-dim", "llama-biases", "qwen3-moe",
        ]
        let files = [
            "qwen3", "llama2-yarn", "llama2-yarn-attention-factor", "llama3-tied", "llama3-untied", "llama-head-dim", "llama-biases",
            "mixtral", "qwen3-moe",
        ]
        return folders.map { ($0, Shared.path("family/models/\($0)")) } + files.map { ($0, Shared.path("family/gguf/\($0).gguf")) }
            + [("mixtral", Shared.path("family/gguf/mixtral-old-experts.gguf"))]
    }()

    static func golden(_ name: String) throws -> (Golden, NumPyArchive) {
        let own = FamilyFixtures.model(name)
        let folder = FileManager.default.fileExists(atPath: own + "/golden.json") ? own : Shared.path("family/models/\(name)")
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/golden.json")))
        return (golden, try NumPyArchive(path: folder + "/logits.npz"))
    }

    @Test(arguments: files) func matchesTransformers(name: String, path: String) throws {
        let (golden, arrays) = try Self.golden(name)
        let model = try RawSession.model(path: path)
        var worst: Float = 0
        for k in golden.sequences.indices {
            let ids = try arrays.numbers("ids\(k)", as: TokenID.self)
            let positions = try arrays.numbers("at\(k)", as: Int32.self)
            let expected = try arrays.numbers("logits\(k)", as: Float.self)
            let size = model.configuration.vocabularySize
            #expect(ids.count == golden.sequences[k] && expected.count == positions.count * size)
            let session = try RawSession(model)
            var done = 0
            for (row, position) in positions.enumerated() {
                try session.append(Array(ids[done...Int(position)]))
                done = Int(position) + 1
                for (i, logit) in session.logits.enumerated() { worst = max(worst, abs(logit - expected[row * size + i])) }
            }
        }
        print("\(name): largest difference to transformers \(worst)")
        #expect(worst <= 2e-4)
    }

    @Test(arguments: files) func greedyTextIsTransformers(name: String, path: String) throws {
        let (golden, arrays) = try Self.golden(name)
        let model = try RawSession.model(path: path)
        for greedy in golden.greedy {
            let session = try RawSession(model)
            let number = try #require(golden.sequences.firstIndex(of: greedy.prompt))
            try session.append(arrays.numbers("ids\(number)", as: TokenID.self))
            var ids: [TokenID] = []
            while ids.count < greedy.ids.count {
                let logits = session.logits
                let best = logits.indices.max { logits[$0] < logits[$1] || (logits[$0] == logits[$1] && $0 > $1) } ?? 0
                ids.append(TokenID(best))
                try session.append([TokenID(best)])
            }
            #expect(ids == greedy.ids)
        }
    }

    /// However the work is cut; keys and values in half precision as well.
    @Test(arguments: files, [CacheType.f32, .f16]) func sameBits(file: (name: String, path: String), cache: CacheType) throws {
        let (_, arrays) = try Self.golden(file.name)
        let ids = try arrays.numbers("ids6", as: TokenID.self)
        let model = try RawSession.model(path: file.path)
        var first: [Float]?
        for (batch, threads) in [(512, 1), (1, 2), (7, 2), (64, 3)] {
            let session = try RawSession(model, batch: batch, threads: threads, cache: cache)
            try session.append(ids)
            let logits = session.logits
            #expect(logits == first ?? logits, "batch \(batch), \(threads) threads")
            first = logits
        }
    }
}

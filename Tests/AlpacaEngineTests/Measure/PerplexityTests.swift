import Foundation
import Testing

@testable import AlpacaEngine

/// Against transformers and llama-perplexity on the same text and files (Tests/Goldens/mini/perplexity.json).
@Suite struct PerplexityTests {
    private func measure(_ path: String, cache: CacheType = .f32, threads: Int = 2, stride: Int = 0) throws -> Perplexity {
        let text = try String(contentsOf: MiniFamily.goldens.appendingPathComponent("heldout_poems.txt"), encoding: .utf8)
        var options = Session.Options()
        options.contextLength = 256
        options.threadCount = threads
        options.keyType = cache
        options.valueType = cache
        return try Model(path: path).makeSession(options).perplexity(of: text, stride: stride)
    }

    @Test func f16IsTransformers() throws {
        let found = try measure(MiniFamily.f16)
        #expect(found.tokenCount == 4554)
        #expect(found.windowCount == 17)
        #expect(found.scoredCount == 2159)
        #expect(abs(found.value / 107.1948 - 1) < 2e-5)
        #expect(abs(found.meanNegativeLogLikelihood - 4.674648) < 2e-5)
        // llama-perplexity's figure for the same.
        #expect(abs(found.standardError / 7.00928 - 1) < 1e-3)
    }

    /// Within 0.2 % of llama-perplexity.
    @Test(arguments: [("q8_0", 107.2099), ("q4_0", 108.3957), ("q4_k_m", 107.4559)])
    func quantizedIsLlamaPerplexity(type: String, golden: Double) throws {
        let found = try MiniFamily.withQuantized(type) { try measure($0) }
        print("perplexity \(type): \(found.value), llama-perplexity \(golden)")
        #expect(abs(found.value / golden - 1) < 0.002)
    }

    /// One call from beginning to end: a cancel between two windows counts, and nobody gets in between.
    @Test func isOneCall() throws {
        let text = try String(contentsOf: MiniFamily.goldens.appendingPathComponent("heldout_poems.txt"), encoding: .utf8)
        var options = Session.Options()
        options.contextLength = 64
        let session = try Model(path: MiniFamily.q8_0).makeSession(options)
        var reports = 0
        let error = alpacaError {
            _ = try session.perplexity(of: text) { _ in
                reports += 1
                #expect(alpacaError { try session.append([5]) }?.code == .busy)
                if reports == 2 { session.cancel() }
                return true
            }
        }
        #expect(error?.code == .cancelled)
        #expect(reports == 2)
    }

    @Test func sameBitsForAnyThreads() throws {
        let one = try measure(MiniFamily.q8_0, cache: .f16, threads: 1)
        #expect(try measure(MiniFamily.q8_0, cache: .f16, threads: 3) == one)
    }

    /// Overlapping windows score every token that they reach, once: against the plain sum over each window's logits.
    @Test func stride() throws {
        let text = try String(contentsOf: MiniFamily.goldens.appendingPathComponent("heldout_poems.txt"), encoding: .utf8)
        let part = String(text.prefix(400))
        let model = try Model(path: MiniFamily.q8_0)
        let session = try model.makeSession()
        let found = try session.perplexity(of: part, windowLength: 64, stride: 24)
        let ids = model.tokenizer.encode(part, addBOS: true)
        var sum = 0.0
        var count = 0
        var next = 1
        for start in Swift.stride(from: 0, through: ids.count - 64, by: 24) {
            try session.truncate(to: 0)
            try session.evaluate(Array(ids[start..<start + 64])) { position, logits in
                let token = start + position + 1
                guard token == next, position + 1 < 64 else { return }
                let row = logits.indices.map { Double(logits[$0]) }
                let top = row.max() ?? 0
                sum += log(row.reduce(0) { $0 + exp($1 - top) }) + top - row[Int(ids[token])]
                count += 1
                next += 1
            }
        }
        #expect(found.scoredCount == count)
        #expect(count == 63 + (found.windowCount - 1) * 24)
        #expect(abs(found.meanNegativeLogLikelihood - sum / Double(count)) < 1e-9)
    }

    @Test func refusals() throws {
        let session = try Model(path: MiniFamily.q8_0).makeSession()
        #expect(
            alpacaError { _ = try session.perplexity(of: "短") }?.message.contains("expected more than the 512 of a window (n_ctx)") == true)
        #expect(
            alpacaError { _ = try session.perplexity(of: "短", windowLength: 513) }?.message
                == "n_ctx: found 513, expected 4 to 512, the session's")
        #expect(
            alpacaError { _ = try session.perplexity(of: "短", windowLength: 8, stride: 8) }?.message == "stride: found 8, expected 0 to 7")
    }
}

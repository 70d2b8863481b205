import Foundation
import Testing

@testable import AlpacaEngine

/// The sampler against transformers' logits processors (Tests/Goldens/mini/sampling.json).
@Suite struct SamplerTests {
    struct Golden: Decodable {
        struct Parameters: Decodable {
            let temperature, top_p, min_p, repetition_penalty: Float
            let top_k: Int
        }
        struct Case: Decodable {
            let parameters: Parameters
            let logits: [Float]
            let recent: [TokenID]
            let probabilities: [String: Double]
        }
        let cases: [Case]
    }

    static let golden: Golden = {
        let data = try! Data(contentsOf: MiniFamily.goldens.appendingPathComponent("sampling.json"))
        return try! JSONDecoder().decode(Golden.self, from: data)
    }()

    private func draw(
        _ sampler: Sampler, _ logits: [Float], _ recent: [TokenID], _ parameters: SamplingParameters, _ random: inout RandomSource
    ) -> TokenID {
        sampler.sample(logits.span, recent: recent.span, parameters, &random)
    }

    /// 50,000 draws with a fixed seed: nothing is drawn that the processors leave out, and the counts are as a fair draw's.
    @Test(arguments: 0..<6) func drawsAreTransformers(index: Int) throws {
        let golden = SamplerTests.golden.cases[index]
        var parameters = SamplingParameters()
        parameters.temperature = golden.parameters.temperature
        parameters.topK = golden.parameters.top_k
        parameters.topP = golden.parameters.top_p
        parameters.minP = golden.parameters.min_p
        parameters.repetitionPenalty = golden.parameters.repetition_penalty
        parameters.repeatLastN = -1
        let sampler = try Sampler(vocabularySize: 400)
        var random = RandomSource(seed: 42)
        var counts = [Int](repeating: 0, count: 400)
        let draws = 50_000
        for _ in 0..<draws { counts[Int(draw(sampler, golden.logits, golden.recent, parameters, &random))] += 1 }
        var chiSquare = 0.0
        var classes = 0
        for (id, count) in counts.enumerated() {
            guard let p = golden.probabilities[String(id)] else {
                #expect(count == 0, "token \(id) is left out")
                continue
            }
            let expected = p * Double(draws)
            if expected >= 5 {
                chiSquare += (Double(count) - expected) * (Double(count) - expected) / expected
                classes += 1
            }
        }
        // Five standard deviations of a chi-square distribution above its mean.
        #expect(chiSquare < Double(classes) + 5 * (2 * Double(classes)).squareRoot())
    }

    @Test func greedyTakesTheLowestOfEquals() throws {
        let sampler = try Sampler(vocabularySize: 4)
        var random = RandomSource(seed: 1)
        func greedy(_ logits: [Float], _ change: (inout SamplingParameters) -> Void = { _ in }, recent: [TokenID] = []) -> TokenID {
            var parameters = SamplingParameters.greedy
            change(&parameters)
            return draw(sampler, logits, recent, parameters, &random)
        }
        #expect(greedy([1, 3, 3, 2]) == 1)
        #expect(greedy([.nan, -1, .nan, -2]) == 1)
        #expect(greedy([.nan, .nan, .nan, .nan]) == 0)
        #expect(greedy([1, .infinity, 0, 0]) == 1)
        #expect(greedy([1, 3, 2, 0], { $0.logitBias = [1: -.infinity] }) == 2)
        // Presence counts once, frequency each time.
        #expect(greedy([1, 3, 2, 0], { $0.presencePenalty = 1.5 }, recent: [1, 1, 1]) == 2)
        #expect(greedy([1, 3, 2, 0], { $0.frequencyPenalty = 0.4 }, recent: [1, 1]) == 1)
        #expect(greedy([1, 3, 2, 0], { $0.frequencyPenalty = 0.4 }, recent: [1, 1, 1]) == 2)
        // Outside its window a token is not punished.
        #expect(
            greedy(
                [1, 3, 2, 0],
                {
                    $0.presencePenalty = 1.5
                    $0.repeatLastN = 2
                }, recent: [1, 0, 0]) == 1)
    }

    /// Logits that are no numbers, infinite or all forbidden are drawn from without harm.
    @Test func strangeLogits() throws {
        let sampler = try Sampler(vocabularySize: 3)
        var random = RandomSource(seed: 1)
        for logits in [[Float.nan, .nan, .nan], [-.infinity, -.infinity, -.infinity], [.infinity, .infinity, 0], [0, .nan, -.infinity]] {
            for temperature: Float in [0, 1e-30, 1, 1e30] {
                for (k, p) in [(0, Float(1)), (2, 0.5), (0, 0), (1, 1)] {
                    var parameters = SamplingParameters()
                    parameters.temperature = temperature
                    parameters.topK = k
                    parameters.topP = p
                    let id = draw(sampler, logits, [0, 1, 2], parameters, &random)
                    #expect((0..<3).contains(id))
                }
            }
        }
    }

    /// What infinities add up to is no number: such a token is forbidden too, also where it comes first.
    @Test func infinitiesThatMeet() throws {
        let sampler = try Sampler(vocabularySize: 3)
        var random = RandomSource(seed: 1)
        for temperature: Float in [0, 1] {
            var parameters = SamplingParameters.greedy
            parameters.temperature = temperature
            parameters.logitBias = [0: -.infinity]
            #expect(draw(sampler, [.infinity, 0, -50], [], parameters, &random) == 1)
            parameters.logitBias = [:]
            parameters.frequencyPenalty = .greatestFiniteMagnitude
            #expect(draw(sampler, [.infinity, 0, -50], [0, 0], parameters, &random) == 1)
        }
    }

    /// The definition, on a list of all tokens in order.
    private func reference(_ logits: [Float], _ p: SamplingParameters, _ random: inout RandomSource) -> TokenID {
        let order = logits.indices.sorted { logits[$0] > logits[$1] || (logits[$0] == logits[$1] && $0 < $1) }
        let top = Double(logits[order[0]])
        func weight(_ id: Int) -> Double { exp((Double(logits[id]) - top) * (1 / Double(p.temperature))) }
        var kept = p.topK == 0 ? order : Array(order.prefix(p.topK))
        let total = (p.topK == 0 ? Array(logits.indices) : kept).reduce(0) { $0 + weight($1) }
        if p.topP < 1 {
            var sum = 0.0
            for (i, id) in kept.enumerated() {
                sum += weight(id)
                if sum >= Double(p.topP) * total {
                    kept = Array(kept.prefix(i + 1))
                    break
                }
            }
        }
        kept = kept.enumerated().filter { $0.offset == 0 || weight($0.element) >= Double(p.minP) }.map(\.element)
        var rest = random.uniform() * kept.reduce(0) { $0 + weight($1) }
        for id in kept {
            rest -= weight(id)
            if rest < 0 { return TokenID(id) }
        }
        return TokenID(kept[kept.count - 1])
    }

    /// Whatever is selected in part, the draws are those from a list in full order: few and many tokens, wide and narrow, with equals.
    /// - Parameter orderMost: 0: each nucleus is found without putting all of it in order.
    @Test(arguments: [2048, 0]) func drawsAreThoseOfAFullSort(orderMost: Int) throws {
        var random = RandomSource(seed: 5)
        let size = 1200
        let sampler = try Sampler(vocabularySize: size)
        sampler.pool.orderMost = orderMost
        var wrong: [String] = []
        for spread: Float in [0, 0.01, 1, 4, 30, 1e6] {
            for steps: Float in [1e6, 4] {
                var logits = (0..<size).map { _ in
                    // Rounded to steps, so that some are equal, of both zeros too.
                    ((Float(random.uniform() + random.uniform() + random.uniform()) - 1.5) * steps).rounded() / steps * spread
                }
                for i in stride(from: 0, to: size, by: 7) { logits[i] = -.infinity }
                for temperature: Float in [1e-30, 0.2, 1, 1e30] {
                    for (k, p, minP) in [
                        (40, Float(1), Float(0)), (0, 0.5, 0), (0, 0.95, 0.05), (0, 0.999999, 0), (300, 0.9, 0), (1000, 1, 0.01),
                        (1199, 0.3, 0), (0, 0, 0),
                    ] {
                        var parameters = SamplingParameters()
                        parameters.repetitionPenalty = 1
                        parameters.temperature = temperature
                        parameters.topK = k
                        parameters.topP = p
                        parameters.minP = minP
                        var a = RandomSource(seed: 9)
                        var b = a
                        for _ in 0..<3 where draw(sampler, logits, [], parameters, &a) != reference(logits, parameters, &b) {
                            wrong.append("spread \(spread), temperature \(temperature), k \(k), p \(p), min p \(minP)")
                        }
                    }
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) differ: \(wrong.prefix(5))")
    }

    /// The quick sum of weights is as near as the cut by top p relies on.
    @Test func quickTotals() throws {
        var random = RandomSource(seed: 6)
        for size in [1, 7, 64, 5003] {
            let sampler = try Sampler(vocabularySize: size)
            for (spread, scale) in [(0.0, 1.0), (1, 1), (8, 1.25), (20, 5), (1, 1e-30), (1, 1e30)] {
                for i in 0..<size { sampler.pool.logits[i] = Float((random.uniform() + random.uniform() - 2) * spread) }
                sampler.pool.logits[size / 2] = 0
                if size > 1 { sampler.pool.logits[0] = -.infinity }
                let exact = (0..<size).reduce(0) { $0 + exp(Double(sampler.pool.logits[$1]) * scale) }
                #expect(abs(sampler.pool.quickTotal(top: 0, scale: scale) / exact - 1) < Candidates.quickError / 4)
            }
        }
    }

    /// Eight at a time: as the C library's function, and 0 where that is next to nothing.
    @Test func eightExponentials() {
        var worst = 0.0
        for i in 0..<20_000 {
            let x = SIMD8<Double>((0..<8).map { -Double(8 * i + $0) * 0.00437 })
            let e = Numerics.exponential(x)
            for k in 0..<8 { worst = max(worst, abs(e[k] / exp(x[k]) - 1)) }
        }
        #expect(worst < 4e-16)
        let ends = Numerics.exponential(SIMD8<Double>(0, -0.0, -.infinity, .nan, -709, -1e300, -1e-300, -1))
        #expect(ends[0] == 1 && ends[1] == 1 && ends[6] == 1)
        for k in 2..<6 { #expect(ends[k] == 0) }
    }

    /// A draw of a wide distribution takes a token as often as its weight says, whichever way it is found.
    @Test func wideNuclei() throws {
        let size = 6000
        let sampler = try Sampler(vocabularySize: size)
        var random = RandomSource(seed: 8)
        let logits = (0..<size).map { _ in Float(random.uniform()) }
        var parameters = SamplingParameters.greedy
        parameters.temperature = 0.8
        parameters.topK = 0
        for p: Float in [0.3, 0.9, 0.999] {
            parameters.topP = p
            var a = RandomSource(seed: 3)
            var b = a
            for _ in 0..<40 { #expect(draw(sampler, logits, [], parameters, &a) == reference(logits, parameters, &b)) }
        }
    }

    @Test func candidatesAreTheModelS() throws {
        let sampler = try Sampler(vocabularySize: 3)
        let logits = [log(0.2), log(0.5), log(0.3)].map { Float($0) }
        let (logprob, top) = sampler.candidates(logits.span, chosen: 0, count: 2)
        #expect(abs(logprob - Float(log(0.2))) < 1e-6)
        #expect(top.map(\.id) == [1, 2])
        #expect(abs(top[0].logprob - Float(log(0.5))) < 1e-6)
    }
}

@Suite struct StopMatcherTests {
    /// Every way to cut a text into parts gives the same text before the same stop string.
    @Test func everySplit() {
        let text = Array("一二ab三abc四".utf8)
        for first in 0...text.count {
            for second in first...text.count {
                var matcher = StopMatcher(["", "abd", "abc四五", "三abc"])
                var out: [UInt8] = []
                var found: Int?
                for part in [text[..<first], text[first..<second], text[second...]] where found == nil {
                    found = matcher.append(Array(part), to: &out)
                }
                #expect(found == 2)
                #expect(out == Array("一二ab".utf8))
            }
        }
    }

    @Test func heldTextComesOutAtTheEnd() {
        var matcher = StopMatcher(["### Instruction:"])
        var out: [UInt8] = []
        #expect(matcher.append(Array("好的。\n### Ins".utf8), to: &out) == nil)
        #expect(String(decoding: out, as: UTF8.self) == "好的。\n")
        matcher.flush(to: &out)
        #expect(String(decoding: out, as: UTF8.self) == "好的。\n### Ins")
    }
}

@Suite struct UTF8AssemblerTests {
    /// Bytes in any order of parts: what comes out is what sentencepiece's decoding has, U+FFFD for each byte that is no character.
    @Test(arguments: [
        ("🙂鬱a", "🙂鬱a"), ("\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}", "\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}"),
    ]) func wholeCharacters(text: String, expected: String) {
        var assembler = UTF8Assembler()
        var out: [UInt8] = []
        for byte in text.utf8 {
            assembler.append(byte, to: &out)
            #expect(String(validating: out, as: UTF8.self) != nil)
        }
        assembler.flush(to: &out)
        #expect(String(decoding: out, as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            ([0x80], "\u{FFFD}"), ([0xE4, 0xBD, 0x41], "\u{FFFD}\u{FFFD}A"), ([0xF0, 0x9F, 0xE4, 0xBD, 0xA0], "\u{FFFD}\u{FFFD}你"),
            ([0xC0, 0x80], "\u{FFFD}\u{FFFD}"), ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"), ([0xF4, 0x90], "\u{FFFD}\u{FFFD}"),
            ([0xE4, 0xBD], "\u{FFFD}\u{FFFD}"), ([0xFF, 0x41], "\u{FFFD}A"),
        ] as [([UInt8], String)]) func badBytes(bytes: [UInt8], expected: String)
    {
        var assembler = UTF8Assembler()
        var out: [UInt8] = []
        for byte in bytes { assembler.append(byte, to: &out) }
        assembler.flush(to: &out)
        #expect(String(decoding: out, as: UTF8.self) == expected)
    }
}

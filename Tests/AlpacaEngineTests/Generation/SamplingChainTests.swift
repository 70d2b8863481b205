import Foundation
import Testing

@testable import AlpacaEngine

/// Steps in other orders than the standard one, against lists in full order; and a step that is none of the engine's.
@Suite struct SamplingChainTests {
    private let none: [TokenID] = []
    /// Which step, told apart for the reference.
    enum Name: CaseIterable, Sendable { case temperature, topK, topP, minP }

    private func step(_ name: Name) -> any CandidateStep {
        switch name {
        case .temperature: Temperature()
        case .topK: TopK()
        case .topP: TopP()
        case .minP: MinP()
        }
    }

    /// The definition: each step on the list that the one before left.
    private func reference(_ logits: [Float], _ order: [Name], _ p: SamplingParameters) -> [TokenID] {
        var kept = logits.indices.sorted { logits[$0] > logits[$1] || (logits[$0] == logits[$1] && $0 < $1) }
        let top = Double(logits[kept[0]])
        var scale = 1.0
        func weight(_ id: Int) -> Double { exp((Double(logits[id]) - top) * scale) }
        for name in order {
            switch name {
            case .temperature: scale *= 1 / Double(p.temperature)
            case .topK: kept = p.topK == 0 ? kept : Array(kept.prefix(p.topK))
            case .minP: kept = kept.enumerated().filter { $0.offset == 0 || weight($0.element) >= Double(p.minP) }.map(\.element)
            case .topP:
                let total = kept.reduce(0) { $0 + weight($1) }
                var sum = 0.0
                let end = kept.firstIndex {
                    sum += weight($0)
                    return sum >= Double(p.topP) * total
                }
                if let end { kept = Array(kept[...end]) }
            }
        }
        return kept.map { TokenID($0) }
    }

    /// What is left after the steps, told by drawing: the ids that come up, which the reference must hold, and the last of them.
    @Test func everyOrder() throws {
        var random = RandomSource(seed: 11)
        let size = 600
        let logits = (0..<size).map { _ in Float(random.uniform() + random.uniform() + random.uniform() - 1.5) * 6 }
        var orders: [[Name]] = [[]]
        for name in Name.allCases {
            orders = orders.flatMap { order in (0...order.count).map { at in order[..<at] + [name] + order[at...] } }
        }
        #expect(Set(orders).count == 24)
        for order in orders {
            let sampler = try Sampler(
                vocabularySize: size, chain: SamplingChain(logits: [LogitBias(), Penalties()], candidates: order.map(step)))
            for (k, p, minP, temperature) in [
                (0, Float(0.9), Float(0), Float(1.5)), (0, 1, 0.2, 0.7), (0, 0.95, 0.1, 2), (300, 0.8, 0.01, 1), (40, 0.9, 0.3, 0.5),
                (5, 1, 0, 3),
            ] {
                var parameters = SamplingParameters()
                (parameters.topK, parameters.topP, parameters.minP, parameters.temperature) = (k, p, minP, temperature)
                parameters.repetitionPenalty = 1
                let kept = Set(reference(logits, order, parameters))
                var drawn: Set<TokenID> = []
                for _ in 0..<400 { drawn.insert(sampler.sample(logits.span, recent: none.span, parameters, &random)) }
                #expect(drawn.isSubset(of: kept), "\(order), k \(k), p \(p), min p \(minP)")
                // The list itself, in order.
                let left = sampler.pool.order()
                let ids = (0..<left).map { sampler.pool.entries[$0].id }
                #expect(ids == reference(logits, order, parameters), "\(order), k \(k), p \(p), min p \(minP)")
            }
        }
    }

    /// Forbids every token but the even ones.
    private struct Even: LogitStep {
        func apply(to candidates: Candidates, _ p: SamplingParameters, recent: Span<TokenID>) {
            for id in stride(from: 1, to: candidates.size, by: 2) { candidates.logits[id] = -.infinity }
        }
    }

    /// Leaves out the likeliest, unless it is the only one.
    private struct ButTheBest: CandidateStep {
        func apply(to candidates: Candidates, _ p: SamplingParameters) {
            let count = candidates.order()
            guard count > 1 else { return }
            for i in 1..<count { candidates.entries[i - 1] = candidates.entries[i] }
            candidates.cut(to: count - 1)
        }
    }

    @Test func aStepOfOnesOwn() throws {
        let chain = SamplingChain(logits: [Even()], candidates: [Temperature(), ButTheBest(), TopK()])
        let sampler = try Sampler(vocabularySize: 6, chain: chain)
        var parameters = SamplingParameters()
        (parameters.temperature, parameters.topK) = (1, 1)
        var random = RandomSource(seed: 1)
        let falling: [Float] = [9, 8, 7, 6, 5, 4], mixed: [Float] = [1, 8, 0, 6, 0.5, 4]
        #expect(sampler.sample(falling.span, recent: none.span, parameters, &random) == 2)
        parameters.topK = 0
        let drawn = Set((0..<300).map { _ in sampler.sample(mixed.span, recent: none.span, parameters, &random) })
        #expect(drawn == [2, 4])
    }
}

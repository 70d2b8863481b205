/// A token that may come next.
public struct Candidate: Sendable, Equatable, BitwiseCopyable {
    public let id: TokenID
    /// Natural logarithm of the model's own probability, before temperature, penalties and cuts.
    public let logprob: Float
}

/// Chooses tokens from logits: takes the steps of a chain and draws. It knows logits and tokens only. All memory is taken when it is made.
///
/// Logits that are not numbers count as minus infinity; when nothing is left to choose from, the lowest id is taken.
final class Sampler {
    let pool: Candidates
    let chain: SamplingChain
    /// Rows of the model that are no tokens: they are never drawn, whatever their logits.
    let unused: [TokenID]

    init(vocabularySize: Int, unused: [TokenID] = [], chain: SamplingChain = .standard) throws(AlpacaError) {
        pool = try Candidates(size: vocabularySize)
        self.unused = unused
        self.chain = chain
    }

    /// The next token.
    ///
    /// - Parameters:
    ///   - logits: one a token of the vocabulary.
    ///   - recent: the tokens so far, ids of the vocabulary; the penalties look at the last `repeatLastN`.
    func sample(_ logits: Span<Float>, recent: Span<TokenID>, _ p: SamplingParameters, _ random: inout RandomSource) -> TokenID {
        guard logits.count == pool.size, pool.size > 0 else { return 0 }
        pool.fill(logits)
        pool.forbid(unused)
        for i in chain.logits.indices { chain.logits[i].apply(to: pool, p, recent: recent) }
        pool.begin()
        let last = chain.candidates.count - 1
        for i in 0..<chain.candidates.count {
            if let decided = pool.decided { return decided }
            pool.leastShare = i < last ? chain.candidates[i + 1].leastShare(p) : 0
            chain.candidates[i].apply(to: pool, p)
        }
        return pool.draw(&random)
    }

    /// Whether the logits of the last draw told anything: false when none that may be drawn is a number. Looks at them only where nothing could
    /// be drawn, so that it costs nothing; a caller's biases that forbid everything are no fault of the model.
    func couldChoose(_ logits: Span<Float>) -> Bool {
        guard !pool.top.isFinite, logits.count == pool.size, pool.size > 0 else { return true }
        pool.fill(logits)
        pool.forbid(unused)
        for i in 0..<pool.size {
            // Bound: i < size.
            if unsafe pool.logits[i].isFinite { return true }
        }
        return false
    }

    /// The model's own probabilities: the logarithm of `chosen`'s, and the `count` likeliest tokens, likeliest first.
    func candidates(_ logits: Span<Float>, chosen: TokenID, count: Int) -> (logprob: Float, top: [Candidate]) {
        guard logits.count == pool.size, pool.size > 0 else { return (-.infinity, []) }
        pool.fill(logits)
        pool.forbid(unused)
        pool.begin()
        return pool.logarithms(chosen: chosen, count: count)
    }
}

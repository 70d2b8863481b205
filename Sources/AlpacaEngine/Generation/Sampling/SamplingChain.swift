/// A step that changes logits: bias, penalties. All tokens are still there.
///
/// A step keeps nothing between two draws, and allocates nothing.
protocol LogitStep: Sendable {
    /// - Parameter recent: the tokens so far.
    func apply(to candidates: Candidates, _ p: SamplingParameters, recent: Span<TokenID>)
}

/// A step that narrows what may come next, or changes how likely it is: temperature, top k, top p, min p. The likeliest token is known.
protocol CandidateStep: Sendable {
    func apply(to candidates: Candidates, _ p: SamplingParameters)

    /// The share of the likeliest token's probability below which the step keeps nothing, 0 where it can't be said. The step before it need
    /// not keep those either.
    func leastShare(_ p: SamplingParameters) -> Double
}

extension CandidateStep {
    func leastShare(_ p: SamplingParameters) -> Double { 0 }
}

/// The steps from logits to the tokens that one is drawn from, in their order. A new step is a file beside this one and a place here.
struct SamplingChain: Sendable {
    var logits: [any LogitStep]
    var candidates: [any CandidateStep]

    /// The order that ``SamplingParameters`` tells.
    static let standard = SamplingChain(
        logits: [LogitBias(), Penalties()],
        candidates: [Temperature(), TopK(), TopP(), MinP()])
}

/// Leaves out tokens less likely than a share of the likeliest one's probability.
struct MinP: CandidateStep {
    func apply(to candidates: Candidates, _ p: SamplingParameters) {
        if p.minP > 0 { candidates.keep(atLeast: Double(p.minP)) }
    }

    func leastShare(_ p: SamplingParameters) -> Double { Double(p.minP) }
}

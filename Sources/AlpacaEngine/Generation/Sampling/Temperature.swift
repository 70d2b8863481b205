/// Divides the logits; 0 takes the likeliest token.
struct Temperature: CandidateStep {
    func apply(to candidates: Candidates, _ p: SamplingParameters) {
        guard p.temperature != 0 else { return candidates.decide(candidates.likeliest) }
        candidates.multiply(by: 1 / Double(p.temperature))
    }
}

/// Keeps the shortest list of likeliest tokens whose probabilities add up to p, at least one token (nucleus sampling).
struct TopP: CandidateStep {
    func apply(to candidates: Candidates, _ p: SamplingParameters) {
        guard p.topP < 1 else { return }
        if candidates.areAll {
            candidates.keepNucleus(Double(p.topP))
            return
        }
        let count = candidates.order()
        let total = candidates.weigh()
        let weights = unsafe candidates.weights
        var sum = 0.0
        for i in 0..<count {
            // Bound: as many weights as tokens in order.
            unsafe sum += weights[i]
            if sum >= Double(p.topP) * total { return candidates.cut(to: i + 1) }
        }
    }
}

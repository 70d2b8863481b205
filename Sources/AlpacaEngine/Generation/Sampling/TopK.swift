/// Keeps the k likeliest tokens; 0 keeps all.
struct TopK: CandidateStep {
    func apply(to candidates: Candidates, _ p: SamplingParameters) {
        if p.topK > 0 { candidates.keepLikeliest(p.topK) }
    }
}

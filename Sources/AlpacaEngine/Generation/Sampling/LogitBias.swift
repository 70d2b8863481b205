/// Adds the caller's biases; minus infinity forbids a token.
struct LogitBias: LogitStep {
    func apply(to candidates: Candidates, _ p: SamplingParameters, recent: Span<TokenID>) {
        guard !p.logitBias.isEmpty else { return }
        for (id, bias) in p.logitBias where id >= 0 && Int(id) < candidates.size {
            // Bound: id < size, as asked before.
            unsafe candidates.logits[Int(id)] = Candidates.number(candidates.logits[Int(id)] + bias)
        }
    }
}

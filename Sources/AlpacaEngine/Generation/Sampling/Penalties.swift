/// Repetition, presence and frequency penalty: what occurred becomes less likely.
struct Penalties: LogitStep {
    func apply(to candidates: Candidates, _ p: SamplingParameters, recent: Span<TokenID>) {
        guard p.repetitionPenalty != 1 || p.presencePenalty != 0 || p.frequencyPenalty != 0 else { return }
        let size = candidates.size
        let logits = unsafe candidates.logits
        let counts = unsafe candidates.counts
        let first = p.repeatLastN < 0 ? 0 : max(0, recent.count - p.repeatLastN)
        for i in first..<recent.count {
            let id = Int(recent[i])
            // Bound: ids outside the vocabulary are passed over; both lists have `size` elements.
            if id >= 0, id < size { unsafe counts[id] &+= 1 }
        }
        for i in first..<recent.count {
            let id = Int(recent[i])
            guard id >= 0, id < size, unsafe counts[id] > 0 else { continue }
            let logit = unsafe logits[id]
            unsafe logits[id] = Candidates.number(
                (logit < 0 ? logit * p.repetitionPenalty : logit / p.repetitionPenalty)
                    - p.presencePenalty - Float(counts[id]) * p.frequencyPenalty)
            unsafe counts[id] = 0
        }
    }
}

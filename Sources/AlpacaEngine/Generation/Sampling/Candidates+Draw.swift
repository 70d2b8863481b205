/// The last step: one of the tokens that are left.
extension Candidates {
    /// Draws one of the tokens by its weight.
    func draw(_ random: inout RandomSource) -> TokenID {
        if let decided { return decided }
        guard isInOrder else { return drawInPlace(&random) }
        let sum = weigh()
        let count = count
        var rest = random.uniform() * sum
        for i in 0..<count {
            unsafe rest -= weights[i]
            if rest < 0 { return unsafe entries[i].id }
        }
        return unsafe entries[count - 1].id
    }

    /// The same in the order of ids.
    private func drawInPlace(_ random: inout RandomSource) -> TokenID {
        let (top, scale, share) = (top, scale, share)
        var sum = 0.0
        for i in 0..<size {
            let weight = unsafe Candidates.weight(logits[i], top, scale)
            unsafe weights[i] = weight < share ? 0 : weight
            unsafe sum += weights[i]
        }
        var rest = random.uniform() * sum
        var last = 0
        for i in 0..<size where unsafe weights[i] > 0 {
            unsafe rest -= weights[i]
            last = i
            if rest < 0 { break }
        }
        return TokenID(truncatingIfNeeded: last)
    }

    /// The logarithm of `chosen`'s probability among all, and the `most` likeliest tokens with theirs, likeliest first.
    func logarithms(chosen: TokenID, count most: Int) -> (logprob: Float, top: [Candidate]) {
        let top = Double(top)
        guard top.isFinite else { return (-.infinity, []) }
        var sum = 0.0
        for i in 0..<size { unsafe sum += Numerics.exponential(Double(logits[i]) - top) }
        let base = top + Numerics.logarithm(sum)
        let n = selectTop(min(most, size), of: size)
        let list = (0..<n).map { i in
            unsafe Candidate(id: entries[i].id, logprob: Float(Double(entries[i].logit) - base))
        }
        let own = Int(chosen)
        let logprob = own >= 0 && own < size ? unsafe Float(Double(logits[own]) - base) : -.infinity
        return (logprob, list)
    }
}

/// The last step: one of the tokens that are left.
extension Candidates {
    /// Draws one of the tokens by its weight.
    func draw(_ random: inout RandomSource) -> TokenID {
        if let decided { return decided }
        if let nucleus { return draw(of: nucleus, &random) }
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
        var rest = random.uniform() * weighAll(atLeast: share)
        // The block, then the token in it. Rounding may leave a little: then it is the last that has a weight.
        var block = 0
        for i in 0..<(size + Candidates.blockSize - 1) / Candidates.blockSize {
            // Bound: there is a sum for each block.
            let sum = unsafe sums[i]
            guard sum > 0 else { continue }
            block = i
            if rest < sum { break }
            rest -= sum
        }
        let first = block * Candidates.blockSize
        if rest >= (unsafe sums[block]) { rest = .infinity }
        var last = first
        for i in first..<min(size, first + Candidates.blockSize) where unsafe weights[i] > 0 {
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
        // By the model's own probabilities: no temperature has been applied.
        let sum = weighAll()
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

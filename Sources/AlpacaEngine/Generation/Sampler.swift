/// A token that may come next.
public struct Candidate: Sendable, Equatable, BitwiseCopyable {
    public let id: TokenID
    /// Natural logarithm of the model's own probability, before temperature, penalties and cuts.
    public let logprob: Float
}

/// Chooses tokens from logits. It knows logits and tokens only; see ``SamplingParameters`` for the steps. All memory is taken when it is made.
///
/// Logits that are not numbers count as minus infinity; when nothing is left to choose from, the lowest id is taken.
@safe final class Sampler {
    private struct Entry: BitwiseCopyable {
        var logit: Float
        var id: TokenID
    }

    private let size: Int
    private let workBuffer: AlignedBuffer
    private let entryBuffer: AlignedBuffer
    private let weightBuffer: AlignedBuffer
    /// For each token how often it occurred in the window at hand; all zero between calls.
    private let countBuffer: AlignedBuffer

    // Each has `size` elements.
    private let work: UnsafeMutablePointer<Float>
    private let entries: UnsafeMutablePointer<Entry>
    private let weights: UnsafeMutablePointer<Double>
    private let counts: UnsafeMutablePointer<Int32>

    init(vocabularySize: Int) throws(AlpacaError) {
        size = vocabularySize
        workBuffer = try AlignedBuffer(size, of: Float.self, for: "sampler")
        entryBuffer = try AlignedBuffer(size, of: Entry.self, for: "sampler")
        weightBuffer = try AlignedBuffer(size, of: Double.self, for: "sampler")
        countBuffer = try AlignedBuffer(size, of: Int32.self, for: "sampler")
        unsafe work = workBuffer.pointer()
        unsafe entries = entryBuffer.pointer()
        unsafe weights = weightBuffer.pointer()
        unsafe counts = countBuffer.pointer()
    }

    /// The next token.
    ///
    /// - Parameters:
    ///   - logits: one a token of the vocabulary.
    ///   - recent: the tokens so far, ids of the vocabulary; the penalties look at the last `repeatLastN`.
    func sample(_ logits: Span<Float>, recent: Span<TokenID>, _ p: SamplingParameters, _ random: inout RandomSource) -> TokenID {
        guard logits.count == size, size > 0 else { return 0 }
        for i in 0..<size { unsafe work[i] = logits[i].isNaN ? -.infinity : logits[i] }
        for (id, bias) in p.logitBias where id >= 0 && Int(id) < size { unsafe work[Int(id)] += bias }
        penalize(recent, p)
        if p.temperature == 0 { return likeliest() }
        return draw(p, &random)
    }

    /// The model's own probabilities: the logarithm of `chosen`'s, and the `count` likeliest tokens, likeliest first.
    func candidates(_ logits: Span<Float>, chosen: TokenID, count: Int) -> (logprob: Float, top: [Candidate]) {
        guard logits.count == size, size > 0 else { return (-.infinity, []) }
        for i in 0..<size { unsafe work[i] = logits[i].isNaN ? -.infinity : logits[i] }
        let top = unsafe Double(work[Int(likeliest())])
        guard top.isFinite else { return (-.infinity, []) }
        var sum = 0.0
        for i in 0..<size { unsafe sum += Numerics.exponential(Double(work[i]) - top) }
        let base = top + Numerics.logarithm(sum)
        let n = selectTop(min(count, size), of: size)
        let list = (0..<n).map { i in
            unsafe Candidate(id: entries[i].id, logprob: Float(Double(entries[i].logit) - base))
        }
        let own = Int(chosen)
        let logprob = own >= 0 && own < size ? unsafe Float(Double(work[own]) - base) : -.infinity
        return (logprob, list)
    }

    // MARK: - Steps

    private func penalize(_ recent: Span<TokenID>, _ p: SamplingParameters) {
        guard p.repetitionPenalty != 1 || p.presencePenalty != 0 || p.frequencyPenalty != 0 else { return }
        let first = p.repeatLastN < 0 ? 0 : max(0, recent.count - p.repeatLastN)
        for i in first..<recent.count {
            let id = Int(recent[i])
            // Bound: ids outside the vocabulary are passed over; counts has `size` elements.
            if id >= 0, id < size { unsafe counts[id] &+= 1 }
        }
        for i in first..<recent.count {
            let id = Int(recent[i])
            guard id >= 0, id < size, unsafe counts[id] > 0 else { continue }
            let logit = unsafe work[id]
            unsafe work[id] =
                (logit < 0 ? logit * p.repetitionPenalty : logit / p.repetitionPenalty)
                - p.presencePenalty - Float(counts[id]) * p.frequencyPenalty
            unsafe counts[id] = 0
        }
    }

    /// The highest of `work`, the lowest id among equals.
    private func likeliest() -> TokenID {
        var best = 0
        for i in 1..<max(1, size) where unsafe work[i] > work[best] { best = i }
        return TokenID(truncatingIfNeeded: best)
    }

    private func draw(_ p: SamplingParameters, _ random: inout RandomSource) -> TokenID {
        let best = Int(likeliest())
        let top = unsafe work[best]
        guard top > -.infinity else { return TokenID(truncatingIfNeeded: best) }
        // An infinite logit is certain.
        guard top < .infinity else { return TokenID(truncatingIfNeeded: best) }
        let scale = 1 / Double(p.temperature)
        func weight(_ logit: Float) -> Double { Numerics.exponential((Double(logit) - Double(top)) * scale) }

        let kept = p.topK == 0 ? size : min(p.topK, size)
        var count: Int
        var total = 0.0
        if kept < size {
            count = selectTop(kept, of: size)
            for i in 0..<count {
                unsafe weights[i] = weight(entries[i].logit)
                unsafe total += weights[i]
            }
        } else {
            // All tokens count for the sum; of the likeliest, as many are put in order as top p needs.
            for i in 0..<size { unsafe total += weight(work[i]) }
            count = p.topP < 1 ? min(size, 256) : size
            if count == size { return drawUnordered(total: total, minP: p.minP, weight: weight, &random) }
            while true {
                count = selectTop(count, of: size)
                var sum = 0.0
                for i in 0..<count {
                    unsafe weights[i] = weight(entries[i].logit)
                    unsafe sum += weights[i]
                }
                if sum >= Double(p.topP) * total || count == size { break }
                count = min(size, count * 4)
            }
        }
        // Top p keeps the shortest head of the list whose probability reaches it, at least one token.
        if p.topP < 1 {
            var sum = 0.0
            for i in 0..<count {
                unsafe sum += weights[i]
                if sum >= Double(p.topP) * total {
                    count = i + 1
                    break
                }
            }
        }
        // The likeliest has weight 1, so min p is a bound on weights.
        if p.minP > 0 {
            while count > 1, unsafe weights[count - 1] < Double(p.minP) { count -= 1 }
        }
        var sum = 0.0
        for i in 0..<count { unsafe sum += weights[i] }
        var rest = random.uniform() * sum
        for i in 0..<count {
            unsafe rest -= weights[i]
            if rest < 0 { return unsafe entries[i].id }
        }
        return unsafe entries[count - 1].id
    }

    /// A draw from all tokens, in the order of their ids.
    private func drawUnordered(total: Double, minP: Float, weight: (Float) -> Double, _ random: inout RandomSource) -> TokenID {
        var sum = 0.0
        for i in 0..<size {
            let w = unsafe weight(work[i])
            unsafe weights[i] = w < Double(minP) ? 0 : w
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

    // MARK: - Partial selection

    /// Puts the `k` highest of `work` into `entries`, highest first, lowest id first among equals, and returns their number. A heap whose
    /// root is the least of those kept: most tokens cost one comparison.
    private func selectTop(_ k: Int, of n: Int) -> Int {
        let k = min(k, n)
        guard k > 0 else { return 0 }
        for i in 0..<k { unsafe entries[i] = Entry(logit: work[i], id: TokenID(truncatingIfNeeded: i)) }
        var parent = k / 2
        while parent > 0 {
            parent -= 1
            sift(parent, k)
        }
        for i in k..<n where unsafe work[i] > entries[0].logit {
            unsafe entries[0] = Entry(logit: work[i], id: TokenID(truncatingIfNeeded: i))
            sift(0, k)
        }
        // Taking the least away to the end again and again leaves the highest in front.
        var end = k
        while end > 1 {
            end -= 1
            unsafe swapEntries(0, end)
            sift(0, end)
        }
        return k
    }

    /// Whether entry `a` is chosen after entry `b`.
    private func isAfter(_ a: Entry, _ b: Entry) -> Bool { a.logit < b.logit || (a.logit == b.logit && a.id > b.id) }

    @unsafe private func swapEntries(_ a: Int, _ b: Int) {
        let e = unsafe entries[a]
        unsafe entries[a] = entries[b]
        unsafe entries[b] = e
    }

    /// Restores the heap of the first `n` entries below `root`.
    private func sift(_ root: Int, _ n: Int) {
        var at = root
        while true {
            var least = at
            let left = 2 * at + 1
            if left < n, unsafe isAfter(entries[left], entries[least]) { least = left }
            if left + 1 < n, unsafe isAfter(entries[left + 1], entries[least]) { least = left + 1 }
            if least == at { return }
            unsafe swapEntries(at, least)
            at = least
        }
    }
}

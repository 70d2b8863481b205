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
    struct Entry: BitwiseCopyable {
        var logit: Float
        var id: TokenID
    }

    let size: Int
    private let workBuffer: AlignedBuffer
    private let entryBuffer: AlignedBuffer
    private let weightBuffer: AlignedBuffer
    /// For each token how often it occurred in the window at hand; all zero between calls.
    private let countBuffer: AlignedBuffer
    private let bucketBuffer: AlignedBuffer

    // Each has `size` elements, buckets has ``bucketCount``.
    let work: UnsafeMutablePointer<Float>
    let entries: UnsafeMutablePointer<Entry>
    let buckets: UnsafeMutablePointer<Int32>
    private let weights: UnsafeMutablePointer<Double>
    private let counts: UnsafeMutablePointer<Int32>

    init(vocabularySize: Int) throws(AlpacaError) {
        size = vocabularySize
        workBuffer = try AlignedBuffer(size, of: Float.self, for: "sampler")
        entryBuffer = try AlignedBuffer(size, of: Entry.self, for: "sampler")
        weightBuffer = try AlignedBuffer(size, of: Double.self, for: "sampler")
        countBuffer = try AlignedBuffer(size, of: Int32.self, for: "sampler")
        bucketBuffer = try AlignedBuffer(Sampler.bucketCount, of: Int32.self, for: "sampler")
        unsafe work = workBuffer.pointer()
        unsafe entries = entryBuffer.pointer()
        unsafe weights = weightBuffer.pointer()
        unsafe counts = countBuffer.pointer()
        unsafe buckets = bucketBuffer.pointer()
    }

    /// The next token.
    ///
    /// - Parameters:
    ///   - logits: one a token of the vocabulary.
    ///   - recent: the tokens so far, ids of the vocabulary; the penalties look at the last `repeatLastN`.
    func sample(_ logits: Span<Float>, recent: Span<TokenID>, _ p: SamplingParameters, _ random: inout RandomSource) -> TokenID {
        guard logits.count == size, size > 0 else { return 0 }
        for i in 0..<size { unsafe work[i] = Sampler.number(logits[i]) }
        for (id, bias) in p.logitBias where id >= 0 && Int(id) < size { unsafe work[Int(id)] = Sampler.number(work[Int(id)] + bias) }
        penalize(recent, p)
        if p.temperature == 0 { return likeliest() }
        return draw(p, &random)
    }

    /// The model's own probabilities: the logarithm of `chosen`'s, and the `count` likeliest tokens, likeliest first.
    func candidates(_ logits: Span<Float>, chosen: TokenID, count: Int) -> (logprob: Float, top: [Candidate]) {
        guard logits.count == size, size > 0 else { return (-.infinity, []) }
        for i in 0..<size { unsafe work[i] = Sampler.number(logits[i]) }
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

    /// What is no number, as the difference of two infinities, counts as minus infinity.
    @inline(__always) private static func number(_ logit: Float) -> Float { logit.isNaN ? -.infinity : logit }

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
            unsafe work[id] = Sampler.number(
                (logit < 0 ? logit * p.repetitionPenalty : logit / p.repetitionPenalty)
                    - p.presencePenalty - Float(counts[id]) * p.frequencyPenalty)
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
        if kept == size, p.topP >= 1 {
            var total = 0.0
            for i in 0..<size { unsafe total += weight(work[i]) }
            return drawUnordered(total: total, minP: p.minP, weight: weight, &random)
        }
        var count: Int
        // Top p keeps the shortest head of the list whose probability reaches it, at least one token.
        if kept < size {
            count = kept <= Sampler.heapMost ? selectTop(kept, of: size) : selectTop(kept, top: top, scale: scale)
            var total = 0.0
            for i in 0..<count {
                unsafe weights[i] = weight(entries[i].logit)
                unsafe total += weights[i]
            }
            var sum = 0.0
            for i in 0..<count where p.topP < 1 {
                unsafe sum += weights[i]
                if sum >= Double(p.topP) * total {
                    count = i + 1
                    break
                }
            }
        } else {
            // All tokens count for the sum. A quick one decides but where the head's comes too near to it: then it is taken exactly.
            let quick = quickTotal(top: top, scale: scale)
            var least = Double(p.topP) * quick * (1 - Sampler.quickError)
            var enough = Double(p.topP) * quick * (1 + Sampler.quickError)
            count = selectNucleus(enough, minP: p.minP, top: top, scale: scale)
            var sum = 0.0
            for i in 0..<count {
                unsafe weights[i] = weight(entries[i].logit)
                unsafe sum += weights[i]
                if sum >= least, sum < enough {
                    var total = 0.0
                    for k in 0..<size { unsafe total += weight(work[k]) }
                    least = Double(p.topP) * total
                    enough = least
                }
                if sum >= enough {
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
}

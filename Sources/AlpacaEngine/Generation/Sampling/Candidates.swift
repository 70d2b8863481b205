/// The tokens that may come next, as the steps of a ``SamplingChain`` leave them, and the memory that they are told in.
///
/// They begin as all tokens in the order of their ids, and stay so as long as no step needs another order: putting 150,000 tokens in order
/// costs more than all the rest. A step that cuts leaves a list, likeliest first, lowest id first among equals. Probabilities are told as
/// weights: exp((logit - highest logit) * scale), so that the likeliest has weight 1; they are computed when a step asks for them.
@safe final class Candidates {
    struct Entry: BitwiseCopyable {
        var logit: Float
        var id: TokenID
    }

    /// Tokens of the vocabulary.
    let size: Int

    private let logitBuffer: AlignedBuffer
    private let entryBuffer: AlignedBuffer
    private let weightBuffer: AlignedBuffer
    private let countBuffer: AlignedBuffer
    private let bucketBuffer: AlignedBuffer
    private let sumBuffer: AlignedBuffer

    // Each has `size` elements, buckets and sums have ``bucketCount``, sums at least one for each ``blockSize`` tokens.

    /// One a token, by id.
    let logits: UnsafeMutablePointer<Float>
    /// The first ``count`` are the tokens in order, once they are.
    let entries: UnsafeMutablePointer<Entry>
    /// Those of the tokens in order, once they are weighed.
    let weights: UnsafeMutablePointer<Double>
    /// For each token how often it occurred in the window at hand; all zero between steps.
    let counts: UnsafeMutablePointer<Int32>
    let buckets: UnsafeMutablePointer<Int32>
    /// Of weights: of each block of tokens, or of each bucket.
    let sums: UnsafeMutablePointer<Double>

    /// The likeliest token, the lowest id among equals, and its logit. Known once the logits no longer change.
    private(set) var likeliest: TokenID = 0
    private(set) var top: Float = 0
    /// What differences of logits are multiplied by: one by the temperature.
    private(set) var scale = 1.0
    /// Whether the tokens are those in `entries`; else they are all whose weight is not below `share`.
    private(set) var isInOrder = false
    private(set) var count = 0
    private(set) var share = 0.0
    private var isWeighed = false
    /// The tokens that are left where they are many and no step has asked for their order.
    private(set) var nucleus: Nucleus?
    /// The only token that is left, where that is known.
    private(set) var decided: TokenID?
    /// So many tokens of a nucleus are put in order, if need be, before one is drawn. With more it is found otherwise.
    var orderMost = 2048
    /// What is below this share of the likeliest's probability, the next step leaves out: see ``CandidateStep/leastShare(_:)``.
    var leastShare = 0.0

    init(size: Int) throws(AlpacaError) {
        self.size = size
        logitBuffer = try AlignedBuffer(size, of: Float.self, for: "sampler")
        entryBuffer = try AlignedBuffer(size, of: Entry.self, for: "sampler")
        weightBuffer = try AlignedBuffer(size, of: Double.self, for: "sampler")
        countBuffer = try AlignedBuffer(size, of: Int32.self, for: "sampler")
        bucketBuffer = try AlignedBuffer(Candidates.bucketCount, of: Int32.self, for: "sampler")
        sumBuffer = try AlignedBuffer(
            max(Candidates.bucketCount, size / Candidates.blockSize + 1), of: Double.self, for: "sampler")
        unsafe logits = logitBuffer.pointer()
        unsafe entries = entryBuffer.pointer()
        unsafe weights = weightBuffer.pointer()
        unsafe counts = countBuffer.pointer()
        unsafe buckets = bucketBuffer.pointer()
        unsafe sums = sumBuffer.pointer()
    }

    // MARK: - The beginning

    /// What is no number, as the difference of two infinities, counts as minus infinity.
    @inline(__always) static func number(_ logit: Float) -> Float { logit.isNaN ? -.infinity : logit }

    /// All tokens, with these logits: as many as there are tokens.
    func fill(_ given: Span<Float>) {
        let logits = unsafe logits
        for i in 0..<min(size, given.count) { unsafe logits[i] = Candidates.number(given[i]) }
    }

    /// Tokens that are not to be drawn, while the logits can change.
    func forbid(_ ids: [TokenID]) {
        for id in ids where id >= 0 && Int(id) < size {
            // Bound: id < size, as asked before.
            unsafe logits[Int(id)] = -.infinity
        }
    }

    /// The logits stay as they are from here on.
    func begin() {
        let best = highest()
        likeliest = TokenID(truncatingIfNeeded: best)
        top = unsafe logits[best]
        scale = 1
        isInOrder = false
        isWeighed = false
        nucleus = nil
        count = size
        share = 0
        leastShare = 0
        // An infinite logit is certain; and where all are minus infinity there is nothing to choose by.
        decided = top.isFinite ? nil : likeliest
    }

    // MARK: - What steps do

    /// Whether no token has been left out.
    var areAll: Bool { !isInOrder && share == 0 && nucleus == nil }

    func decide(_ id: TokenID) { decided = id }

    /// Makes all differences of logits this many times as large.
    func multiply(by factor: Double) {
        // A share that is left to be kept is one of the old weights.
        if share > 0 || nucleus != nil { order() }
        scale *= factor
        isWeighed = false
    }

    /// Puts the tokens in order, likeliest first; their number.
    @discardableResult func order() -> Int {
        guard !isInOrder else { return count }
        if let nucleus {
            let most = nucleus.before.count + nucleus.count
            self.nucleus = nil
            take(fill(through: nucleus.bucket, top: top, nucleus.perLogit))
            cut(to: most)
        } else if share > 0 {
            // The buckets down to the share, and what is too much of the last.
            let least = share
            let selection = selectNucleus(.infinity, least: least, top: top, scale: scale)
            take(fill(through: selection.bucket, top: top, selection.perLogit))
            keep(atLeast: least)
        } else {
            take(selectTop(size, top: top, scale: scale))
        }
        return count
    }

    /// Computes the weights of the tokens in order; their sum.
    @discardableResult func weigh() -> Double {
        var total = 0.0
        let (count, top, scale) = (count, top, scale)
        if isWeighed {
            for i in 0..<count { unsafe total += weights[i] }
        } else {
            for i in 0..<count {
                // Bound: count <= size.
                unsafe weights[i] = Candidates.weight(entries[i].logit, top, scale)
                unsafe total += weights[i]
            }
            isWeighed = true
        }
        return total
    }

    /// Keeps the first `most` of the tokens in order.
    func cut(to most: Int) { count = min(count, most) }

    func keepLikeliest(_ most: Int) {
        guard areAll else {
            order()
            return cut(to: most)
        }
        guard most < size else { return }
        take(most <= Candidates.heapMost ? selectTop(most, of: size) : selectTop(most, top: top, scale: scale))
    }

    /// Leaves out what is less likely than `share` of the likeliest.
    func keep(atLeast share: Double) {
        if nucleus != nil { order() }
        guard isInOrder else {
            self.share = max(self.share, share)
            return
        }
        weigh()
        while count > 1, unsafe weights[count - 1] < share { count -= 1 }
    }

    /// Keeps the likeliest whose weights first add up to `p` of all: of all tokens.
    func keepNucleus(_ p: Double) {
        let (top, scale) = (top, scale)
        // All tokens count for the sum. A quick one decides but where the head's comes too near to it: then it is taken exactly.
        let quick = quickTotal(top: top, scale: scale)
        var least = p * quick * (1 - Candidates.quickError)
        var enough = p * quick * (1 + Candidates.quickError)
        let selection = selectNucleus(enough, least: leastShare, top: top, scale: scale)
        if selection.count > orderMost, leastShare == 0 {
            nucleus = findNucleus(p, perLogit: selection.perLogit)
            return
        }
        take(fill(through: selection.bucket, top: top, selection.perLogit))
        isWeighed = true
        var sum = 0.0
        for i in 0..<count {
            unsafe weights[i] = Candidates.weight(entries[i].logit, top, scale)
            unsafe sum += weights[i]
            if sum >= least, sum < enough {
                least = p * weighAll()
                enough = least
                // Those that are in order again: the list of all lies in the same place.
                for k in 0...i { unsafe weights[k] = Candidates.weight(entries[k].logit, top, scale) }
            }
            if sum >= enough { return cut(to: i + 1) }
        }
    }

    /// The tokens are the first `count` of `entries`.
    private func take(_ count: Int) {
        isInOrder = true
        isWeighed = false
        self.count = count
        share = 0
    }

    @inline(__always) static func weight(_ logit: Float, _ top: Float, _ scale: Double) -> Double {
        Numerics.exponential((Double(logit) - Double(top)) * scale)
    }
}

/// The weights of all tokens, and a nucleus of so many that to put them in order would take longer than all the rest.
extension Candidates {
    /// Tokens whose weights are summed together.
    static let blockSize = 64

    /// The likeliest tokens: those of all buckets before one, and some of that one, which are the first in `entries`.
    struct Nucleus: BitwiseCopyable {
        let bucket: Int
        let perLogit: Float
        /// Tokens in the buckets before, and the sum of their weights.
        let before: (count: Int, sum: Double)
        /// Of the bucket's own tokens, which are in order, so many count; all of them, and the sum of the weights of all that count.
        let count, members: Int
        let sum: Double
    }

    /// The place of the highest logit, the first of equal ones.
    func highest() -> Int {
        typealias Lanes = SIMD16<Float>
        let logits = unsafe logits
        var i = 0
        var most = -Float.infinity
        if size >= 16 {
            var lanes = Lanes(repeating: -.infinity)
            while i + 16 <= size {
                // Bound: i + 16 <= size.
                let next = unsafe UnsafeRawPointer(logits + i).loadUnaligned(as: Lanes.self)
                lanes.replace(with: next, where: next .> lanes)
                i += 16
            }
            most = lanes.max()
        }
        while i < size {
            most = unsafe max(most, logits[i])
            i += 1
        }
        for i in 0..<size where unsafe logits[i] == most { return i }
        return 0
    }

    /// Computes the weight of each token, by id, those below `share` as 0; the sum of each block; the sum of all.
    @discardableResult func weighAll(atLeast share: Double = 0) -> Double {
        typealias Lanes = SIMD8<Double>
        let (top, scale) = (Double(top), scale)
        let weights = unsafe weights, logits = unsafe logits
        var total = 0.0
        for block in 0..<(size + Candidates.blockSize - 1) / Candidates.blockSize {
            let end = min(size, (block + 1) * Candidates.blockSize)
            var i = block * Candidates.blockSize
            var sum = Lanes.zero
            while i < end {
                var eight = Lanes(repeating: -.infinity)
                if i + 8 <= end {
                    // Bound: i + 8 <= end <= size.
                    eight = unsafe Lanes(UnsafeRawPointer(logits + i).loadUnaligned(as: SIMD8<Float>.self))
                } else {
                    for k in i..<end { unsafe eight[k - i] = Double(logits[k]) }
                }
                var own = Numerics.exponential((eight - top) * scale)
                own.replace(with: 0, where: own .< share)
                sum += own
                if i + 8 <= end {
                    unsafe UnsafeMutableRawPointer(weights + i).storeBytes(of: own, as: Lanes.self)
                } else {
                    for k in i..<end { unsafe weights[k] = own[k - i] }
                }
                i += 8
            }
            let own = sum.sum()
            // Bound: there is a sum for each block.
            unsafe sums[block] = own
            total += own
        }
        return total
    }

    /// The shortest list of likeliest tokens whose weights add up to `p` of all, after the tokens of each bucket were counted.
    func findNucleus(_ p: Double, perLogit: Float) -> Nucleus {
        weighAll()
        unsafe sums.update(repeating: 0, count: Candidates.bucketCount)
        for i in 0..<size {
            // Bound: buckets are below bucketCount.
            unsafe sums[Candidates.bucket(logits[i], top, perLogit)] += weights[i]
        }
        var total = 0.0
        for b in 0..<Candidates.bucketCount { unsafe total += sums[b] }
        let enough = p * total
        var before = (count: 0, sum: 0.0)
        var bucket = 0
        while bucket + 1 < Candidates.bucketCount, unsafe before.sum + sums[bucket] < enough {
            unsafe before.sum += sums[bucket]
            unsafe before.count += Int(buckets[bucket])
            bucket += 1
        }
        let members = collect(bucket, at: 0, perLogit)
        var sum = before.sum
        var count = 0
        while count < members {
            // Bound: count < members <= size.
            unsafe sum += weight(of: entries[count])
            count += 1
            if sum >= enough { break }
        }
        return Nucleus(bucket: bucket, perLogit: perLogit, before: before, count: count, members: members, sum: sum)
    }

    /// Draws one of a nucleus by its weight: as if its tokens lay in order.
    func draw(of nucleus: Nucleus, _ random: inout RandomSource) -> TokenID {
        var rest = random.uniform() * nucleus.sum
        var (first, count) = (0, nucleus.count)
        if nucleus.before.count > 0, rest < nucleus.before.sum || count == 0 {
            var bucket = 0, last = 0
            while bucket < nucleus.bucket {
                // Bound: bucket < nucleus.bucket < bucketCount.
                let sum = unsafe sums[bucket]
                if unsafe buckets[bucket] > 0 { last = bucket }
                if rest < sum { break }
                rest -= sum
                bucket += 1
            }
            // Those behind the nucleus' own last bucket are free.
            first = nucleus.members
            count = collect(last, at: first, nucleus.perLogit)
        } else {
            rest -= nucleus.before.sum
        }
        for i in first..<first + count {
            // Bound: the tokens of two buckets are `size` at most.
            unsafe rest -= weight(of: entries[i])
            if rest < 0 { return unsafe entries[i].id }
        }
        return unsafe entries[first + max(1, count) - 1].id
    }

    /// Puts the tokens of a bucket into `entries` from `start` on, in order; their number.
    private func collect(_ bucket: Int, at start: Int, _ perLogit: Float) -> Int {
        var end = start
        for i in 0..<size where unsafe Candidates.bucket(logits[i], top, perLogit) == bucket {
            // Bound: the buckets at hand are not the same; together they have `size` tokens at most.
            unsafe entries[end] = unsafe Entry(logit: logits[i], id: TokenID(truncatingIfNeeded: i))
            end += 1
        }
        sort(start, end)
        return end - start
    }

    private func weight(of entry: Entry) -> Double { unsafe weights[Int(entry.id)] }
}

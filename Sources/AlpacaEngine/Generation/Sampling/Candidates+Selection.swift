/// Partial selection: the likeliest tokens in order, without putting all in order.
///
/// A few are kept in a heap. For more, tokens are counted in buckets by how far they are below the likeliest, 1/128 of a natural logarithm
/// of probability each; then only the buckets that are needed are filled and put in order. Both give the same list.
extension Candidates {
    static let bucketCount = 4096
    private static let bucketsPerUnit: Float = 128
    /// Up to so many tokens a heap is quicker.
    static let heapMost = 256
    /// The largest relative error of ``quickTotal(top:scale:)``. Single precision gives 1.5e-6: half of it by rounding the distances,
    /// which are 11 on average at most for 50,000 tokens.
    static let quickError = 1e-5

    /// The sum of all tokens' weights, exp((logit - top) * scale), in single precision.
    func quickTotal(top: Float, scale: Double) -> Double {
        typealias Lanes = SIMD8<Float>
        let scale = Float(min(scale, 1e30))
        var total = 0.0
        var i = 0
        while i + 8 <= size {
            var block = Lanes.zero
            let end = min(i + 64, size)
            while i + 8 <= end {
                // Bound: i + 8 <= size.
                let eight = unsafe UnsafeRawPointer(logits + i).loadUnaligned(as: Lanes.self)
                // Below -87 the result would be denormal: 1e-38 of the likeliest.
                let x = ((eight - top) * scale).clamped(lowerBound: Lanes(repeating: -87), upperBound: .zero)
                // exp(x) = 2^n exp(r), |r| <= ln(2) / 2: n by the trick of adding 1.5 * 2^23, exp(r) by its series.
                let shifted = x * 1.442_695_04 + 12_582_912
                let n = shifted - 12_582_912
                let r = x - n * 0.693_359_375 + n * 2.121_944_4e-4
                var e = Lanes(repeating: 1 / 720)
                e = e * r + 1 / 120
                e = e * r + 1 / 24
                e = e * r + 1 / 6
                e = e * r + 0.5
                e = e * r + 1
                e = e * r + 1
                let bits = unsafe unsafeBitCast(e, to: SIMD8<Int32>.self) &+ (unsafe unsafeBitCast(shifted, to: SIMD8<Int32>.self) &<< 23)
                unsafe block += unsafeBitCast(bits, to: Lanes.self)
                i += 8
            }
            total += Double(block.sum())
        }
        while i < size {
            unsafe total += Numerics.exponential(Double(logits[i] - top) * Double(scale))
            i += 1
        }
        return total
    }

    /// Puts the `k` likeliest tokens into `entries`, likeliest first, lowest id first among equals, and returns their number.
    ///
    /// - Parameter top: the highest logit, finite.
    func selectTop(_ k: Int, top: Float, scale: Double) -> Int {
        let perLogit = count(top: top, scale: scale)
        var last = 0
        var kept = unsafe Int(buckets[0])
        while kept < k, last + 1 < Candidates.bucketCount {
            last += 1
            kept += unsafe Int(buckets[last])
        }
        return min(k, fill(through: last, top: top, perLogit))
    }

    /// Finds the likeliest tokens whose weights add up to `enough`, and some more; not those whose weight is surely below `least`.
    ///
    /// - Returns: the last bucket of those that hold them, how many they are, and the buckets in a difference of 1 between logits.
    func selectNucleus(_ enough: Double, least: Double, top: Float, scale: Double) -> (bucket: Int, count: Int, perLogit: Float) {
        let perLogit = count(top: top, scale: scale)
        let step = Numerics.exponential(-1 / Double(Candidates.bucketsPerUnit))
        // A little less than the weight of the last in a bucket. The first of the next bucket has no more.
        var weight = step * (1 - 1e-3)
        var last = 0
        var kept = unsafe Int(buckets[0])
        var sum = unsafe Double(buckets[0]) * weight
        while sum < enough, last + 1 < Candidates.bucketCount, weight * (1 + 3e-3) >= least {
            last += 1
            unsafe kept += Int(buckets[last])
            weight *= step
            // The last bucket has all that are far below, so it adds nothing for sure.
            if last + 1 < Candidates.bucketCount { unsafe sum += Double(buckets[last]) * weight }
        }
        return (last, kept, perLogit)
    }

    /// Counts the tokens of each bucket. Returns the buckets in a difference of 1 between logits.
    private func count(top: Float, scale: Double) -> Float {
        let perLogit = Float(min(scale * Double(Candidates.bucketsPerUnit), 1e30))
        unsafe buckets.update(repeating: 0, count: Candidates.bucketCount)
        for i in 0..<size { unsafe buckets[Candidates.bucket(logits[i], top, perLogit)] &+= 1 }
        return perLogit
    }

    /// The bucket of a logit: higher for a lower logit, or the same; 0 ..< bucketCount.
    @inline(__always) static func bucket(_ logit: Float, _ top: Float, _ perLogit: Float) -> Int {
        // No logit is higher than top: not below 0. Not a number, which infinity by 0 is, goes to the last.
        let place = (top - logit) * perLogit
        return place < Float(bucketCount - 1) ? Int(place) : bucketCount - 1
    }

    /// Fills `entries` from the counted buckets 0 ... last, in order, and returns their number.
    func fill(through last: Int, top: Float, _ perLogit: Float) -> Int {
        // Counts become places.
        var total: Int32 = 0
        for b in 0...last {
            let count = unsafe buckets[b]
            unsafe buckets[b] = total
            total += count
        }
        for i in 0..<size {
            let b = unsafe Candidates.bucket(logits[i], top, perLogit)
            guard b <= last else { continue }
            // Bound: each bucket gets as many as were counted, together `total` <= size.
            unsafe entries[Int(buckets[b])] = unsafe Entry(logit: logits[i], id: TokenID(truncatingIfNeeded: i))
            unsafe buckets[b] += 1
        }
        // Places are now the ends.
        var start = 0
        for b in 0...last {
            let end = unsafe Int(buckets[b])
            sort(start, end)
            start = end
        }
        return Int(total)
    }

    /// Puts entries start ..< end in order.
    func sort(_ start: Int, _ end: Int) {
        guard end - start <= 24 else {
            heapify(start, end - start)
            return sortHeap(start, end - start)
        }
        guard end - start > 1 else { return }
        for i in start + 1..<end {
            // Bound: start <= at <= i < end <= size.
            let entry = unsafe entries[i]
            var at = i
            while at > start, unsafe isAfter(entries[at - 1], entry) {
                unsafe entries[at] = unsafe entries[at - 1]
                at -= 1
            }
            unsafe entries[at] = entry
        }
    }

    // MARK: - The heap

    /// Puts the `k` highest of `logits` into `entries`, highest first, lowest id first among equals, and returns their number. A heap whose
    /// root is the least of those kept: most tokens cost one comparison.
    func selectTop(_ k: Int, of n: Int) -> Int {
        let k = min(k, n)
        guard k > 0 else { return 0 }
        for i in 0..<k { unsafe entries[i] = Entry(logit: logits[i], id: TokenID(truncatingIfNeeded: i)) }
        heapify(0, k)
        // Eight at a time against the least kept: hardly any is higher.
        var i = k
        while i < n {
            // Bound: i + 8 <= n in the test of eight; n <= size.
            if i + 8 <= n {
                let eight = unsafe UnsafeRawPointer(logits + i).loadUnaligned(as: SIMD8<Float>.self)
                if unsafe !any(eight .> entries[0].logit) {
                    i += 8
                    continue
                }
            }
            let end = min(i + 8, n)
            while i < end {
                if unsafe logits[i] > entries[0].logit {
                    unsafe entries[0] = Entry(logit: logits[i], id: TokenID(truncatingIfNeeded: i))
                    sift(0, 0, k)
                }
                i += 1
            }
        }
        sortHeap(0, k)
        return k
    }

    private func heapify(_ base: Int, _ n: Int) {
        var parent = n / 2
        while parent > 0 {
            parent -= 1
            sift(base, parent, n)
        }
    }

    /// Taking the least away to the end again and again leaves the highest in front.
    private func sortHeap(_ base: Int, _ n: Int) {
        var end = n
        while end > 1 {
            end -= 1
            let entry = unsafe entries[base]
            unsafe entries[base] = entries[base + end]
            unsafe entries[base + end] = entry
            sift(base, 0, end)
        }
    }

    /// Whether entry `a` is chosen after entry `b`.
    private func isAfter(_ a: Entry, _ b: Entry) -> Bool { a.logit < b.logit || (a.logit == b.logit && a.id > b.id) }

    /// Restores the heap of the `n` entries from `base` below `root`.
    private func sift(_ base: Int, _ root: Int, _ n: Int) {
        // Bound: base + n <= size.
        let heap = unsafe entries + base
        var at = root
        while true {
            var least = at
            let left = 2 * at + 1
            if left < n, unsafe isAfter(heap[left], heap[least]) { least = left }
            if left + 1 < n, unsafe isAfter(heap[left + 1], heap[least]) { least = left + 1 }
            if least == at { return }
            let entry = unsafe heap[at]
            unsafe heap[at] = heap[least]
            unsafe heap[least] = entry
            at = least
        }
    }
}

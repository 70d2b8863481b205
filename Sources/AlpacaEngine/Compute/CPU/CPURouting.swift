internal import CAlpacaKernels

/// Which rows of a batch meet which experts of a layer, and the memory for what they meet them with. A row is there once for each of its
/// experts; these places are ordered by expert, and for one expert by row, so that an expert's rows lie together and one product does for
/// all of them. A row's results don't depend on who else is there: the products of a row are the same bits in any company.
@safe struct CPURouting: BitwiseCopyable {
    let expertCount, usedCount: Int
    /// Inputs of an expert, and what its first matrices give.
    let columns, middle: Int
    /// Where an expert's places begin: (experts + 1).
    let starts: UnsafeMutablePointer<Int32>
    /// While places are given: how many of an expert's are taken.
    let taken: UnsafeMutablePointer<Int32>
    /// The row of each place.
    let rowOf: UnsafeMutablePointer<Int32>
    /// The places of each row, in the order of its experts: (rows, usedCount).
    let placeOf: UnsafeMutablePointer<Int32>
    /// The experts that have rows, ascending.
    let active: UnsafeMutablePointer<Int32>
    /// Where in `packed` the inputs of each active expert begin, for inputs of `columns`, then for those of `middle`: (2, experts).
    let packedAt: UnsafeMutablePointer<Int>
    /// (places, columns): inputs, then results.
    let gathered: UnsafeMutablePointer<Float>
    let packed: UnsafeMutableRawPointer
    var activeCount = 0
    /// Rows that the expert with most of them has.
    var mostRows = 0

    // MARK: Choosing

    /// The experts of one row, in the order of their numbers, each with its share.
    ///
    /// - Parameters:
    ///   - logits: expertCount of them.
    ///   - pairs: room for usedCount pairs.
    @unsafe func choose(_ logits: UnsafePointer<Float>, isNormalized: Bool, _ pairs: UnsafeMutablePointer<Float>) {
        // Those that are no numbers come last, so that there is an order of all whatever the model gives.
        func logit(_ e: Int) -> Float {
            let value = unsafe logits[e]
            return value.isNaN ? -.infinity : value
        }
        var last = -1
        var sum = 0.0, greatest = 0.0
        for j in 0..<usedCount {
            var best = -1
            for e in 0..<expertCount {
                if last >= 0, !(logit(e) < logit(last) || (logit(e) == logit(last) && e > last)) { continue }
                if best < 0 || logit(e) > logit(best) { best = e }
            }
            // Bounds: an expert is left, as usedCount <= expertCount; j < usedCount.
            if j == 0 { unsafe greatest = Double(logits[best]) }
            let weight = unsafe CPURouting.exponential(Double(logits[best]) - greatest)
            sum += weight
            unsafe pairs[2 * j] = Float(best)
            unsafe pairs[2 * j + 1] = Float(weight)
            last = best
        }
        if !isNormalized {
            sum = 0
            for e in 0..<expertCount { unsafe sum += CPURouting.exponential(Double(logits[e]) - greatest) }
        }
        for j in 0..<usedCount {
            // Into its place among those before it. Bounds: places below 2 * usedCount.
            let expert = unsafe pairs[2 * j], share = unsafe Float(Double(pairs[2 * j + 1]) / sum)
            var at = j
            while at > 0, unsafe pairs[2 * at - 2] > expert {
                unsafe pairs[2 * at] = pairs[2 * at - 2]
                unsafe pairs[2 * at + 1] = pairs[2 * at - 1]
                at -= 1
            }
            unsafe pairs[2 * at] = expert
            unsafe pairs[2 * at + 1] = share
        }
    }

    /// e^x for x <= 0 to some units of the last place, by operations that are the same on every machine.
    private static func exponential(_ x: Double) -> Double {
        guard x > -700 else { return x.isNaN ? x : 0 }
        guard x < 700 else { return .infinity }
        let n = (x * 1.4426950408889634).rounded()
        let r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10
        var sum = 1.0
        for k in stride(from: 14, to: 0, by: -1) { sum = 1 + sum * r / Double(k) }
        return sum * Double(sign: .plus, exponent: Int(n), significand: 1)
    }

    // MARK: Places

    /// Gives each row a place with each of its experts.
    ///
    /// - Parameters:
    ///   - pairs: (rows, usedCount, 2), see ``choose(_:isNormalized:_:)``.
    ///   - table: tells how much room packed inputs take.
    @unsafe mutating func arrange(_ pairs: UnsafePointer<Float>, rows: Int, _ table: kern_matmul_table) {
        let count = rows * usedCount
        // Bounds: experts are below expertCount, of which `starts` has one more; places below rows * usedCount.
        for e in 0...expertCount { unsafe starts[e] = 0 }
        for i in 0..<count { unsafe starts[Int(pairs[2 * i]) + 1] += 1 }
        activeCount = 0
        mostRows = 0
        var places = (0, 0)
        for e in 0..<expertCount {
            let own = unsafe Int(starts[e + 1])
            unsafe starts[e + 1] += starts[e]
            unsafe taken[e] = 0
            guard own > 0 else { continue }
            unsafe active[activeCount] = Int32(truncatingIfNeeded: e)
            unsafe packedAt[activeCount] = places.0
            unsafe packedAt[expertCount + activeCount] = places.1
            places.0 += CPURouting.align(table.packed_bytes(columns, own))
            places.1 += CPURouting.align(table.packed_bytes(middle, own))
            activeCount += 1
            mostRows = max(mostRows, own)
        }
        for i in 0..<count {
            let e = unsafe Int(pairs[2 * i])
            let place = unsafe starts[e] + taken[e]
            unsafe taken[e] += 1
            unsafe rowOf[Int(place)] = Int32(truncatingIfNeeded: i / usedCount)
            unsafe placeOf[i] = place
        }
    }

    private static func align(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

    /// The places of the expert that is the `number`th with rows.
    func places(_ number: Int) -> Range<Int> {
        // Bound: number < activeCount <= expertCount.
        let e = unsafe Int(active[number])
        return unsafe Int(starts[e])..<Int(starts[e + 1])
    }

    // MARK: Memory

    /// Bytes that packed inputs of `columns` numbers take at most, however rows fall on experts.
    static func packedByteCount(
        columns: Int, batchSize: Int, _ experts: ModelConfiguration.Experts, _ table: kern_matmul_table
    ) throws(AlpacaError) -> Int {
        let what = "inputs of experts"
        let places = try CheckedMath.product(batchSize, experts.usedCount, of: what)
        let few = Int(KERN_FEW_TOKENS)
        // A group of rows of an expert that has many, and all rows of one that has few.
        let group = table.pack_group(few + 1)
        let groupBytes = (table.packed_bytes(columns, 64 * group) + 63) / 64
        let fewBytes = table.packed_bytes(columns, few)
        let each = max((fewBytes + few - 1) / few, (groupBytes + group - 1) / group)
        let crowded = min(experts.count, places / (few + 1)), any = min(experts.count, places)
        let more = try CheckedMath.sum(CheckedMath.product(crowded, groupBytes + fewBytes, of: what), 64 * any, of: what)
        return try CheckedMath.sum(CheckedMath.product(places, each, of: what), more, of: what)
    }
}

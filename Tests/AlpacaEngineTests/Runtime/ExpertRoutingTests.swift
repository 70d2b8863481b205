import CAlpacaKernels
import Testing

@testable import AlpacaEngine

/// Which experts a row takes, and where its inputs go.
@Suite struct ExpertRoutingTests {
    /// Experts and shares of one row.
    static func choose(_ logits: [Float], _ used: Int, isNormalized: Bool = true) -> [(expert: Int, share: Float)] {
        var pairs = [Float](repeating: .nan, count: 2 * used)
        withRouting(experts: logits.count, used: used, batch: 1) { routing in
            logits.withUnsafeBufferPointer { logits in
                pairs.withUnsafeMutableBufferPointer { pairs in
                    routing.choose(logits.baseAddress!, isNormalized: isNormalized, pairs.baseAddress!)
                }
            }
        }
        return (0..<used).map { (Int(pairs[2 * $0]), pairs[2 * $0 + 1]) }
    }

    /// A routing over memory of its own.
    static func withRouting(
        experts: Int, used: Int, batch: Int, columns: Int = 64, middle: Int = 32, _ body: (inout CPURouting) -> Void
    ) {
        let places = batch * used
        var ints = [Int32](repeating: 0, count: 3 * experts + 1 + 2 * places)
        var packedAt = [Int](repeating: 0, count: 2 * experts)
        var gathered: [Float] = [0], packed: [UInt8] = [0]
        ints.withUnsafeMutableBufferPointer { ints in
            packedAt.withUnsafeMutableBufferPointer { packedAt in
                gathered.withUnsafeMutableBufferPointer { gathered in
                    packed.withUnsafeMutableBytes { packed in
                        let base = ints.baseAddress!
                        var routing = CPURouting(
                            expertCount: experts, usedCount: used, columns: columns, middle: middle, starts: base,
                            taken: base + experts + 1, rowOf: base + 2 * experts + 1, placeOf: base + 2 * experts + 1 + places,
                            active: base + 2 * experts + 1 + 2 * places, packedAt: packedAt.baseAddress!,
                            gathered: gathered.baseAddress!, packed: packed.baseAddress!)
                        body(&routing)
                    }
                }
            }
        }
    }

    @Test func `the largest logits win, and shares sum to 1`() {
        let found = Self.choose([0, 3, 1, 2], 2)
        #expect(found.map(\.expert) == [1, 3])
        // softmax over the two: 1 / (1 + e^-1)
        #expect(abs(found[0].share - 0.731_058_6) < 1e-6 && abs(found[1].share - 0.268_941_4) < 1e-6)
        let plain = Self.choose([0, 3, 1, 2], 2, isNormalized: false)
        #expect(plain.map(\.expert) == [1, 3])
        #expect(abs(plain[0].share - 0.643_914_3) < 1e-6 && abs(plain[1].share - 0.236_882_8) < 1e-6)
    }

    @Test func `of equal logits the lower number wins`() {
        #expect(Self.choose([1, 1, 1, 1], 2).map(\.expert) == [0, 1])
        #expect(Self.choose([0, 5, 5, 5], 2).map(\.expert) == [1, 2])
        #expect(Self.choose([5, 0, 5, 0], 3).map(\.expert) == [0, 1, 2])
        #expect(Self.choose([0, -0.0, 0], 1).map(\.expert) == [0])
    }

    @Test func `there is an answer for numbers that are none`() {
        for logits: [Float] in [
            [.nan, .nan, .nan, .nan], [.nan, 1, .nan, 2], [.infinity, .infinity, 0, 0], [-.infinity, -.infinity, -.infinity, -.infinity],
            [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0, .nan],
        ] {
            for used in 1...4 {
                let experts = Self.choose(logits, used).map(\.expert)
                #expect(experts == experts.sorted() && Set(experts).count == used && experts.allSatisfy { (0..<4).contains($0) })
            }
        }
        #expect(Self.choose([.nan, 1, .nan, 2], 2).map(\.expert) == [1, 3])
    }

    @Test func `all experts in use is a plain softmax`() {
        let found = Self.choose([1, 2, 3], 3), plain = Self.choose([1, 2, 3], 3, isNormalized: false)
        #expect(found.map(\.share) == plain.map(\.share))
        #expect(zip(found, [0.090_030_57, 0.244_728_48, 0.665_240_94] as [Float]).allSatisfy { abs($0.share - $1) < 1e-7 })
    }

    /// However rows fall on experts: each has its places, an expert's lie together in the order of the rows, and packed inputs find room.
    @Test(arguments: [(8, 2), (1, 1), (8, 8), (128, 8), (5, 3)]) func places(experts: Int, used: Int) throws {
        let table = Kernels.best.pointee.matmul
        var numbers = Numbers(UInt64(experts * 100 + used))
        for batch in [1, 2, 3, 16, 17, 33, 64, 100, 512] {
            for crowd in [1, 4, experts] {
                var pairs: [Float] = []
                for _ in 0..<batch {
                    var chosen: Set<Int> = []
                    // Most rows want the same few.
                    while chosen.count < used {
                        let most = numbers.next() & 3 == 0 ? experts : min(experts, max(used, crowd))
                        chosen.insert(Int(numbers.next() >> 11 % UInt64(most)))
                    }
                    for expert in chosen.sorted() { pairs += [Float(expert), 0.5] }
                }
                let shape = ModelConfiguration.Experts(count: experts, usedCount: used, feedForwardLength: 512)
                for (columns, middle) in [(256, 512), (2_048, 768)] {
                    let room = try max(
                        CPURouting.packedByteCount(columns: columns, batchSize: batch, shape, table),
                        CPURouting.packedByteCount(columns: middle, batchSize: batch, shape, table))
                    Self.withRouting(experts: experts, used: used, batch: batch, columns: columns, middle: middle) { routing in
                        pairs.withUnsafeBufferPointer { routing.arrange($0.baseAddress!, rows: batch, table) }
                        Self.check(routing, pairs, batch: batch, used: used)
                        for number in 0..<routing.activeCount {
                            let count = routing.places(number).count
                            let ends = [(routing.packedAt[number], columns), (routing.packedAt[experts + number], middle)]
                            for (at, width) in ends { #expect(at + Int(table.packed_bytes(width, count)) <= room, "\(batch) rows") }
                        }
                    }
                }
            }
        }
    }

    private static func check(_ routing: CPURouting, _ pairs: [Float], batch: Int, used: Int) {
        var seen = [Bool](repeating: false, count: batch * used)
        var most = 0
        for number in 0..<routing.activeCount {
            let places = routing.places(number)
            most = max(most, places.count)
            let rows = places.map { Int(routing.rowOf[$0]) }
            #expect(!rows.isEmpty && rows == rows.sorted() && Set(rows).count == rows.count)
            for (place, row) in zip(places, rows) {
                let j = (0..<used).first { Int(pairs[2 * (row * used + $0)]) == Int(routing.active[number]) }
                #expect(j.map { Int(routing.placeOf[row * used + $0]) } == place)
                #expect(!seen[place])
                seen[place] = true
            }
        }
        #expect(most == routing.mostRows && seen.allSatisfy { $0 })
    }
}

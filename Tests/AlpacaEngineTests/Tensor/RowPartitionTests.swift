import CAlpacaKernels
import Testing

@testable import AlpacaEngine

@Suite("Rows of a matrix as items for the threads")
struct RowPartitionTests {
    private static let block = Int(KERN_ROW_BLOCK)

    private func ranges(_ p: RowPartition) -> [Range<Int>] { (0..<p.itemCount).map { p.range($0) } }

    @Test("every row belongs to one item, in order, and items begin at row blocks", arguments: [1, 2, 3, 8, 64, 256])
    func covers(threads: Int) {
        for rows in [1, 63, 64, 65, 127, 512, 1000, 4096, 11008, 32000, 49954] {
            for columns in [32, 4096, 28672] {
                for tokens in [1, 2, 8, 16, 17, 512] {
                    let p = RowPartition(rows: rows, columns: columns, threadCount: threads, tokenCount: tokens)
                    #expect(p.itemCount == p.itemsPerRange * threads)
                    var next = 0
                    for range in ranges(p) where !range.isEmpty {
                        #expect(range.lowerBound == next && range.lowerBound % Self.block == 0, "\(rows) rows, \(p)")
                        next = range.upperBound
                    }
                    #expect(next == rows, "\(rows) rows, \(columns) columns, \(tokens) tokens, \(threads) threads")
                }
            }
        }
    }

    @Test("each thread's range is as long as the others', to a row block, whatever the number of tokens", arguments: [1, 16, 17, 512])
    func ranges(tokens: Int) {
        for (rows, threads) in [(4096, 2), (11008, 8), (32000, 3)] {
            let p = RowPartition(rows: rows, columns: 4096, threadCount: threads, tokenCount: tokens)
            let items = ranges(p)
            let most = (rows + Self.block * threads - 1) / (Self.block * threads) * Self.block
            for t in 0..<threads {
                let own = items[t * p.itemsPerRange..<(t + 1) * p.itemsPerRange]
                #expect(own.first?.lowerBound == t * most)
                #expect(own.reduce(0) { $0 + $1.count } == min(most, rows - t * most))
            }
        }
    }

    @Test("few tokens: large items in front of each range, small ones at its end", arguments: [4096, 32000])
    func fewTokens(rows: Int) {
        let p = RowPartition(rows: rows, columns: 4096, threadCount: 2, tokenCount: 1)
        let own = ranges(p).prefix(p.itemsPerRange).map(\.count)
        #expect(own == own.sorted(by: >))
        #expect(own.first ?? 0 >= 4 * Self.block && own.last == Self.block)
    }

    @Test("a thread alone takes all rows at once")
    func alone() {
        #expect(ranges(RowPartition(rows: 1000, columns: 4096, threadCount: 1, tokenCount: 1)) == [0..<1000])
    }

    @Test("many tokens: every item is one row block")
    func manyTokens() {
        let items = ranges(RowPartition(rows: 1000, columns: 4096, threadCount: 2, tokenCount: Int(KERN_FEW_TOKENS) + 1))
        #expect(items.map(\.count) == Array(repeating: Self.block, count: 15) + [1000 - 15 * Self.block])
    }

    @Test("an item is no longer than what may pass before a cancel is seen, but a row block at least", arguments: [1, 4, 16])
    func bounded(tokens: Int) {
        for columns in [4096, 28672, 1 << 24] {
            for range in ranges(RowPartition(rows: 32000, columns: columns, threadCount: 1, tokenCount: tokens)) {
                let products = range.count * columns * tokens
                #expect(range.count == Self.block || products <= RowPartition.mostProducts, "\(columns) columns, \(range)")
            }
        }
    }

    @Test("more threads than row blocks: one each")
    func manyThreads() {
        #expect(ranges(RowPartition(rows: 128, columns: 256, threadCount: 64, tokenCount: 1)).filter { !$0.isEmpty } == [0..<64, 64..<128])
    }
}

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
                    var next = 0
                    for range in ranges(p) {
                        #expect(range.lowerBound == next && range.lowerBound % Self.block == 0 && !range.isEmpty, "\(rows) rows, \(p)")
                        next = range.upperBound
                    }
                    #expect(next == rows, "\(rows) rows, \(columns) columns, \(tokens) tokens, \(threads) threads")
                }
            }
        }
    }

    @Test("few tokens: a large range for each thread first, then small ones for whoever is free")
    func fewTokens() {
        let items = ranges(RowPartition(rows: 4096, columns: 4096, threadCount: 2, tokenCount: 1))
        #expect(items[0].count == items[1].count)
        #expect(items[0].count + items[1].count >= 4096 * 7 / 8)
        #expect(items.count > 2)
        #expect(items.dropFirst(2).allSatisfy { $0.count == Self.block })
    }

    @Test("a thread alone takes all rows at once")
    func alone() {
        #expect(ranges(RowPartition(rows: 1000, columns: 4096, threadCount: 1, tokenCount: 1)) == [0..<1000])
    }

    @Test("many tokens: every item is one row block")
    func manyTokens() {
        let items = ranges(RowPartition(rows: 1000, columns: 4096, threadCount: 2, tokenCount: Int(KERN_FEW_TOKENS) + 1))
        #expect(items.map(\.count) == Array(repeating: 64, count: 15) + [40])
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
        #expect(ranges(RowPartition(rows: 128, columns: 256, threadCount: 64, tokenCount: 1)) == [0..<64, 64..<128])
    }
}

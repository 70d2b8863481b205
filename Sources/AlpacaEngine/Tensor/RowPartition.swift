internal import CAlpacaKernels

/// How the rows of a matrix become items for the threads: a range of rows for each thread, one behind the other, and items of each range.
///
/// Where there are few tokens a product waits for the weights to come from memory, and they come fastest as one long stream for each thread:
/// what is fetched ahead is then what the same thread needs next. A thread takes its range from the front, and whoever is done before takes
/// from the range's end. So its items are large in front and small at the end: all threads are done at about the same time.
/// Many tokens make so much of each weight that small items alone serve best.
struct RowPartition: Equatable {
    /// Multiplications that make an item at most: whether to stop is looked at between items.
    static let mostProducts = 1 << 28
    /// Row blocks of an item at most, where there are others to take some.
    static let mostBlocks = 8

    let rows: Int
    /// Items of each range; those at its end may be empty where the rows don't fill it.
    let itemsPerRange: Int
    let itemCount: Int
    private let blockRows = Int(KERN_ROW_BLOCK)
    /// Row blocks of a range.
    private let blocks: Int
    /// Row blocks of an item at most, and how many items in front have as many.
    private let most, mostCount: Int
    /// One in so many of the row blocks that are left in a range makes the next item.
    private static let share = 4

    /// - Parameter threadCount: as many ranges; 1 or more.
    init(rows: Int, columns: Int, threadCount: Int, tokenCount: Int) {
        self.rows = rows
        let ranges = max(1, threadCount)
        let total = (rows + blockRows - 1) / blockRows
        blocks = (total + ranges - 1) / ranges
        if tokenCount <= Int(KERN_FEW_TOKENS) {
            let products = max(1, blockRows * columns * tokenCount)
            let bound = max(1, RowPartition.mostProducts / products)
            if ranges == 1 {
                // A thread alone has nobody to share the end with.
                most = bound
                mostCount = blocks / bound
                itemsPerRange = (blocks + bound - 1) / bound
            } else {
                most = min(bound, RowPartition.mostBlocks)
                let full = blocks - RowPartition.share * most
                mostCount = full < 0 ? 0 : full / most + 1
                var count = mostCount
                var rest = blocks - mostCount * most
                while rest > 0 {
                    rest -= max(1, min(most, rest / RowPartition.share))
                    count += 1
                }
                itemsPerRange = count
            }
        } else {
            (most, mostCount, itemsPerRange) = (1, blocks, blocks)
        }
        itemCount = itemsPerRange * ranges
    }

    /// The rows of `item`, 0 ..< itemCount; none for some at the end of a range.
    func range(_ item: Int) -> Range<Int> {
        let index = item % max(1, itemsPerRange)
        // Row blocks of the range before the item, and its own.
        var before = min(index, mostCount) * most
        var own = most
        if index >= mostCount {
            own = size(blocks - before)
            for _ in mostCount..<index {
                before += own
                own = size(blocks - before)
            }
        }
        let first = item / max(1, itemsPerRange) * blocks + before
        return min(rows, first * blockRows)..<min(rows, (first + own) * blockRows)
    }

    /// Whether a range has no rows behind those of `item`.
    func isLast(_ item: Int) -> Bool {
        let index = item % max(1, itemsPerRange)
        return index + 1 >= itemsPerRange || range(item + 1).isEmpty
    }

    /// Row blocks of the next item where so many are left, fewer than make a largest one.
    private func size(_ rest: Int) -> Int {
        itemCount == itemsPerRange ? rest : max(1, min(most, rest / RowPartition.share))
    }
}

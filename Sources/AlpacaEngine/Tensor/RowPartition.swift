internal import CAlpacaKernels

/// How the rows of a matrix become items for the threads.
///
/// Where there are few tokens a product waits for the weights to come from memory, and they come fastest as one long stream for each thread:
/// what is fetched ahead is then what the same thread needs next. So each thread gets one large range of rows. The last rows are
/// small items, which come last in the order in which threads take items: whoever is done first takes them, so that a thread that the
/// system delays is waited for but briefly. Many tokens make so much of each weight that small items alone serve best.
struct RowPartition: Equatable {
    /// Of the rows, one in so many is a small item's, at most.
    static let tailShare = 8
    /// Multiplications that make an item at most: whether to stop is looked at between items.
    static let mostProducts = 1 << 28

    let rows: Int
    /// Rows of a large item and of a small one; the last item of all may have fewer.
    private let largeRows: Int
    private let smallRows = Int(KERN_ROW_BLOCK)
    private let largeCount: Int
    /// Number of items: the large ones first.
    let itemCount: Int

    init(rows: Int, columns: Int, threadCount: Int, tokenCount: Int) {
        self.rows = rows
        let blocks = (rows + smallRows - 1) / smallRows
        var perThread = 0
        if tokenCount <= Int(KERN_FEW_TOKENS) {
            // A thread alone has nobody to share the end with.
            let tail = threadCount > 1 ? blocks / RowPartition.tailShare : 0
            let products = max(1, smallRows * columns * tokenCount)
            perThread = min((blocks - tail) / max(1, threadCount), max(1, RowPartition.mostProducts / products))
            largeCount = perThread == 0 ? 0 : (blocks - tail) / perThread
        } else {
            largeCount = 0
        }
        largeRows = perThread * smallRows
        itemCount = largeCount + (blocks - largeCount * perThread)
    }

    /// The rows of `item`, 0 ..< itemCount.
    func range(_ item: Int) -> Range<Int> {
        if item < largeCount { return item * largeRows..<min(rows, (item + 1) * largeRows) }
        let first = largeCount * largeRows + (item - largeCount) * smallRows
        return first..<min(rows, first + smallRows)
    }
}

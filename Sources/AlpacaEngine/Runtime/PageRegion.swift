import Glibc

/// One page of a cache: the keys and values of 64 positions, all layers. Its fields are guarded by the ``RuntimeLock``; its bytes are written
/// by the one sequence that holds it, and by none once several do.
@safe struct PageRecord {
    let base: UnsafeMutableRawPointer
    let region: Unmanaged<PageRegion>
    /// The ids of the page's positions, where ``isIndexed``: 64 of them.
    let tokens: UnsafeMutablePointer<TokenID>
    /// Sequences that hold it, and those of them that grow on demand.
    var references: Int32 = 0
    var growers: Int32 = 0
    /// The page before it, in the sequence that filled it.
    var parent: UnsafeMutablePointer<PageRecord>?
    var hash: UInt64 = 0
    /// Whether others can find it by what it holds.
    var isIndexed = false
    /// The next page of the same bucket, or of the free ones.
    var next: UnsafeMutablePointer<PageRecord>?
}

/// Pages in one piece of memory, which the system provides as it is touched.
@safe final class PageRegion {
    let count: Int
    private(set) var freeCount: Int
    private let memory, tokens: AlignedBuffer
    private let records: UnsafeMutablePointer<PageRecord>
    private var free: UnsafeMutablePointer<PageRecord>?

    /// - Parameter pageBytes: a multiple of the system's page.
    init(count: Int, pageBytes: Int, for what: @autoclosure () -> String) throws(AlpacaError) {
        memory = try AlignedBuffer(count: try CheckedMath.product(count, pageBytes, of: what()), for: what())
        tokens = try AlignedBuffer(
            try CheckedMath.product(count, CacheType.positionsPerPage, of: what()), of: TokenID.self, for: what())
        try LargeMemory.ask(count, of: MemoryLayout<PageRecord>.stride, for: what())
        unsafe records = .allocate(capacity: count)
        self.count = count
        freeCount = count
        let region = unsafe Unmanaged.passUnretained(self)
        for i in (0..<count).reversed() {
            // Bounds: i < count, as the three were made.
            unsafe (records + i).initialize(
                to: PageRecord(
                    base: memory.base + i * pageBytes, region: region,
                    tokens: tokens.pointer(as: TokenID.self) + i * CacheType.positionsPerPage, next: free))
            unsafe free = records + i
        }
    }

    deinit { unsafe records.deallocate() }

    /// A page that nobody holds; nil when there is none.
    func take() -> UnsafeMutablePointer<PageRecord>? {
        guard let page = unsafe free else { return nil }
        unsafe free = page.pointee.next
        unsafe page.pointee.next = nil
        freeCount -= 1
        return unsafe page
    }

    func putBack(_ page: UnsafeMutablePointer<PageRecord>) {
        unsafe page.pointee.next = free
        unsafe free = page
        freeCount += 1
    }
}

import Synchronization

/// What was read of one conversation: its tokens, the pages with their keys and values, and the logits of the last.
///
/// It belongs to one call at a time. Steps of the executor add to it while that call waits; what they share with others, pages, is guarded by
/// the ``RuntimeLock``.
@safe final class TokenSequence: @unchecked Sendable {
    /// The tokens at the positions that are filled.
    private(set) var tokens: [TokenID] = []
    /// Positions that are filled. Safe from any thread.
    var count: Int { filled.load(ordering: .acquiring) }
    /// Whether ``lastLogits`` are those of the last position.
    var hasLogits = false
    /// One a token of the vocabulary; valid while the sequence lives.
    let lastLogits: UnsafeMutablePointer<Float>
    /// Whether a step has rows of it; a cancelled call may return before that ends. Guarded by the ``RuntimeLock``.
    var isInFlight = false

    private let cache: PagedCache
    private let pool: PagePool
    /// Angles of its own, where they depend on its length.
    private let angles: DynamicAngles?
    private let grows: Bool
    private let filled = Atomic<Int>(0)
    private let logitsBuffer: AlignedBuffer
    /// For the kernels: where each page is.
    private let tableBuffer: AlignedBuffer
    private let table: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    /// The pages that it holds, at least those of all tokens.
    private var pages: [PagePool.Page] = unsafe []
    /// Pages that were promised.
    private var promised = 0

    /// - Parameter grows: takes pages as they are needed; else all are promised here.
    init(_ cache: PagedCache, _ pool: PagePool, capacity: Int, vocabularySize: Int, grows: Bool) throws(AlpacaError) {
        let what = "key and value cache of \(capacity) positions"
        let count = try CheckedMath.align(capacity, to: CacheType.positionsPerPage, of: what) / CacheType.positionsPerPage
        let bytes = try CheckedMath.product(count, pool.pageBytes, of: what)
        if !grows { try MemoryBudget.require(bytes, for: what) }
        logitsBuffer = try AlignedBuffer(vocabularySize, of: Float.self, for: "logits")
        tableBuffer = unsafe try AlignedBuffer(count, of: UnsafeMutableRawPointer?.self, for: what)
        unsafe lastLogits = logitsBuffer.pointer()
        unsafe table = tableBuffer.pointer()
        self.cache = cache
        self.pool = pool
        self.grows = grows
        angles = try cache.angles(of: pool)
        try tokens.makeRoom(for: capacity, of: "n_ctx \(capacity)")
        try unsafe pages.makeRoom(for: count, of: what)
        guard !grows else { return }
        try RuntimeLock.withLock { () throws(AlpacaError) in try cache.promise(count, of: pool, for: what) }
        // Set last: `deinit` also runs when this initializer throws.
        promised = count
    }

    deinit {
        RuntimeLock.lock()
        drop(from: 0)
        pool.clean()
        pool.endPromise(promised)
        RuntimeLock.unlock()
    }

    /// What a step needs of it.
    var view: SequenceView {
        unsafe SequenceView(
            pages: UnsafePointer(table), layerBytes: pool.layerBytes, keyKind: pool.kind.keyType.rawValue,
            valueKind: pool.kind.valueType.rawValue, frequencies: (angles?.rotary ?? pool.rotary).pointer,
            angleScale: pool.rotary.scale)
    }

    /// The length that the angles of the last call were made for, where they depend on it (dynamic NTK).
    var angleLength: Int? { angles?.length }

    /// The call is taken back.
    func restoreAngles(_ length: Int?) { if let length { angles?.restore(length) } }

    /// Whether what is read after the first `length` tokens, up to `end`, is what it would be in a fresh sequence. Not so under dynamic NTK,
    /// where keys keep the angles that they were read with.
    func isRepeatable(after length: Int, through end: Int) -> Bool {
        guard let angles else { return true }
        return angles.sharesPages(angles.length(through: end), after: length)
    }

    // MARK: - For the call that has the sequence. No step may have rows of it: see `Executor.settle`.

    /// Makes ready for `ids` to be read after the tokens that there are. Takes the pages for them. Copies the last page if other sequences hold
    /// it, since it will be written to. Takes over whole pages that another sequence has read after the same beginning; the last id is always
    /// read, for its logits.
    ///
    /// - Parameter shared: of how many of the ids the logits do not matter: only those are taken over. Nil for all but the last.
    /// - Returns: how many of the ids need not be read.
    func prepare(for ids: ArraySlice<TokenID>, shared: Int? = nil) throws(AlpacaError) -> Int {
        RuntimeLock.lock()
        defer { RuntimeLock.unlock() }
        let before = (length: count, hasLogits: hasLogits)
        let mayShare = isRepeatable(after: count, through: count + ids.count)
        let angleLength = angleLength
        angles?.begin(through: count + ids.count)
        let found = mayShare ? takeOver(ids.prefix(min(shared ?? ids.count, ids.count - 1))) : 0
        do throws(AlpacaError) {
            try makeWritable(through: count + ids.count - found)
        } catch {
            forget(from: before.length)
            hasLogits = before.hasLogits
            restoreAngles(angleLength)
            giveBack()
            throw error
        }
        angles?.make()
        return found
    }

    /// The same for one id, of which nothing can be taken over.
    func prepareForOne() throws(AlpacaError) {
        RuntimeLock.lock()
        defer { RuntimeLock.unlock() }
        try makeWritable(through: count + 1)
        angles?.begin(through: count + 1)
        angles?.make()
    }

    /// Forgets all tokens from `length` on. Their pages go back to the system.
    func truncate(to length: Int) {
        RuntimeLock.withLock {
            forget(from: length)
            giveBack()
        }
    }

    /// Gives the memory of forgotten tokens back. While a step has rows of the sequence its pages stay: the next call gives them back.
    func trim() {
        RuntimeLock.withLock {
            if !isInFlight { giveBack() }
        }
    }

    /// Gives the pages behind the tokens up.
    private func giveBack() {
        drop(from: pageCount(count))
        pool.clean()
    }

    /// Forgets all tokens from `length` on and keeps their memory, for what is read next. A step may have rows of the sequence.
    func rewind(to length: Int) { RuntimeLock.withLock { forget(from: length) } }

    private func forget(from length: Int) {
        guard length < tokens.count else { return }
        tokens.removeLast(tokens.count - max(0, length))
        filled.store(tokens.count, ordering: .releasing)
        hasLogits = false
        angles?.forgot(from: tokens.count)
    }

    // MARK: - With the lock held

    /// Remembers ids that a step has read.
    func append(_ ids: UnsafeBufferPointer<TokenID>) {
        let before = tokens.count
        // Room was made for all positions.
        unsafe tokens.append(contentsOf: ids)
        filled.store(tokens.count, ordering: .releasing)
        angles?.filled(from: before, to: tokens.count)
        let positions = CacheType.positionsPerPage
        for page in before / positions..<tokens.count / positions {
            // Others find only what any of them would have read the same.
            if let angles, !angles.isPlain(through: (page + 1) * positions) { break }
            share(page)
        }
    }

    /// Lets others find a page that is full; or takes over one that another sequence filled with the same meanwhile.
    private func share(_ index: Int) {
        unsafe tokens.withUnsafeBufferPointer { tokens in
            guard let base = tokens.baseAddress else { return }
            // Bound: the page is full, and held.
            let ids = unsafe base + index * CacheType.positionsPerPage
            let parent = unsafe index > 0 ? pages[index - 1] : nil
            let own = unsafe pages[index]
            if let known = unsafe pool.find(ids, after: parent) {
                guard unsafe known != own else { return }
                unsafe pool.retain(known, grows: grows)
                unsafe pages[index] = unsafe known
                unsafe table[index] = unsafe known.pointee.base
                unsafe pool.release(own, grows: grows)
            } else {
                unsafe pool.index(own, ids, after: parent)
            }
        }
    }

    /// Takes over pages of other sequences with the ids that come next.
    private func takeOver(_ ids: ArraySlice<TokenID>) -> Int {
        let positions = CacheType.positionsPerPage
        guard count % positions == 0 else { return 0 }
        var found = 0
        while ids.count - found >= positions {
            let index = count / positions
            let part = ids.dropFirst(found).prefix(positions)
            let page = unsafe part.withUnsafeBufferPointer { ids in
                // Bound: the part has 64 ids.
                unsafe ids.baseAddress.flatMap { unsafe pool.find($0, after: index > 0 ? pages[index - 1] : nil) }
            }
            guard let page = unsafe page else { break }
            if unsafe index < pages.count {
                guard unsafe pages[index] != page else {
                    // Its own, from before it was rewound.
                    remember(part)
                    found += positions
                    continue
                }
                drop(from: index)
            }
            unsafe pool.retain(page, grows: grows)
            unsafe pages.append(page)
            unsafe table[index] = unsafe page.pointee.base
            remember(part)
            found += positions
        }
        return found
    }

    private func remember(_ ids: ArraySlice<TokenID>) {
        angles?.filled(from: tokens.count, to: tokens.count + ids.count)
        tokens.append(contentsOf: ids)
        filled.store(tokens.count, ordering: .releasing)
        hasLogits = false
    }

    /// Sees to it that the pages of the positions from the present one up to `end` are there and this sequence's alone.
    private func makeWritable(through end: Int) throws(AlpacaError) {
        let positions = CacheType.positionsPerPage
        var index = count / positions
        let isBegun = count % positions > 0
        if isBegun, unsafe index < pages.count {
            let page = unsafe pages[index]
            if unsafe page.pointee.references > 1 {
                let copy = try unsafe newPage()
                // Both are held here, and nobody writes to either. Copying takes milliseconds: others may have the lock.
                RuntimeLock.unlock()
                // Bound: both have pageBytes.
                unsafe copy.pointee.base.copyMemory(from: page.pointee.base, byteCount: pool.pageBytes)
                RuntimeLock.lock()
                drop(from: index + 1)
                unsafe pages[index] = unsafe copy
                unsafe table[index] = unsafe copy.pointee.base
                unsafe pool.release(page, grows: grows)
            } else {
                unsafe pool.unindex(page)
            }
            index += 1
        }
        // Pages of forgotten tokens: those that other sequences hold are given up.
        for later in unsafe index..<max(index, pages.count) {
            if unsafe pages[later].pointee.references > 1 {
                drop(from: later)
                break
            }
            unsafe pool.unindex(pages[later])
        }
        while unsafe pages.count < pageCount(end) {
            let page = try unsafe newPage()
            // Bound: end <= capacity, for whose pages the table was made.
            unsafe table[pages.count] = unsafe page.pointee.base
            unsafe pages.append(page)
        }
    }

    private func newPage() throws(AlpacaError) -> PagePool.Page {
        guard grows else { return try unsafe pool.take(grows: false) }
        return try unsafe cache.grow(pool, for: "key and value cache of \(count + 1) positions")
    }

    private func pageCount(_ positions: Int) -> Int { (positions + CacheType.positionsPerPage - 1) / CacheType.positionsPerPage }

    /// Gives the pages from number `first` on up.
    private func drop(from first: Int) {
        // The last first: a page is held as long as those after it.
        while unsafe pages.count > first { unsafe pool.release(pages.removeLast(), grows: grows) }
    }
}

import Glibc

/// The pages of sequences that compute alike: same cache types, same angles. Guarded by the ``RuntimeLock``.
///
/// A page that is full is found by what it holds: a hash of the page before it and of its ids leads to it, the ids are compared. So a
/// beginning that sequences have in common is held once. Nobody writes to a page that several hold.
@safe final class PagePool: @unchecked Sendable {
    /// What its sequences have in common.
    struct Kind: Hashable {
        let keyType, valueType: CacheType
        let ropeTheta: Double
        let ropeScaling: ModelConfiguration.RopeScaling
        /// Whether the file's divisors of frequencies count.
        var usesFactors = true
    }

    typealias Page = UnsafeMutablePointer<PageRecord>

    let kind: Kind
    let rotary: RotaryEmbedding
    /// Bytes of a layer in a page, and of a page: whole pages of the system.
    let layerBytes, pageBytes: Int

    private var regions: [PageRegion] = []
    private var mappedPages = 0
    /// Pages promised to sequences whose memory was taken in advance, and those that growing sequences hold.
    private(set) var promisedPages = 0
    private(set) var grownPages = 0
    /// Pages that someone holds, and how many more there would be if none were shared.
    private(set) var heldPages = 0
    private(set) var sharedPages = 0
    /// Pages that nobody holds and whose memory is still theirs; and those that ``clean()`` is at.
    private var dirty: Page?
    private var cleaning: [Page] = unsafe []
    private var forks = ForkCount.now
    /// Heads of lists; their number is a power of two.
    private var buckets: [Page?] = unsafe []

    init(_ kind: Kind, _ configuration: ModelConfiguration, ropeFactors: [Float]) throws(AlpacaError) {
        let what = "a page of the key and value cache"
        let head = configuration.headDimension
        let block = try CheckedMath.sum(
            kind.keyType.bytesPerBlock(headDimension: head), kind.valueType.bytesPerBlock(headDimension: head), of: what)
        layerBytes = try CheckedMath.product(block, configuration.keyValueHeadCount, of: what)
        pageBytes = try CheckedMath.align(
            try CheckedMath.product(layerBytes, configuration.layerCount, of: what), to: Int(sysconf(Int32(_SC_PAGESIZE))), of: what)
        rotary = try RotaryEmbedding(
            theta: kind.ropeTheta, dimension: configuration.ropeDimension, scaling: kind.ropeScaling, factors: ropeFactors)
        self.kind = kind
    }

    // MARK: Memory

    /// Promises pages to a sequence, which then always finds them.
    func promise(_ count: Int, for what: @autoclosure () -> String) throws(AlpacaError) {
        let needed = try CheckedMath.sum(try CheckedMath.sum(promisedPages, grownPages, of: what()), count, of: what())
        try map(upTo: needed, atLeast: 1, for: what())
        promisedPages += count
    }

    func endPromise(_ count: Int) {
        promisedPages -= count
        unmapUnneeded()
    }

    /// A page for one sequence alone.
    ///
    /// - Parameter grows: whether the sequence grows on demand; else it has been promised the page.
    func take(grows: Bool) throws(AlpacaError) -> Page {
        let what = "a page of the key and value cache"
        while true {
            if grows, promisedPages + grownPages >= mappedPages {
                try MemoryBudget.require(pageBytes, least: 0, for: what)
                // Several at once, as far as that is little: fewer pieces of memory.
                try map(upTo: promisedPages + grownPages + 1, atLeast: max(1, min(16, (64 << 20) / pageBytes)), for: what)
            }
            if let page = unsafe freePage() {
                unsafe page.pointee.references = 1
                unsafe page.pointee.growers = 0
                unsafe page.pointee.parent = nil
                heldPages += 1
                if grows { unsafe addGrower(page) }
                return unsafe page
            }
            if forks != ForkCount.now {
                // After fork() the threads that were cleaning pages do not exist in the child.
                forks = ForkCount.now
                for i in unsafe 0..<cleaning.count { unsafe putBack(cleaning[i]) }
                unsafe cleaning.removeAll()
                continue
            }
            guard unsafe !cleaning.isEmpty else { throw AlpacaError(.outOfMemory, "\(what): no memory for \(pageBytes) bytes") }
            // Every promised page exists, so another thread is cleaning one at this moment.
            RuntimeLock.unlock()
            sched_yield()
            RuntimeLock.lock()
        }
    }

    private func freePage() -> Page? {
        for region in regions where region.freeCount > 0 { return unsafe region.take() }
        guard let page = unsafe dirty else { return nil }
        // It need not be clean.
        unsafe dirty = page.pointee.next
        unsafe page.pointee.next = nil
        return unsafe page
    }

    func retain(_ page: Page, grows: Bool) {
        unsafe page.pointee.references += 1
        sharedPages += 1
        if grows { unsafe addGrower(page) }
    }

    /// Gives a page up. When nobody holds it any more, ``clean()`` lets the system have its memory.
    func release(_ page: Page, grows: Bool) {
        if grows {
            unsafe page.pointee.growers -= 1
            if unsafe page.pointee.growers == 0 { grownPages -= 1 }
        }
        unsafe page.pointee.references -= 1
        guard unsafe page.pointee.references == 0 else {
            sharedPages -= 1
            return
        }
        heldPages -= 1
        unsafe unindex(page)
        unsafe page.pointee.next = dirty
        unsafe dirty = page
    }

    /// Lets the system have the memory of pages that nobody holds. The lock is given up meanwhile: it can take milliseconds.
    func clean() {
        // The usual case, after each step: nothing was given up.
        guard unsafe dirty != nil else { return }
        while let page = unsafe dirty {
            unsafe dirty = page.pointee.next
            unsafe cleaning.append(page)
            RuntimeLock.unlock()
            unsafe _ = madvise(page.pointee.base, pageBytes, MADV_DONTNEED)
            RuntimeLock.lock()
            unsafe cleaning.removeAll { unsafe $0 == page }
            unsafe putBack(page)
        }
        unmapUnneeded()
    }

    private func putBack(_ page: Page) { unsafe page.pointee.region._withUnsafeGuaranteedRef { unsafe $0.putBack(page) } }

    private func addGrower(_ page: Page) {
        if unsafe page.pointee.growers == 0 { grownPages += 1 }
        unsafe page.pointee.growers += 1
    }

    private func map(upTo needed: Int, atLeast: Int, for what: @autoclosure () -> String) throws(AlpacaError) {
        guard needed > mappedPages else { return }
        let count = max(needed - mappedPages, atLeast)
        let region = try PageRegion(count: count, pageBytes: pageBytes, for: what())
        // Twice as many lists as pages, at most: they stay short.
        var size = unsafe max(64, buckets.count)
        while size < mappedPages + count { size *= 2 }
        if unsafe size > buckets.count { try rehash(size, for: what()) }
        regions.append(region)
        mappedPages += count
    }

    /// Gives regions back that nobody uses and nobody was promised.
    private func unmapUnneeded() {
        var i = regions.count
        while i > 0 {
            i -= 1
            let region = regions[i]
            guard region.freeCount == region.count, mappedPages - region.count >= promisedPages + grownPages else { continue }
            mappedPages -= region.count
            regions.remove(at: i)
        }
    }

    // MARK: What pages hold

    /// The page that holds `ids` (64 of them) after `parent`; nil when there is none.
    func find(_ ids: UnsafePointer<TokenID>, after parent: Page?) -> Page? {
        guard unsafe !buckets.isEmpty else { return nil }
        let hash = unsafe PagePool.hash(ids, after: parent)
        var page = unsafe buckets[Int(truncatingIfNeeded: hash) & (buckets.count - 1)]
        while let candidate = unsafe page {
            if unsafe candidate.pointee.hash == hash, unsafe candidate.pointee.parent == parent, unsafe candidate.pointee.holds(ids) {
                return unsafe candidate
            }
            unsafe page = candidate.pointee.next
        }
        return nil
    }

    /// Lets others find a full page.
    func index(_ page: Page, _ ids: UnsafePointer<TokenID>, after parent: Page?) {
        guard unsafe !page.pointee.isIndexed, unsafe !buckets.isEmpty else { return }
        // Bound: a page has room for its positions' ids.
        unsafe page.pointee.tokens.update(from: ids, count: CacheType.positionsPerPage)
        unsafe page.pointee.hash = PagePool.hash(ids, after: parent)
        unsafe page.pointee.parent = parent
        unsafe page.pointee.isIndexed = true
        unsafe insert(page)
    }

    func unindex(_ page: Page) {
        guard unsafe page.pointee.isIndexed else { return }
        unsafe page.pointee.isIndexed = false
        let bucket = unsafe Int(truncatingIfNeeded: page.pointee.hash) & (buckets.count - 1)
        guard let first = unsafe buckets[bucket] else { return }
        if unsafe first == page {
            unsafe buckets[bucket] = page.pointee.next
        } else {
            var before = unsafe first
            while let next = unsafe before.pointee.next {
                if unsafe next == page {
                    unsafe before.pointee.next = page.pointee.next
                    break
                }
                unsafe before = next
            }
        }
        unsafe page.pointee.next = nil
    }

    private func insert(_ page: Page) {
        let bucket = unsafe Int(truncatingIfNeeded: page.pointee.hash) & (buckets.count - 1)
        unsafe page.pointee.next = buckets[bucket]
        unsafe buckets[bucket] = page
    }

    private func rehash(_ size: Int, for what: @autoclosure () -> String) throws(AlpacaError) {
        unsafe try LargeMemory.ask(size, of: MemoryLayout<Page?>.stride, for: what())
        let old = unsafe buckets
        unsafe buckets = unsafe [Page?](repeating: nil, count: size)
        for i in unsafe 0..<old.count {
            var page = unsafe old[i]
            while let current = unsafe page {
                unsafe page = current.pointee.next
                unsafe insert(current)
            }
        }
    }

    /// FNV-1a over words, the page before first: which page that is says what came before.
    private static func hash(_ ids: UnsafePointer<TokenID>, after parent: Page?) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ word: UInt64) { hash = (hash ^ word) &* 0x0000_0100_0000_01B3 }
        mix(UInt64(UInt(bitPattern: parent)))
        // Bound: 64 ids.
        for i in 0..<CacheType.positionsPerPage { unsafe mix(UInt64(UInt32(bitPattern: ids[i]))) }
        return hash ^ (hash >> 32)
    }
}

extension PageRecord {
    fileprivate func holds(_ ids: UnsafePointer<TokenID>) -> Bool {
        // Bound: 64 ids on both sides.
        for i in 0..<CacheType.positionsPerPage where unsafe tokens[i] != ids[i] { return false }
        return true
    }
}

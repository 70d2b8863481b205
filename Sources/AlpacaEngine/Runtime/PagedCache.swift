/// The keys and values of all sequences of one model, in pages of 64 positions, and the one budget for them.
@safe final class PagedCache: @unchecked Sendable {
    /// Bytes that all pages together may take (`cache_bytes`); nil for what the machine has.
    let budget: Int?
    private let configuration: ModelConfiguration
    private let ropeFactors: [Float]
    /// Guarded by the ``RuntimeLock``.
    private var pools: [PagePool.Kind: PagePool] = [:]

    /// What the caches hold at a moment.
    struct Statistics: Equatable {
        /// Bytes of pages that someone holds, each counted once.
        var heldBytes = 0
        /// Bytes that would be taken besides if no page were shared.
        var sharedBytes = 0
        /// Bytes that sequences hold or were promised: what counts for the budget.
        var committedBytes = 0
    }

    init(_ configuration: ModelConfiguration, ropeFactors: [Float], budget: Int?) {
        self.configuration = configuration
        self.ropeFactors = ropeFactors
        self.budget = budget
    }

    /// The pages of sequences of a kind.
    func pool(_ kind: PagePool.Kind) throws(AlpacaError) -> PagePool {
        try RuntimeLock.withLock { () throws(AlpacaError) -> PagePool in
            if let known = pools[kind] { return known }
            let pool = try PagePool(kind, configuration, ropeFactors: kind.usesFactors ? ropeFactors : [])
            pools[kind] = pool
            return pool
        }
    }

    /// Angles for one sequence alone; nil where all of the pool have the same.
    func angles(of pool: PagePool) throws(AlpacaError) -> DynamicAngles? {
        try DynamicAngles(pool.kind, dimension: configuration.ropeDimension, ropeFactors: pool.kind.usesFactors ? ropeFactors : [])
    }

    var statistics: Statistics {
        RuntimeLock.withLock {
            var result = Statistics()
            for pool in pools.values {
                result.heldBytes += pool.heldPages * pool.pageBytes
                result.sharedBytes += pool.sharedPages * pool.pageBytes
            }
            result.committedBytes = committed
            return result
        }
    }

    /// Lets the system have the memory of pages that nobody holds any more.
    func clean() {
        RuntimeLock.withLock {
            for pool in pools.values { pool.clean() }
        }
    }

    // MARK: With the lock held

    /// Promises a sequence its pages. Throws where that goes beyond the budget or there is no memory.
    func promise(_ pages: Int, of pool: PagePool, for what: @autoclosure () -> String) throws(AlpacaError) {
        try require(pages, of: pool, for: what())
        try pool.promise(pages, for: what())
    }

    /// One more page of a growing sequence.
    func grow(_ pool: PagePool, for what: @autoclosure () -> String) throws(AlpacaError) -> PagePool.Page {
        try require(1, of: pool, for: what())
        return try unsafe pool.take(grows: true)
    }

    private func require(_ pages: Int, of pool: PagePool, for what: @autoclosure () -> String) throws(AlpacaError) {
        let bytes = try CheckedMath.product(pages, pool.pageBytes, of: what())
        guard let budget else { return }
        let used = committed
        guard bytes <= budget - min(used, budget) else {
            throw AlpacaError(
                .outOfMemory,
                "\(what()): needs \(bytes) bytes of the \(budget) that the model's sessions share (cache_bytes), \(used) are taken")
        }
    }

    private var committed: Int {
        pools.values.reduce(0) { $0 + ($1.promisedPages + $1.grownPages) * $1.pageBytes }
    }
}

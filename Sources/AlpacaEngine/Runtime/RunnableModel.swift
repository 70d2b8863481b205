internal import CAlpacaKernels

/// A model ready to run: its program, its weights, and what all its sequences share, the executor and the cache.
final class RunnableModel: Sendable {
    let configuration: ModelConfiguration
    let store: any WeightStore
    let executor: Executor
    let cache: PagedCache
    private let program: Program
    private let weights: Executor.Weights

    /// - Parameter cacheBytes: the budget for keys and values; 0 for what the machine has.
    init(_ configuration: ModelConfiguration, _ store: any WeightStore, cacheBytes: Int = 0) throws(AlpacaError) {
        guard cacheBytes >= 0 else { throw AlpacaError(.invalidArgument, "cache_bytes: found \(cacheBytes), expected 0 or more") }
        self.configuration = configuration
        self.store = store
        program = Architectures.make(configuration).program()
        weights = try Executor.Computer.bind(program, store)
        cache = PagedCache(configuration, ropeFactors: weights.ropeFactors, budget: cacheBytes == 0 ? nil : cacheBytes)
        executor = Executor(program, weights, store, cache)
    }

    /// The matrices that all rows are multiplied with, in the order of their use; the last is the output matrix.
    var matrices: [QuantizedMatrix] { program.matrices.compactMap { try? weights.matrix($0) } }
    /// Those of experts, of which a token takes a share.
    var expertMatrices: [QuantizedMatrix] { program.expertMatrices.compactMap { try? weights.matrix($0) } }
    var embedding: QuantizedMatrix? { try? weights.matrix(.tokenEmbedding) }

    /// A backend of the caller's own that adds up what the matrices are multiplied with; the executor's goes on as it is.
    func makeObserver(batchSize: Int, threadCount: Int, _ squares: InputSquares) throws(AlpacaError) -> Executor.Computer {
        try Executor.Computer(program, weights, batchSize: batchSize, threadCount: threadCount, squares: squares)
    }

    /// Memory for one conversation: ``TokenSequence``.
    ///
    /// - Parameters:
    ///   - capacity: positions, 1 or more.
    ///   - ropeTheta: a positive number.
    ///   - ropeScaling: sound, as a configuration's is.
    ///   - usesFactors: whether the file's divisors of frequencies count.
    ///   - grows: takes memory as it is needed; else all of it is promised here.
    func makeSequence(
        capacity: Int, keys: CacheType, values: CacheType, ropeTheta: Double, ropeScaling: ModelConfiguration.RopeScaling,
        usesFactors: Bool = true, grows: Bool = false
    ) throws(AlpacaError) -> TokenSequence {
        let head = configuration.headDimension
        for type in [keys, values] where type == .q8_0 && head % Int(KERN_KV_SCALED) != 0 {
            throw AlpacaError(
                .unsupported,
                "key and value cache of \(capacity) positions: heads of \(head) components are not a multiple of \(KERN_KV_SCALED): "
                    + "choose F16 or F32, not Q8_0")
        }
        let pool = try cache.pool(
            PagePool.Kind(
                keyType: keys, valueType: values, ropeTheta: ropeTheta, ropeScaling: ropeScaling, usesFactors: usesFactors))
        return try TokenSequence(cache, pool, capacity: capacity, vocabularySize: configuration.vocabularySize, grows: grows)
    }
}

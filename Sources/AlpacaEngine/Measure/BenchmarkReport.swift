/// Measured speeds of a model, and the limits of the machine that they were measured beside.
public struct BenchmarkReport: Sendable {
    /// What limits a test.
    public enum Bound: String, Sendable {
        /// Writing: every token reads the weights and the cache.
        case read
        /// Reading a prompt: every weight is multiplied with every token.
        case integer
    }

    public struct Row: Sendable {
        public let test: BenchmarkPlan.Test
        /// Tokens a second in each repetition, in order (of all sequences together), and their median.
        public let samples: [Double]
        public let median: Double
        /// nil for prompts of models whose matrices are multiplied as floats.
        public let bound: Bound?
        /// Bytes read for a token, or operations for it; a multiplication and an addition count as two.
        public let costPerToken: Double?
        /// The median's share of the limit; nil when that was not measured. Above 1 only where caches serve the weights: the best speed that
        /// a test of the run reached counts as measured too, so that a moment's disturbance of the limit makes no share too high.
        public fileprivate(set) var share: Double?
    }

    /// The machine's limits with a number of threads.
    public struct Roof: Sendable {
        public let threadCount: Int
        /// Bytes a second read from memory in each round.
        public let readSamples: [Double]
        /// Operations a second of the CPU path's products of bytes in each round.
        public let integerSamples: [Double]
        /// The best rounds.
        public var readRate: Double { readSamples.max() ?? 0 }
        public var integerRate: Double { integerSamples.max() ?? 0 }
    }

    /// The model's path.
    public let model: String
    public let quantization: String
    public let modelBytes: Int
    public let parameterCount: Int
    /// The CPU path in use: "avx2", "avx512", ...
    public let path: String
    /// The processor's name, nil where the system does not tell.
    public let processor: String?
    public let batchSize: Int
    public let keyType, valueType: CacheType
    public let roofs: [Roof]
    public let rows: [Row]

    init(_ model: Model, _ plan: BenchmarkPlan, _ run: BenchmarkRun) {
        self.model = model.path
        quantization = model.description.quantization ?? ""
        modelBytes = model.description.byteCount
        parameterCount = model.description.parameterCount
        path = Kernels.name
        processor = Processor.name
        batchSize = plan.batchSize
        (keyType, valueType) = (plan.keyType, plan.valueType)
        roofs = run.roofs.sorted { $0.key < $1.key }.map {
            Roof(threadCount: $0.key, readSamples: $0.value.map(\.readRate), integerSamples: $0.value.map(\.integerRate))
        }
        let cost = ModelCost(model.runnable, keys: plan.keyType, values: plan.valueType)
        let rows = zip(run.tests, run.speeds).map { Row($0, $1, cost) }
        let memory = cost.matrixByteCount / BenchmarkLimits.cachesFactor >= (Processor.lastLevelCacheByteCount ?? 32 << 20)
        let limits = BenchmarkLimits(roofs, rows, weightsComeFromMemory: memory)
        self.rows = rows.map { limits.share($0) }
    }
}

extension BenchmarkReport.Row {
    init(_ test: BenchmarkPlan.Test, _ samples: [Double], _ cost: ModelCost) {
        self.test = test
        self.samples = samples
        median = BenchmarkReport.median(samples)
        switch test.kind {
        case .prompt(let length):
            bound = cost.isInteger ? .integer : nil
            costPerToken = cost.isInteger ? cost.operations(promptLength: length) : nil
        case .generation(let length, let sequences):
            bound = .read
            costPerToken = cost.bytes(generationLength: length, depth: test.depth, sequences: sequences)
        }
    }

    /// What the best repetition took of the limit a second.
    fileprivate var bestRate: Double { (samples.max() ?? 0) * (costPerToken ?? 0) }
}

/// The machine's limits by number of threads, as far as this run knows them: the meter's best, or what a test was seen to do.
struct BenchmarkLimits {
    /// Weights so many times as large as the last cache come from memory.
    static let cachesFactor = 4

    private var read: [Int: Double] = [:]
    private var integer: [Int: Double] = [:]

    /// - Parameter weightsComeFromMemory: else what a test reads is no measure of memory.
    init(_ roofs: [BenchmarkReport.Roof], _ rows: [BenchmarkReport.Row], weightsComeFromMemory: Bool) {
        for roof in roofs {
            read[roof.threadCount] = roof.readRate
            integer[roof.threadCount] = roof.integerRate
        }
        for row in rows {
            let threads = row.test.threadCount
            switch row.bound {
            case .read: if weightsComeFromMemory, let known = read[threads] { read[threads] = max(known, row.bestRate) }
            case .integer: if let known = integer[threads] { integer[threads] = max(known, row.bestRate) }
            case nil: break
            }
        }
    }

    func share(_ row: BenchmarkReport.Row) -> BenchmarkReport.Row {
        var row = row
        let limits = row.bound == .read ? read : integer
        if let cost = row.costPerToken, let limit = limits[row.test.threadCount] { row.share = row.median * cost / limit }
        return row
    }
}

extension BenchmarkReport {
    /// The middle value, the mean of the two middle ones where their number is even; 0 for none.
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted(), middle = sorted.count / 2
        guard !sorted.isEmpty else { return 0 }
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

/// What ``Benchmark`` measures: every prompt length and every generation length, at every depth, with every number of threads.
public struct BenchmarkPlan: Sendable {
    /// Tokens of a prompt (pp), such as 128 and 512.
    public var promptLengths = [512]
    /// Tokens to write one by one (tg).
    public var generationLengths = [32]
    /// Positions that are filled before the measurement.
    public var depths = [0]
    /// Threads; 0 for one on each core.
    public var threadCounts = [0]
    public var batchSize = 512
    public var repetitions = 5
    public var cacheType = CacheType.f16

    public init() {}
}

/// Measured speeds of a model.
public struct BenchmarkReport: Sendable, Encodable {
    public struct Row: Sendable, Encodable {
        /// "pp512", "tg32", "pp512 @ 4096".
        public let test: String
        public let threads: Int
        /// Tokens a second in each repetition, in order, and their median.
        public let samples: [Double]
        public let median: Double

        enum CodingKeys: String, CodingKey {
            case test
            case threads = "n_threads"
            case samples = "tokens_per_second"
            case median = "median_tokens_per_second"
        }
    }

    public let model: String
    public let quantization: String
    public let modelBytes: Int
    /// The CPU path in use: "avx2", "avx512", ...
    public let path: String
    public let rows: [Row]

    enum CodingKeys: String, CodingKey {
        case model, quantization, rows
        case modelBytes = "model_bytes"
        case path = "cpu_path"
    }

    /// A table for people.
    public var table: String {
        var lines = [
            "\(model)  \(quantization)  \(modelBytes >> 20) MB  \(path)", "test             threads   tokens/s (median, least, most)",
        ]
        for row in rows {
            let numbers = [row.median, row.samples.min() ?? 0, row.samples.max() ?? 0].map { Decimal.text($0, digits: 2) }
            lines.append(
                pad(row.test, 17) + pad(String(row.threads), 10) + "\(numbers[0])  (\(numbers[1]) - \(numbers[2]))")
        }
        return lines.joined(separator: "\n")
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}

/// Measures how fast a model reads and writes on this machine.
public enum Benchmark {
    /// Runs the plan; the repetitions of all tests alternate, so that a machine whose speed drifts is fair to each.
    ///
    /// - Parameter onTest: told what is about to be measured.
    public static func run(_ model: Model, _ plan: BenchmarkPlan, onTest: (String) -> Void = { _ in }) throws(AlpacaError)
        -> BenchmarkReport
    {
        var cases: [Case] = []
        for threads in plan.threadCounts {
            for depth in plan.depths {
                cases += plan.promptLengths.map { Case(isPrompt: true, length: $0, depth: depth, threads: threads) }
                cases += plan.generationLengths.map { Case(isPrompt: false, length: $0, depth: depth, threads: threads) }
            }
        }
        guard !cases.isEmpty else { throw AlpacaError(.invalidArgument, "nothing to measure: give a prompt length or a generation length") }
        guard (1...1000).contains(plan.repetitions) else {
            throw AlpacaError(.invalidArgument, "repetitions: found \(plan.repetitions), expected 1 ... 1000")
        }
        for c in cases {
            guard (1...1 << 20).contains(c.length), (0...1 << 20).contains(c.depth) else {
                throw AlpacaError(.invalidArgument, "lengths must be 1 ... \(1 << 20) tokens, depths 0 ... \(1 << 20)")
            }
        }
        let most = cases.reduce(0) { max($0, $1.depth + $1.length) }
        var sessions: [Int: Session] = [:]
        var samples = [[Double]](repeating: [], count: cases.count)
        // The first round warms caches and pages and is not counted.
        for round in 0...plan.repetitions {
            for (index, c) in cases.enumerated() {
                onTest("\(c.name), \(round == 0 ? "warm-up" : "\(round) of \(plan.repetitions)")")
                let session: Session
                if let known = sessions[c.threads] {
                    session = known
                } else {
                    var options = Session.Options()
                    options.contextLength = most + 1
                    options.batchSize = plan.batchSize
                    options.threadCount = c.threads
                    options.keyType = plan.cacheType
                    options.valueType = plan.cacheType
                    session = try model.makeSession(options)
                    sessions[c.threads] = session
                }
                let seconds = try measure(c, session)
                if round > 0 { samples[index].append(Double(c.length) / seconds) }
            }
        }
        let rows = cases.indices.map { i in
            BenchmarkReport.Row(
                test: cases[i].name, threads: sessions[cases[i].threads]?.threadCount ?? 0, samples: samples[i],
                median: samples[i].sorted()[samples[i].count / 2])
        }
        return BenchmarkReport(
            model: model.path, quantization: model.description.quantization ?? "", modelBytes: model.description.byteCount,
            path: Kernels.name, rows: rows)
    }

    private struct Case {
        let isPrompt: Bool
        let length, depth, threads: Int
        var name: String { (isPrompt ? "pp" : "tg") + "\(length)" + (depth > 0 ? " @ \(depth)" : "") }
    }

    private static func measure(_ c: Case, _ session: Session) throws(AlpacaError) -> Double {
        let size = session.model.configuration.vocabularySize
        // Ids spread over the vocabulary; which they are does not matter to the time.
        func id(_ i: Int) -> TokenID { TokenID(truncatingIfNeeded: (i &* 7919 &+ 13) % size) }
        if session.position < c.depth { try session.append((session.position..<c.depth).map(id)) }
        try session.truncate(to: c.depth)
        let start = Clock.now()
        if c.isPrompt {
            try session.append((0..<c.length).map(id))
        } else {
            for i in 0..<c.length { try session.append([id(i)]) }
        }
        return Double(max(1, Clock.now() &- start)) / 1e9
    }
}

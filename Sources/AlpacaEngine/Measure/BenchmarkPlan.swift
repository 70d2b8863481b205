/// What ``Benchmark`` measures.
public struct BenchmarkPlan: Sendable {
    /// One speed to measure.
    public struct Test: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            /// Tokens of a prompt that are read (pp).
            case prompt(length: Int)
            /// Tokens that each of `sequences` conversations writes, one after the other, all conversations together (tg).
            case generation(length: Int, sequences: Int = 1)
        }

        public var kind: Kind
        /// Positions that are filled before.
        public var depth: Int
        /// Threads that compute; 0 for one on each core that the process may use.
        public var threadCount: Int

        public init(_ kind: Kind, depth: Int = 0, threadCount: Int = 0) {
            self.kind = kind
            self.depth = depth
            self.threadCount = threadCount
        }

        /// "pp512", "tg32", "tg32 x 4 @ 4096".
        public var name: String {
            let suffix = depth > 0 ? " @ \(depth)" : ""
            switch kind {
            case .prompt(let length): return "pp\(length)" + suffix
            case .generation(let length, let sequences): return "tg\(length)" + (sequences > 1 ? " x \(sequences)" : "") + suffix
            }
        }

        /// Tokens that each sequence takes, and sequences.
        var length: Int {
            switch kind {
            case .prompt(let length), .generation(let length, _): length
            }
        }
        var sequences: Int {
            switch kind {
            case .prompt: 1
            case .generation(_, let sequences): sequences
            }
        }
    }

    public var tests = [Test(.prompt(length: 512)), Test(.generation(length: 32))]
    /// Measured runs of each test, 1 ... 1000.
    public var repetitions = 5
    /// Tokens of a prompt that are computed together, 1 ... 4096.
    public var batchSize = Session.Options().batchSize
    /// Types of the key and value caches.
    public var keyType = Session.Options().keyType
    public var valueType = Session.Options().valueType
    /// Whether the machine's limits are measured too, which takes a quarter of a gigabyte or more for the moment.
    public var measuresRoofs = true

    public init() {}

    /// All prompts and generations (for each number of sequences) at all depths with all numbers of threads.
    public static func tests(
        promptLengths: [Int], generationLengths: [Int], depths: [Int] = [0], threadCounts: [Int] = [0], sequenceCounts: [Int] = [1]
    ) -> [Test] {
        var tests: [Test] = []
        for threads in threadCounts {
            for depth in depths {
                tests += promptLengths.map { Test(.prompt(length: $0), depth: depth, threadCount: threads) }
                for length in generationLengths {
                    tests += sequenceCounts.map {
                        Test(.generation(length: length, sequences: $0), depth: depth, threadCount: threads)
                    }
                }
            }
        }
        return tests
    }

    /// What is not checked by the sessions that are made.
    func validate() throws(AlpacaError) {
        guard (1...BenchmarkPlan.mostTests).contains(tests.count) else {
            throw AlpacaError(.invalidArgument, "tests: found \(tests.count), expected 1 ... \(BenchmarkPlan.mostTests)")
        }
        guard (1...1000).contains(repetitions) else {
            throw AlpacaError(.invalidArgument, "repetitions: found \(repetitions), expected 1 ... 1000")
        }
        for (index, test) in tests.enumerated() {
            func check(_ what: String, _ value: Int, _ range: ClosedRange<Int>) throws(AlpacaError) {
                guard !range.contains(value) else { return }
                throw AlpacaError(
                    .invalidArgument, "tests[\(index)]: \(what): found \(value), expected \(range.lowerBound) ... \(range.upperBound)")
            }
            try check("length", test.length, 1...BenchmarkPlan.mostTokens)
            try check("depth", test.depth, 0...BenchmarkPlan.mostTokens)
            try check("sequences", test.sequences, 1...BenchmarkPlan.mostSequences)
            try check("n_threads", test.threadCount, 0...WorkerPool.mostThreads)
        }
    }

    package static let mostTests = 1024
    static let mostTokens = 1 << 20
    static let mostSequences = 256
}

/// Measures how fast a model reads and writes on this machine.
public enum Benchmark {
    /// Runs the plan. The repetitions of all tests alternate, the machine's limits among them, so that a machine whose speed drifts is fair
    /// to each.
    ///
    /// - Parameter progress: called before each run and some ten times a second where a run allows it (`done` and `total` count runs, `item`
    ///   is the test's name); false stops with ``AlpacaError/Code/cancelled``. The time that it takes is not measured.
    public static func run(_ model: Model, _ plan: BenchmarkPlan = .init(), progress: ProgressHandler? = nil) throws(AlpacaError)
        -> BenchmarkReport
    {
        try plan.validate()
        let run = try BenchmarkRun(model, plan, progress)
        try run.warmUp()
        for _ in 0..<plan.repetitions { try run.round() }
        try run.report()
        return BenchmarkReport(model, plan, run)
    }
}

/// A benchmark under way.
final class BenchmarkRun {
    /// The same with the number of threads that 0 stands for.
    let tests: [BenchmarkPlan.Test]
    /// Tokens a second of each test, a value a round.
    private(set) var speeds: [[Double]]
    /// The machine's limits by number of threads, a value a round; always those of one thread too.
    private(set) var roofs: [Int: [RoofMeter.Roof]] = [:]
    let model: Model

    private let plan: BenchmarkPlan
    private let progress: ProgressHandler?
    private let meter: RoofMeter?
    /// Those of a depth and a number of threads, filled up to the depth once.
    private var sessions: [Key: [Session]] = [:]
    /// What is told of progress, and when next.
    private var state = Progress(stage: "", done: 0, total: 0)
    private var due: UInt64 = 0

    private var needs: [Key: Need] = [:]
    /// Texts that were made.
    private var textCount = 0

    private struct Key: Hashable {
        let depth, threadCount: Int

        init(_ test: BenchmarkPlan.Test) {
            depth = test.depth
            threadCount = test.threadCount
        }
    }

    /// Positions beyond the depth, and sessions.
    private struct Need {
        let length, sequences: Int
    }

    /// All caches together: each of them alone would be granted, and filled later.
    private static func requireMemory(for needs: [Key: Need], _ cost: ModelCost) throws(AlpacaError) {
        let what = "key and value caches of the benchmark"
        var bytes = 0
        for (key, need) in needs {
            bytes = try CheckedMath.sum(
                bytes, try CheckedMath.product(key.depth + need.length, need.sequences, cost.cacheByteCount, of: what), of: what)
        }
        try MemoryBudget.require(bytes, for: what)
    }

    init(_ model: Model, _ plan: BenchmarkPlan, _ progress: ProgressHandler?) throws(AlpacaError) {
        self.model = model
        self.plan = plan
        self.progress = progress
        let cores = ProcessorCount.usable()
        tests = plan.tests.map { BenchmarkPlan.Test($0.kind, depth: $0.depth, threadCount: $0.threadCount == 0 ? cores : $0.threadCount) }
        speeds = [[Double]](repeating: [], count: tests.count)
        for test in tests {
            let key = Key(test)
            needs[key] = Need(length: max(needs[key]?.length ?? 0, test.length), sequences: max(needs[key]?.sequences ?? 0, test.sequences))
        }
        try BenchmarkRun.requireMemory(for: needs, ModelCost(model.runnable, keys: plan.keyType, values: plan.valueType))
        meter = plan.measuresRoofs ? try RoofMeter() : nil
        state.total = UInt64(tests.count * (plan.repetitions + 1))
    }

    /// Fills the depths and brings weights and workspaces into memory.
    func warmUp() throws(AlpacaError) {
        for test in tests {
            let sessions = try sessions(for: test)
            try begin("warm-up", test)
            for session in sessions {
                while session.position < test.depth {
                    try reportIfDue()
                    try session.append(ids(min(plan.batchSize, test.depth - session.position)))
                }
                try session.rewind(to: test.depth)
            }
            switch test.kind {
            case .prompt(let length): if test.depth == 0 { _ = try read(length, sessions) }
            case .generation: _ = try write(1, sessions)
            }
            state.done += 1
        }
    }

    /// Measures the machine, then every test once.
    func round() throws(AlpacaError) {
        if let meter {
            for threads in Set(tests.map(\.threadCount)).union([1]).sorted() {
                state.stage = "roofs"
                state.item = ""
                try report()
                roofs[threads, default: []].append(meter.measure(threadCount: threads))
            }
        }
        for (index, test) in tests.enumerated() {
            let sessions = try sessions(for: test)
            try begin("measure", test)
            for session in sessions { try session.rewind(to: test.depth) }
            let seconds =
                switch test.kind {
                case .prompt(let length): try read(length, sessions)
                case .generation(let length, _): try write(length, sessions)
                }
            speeds[index].append(Double(test.length * test.sequences) / seconds)
            state.done += 1
        }
    }

    // MARK: - Work

    /// Seconds that a prompt takes.
    private func read(_ length: Int, _ sessions: [Session]) throws(AlpacaError) -> Double {
        let prompts = sessions.map { _ in ids(length) }
        let start = Clock.now()
        for (session, prompt) in zip(sessions, prompts) { try session.append(prompt) }
        return Clock.seconds(since: start)
    }

    /// Seconds that `length` tokens of each session take.
    private func write(_ length: Int, _ sessions: [Session]) throws(AlpacaError) -> Double {
        var seconds = 0.0
        let texts = sessions.map { _ in ids(length) }
        for i in 0..<length {
            try reportIfDue()
            let start = Clock.now()
            try step(sessions, texts.map { $0[i] })
            seconds += Clock.seconds(since: start)
        }
        return seconds
    }

    /// One more token of each session.
    private func step(_ sessions: [Session], _ ids: [TokenID]) throws(AlpacaError) {
        if let only = sessions.first, sessions.count == 1 {
            try only.append(ids)
        } else {
            try Session.step(zip(sessions, ids).map { ($0, [$1]) })
        }
    }

    /// Ids spread over the vocabulary, others each time: what one session has read another one, or a later run, would not read again.
    private func ids(_ count: Int) -> [TokenID] {
        let size = model.configuration.vocabularySize
        textCount += 1
        return (0..<count).map { TokenID(truncatingIfNeeded: ($0 &* 7919 &+ textCount &* 104_729 &+ 13) % size) }
    }

    /// The sessions of a test, as many as it has sequences, with room for all tests of its depth.
    private func sessions(for test: BenchmarkPlan.Test) throws(AlpacaError) -> [Session] {
        let key = Key(test)
        var known = sessions[key] ?? []
        var options = Session.Options()
        options.contextLength = key.depth + (needs[key]?.length ?? 0)
        options.batchSize = plan.batchSize
        options.threadCount = key.threadCount
        options.keyType = plan.keyType
        options.valueType = plan.valueType
        while known.count < test.sequences { known.append(try model.makeSession(options)) }
        sessions[key] = known
        return Array(known.prefix(test.sequences))
    }

    // MARK: - Progress

    private func begin(_ stage: String, _ test: BenchmarkPlan.Test) throws(AlpacaError) {
        state.stage = stage
        state.item = test.name
        try report()
    }

    private func reportIfDue() throws(AlpacaError) {
        if Clock.now() >= due { try report() }
    }

    func report() throws(AlpacaError) {
        due = Clock.now() &+ 100_000_000
        if let progress, !progress(state) { throw AlpacaError(.cancelled, "the benchmark was stopped") }
    }
}

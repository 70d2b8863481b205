import AlpacaEngine
import ArgumentParser

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how fast a model reads prompts and writes, and what the machine would allow.",
        discussion: """
            pp: tokens of a prompt read per second (prefill). tg: tokens written per second (decode), those of all sequences together where
            there are several. Medians of the repetitions, which alternate between the tests. Beside them stand the machine's limits,
            measured in the same run: how fast memory is read, and how many operations the CPU path's own products of bytes make on
            registers alone. ALPACA_CPU=generic|avx2|avxvnni|avx512|avx512vbmi forces a path.

            Examples:
              alpaca bench model.gguf
              alpaca bench model.gguf -p 128,512 -n 32 -d 0,4096 -t 1,2 -r 5 --json
              alpaca bench model.gguf -p 0 -n 32 -np 1,4
            """
    )

    @Argument(help: ModelOptions.modelHelp, completion: .file(), transform: Value.path) var model: String
    @Option(name: .shortAndLong, parsing: .unconditional, help: "Lengths of prompts, with commas; 0: none.") var prompt = "512"
    @Option(name: [.customShort("n"), .customLong("n-gen")], parsing: .unconditional, help: "Numbers of tokens to write; 0: none.")
    var generate = "32"
    @Option(name: .shortAndLong, parsing: .unconditional, help: "Positions already filled before each test.") var depth = "0"
    @Option(
        name: [.customShort("t"), .customLong("n-threads")], parsing: .unconditional, help: "Numbers of threads; 0: one on each core.")
    var threads = "0"
    @Option(
        name: [.customLong("np", withSingleDash: true), .customLong("n-parallel")], parsing: .unconditional,
        help: "Numbers of sequences that write together.")
    var parallel = "1"
    @Option(
        name: [.customShort("b"), .customLong("n-batch"), .customLong("batch")], parsing: .unconditional,
        help: "Tokens of a prompt that are computed together.")
    var batch = BenchmarkPlan().batchSize
    @Option(name: .shortAndLong, parsing: .unconditional, help: "Repetitions of each test.") var repetitions = BenchmarkPlan().repetitions
    @Option(name: .customLong("kv-cache"), help: "Type of the key and value cache.")
    var cache = CacheName(Session.Options().keyType)
    @Flag(name: .customLong("no-roofs"), help: "Do not measure the machine's limits.") var skipsRoofs = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws { _ = try plan() }

    private func plan() throws -> BenchmarkPlan {
        guard (1...1000).contains(repetitions) else { throw ValidationError("-r: found \(repetitions), expected 1 ... 1000") }
        var plan = BenchmarkPlan()
        plan.tests = BenchmarkPlan.tests(
            promptLengths: try numbers(prompt, "-p"), generationLengths: try numbers(generate, "-n"),
            depths: try numbers(depth, "-d", least: 0), threadCounts: try numbers(threads, "-t", least: 0),
            sequenceCounts: try numbers(parallel, "-np"))
        guard !plan.tests.isEmpty else { throw ValidationError("nothing to measure: give a length of a prompt (-p) or of a text (-n)") }
        plan.batchSize = batch
        plan.repetitions = repetitions
        plan.keyType = cache.type
        plan.valueType = cache.type
        plan.measuresRoofs = !skipsRoofs
        return plan
    }

    func run() throws {
        let plan = try plan()
        let writes = plan.tests.contains { if case .generation = $0.kind { true } else { false } }
        if !writes, parallel != "1" { Console.warn("-np: no effect, nothing is written") }
        let model = try Model(warningOf: model)
        // Nothing has to be put in order: Ctrl-C ends it at once.
        let report = try Benchmark.run(model, plan) { progress in
            if Console.errorIsTerminal {
                Console.status("\r\u{1B}[K\(progress.done + 1) of \(progress.total): \(progress.stage) \(progress.item)")
            }
            return true
        }
        if Console.errorIsTerminal { Console.status("\r\u{1B}[K") }
        try Console.print(json ? report.json() : report.table)
    }

    private func numbers(_ list: String, _ option: String, least: Int = 1) throws -> [Int] {
        try list.split(separator: ",", omittingEmptySubsequences: false).compactMap { word in
            guard let number = Int(word), (0...1 << 20).contains(number) else {
                throw ValidationError(
                    "\(option): found \"\(word)\" in \"\(list)\", expected numbers 0 ... \(1 << 20) with commas between them")
            }
            return number < least ? nil : number
        }
    }
}

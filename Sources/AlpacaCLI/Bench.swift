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

    @Argument(help: "The model.", completion: .file()) var model: String
    @Option(name: .shortAndLong, help: "Lengths of prompts, with commas; 0: none.") var prompt = "512"
    @Option(name: [.customShort("n"), .customLong("n-gen")], help: "Numbers of tokens to write; 0: none.") var generate = "32"
    @Option(name: .shortAndLong, help: "Positions already filled before each test.") var depth = "0"
    @Option(name: .shortAndLong, help: "Numbers of threads; 0: one on each core.") var threads = "0"
    @Option(
        name: [.customLong("np", withSingleDash: true), .customLong("n-parallel")], help: "Numbers of sequences that write together.")
    var parallel = "1"
    @Option(name: .shortAndLong, help: "Tokens of a prompt that are computed together.") var batch = BenchmarkPlan().batchSize
    @Option(name: .shortAndLong, help: "Repetitions of each test.") var repetitions = BenchmarkPlan().repetitions
    @Option(name: .customLong("kv-cache"), help: "Type of the key and value cache: f16, f32 or q8_0.") var cacheType = Session.Options()
        .keyType
    @Flag(name: .customLong("no-roofs"), help: "Do not measure the machine's limits.") var skipsRoofs = false
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        guard (1...1000).contains(repetitions) else { throw ValidationError("-r: expected 1 ... 1000") }
        var plan = BenchmarkPlan()
        plan.tests = BenchmarkPlan.tests(
            promptLengths: try numbers(prompt, "-p"), generationLengths: try numbers(generate, "-n"),
            depths: try numbers(depth, "-d", least: 0), threadCounts: try numbers(threads, "-t", least: 0),
            sequenceCounts: try numbers(parallel, "-np"))
        guard !plan.tests.isEmpty else { throw ValidationError("nothing to measure: give a length of a prompt (-p) or of a text (-n)") }
        plan.batchSize = batch
        plan.repetitions = repetitions
        plan.keyType = cacheType
        plan.valueType = cacheType
        plan.measuresRoofs = !skipsRoofs
        let model = try Model(path: model)
        let report = try Interrupt.noticing {
            try Benchmark.run(model, plan) { progress in
                if Console.errorIsTerminal {
                    Console.status("\r\u{1B}[K\(progress.done + 1) of \(progress.total): \(progress.stage) \(progress.item)")
                }
                return !Interrupt.happened
            }
        }
        if Console.errorIsTerminal { Console.status("\r\u{1B}[K") }
        Console.print(json ? report.json() : report.table)
    }

    private func numbers(_ list: String, _ option: String, least: Int = 1) throws -> [Int] {
        try list.split(separator: ",").compactMap { word in
            guard let number = Int(word), (0...1 << 20).contains(number) else {
                throw ValidationError("\(option): found \"\(word)\", expected numbers with commas between them")
            }
            return number < least ? nil : number
        }
    }
}

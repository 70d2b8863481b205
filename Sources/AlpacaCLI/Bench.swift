import AlpacaEngine
import ArgumentParser

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how fast a model reads prompts and writes.",
        discussion: """
            pp: tokens of a prompt read per second (prefill). tg: tokens written per second (decode). Medians of the repetitions, which
            alternate between the tests.

            Examples:
              alpaca bench model.gguf
              alpaca bench model.gguf -p 128,512 -n 32 -d 0,4096 -t 2 -r 5 --json
            """
    )

    @Argument(help: "The model.", completion: .file()) var model: String
    @Option(name: .shortAndLong, help: "Lengths of prompts, with commas; 0: none.") var prompt = "512"
    @Option(name: [.customShort("n"), .customLong("n-gen")], help: "Numbers of tokens to write; 0: none.") var generate = "32"
    @Option(name: .shortAndLong, help: "Positions already filled before each test.") var depth = "0"
    @Option(name: .shortAndLong, help: "Numbers of threads; 0: one on each core.") var threads = "0"
    @Option(name: .shortAndLong, help: "Tokens of a prompt that are computed together.") var batch = 512
    @Option(name: .shortAndLong, help: "Repetitions of each test.") var repetitions = 5
    @Option(name: .customLong("kv-cache"), help: "Type of the key and value cache: f16, f32 or q8_0.") var cacheType = CacheType.f16
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        guard (1...1000).contains(repetitions) else { throw ValidationError("-r: expected 1 ... 1000") }
        let model = try Model(path: model)
        var plan = BenchmarkPlan()
        plan.promptLengths = try numbers(prompt, "-p")
        plan.generationLengths = try numbers(generate, "-n")
        plan.depths = try numbers(depth, "-d", least: 0)
        plan.threadCounts = try numbers(threads, "-t", least: 0)
        plan.batchSize = batch
        plan.repetitions = repetitions
        plan.cacheType = cacheType
        let report = try Benchmark.run(model, plan) { test in
            if Console.errorIsTerminal { Console.status("\r\u{1B}[K\(test)") }
        }
        if Console.errorIsTerminal { Console.status("\r\u{1B}[K") }
        Console.print(json ? try JSONReport.text(report) : report.table)
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

import AlpacaEngine
import ArgumentParser

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which published files these are, and which are damaged.",
        discussion: """
            Hashes files, and those in folders (SHA-256), and compares them with the published list: the original LLaMA, the tokenizers,
            adapters and merged models of Chinese-LLaMA-Alpaca. Exit status 1 when a file has the name of a published one and another hash.

            Examples:
              alpaca verify llama/7B/consolidated.00.pth tokenizer.model
              alpaca verify chinese-alpaca-plus-lora-7b --json
              alpaca verify ziqingyang/chinese-alpaca-lora-7b
            """
    )

    @Argument(help: "Files, folders, or names of downloaded models of the Hugging Face hub.", completion: .file()) var paths: [String]
    @Option(name: [.customShort("t"), .customLong("n-threads")], help: "Files hashed at the same time; 0: one on each core.")
    var threads = 0
    @Option(help: "Progress on standard error: bar, json or none; by default a bar on a terminal.") var progress: ProgressMode?
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        guard (0...256).contains(threads) else { throw ValidationError("-t: expected 0 ... 256") }
        let report = try ProgressDisplay.watch(progress) { try Verifier.verify(paths: paths, threadCount: threads, progress: $0) }
        if json {
            Console.print(report.json())
        } else {
            for file in report.files { Console.print(file.verdict) }
            if report.files.count > 1 {
                Console.print(
                    "\(report.files.count) files: \(report.count(.known)) known, \(report.count(.differs)) not what their names say, "
                        + "\(report.count(.unknown)) unknown")
            }
        }
        if !report.isClean { throw ExitCode(1) }
    }
}

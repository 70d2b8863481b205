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

    @Argument(help: "Files, folders, or names of downloaded models of the Hugging Face hub.", completion: .file(), transform: Value.path)
    var paths: [String]
    @Option(
        name: [.customShort("t"), .customLong("n-threads")], parsing: .unconditional,
        help: "Files hashed at the same time; 0: one on each core.")
    var threads = 0
    @Option(help: "Progress on standard error; by default a bar on a terminal.") var progress: ProgressMode?
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (0...256).contains(threads) else { throw ValidationError("-t: found \(threads), expected 0 ... 256") }
    }

    func run() throws {
        let report = try ProgressDisplay.watch(progress) { try Verifier.verify(paths: paths, threadCount: threads, progress: $0) }
        if json {
            try Console.print(report.json())
        } else {
            for file in report.files { try Console.print(file.verdict) }
            if report.files.count > 1 {
                try Console.print(
                    "\(report.files.count) files: \(report.count(.known)) known, \(report.count(.differs)) not what their names say, "
                        + "\(report.count(.unknown)) unknown")
            }
        }
        if !report.isClean { throw ExitCode(1) }
    }
}

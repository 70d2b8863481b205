import AlpacaEngine
import ArgumentParser

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which published files these are, by SHA-256.",
        discussion: """
            The list has the original LLaMA, the tokenizers, the adapters, and the merged models that the authors published. Exit status 1 if
            a file has the name of a published one and another hash.

            Examples:
              alpaca verify tokenizer.model
              alpaca verify llama-7b chinese-alpaca-lora-7b --json
            """
    )

    @Argument(help: "Files and folders.", completion: .file()) var paths: [String]
    @Option(name: .shortAndLong, help: "Files hashed at the same time; 0: one on each core.") var threads = 0
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let report = try Verifier.verify(paths: paths, threadCount: threads) { progress in
            if Console.errorIsTerminal, progress.total > 0 {
                Console.status("\r\u{1B}[K\(progress.done >> 20) of \(progress.total >> 20) MiB")
            }
            return !Interrupt.happened
        }
        if Console.errorIsTerminal { Console.status("\r\u{1B}[K") }
        if json {
            Console.print(try JSONReport.text(report))
        } else {
            for file in report.files { Console.print("\(file.sha256)  \(file.verdict)") }
        }
        guard report.isClean else { throw ExitCode(1) }
    }
}

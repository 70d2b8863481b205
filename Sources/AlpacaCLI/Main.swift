// The `alpaca` command. Every subcommand is a thin face of the public Swift API (and has its C and Python counterpart): it parses, calls
// and prints, and computes nothing. Exit status: 0, 1 for an error, 2 for wrong usage, 130 when interrupted.

import AlpacaEngine
import ArgumentParser

struct Alpaca: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alpaca",
        abstract: "Makes and runs Chinese LLaMA and Alpaca models on this machine.",
        version: Version.string,
        subcommands: [
            Generate.self, Chat.self, Convert.self, Verify.self, MergeTokenizer.self, Tokenize.self, Inspect.self, MeasurePerplexity.self,
            Bench.self,
        ]
    )
}

@main
enum Main {
    static func main() {
        Interrupt.install()
        do {
            var command = try Alpaca.parseAsRoot()
            try command.run()
        } catch let error as AlpacaError {
            Console.error("error: \(error.message)")
            Console.exit(error.code == .cancelled && Interrupt.happened ? 130 : 1)
        } catch let code as ExitCode {
            Console.exit(code.rawValue)
        } catch {
            let message = Alpaca.fullMessage(for: error)
            if Alpaca.exitCode(for: error).isSuccess {
                Console.print(message)
                Console.exit(0)
            }
            Console.error(message)
            Console.exit(2)
        }
        Console.exit(0)
    }
}

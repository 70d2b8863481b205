// The `alpaca` command. Every subcommand is a thin face of the public Swift API (and has its C and Python counterpart): it parses, calls
// and prints, and computes nothing. Exit status: 0, 1 for an error, 2 for wrong usage; ended by SIGINT when interrupted (shells see 130), by
// SIGPIPE when the reader of its output has left (141).

import AlpacaEngine
import ArgumentParser
import Glibc

struct Alpaca: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alpaca",
        abstract: "Makes and runs Chinese LLaMA and Alpaca models on this machine.",
        version: Version.string,
        subcommands: [
            Generate.self, Chat.self, Convert.self, Verify.self, MergeTokenizer.self, Tokenize.self, Template.self, Inspect.self,
            MeasurePerplexity.self, MeasureImportance.self, Bench.self,
        ]
    )
}

@main
enum Main {
    static func main() {
        Console.takeStandardDescriptors()
        Interrupt.install()
        var status = run(Arguments.normalized(Arguments.words()))
        Interrupt.endIfAsked()
        if status == 0, Console.lostOnError != 0 {
            // There is nobody to tell.
            if Console.lostOnError == EPIPE { Interrupt.endForReader() }
            status = 1
        }
        exit(status)
    }

    private static func run(_ words: [String]) -> Int32 {
        do {
            var command = try Alpaca.parseAsRoot(words)
            try command.run()
            return 0
        } catch {
            return end(error)
        }
    }

    /// Says what went wrong; gives the status.
    private static func end(_ error: any Error) -> Int32 {
        switch error {
        case is Console.ReaderLeft: Interrupt.endForReader()
        case is Console.Interrupted: return 1
        case let error as AlpacaError:
            Console.error("error: \(error.message)")
            return 1
        case let code as ExitCode: return code.rawValue
        default: break
        }
        let code = Alpaca.exitCode(for: error)
        let message = Alpaca.fullMessage(for: error)
        if code.isSuccess {
            // Help, or the version, was asked for.
            do { try Console.print(message) } catch { return end(error) }
            return 0
        }
        Console.error(PathText.shown(code == .validationFailure ? message : "error: \(error)"))
        return code == .validationFailure ? 2 : 1
    }
}

import AlpacaEngine
import ArgumentParser

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is in a model file.",
        discussion: """
            Examples:
              alpaca inspect model.gguf
              alpaca inspect model.gguf --json
            """
    )

    @Argument(help: "The file.", completion: .file()) var path: String
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let description = try Model.inspect(path: path)
        Console.print(json ? description.json() : description.description)
    }
}

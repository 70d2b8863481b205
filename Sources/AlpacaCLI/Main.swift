import ArgumentParser

@main
struct Alpaca: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "alpaca")
}

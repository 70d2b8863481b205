import AlpacaEngine
import ArgumentParser

struct MergeTokenizer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge-tokenizer",
        abstract: "Extend a tokenizer.model by the pieces of another.",
        discussion: """
            Pieces that the base lacks go behind its own, with score 0; what the base has keeps its bytes and ids. LLaMA's tokenizer and the
            Chinese pieces give that of Chinese-LLaMA to the byte, and with the piece [PAD] that of Chinese-Alpaca.

            Examples:
              alpaca merge-tokenizer llama.model chinese_sp.model -o chinese_llama.model
              alpaca merge-tokenizer llama.model chinese_sp.model --add-piece '[PAD]' -o chinese_alpaca.model
            """
    )

    @Argument(help: "The tokenizer.model to extend.", completion: .file()) var base: String
    @Argument(help: "The tokenizer.model whose pieces are added; none: only what --add-piece says.", completion: .file()) var extra: String?
    @Option(name: [.customShort("o"), .customLong("output")], help: "The file to write.", completion: .file()) var output: String
    @Option(name: .customLong("add-piece"), help: "One more piece, score 0; may be given several times.") var pieces: [String] = []
    @Flag(help: "Replace the output if it is there.") var overwrite = false

    func run() throws {
        guard extra != nil || !pieces.isEmpty else { throw ValidationError("nothing to add: give a second tokenizer.model or --add-piece") }
        var tokenizer = try Tokenizer(file: base)
        let before = tokenizer.count
        if let extra { tokenizer = try tokenizer.merging(piecesOf: extra) }
        for piece in pieces { tokenizer = try tokenizer.adding(piece: piece) }
        try tokenizer.save(to: output, overwrite: overwrite)
        let file = try Verifier.verify(paths: [output]).files[0]
        Console.print("\(output): \(tokenizer.count) pieces, \(tokenizer.count - before) added")
        Console.print("SHA-256 \(file.sha256)" + (file.identity.map { ": \($0)" } ?? ""))
    }
}

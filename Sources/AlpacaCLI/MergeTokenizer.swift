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

    @Argument(help: "The tokenizer.model to extend.", completion: .file(), transform: Value.path) var base: String
    @Argument(
        help: "The tokenizer.model whose pieces are added; none: only what --add-piece says.", completion: .file(), transform: Value.path)
    var extra: String?
    @Option(name: [.customShort("o"), .customLong("output")], help: "The file to write.", completion: .file(), transform: Value.path)
    var output: String
    @Option(
        name: .customLong("add-piece"), parsing: .unconditionalSingleValue, help: "One more piece, score 0; may be given several times.",
        transform: Value.word)
    var pieces: [String] = []
    @Flag(help: "Replace the output if it is there; never one of the inputs.") var overwrite = false

    func validate() throws {
        guard extra != nil || !pieces.isEmpty else { throw ValidationError("nothing to add: give a second tokenizer.model or --add-piece") }
    }

    func run() throws {
        var tokenizer = try Tokenizer(file: base)
        let before = tokenizer.count
        do {
            if let extra { tokenizer = try tokenizer.merging(piecesOf: extra) }
            for piece in pieces { tokenizer = try tokenizer.adding(piece: piece) }
        } catch {
            // What is not said of another file is said of this one.
            throw error.inFile(base)
        }
        try tokenizer.save(to: output, overwrite: overwrite)
        let file = try Verifier.verify(paths: [output]).files[0]
        try Console.print("\(PathText.shown(output)): \(tokenizer.count) pieces, \(tokenizer.count - before) added")
        try Console.print("SHA-256 \(file.sha256)" + (file.identity.map { ": \($0)" } ?? ""))
    }
}

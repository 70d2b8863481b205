import AlpacaEngine
import ArgumentParser

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a text's tokens, or the text of token ids.",
        discussion: """
            Without a text, or with -, standard input is read. Texts are UTF-8; a byte order mark in front, carriage returns of Windows and one
            line end at the end are no part of them, wherever they come from. A text that begins with - goes behind --.

            Examples:
              alpaca tokenize tokenizer.model "白日依山尽"
              alpaca tokenize model.gguf --ids --bos "你好"
              alpaca tokenize model.gguf --decode 1 372 905
            """
    )

    @Argument(
        help: """
            A GGUF file, an older file of llama.cpp, a sentencepiece tokenizer.model, a folder with one, or the name of a downloaded model of the
            hub.
            """, completion: .file(), transform: Value.path)
    var model: String
    @Argument(help: "The text, or with --decode the ids; - or nothing: standard input.", transform: Value.text) var input: [String] = []
    @Flag(help: "Print ids alone, on one line.") var ids = false
    @Flag(help: "Begin with the token that begins a text (BOS).") var bos = false
    @Flag(help: "Let the names of special tokens in the text be those tokens.") var special = false
    @Flag(help: "Turn ids into text.") var decode = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        for (isGiven, option) in [(ids, "--ids"), (bos, "--bos"), (special, "--special")] where decode && isGiven {
            throw ValidationError("\(option): no effect with --decode, which turns ids into text")
        }
    }

    func run() throws {
        let tokenizer = try Tokenizer(file: model)
        let text =
            input.isEmpty || input == ["-"] ? try TextInput.promptFromStandardInput() : TextInput.prompt(input.joined(separator: " "))
        if decode {
            let decoded = tokenizer.decode(try numbers(text, below: tokenizer.count))
            return try Console.print(json ? try JSONReport.text(["text": decoded]) : decoded)
        }
        if bos, tokenizer.bos == nil { Console.warn("--bos: no effect, the vocabulary has no token that begins a text") }
        let tokens = tokenizer.encode(text, addBOS: bos, parseSpecial: special)
        if json {
            try Console.print(
                ids ? try JSONReport.line(tokens) : try JSONReport.text(tokens.map { Piece(id: $0, piece: tokenizer.piece($0) ?? "") }))
        } else if ids {
            try Console.print(tokens.map(String.init).joined(separator: " "))
        } else {
            // All at once: texts have many tokens.
            try Console.print(tokens.map { "\($0)\t\(tokenizer.piece($0) ?? "")\n" }.joined(), terminator: "")
        }
    }

    private func numbers(_ text: String, below count: Int) throws -> [TokenID] {
        let words = text.unicodeScalars.split { " ,\n\r\t[]".unicodeScalars.contains($0) }.map(String.init)
        return try words.map { word in
            guard let id = TokenID(word), id >= 0, Int(id) < count else {
                throw ValidationError("found \"\(word)\", expected token ids 0 ... \(count - 1)")
            }
            return id
        }
    }

    private struct Piece: Encodable {
        let id: TokenID
        let piece: String
    }
}

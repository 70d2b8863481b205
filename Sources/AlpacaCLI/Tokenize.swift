import AlpacaEngine
import ArgumentParser

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a text's tokens, or the text of token ids.",
        discussion: """
            Without a text, or with -, standard input is read.

            Examples:
              alpaca tokenize tokenizer.model "白日依山尽"
              alpaca tokenize model.gguf --ids --bos "你好"
              alpaca tokenize model.gguf --decode 1 372 905
            """
    )

    @Argument(help: "A model, or a sentencepiece tokenizer.model.", completion: .file()) var path: String
    @Argument(help: "The text, or with --decode the ids; - or nothing: standard input.") var input: [String] = []
    @Flag(help: "Print ids alone, on one line.") var ids = false
    @Flag(help: "Begin with the token that begins a text (BOS).") var bos = false
    @Flag(help: "Let the names of special tokens in the text be those tokens.") var special = false
    @Flag(help: "Turn ids into text.") var decode = false
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let tokenizer = try Tokenizer(file: path)
        let text = input.isEmpty || input == ["-"] ? String(decoding: Console.readAll(), as: UTF8.self) : input.joined(separator: " ")
        if decode {
            let words = text.split { " ,\n\t[]".contains($0) }
            let numbers = try words.map { word in
                guard let id = TokenID(word), id >= 0, Int(id) < tokenizer.count else {
                    throw ValidationError("found \"\(word)\", expected token ids 0 ... \(tokenizer.count - 1)")
                }
                return id
            }
            let decoded = tokenizer.decode(numbers)
            Console.print(json ? try JSONReport.text(["text": decoded]) : decoded)
            return
        }
        let tokens = tokenizer.encode(text, addBOS: bos, parseSpecial: special)
        if json {
            Console.print(try JSONReport.text(tokens.map { Piece(id: $0, piece: tokenizer.piece($0) ?? "") }))
        } else if ids {
            Console.print(tokens.map(String.init).joined(separator: " "))
        } else {
            for id in tokens { Console.print("\(id)\t\(tokenizer.piece(id) ?? "")") }
        }
    }

    private struct Piece: Encodable {
        let id: TokenID
        let piece: String
    }
}

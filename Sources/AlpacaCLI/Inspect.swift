import AlpacaEngine
import ArgumentParser

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is in a model, an adapter, a tokenizer or any file of weights.",
        discussion: """
            Models of every format that can be run or converted, LoRA adapters (folders, or zip archives as they were downloaded),
            tokenizer.model, importance matrices, and weights alone. What it is, the content decides. Exit status 1 for what is damaged.

            Examples:
              alpaca inspect model.gguf
              alpaca inspect llama/7B --json
              alpaca inspect chinese-alpaca-lora-7b.zip
              alpaca inspect ziqingyang/chinese-alpaca-lora-7b --tensors
            """
    )

    @Argument(
        help: "A file, a folder, or the name of a downloaded model of the Hugging Face hub.", completion: .file(), transform: Value.path)
    var path: String
    @Flag(help: "List all tensors too: name, type, shape, file.") var tensors = false
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let inspection = try Inspection(path: path)
        if tensors, inspection.files.isEmpty { Console.warn("--tensors: no effect, a tokenizer has none") }
        try Console.print(json ? inspection.json(listsTensors: tensors) : inspection.text(listsTensors: tensors))
    }
}

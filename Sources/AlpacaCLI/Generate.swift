import AlpacaEngine
import ArgumentParser

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer one prompt, or continue a text.",
        discussion: """
            The answer appears while it is written. Without a prompt, or with -, the prompt is read from standard input. Prompts are UTF-8; a
            byte order mark in front, carriage returns of Windows and one line end at the end are no part of them, wherever they come from.
            A prompt that begins with - goes behind -- or -p.

            Examples:
              alpaca generate model.gguf "写一首五言绝句，题目是《山中》"
              alpaca generate base.gguf --template none -n 100 "从前有座山，"
              echo "你好" | alpaca generate model.gguf --json
            """
    )

    @OptionGroup var options: ModelOptions
    @Argument(help: "The prompt; - or nothing: standard input.", transform: Value.text) var prompt: String?
    @Option(
        name: [.customShort("p"), .customLong("prompt")], parsing: .unconditional, help: "The prompt, also one that begins with -.",
        transform: Value.text)
    var namedPrompt: String?
    @Option(
        name: [.customShort("f"), .long], help: "Read the prompt from this file; -: standard input.", completion: .file(),
        transform: Value.path)
    var file: String?
    @OptionGroup var generation: GenerationOptions
    @Flag(help: "Print one JSON object at the end instead of the text.") var json = false
    @Flag(help: "Print counts and speed to standard error.") var stats = false

    func validate() throws {
        guard [prompt, namedPrompt, file].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("give a prompt or --file, not both")
        }
    }

    func run() throws {
        let parameters = try generation.parameters()
        let text = try promptText()
        let model = try options.open(namesTemplate: generation.namesTemplate)
        try model.check(parameters.template)
        let session = try options.session(model)
        generation.warn()
        try model.warn(of: parameters.templateInput, parameters.template)
        if text.isEmpty { Console.warn("the prompt is empty") }
        var answer: [UInt8] = []
        var failure: (any Error)?
        let result = try Interrupt.cancelling(session) {
            try session.generate(text, parameters) { event in
                if json {
                    for i in event.text.indices { answer.append(event.text[i]) }
                    return true
                }
                do { try Console.write(bytes: event.text) } catch { failure = error }
                return failure == nil
            }
        }
        if let failure { throw failure }
        if json {
            let report = GenerateReport(text: String(decoding: answer, as: UTF8.self), result: result)
            try Console.print(try JSONReport.text(report))
        } else {
            try Console.print("")
        }
        if stats { Console.error(Console.dim(Statistics.line(result), on: Console.errorIsTerminal)) }
    }

    private func promptText() throws -> String {
        if let file { return try TextInput.prompt(file: file) }
        if let namedPrompt { return TextInput.prompt(namedPrompt) }
        if let prompt, prompt != "-" { return TextInput.prompt(prompt) }
        if Console.inputIsTerminal { Console.status("Prompt (end with Ctrl-D):\n") }
        return try TextInput.promptFromStandardInput()
    }
}

/// `generate --json`.
struct GenerateReport: Encodable {
    let text, finishReason: String
    let promptTokens, cachedTokens, generatedTokens: Int
    let promptSeconds, generationSeconds: JSONNumber

    init(text: String, result: GenerationResult) {
        self.text = text
        finishReason = result.finishReason.name
        promptTokens = result.promptTokens
        cachedTokens = result.cachedTokens
        generatedTokens = result.generatedTokens
        promptSeconds = JSONNumber(Double(result.promptNanoseconds) / 1e9)
        generationSeconds = JSONNumber(Double(result.generationNanoseconds) / 1e9)
    }

    enum CodingKeys: String, CodingKey {
        case text
        case finishReason = "finish_reason"
        case promptTokens = "n_prompt"
        case cachedTokens = "n_cached"
        case generatedTokens = "n_generated"
        case promptSeconds = "prompt_seconds"
        case generationSeconds = "generation_seconds"
    }
}

enum Statistics {
    static func line(_ result: GenerationResult) -> String {
        func rounded(_ value: Double) -> String { value > 0 ? "\((value * 10).rounded() / 10)" : "-" }
        return "prompt: \(result.promptTokens) tokens (\(result.cachedTokens) cached), \(rounded(result.promptTokensPerSecond)) tokens/s; "
            + "answer: \(result.generatedTokens) tokens, \(rounded(result.generatedTokensPerSecond)) tokens/s; "
            + "ended by \(result.finishReason.name)"
    }
}

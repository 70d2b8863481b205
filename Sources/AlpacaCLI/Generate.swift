import AlpacaEngine
import ArgumentParser

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer one prompt, or continue a text.",
        discussion: """
            The answer appears while it is written. Without a prompt, or with -, the prompt is read from standard input.

            Examples:
              alpaca generate model.gguf "写一首五言绝句，题目是《山中》"
              alpaca generate base.gguf --template none -n 100 "从前有座山，"
              echo "你好" | alpaca generate model.gguf --json
            """
    )

    @OptionGroup var options: ModelOptions
    @Argument(help: "The prompt; - or nothing: standard input.") var prompt: String?
    @Option(name: [.customShort("f"), .long], help: "Read the prompt from this file.", completion: .file()) var file: String?
    @OptionGroup var generation: GenerationOptions
    @Flag(help: "Print one JSON object at the end instead of the text.") var json = false
    @Flag(help: "Print counts and speed to standard error.") var stats = false

    func run() throws {
        let parameters = try generation.parameters()
        let text = try promptText()
        let model = try options.open()
        let session = try options.session(model)
        var answer: [UInt8] = []
        let result = try Interrupt.cancelling(session) {
            try session.generate(text, parameters) { event in
                if json {
                    for i in event.text.indices { answer.append(event.text[i]) }
                    return true
                }
                return Console.write(bytes: event.text)
            }
        }
        if json {
            let report = GenerateReport(text: String(decoding: answer, as: UTF8.self), result: result, template: model, parameters)
            Console.print(try JSONReport.text(report))
        } else {
            Console.print("")
        }
        if stats { Console.error(Console.dim(Statistics.line(result), on: Console.errorIsTerminal)) }
        if Interrupt.happened { throw ExitCode(130) }
    }

    private func promptText() throws -> String {
        if let file {
            guard prompt == nil else { throw ValidationError("give a prompt or --file, not both") }
            return try TextFile.read(file)
        }
        if let prompt, prompt != "-" { return prompt }
        if Console.inputIsTerminal { Console.status("Prompt (end with Ctrl-D):\n") }
        return String(decoding: Console.readAll(), as: UTF8.self)
    }
}

/// `generate --json`.
struct GenerateReport: Encodable {
    let text, finishReason: String
    let promptTokens, cachedTokens, generatedTokens: Int
    let promptSeconds, generationSeconds: Double

    init(text: String, result: GenerationResult, template: Model, _ parameters: GenerationParameters) {
        self.text = text
        finishReason = result.finishReason.name
        promptTokens = result.promptTokens
        cachedTokens = result.cachedTokens
        generatedTokens = result.generatedTokens
        promptSeconds = Double(result.promptNanoseconds) / 1e9
        generationSeconds = Double(result.generationNanoseconds) / 1e9
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
        func rate(_ count: Int, _ nanoseconds: UInt64) -> String {
            nanoseconds == 0 ? "-" : fixed(Double(count) * 1e9 / Double(nanoseconds), 1)
        }
        let fresh = result.promptTokens - result.cachedTokens
        return "prompt: \(result.promptTokens) tokens (\(result.cachedTokens) cached), \(rate(fresh, result.promptNanoseconds)) tokens/s; "
            + "answer: \(result.generatedTokens) tokens, \(rate(result.generatedTokens, result.generationNanoseconds)) tokens/s; "
            + "ended by \(result.finishReason.name)"
    }

    /// `value` with `digits` decimals.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (value * scale).rounded()
        guard abs(rounded) < 1e15 else { return "\(value)" }
        let whole = Int(abs(rounded) / scale)
        let rest = Int(abs(rounded)) - whole * Int(scale)
        let tail = digits == 0 ? "" : "." + String(repeating: "0", count: digits - String(rest).count) + String(rest)
        return (rounded < 0 ? "-" : "") + "\(whole)" + tail
    }
}

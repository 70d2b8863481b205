import AlpacaEngine
import ArgumentParser

struct MeasurePerplexity: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measure how well models foresee a text; less is better.",
        discussion: """
            As llama-perplexity measures it: windows side by side, the second half of each is scored. With --stride the windows overlap.
            Several models are compared in a table.

            Examples:
              alpaca perplexity text.txt model.gguf
              alpaca perplexity text.txt --compare q4_0.gguf q4_k_m.gguf q8_0.gguf --ctx 512
            """
    )

    @Argument(help: "The text, UTF-8.", completion: .file()) var text: String
    @Argument(help: "The model, or several.", completion: .file()) var models: [String] = []
    @Option(parsing: .upToNextOption, help: "Models to compare: a table of size, perplexity and its standard error.", completion: .file())
    var compare: [String] = []
    @Option(name: [.customShort("c"), .customLong("ctx")], help: "Tokens of a window; 0: the model's context.") var window = 0
    @Option(help: "Windows begin this many tokens apart; 0: side by side.") var stride = 0
    @Option(name: [.customShort("t"), .customLong("n-threads")], help: "Threads; 0: one on each core.") var threads = 0
    @Option(name: .customLong("kv-cache"), help: "Type of the key and value cache: f16, f32 or q8_0.") var cacheType = Session.Options()
        .keyType
    @Flag(help: "Print JSON; a number that is infinite is null.") var json = false

    struct Row: Encodable {
        let model, quantization: String
        let size_bytes: Int
        let perplexity, standard_error, mean_nll: JSONNumber
        let n_tokens, n_windows, n_scored: Int
    }

    func run() throws {
        let models = models + compare
        guard !models.isEmpty else { throw ValidationError("no model: name one or several behind the text, or behind --compare") }
        let words = try TextFile.read(text)
        var rows: [Row] = []
        for path in models {
            let model = try Model(path: path)
            var options = Session.Options()
            options.contextLength = window
            options.threadCount = threads
            options.keyType = cacheType
            options.valueType = cacheType
            let session = try model.makeSession(options)
            let found = try Interrupt.cancelling(session) {
                try session.perplexity(of: words, stride: stride) { progress in
                    if Console.errorIsTerminal { Console.status("\r\u{1B}[K\(path): \(progress.done) of \(progress.total) tokens") }
                    return true
                }
            }
            if Console.errorIsTerminal { Console.status("\r\u{1B}[K") }
            rows.append(
                Row(
                    model: path, quantization: model.description.quantization ?? "", size_bytes: model.description.byteCount,
                    perplexity: JSONNumber(found.value), standard_error: JSONNumber(found.standardError),
                    mean_nll: JSONNumber(found.meanNegativeLogLikelihood),
                    n_tokens: found.tokenCount, n_windows: found.windowCount, n_scored: found.scoredCount))
        }
        guard !json else { return Console.print(try JSONReport.text(rows)) }
        if rows.count == 1, compare.isEmpty, let row = rows.first {
            let measured = "\(fixed(row.perplexity.value)) +/- \(fixed(row.standard_error.value))"
            return Console.print("\(measured)  \(row.quantization), \(ByteCount.text(row.size_bytes))  \(row.model)")
        }
        Console.print(table(rows))
    }

    private func table(_ rows: [Row]) -> String {
        let cells =
            [["weights", "size", "perplexity", "+/-", "model"]]
            + rows.map {
                [$0.quantization, ByteCount.text($0.size_bytes), fixed($0.perplexity.value), fixed($0.standard_error.value), $0.model]
            }
        let widths = (0..<4).map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { row in
            // Words to the left, numbers to the right.
            let padded = widths.indices.map { column in
                let blanks = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[column] + blanks : blanks + row[column]
            }
            return (padded + [row[4]]).joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// Four digits behind the point.
    private func fixed(_ value: Double) -> String {
        guard value.isFinite, value < 1e12 else { return "\(value)" }
        let whole = Int((value * 10000).rounded())
        let rest = String(whole % 10000)
        return "\(whole / 10000)." + String(repeating: "0", count: 4 - rest.count) + rest
    }
}

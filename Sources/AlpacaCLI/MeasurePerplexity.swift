import AlpacaEngine
import ArgumentParser
import Glibc

struct MeasurePerplexity: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measure how well models foresee a text; less is better.",
        discussion: """
            As llama-perplexity measures it: windows side by side, the second half of each is scored. With --stride the windows overlap.
            Several models are compared in a table. The text, UTF-8, is measured as it is: of a file, a byte order mark alone is left out. The
            order TEXT MODEL, which earlier versions had, goes on working: which of the files is a model, their content says.

            Examples:
              alpaca perplexity model.gguf text.txt
              alpaca perplexity --compare q4_0.gguf q4_k_m.gguf q8_0.gguf --n-ctx 512 text.txt
            """
    )

    @Argument(
        help: ArgumentHelp("The model, or several, and behind them the text; -: standard input.", valueName: "models-and-text"),
        completion: .file(), transform: Value.path)
    var files: [String] = []
    @Option(
        parsing: .upToNextOption, help: "Models to compare: a table of size, perplexity and its standard error.", completion: .file(),
        transform: Value.path)
    var compare: [String] = []
    @Option(
        name: [.customShort("c"), .customLong("n-ctx"), .customLong("ctx")], parsing: .unconditional,
        help: "Tokens of a window; 0: the model's context.")
    var window = 0
    @Option(parsing: .unconditional, help: "Windows begin this many tokens apart; 0: side by side.") var stride = 0
    @Option(name: [.customShort("t"), .customLong("n-threads")], parsing: .unconditional, help: "Threads; 0: one on each core.")
    var threads = 0
    @Option(name: .customLong("kv-cache"), help: "Type of the key and value cache.")
    var cache = CacheName(Session.Options().keyType)
    @OptionGroup var rope: RopeOptions
    @Flag(help: "Print JSON; a number that is infinite is null.") var json = false

    struct Row: Encodable {
        let model, quantization: String
        let size_bytes: Int
        let perplexity, standard_error, mean_nll: JSONNumber
        let n_tokens, n_windows, n_scored: Int
    }

    func validate() throws {
        guard files.count + compare.count > 1 else { throw ValidationError("expected a model, or several, and behind them a text") }
    }

    func run() throws {
        let (text, models) = MeasurePerplexity.divide(files + compare)
        let words = try TextInput.text(file: text)
        var rows: [Row] = []
        for path in models {
            let model = try Model(warningOf: path)
            var options = Session.Options()
            options.contextLength = window
            options.threadCount = threads
            options.keyType = cache.type
            options.valueType = cache.type
            rope.apply(to: &options)
            let session = try model.makeWarningSession(options)
            let name = PathText.shown(path)
            let found = try Interrupt.cancelling(session) {
                try session.perplexity(of: words, stride: stride) { progress in
                    if Console.errorIsTerminal { Console.status("\r\u{1B}[K\(name): \(progress.done) of \(progress.total) tokens") }
                    return true
                }
            }
            if Console.errorIsTerminal { Console.status("\r\u{1B}[K") }
            if !found.value.isFinite {
                Console.warn(
                    "\(name): the perplexity is infinite: the model gave a token no chance, or some of its logits are not numbers, because the file "
                        + "is damaged or its numbers overflow")
            }
            rows.append(
                Row(
                    model: name, quantization: model.description.quantization ?? "", size_bytes: model.description.byteCount,
                    perplexity: JSONNumber(found.value), standard_error: JSONNumber(found.standardError),
                    mean_nll: JSONNumber(found.meanNegativeLogLikelihood), n_tokens: found.tokenCount, n_windows: found.windowCount,
                    n_scored: found.scoredCount))
        }
        guard !json else { return try Console.print(try JSONReport.text(rows)) }
        if rows.count == 1, compare.isEmpty, let row = rows.first {
            let measured = "\(fixed(row.perplexity.value)) +/- \(fixed(row.standard_error.value))"
            return try Console.print("\(measured)  \(row.quantization), \(ByteCount.text(row.size_bytes))  \(row.model)")
        }
        try Console.print(table(rows))
    }

    // MARK: Which is the text

    /// The text among the paths, and the models: the one that is no model is the text, wherever it stands; where that doesn't decide, the last.
    private static func divide(_ paths: [String]) -> (text: String, models: [String]) {
        let others = paths.indices.filter { !isModel(paths[$0]) }
        let text = others.count == 1 ? others[0] : paths.count - 1
        return (paths[text], paths.indices.filter { $0 != text }.map { paths[$0] })
    }

    /// Whether a path names a model: by what is there, and where nothing is, by its ending.
    private static func isModel(_ path: String) -> Bool {
        guard path != "-" else { return false }
        if let found = try? HubCache.resolve(path), found != path { return true }
        if (try? FolderListing.isFolder(path)) == true { return (try? ModelFolder.isModel(FolderFiles(path: path))) == true }
        var status = stat()
        // A pipe is not touched: who writes to it would see a reader come and go.
        let isFile = stat(path.cPath, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        if isFile, let kind = try? CheckpointKind(InputFile(path: path)) { return kind != .json && kind != .sentencePiece }
        return access(path.cPath, F_OK) != 0 && [".gguf", ".bin", ".pth", ".pt", ".safetensors"].contains { path.hasSuffix($0) }
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

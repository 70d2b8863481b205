import AlpacaEngine
import ArgumentParser

struct MeasureImportance: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "imatrix",
        abstract: "Measure which columns of a model's matrices count most for a text: for `convert --imatrix`.",
        discussion: """
            As llama-imatrix measures it, into files that llama.cpp reads: the text is cut into chunks of --n-ctx tokens, each is read by itself,
            and what each matrix is multiplied with is squared and added up. Some hundred thousand tokens of the texts that the model is for
            are enough. The model is best one of large types, F16 or Q8_0. The perplexity of the text comes along.

            With --in-file what was measured before is added; without a model and a text the files alone are added up.

            Examples:
              alpaca imatrix model-f16.gguf text.txt -o imatrix.gguf
              alpaca imatrix model-f16.gguf text.txt -o imatrix.dat --chunks 100 --no-ppl
              alpaca imatrix --in-file a.gguf --in-file b.dat -o both.gguf
            """
    )

    @Argument(help: ModelOptions.modelHelp, completion: .file(), transform: Value.path) var model: String?
    @Argument(help: "The text, UTF-8; -: standard input.", completion: .file(), transform: Value.path) var text: String?
    @Option(
        name: [.customShort("f"), .customLong("file")], parsing: .unconditional, help: "The text, in place of the second argument.",
        completion: .file(), transform: Value.path)
    var file: String?
    @Option(name: [.customShort("o"), .customLong("output")], help: "The file to be written.", completion: .file(), transform: Value.path)
    var output: String
    @Option(help: "gguf, or dat: llama.cpp's older form. By default dat for a name that ends in .dat.") var format: ImportanceFormat?
    @Option(name: [.customShort("c"), .customLong("n-ctx")], parsing: .unconditional, help: "Tokens of a chunk.")
    var window = ImportanceOptions(output: "").chunkSize
    @Option(parsing: .unconditional, help: "Chunks that are read at most; -1: all.") var chunks = -1
    @Option(
        name: [.customLong("chunk"), .customLong("from-chunk")], parsing: .unconditional, help: "Chunks that are left out at the beginning."
    )
    var firstChunk = 0
    @Flag(name: .customLong("process-output"), help: "Measure the output matrix, too.") var includesOutput = false
    @Flag(name: .customLong("no-ppl"), help: "Do not measure the perplexity along: faster.") var skipsPerplexity = false
    @Flag(name: .customLong("parse-special"), help: "Texts such as <|eot_id|> are the special tokens that they name.")
    var parsesSpecial = false
    @Option(
        name: .customLong("in-file"), parsing: .unconditionalSingleValue,
        help: "An importance matrix of the same model, of either form, to add; may be given several times.", completion: .file(),
        transform: Value.path)
    var inputs: [String] = []
    @Option(
        name: [.customLong("output-frequency"), .customLong("save-frequency")], parsing: .unconditional,
        help: "Write the file after each so many chunks too; 0: at the end.")
    var saveInterval = 0
    @Option(
        name: [.customShort("b"), .customLong("n-batch")], parsing: .unconditional, help: "Tokens that are computed together.")
    var batch = Session.Options().batchSize
    @Option(name: [.customShort("t"), .customLong("n-threads")], parsing: .unconditional, help: "Threads; 0: one on each core.")
    var threads = 0
    @Flag(help: "Replace an importance matrix of that name.") var overwrite = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard text == nil || file == nil else { throw ValidationError("found a text and --file, expected one of them") }
        guard model == nil || text != nil || file != nil else {
            throw ValidationError("expected the model and behind it a text")
        }
        guard model != nil || file == nil else { throw ValidationError("found a text without a model") }
        guard model != nil || !inputs.isEmpty else { throw ValidationError("expected a model and a text, or files to add up: --in-file") }
        guard chunks == -1 || chunks > 0 else { throw ValidationError("--chunks: found \(chunks), expected 1 or more, or -1 for all") }
        guard window >= 4 else { throw ValidationError("--n-ctx: found \(window), expected 4 or more") }
        guard model == nil else { return }
        // --n-ctx is the size of chunks of files that don't tell.
        let idle = [
            ("--chunks", chunks != -1), ("--from-chunk", firstChunk != 0), ("--process-output", includesOutput),
            ("--no-ppl", skipsPerplexity), ("--parse-special", parsesSpecial), ("--output-frequency", saveInterval != 0),
            ("--n-batch", batch != Session.Options().batchSize), ("--n-threads", threads != 0),
        ]
        if let (name, _) = idle.first(where: \.1) {
            throw ValidationError("\(name) has no effect where files alone are added up, without a model and a text")
        }
    }

    func run() throws {
        var options = ImportanceOptions(output: output)
        options.format = format ?? (output.hasSuffix(".dat") ? .dat : .gguf)
        options.chunkSize = window
        options.chunkCount = chunks == -1 ? nil : chunks
        options.firstChunk = firstChunk
        options.includesOutput = includesOutput
        options.measuresPerplexity = !skipsPerplexity
        options.parsesSpecial = parsesSpecial
        options.inputs = inputs
        options.saveInterval = saveInterval
        options.overwrites = overwrite
        let report: ImportanceReport
        if let model, let text = text ?? file {
            report = try measure(model, text, options)
        } else {
            report = try ImportanceFiles.combine(options)
        }
        for warning in report.warnings { Console.warn(warning) }
        guard !json else { return try Console.print(report.json()) }
        try Console.print(PathText.shown(report.summary))
    }

    private func measure(_ path: String, _ text: String, _ given: ImportanceOptions) throws -> ImportanceReport {
        var options = given
        options.dataset = text == "-" ? TextInput.standardInput : PathText.shown(text)
        let words = try TextInput.calibrationText(file: text)
        var settings = Session.Options()
        settings.contextLength = window
        settings.batchSize = batch
        settings.threadCount = threads
        let session = try Model(warningOf: path).makeWarningSession(settings)
        defer { if Console.errorIsTerminal { Console.status("\r\u{1B}[K") } }
        return try Interrupt.cancelling(session) {
            try session.measureImportance(of: words, options) { progress in
                if Console.errorIsTerminal {
                    let item = progress.item.isEmpty ? "" : ", \(progress.item)"
                    Console.status("\r\u{1B}[K\(progress.done) of \(progress.total) tokens\(item)")
                }
                return true
            }
        }
    }
}

extension ImportanceFormat: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.lowercased()) }
}

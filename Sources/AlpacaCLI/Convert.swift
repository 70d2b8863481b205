import AlpacaEngine
import ArgumentParser
import Glibc

struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Merge LoRAs into a base model, convert and quantize it, in one pass.",
        discussion: """
            Reads Meta and Hugging Face folders, GGUF and older llama.cpp files, and PEFT adapters, also zipped; applies the adapters in their
            order and takes the last one's tokenizer. Some rows of a tensor are in memory at a time. The output appears whole or not at all.

            Examples:
              alpaca convert llama/7B --adapter chinese-alpaca-lora-7b -o alpaca-7b-q4_k_m.gguf --type q4_k_m
              alpaca convert llama/13B --adapter chinese-llama-plus-lora-13b --adapter chinese-alpaca-plus-lora-13b -o out.gguf --type q5_k_m
              alpaca convert llama/7B --adapter ziqingyang/chinese-alpaca-lora-7b --format pth -o merged --hash
              alpaca convert model-f16.gguf -o model-q8_0.gguf --type q8_0
              alpaca convert llama/7B --adapter lora --plan -o out.gguf
            """
    )

    @Argument(
        help:
            "The base: a Meta or Hugging Face folder, a GGUF file, an older file of llama.cpp, or the name of a downloaded model of the hub.",
        completion: .file(),
        transform: Value.path)
    var base: String

    @Option(
        name: [.customShort("a"), .customLong("adapter")],
        help: "A LoRA adapter: a folder, a zip, a name on the hub; @0.5 behind it scales its change. Several are applied in order.",
        completion: .file(), transform: Value.path)
    var adapters: [String] = []

    @Option(
        name: [.customShort("o"), .customLong("output")], help: "The file or folder to write.", completion: .file(), transform: Value.path)
    var output: String

    @Option(
        name: .customLong("type"), help: "Type or mix of the weights, such as q4_k_m or f16; by default as the base is.",
        transform: Value.word)
    var quantization: String?

    @Option(help: "What to write.")
    var format = OutputFormat.gguf

    @Option(
        help: "A tokenizer.model in place of the last adapter's or the base's.", completion: .file(), transform: Value.path)
    var tokenizer: String?

    @Option(
        name: .customLong("override"), parsing: .unconditionalSingleValue,
        help: "PATTERN=TYPE: a type for tensors by name, such as 'output.weight=q8_0'; the first that matches counts.",
        transform: Value.word)
    var overrides: [String] = []

    @Flag(help: "One type for every matrix, the embeddings and the output too.")
    var pure = false

    @Option(
        name: .customLong("imatrix"), help: "An importance matrix of `alpaca imatrix` or llama-imatrix (GGUF, or the older .dat).",
        completion: .file(), transform: Value.path)
    var importanceMatrix: String?

    @Option(
        name: .customLong("merge-rounding"),
        help: "each: as PEFT; once: as the project's low-memory script. By default each, and once for pth and hf-bin.")
    var rounding: MergeRounding?

    @Option(help: "In what merged matrices are kept.")
    var precision = MergePrecision.base

    @Option(
        name: [.customShort("t"), .customLong("n-threads")], parsing: .unconditional, help: "Threads; 0: one on each core.")
    var threads = 0

    @Option(
        name: .customLong("shard-size"), parsing: .unconditional,
        help: "Hugging Face folders: size of a file at most, such as 10GB.")
    var shardSize: String?

    @Option(
        name: .customLong("shards"), parsing: .unconditional,
        help: "Meta folders: number of files; 0: as Meta cut models of that width.")
    var shardCount = 0

    @Option(parsing: .unconditional, help: "The model's name in the output.", transform: Value.word)
    var name: String?

    @Flag(help: "Replace the output if it is there.")
    var overwrite = false

    @Flag(name: .customLong("no-check"), help: "Don't check the rules of the family: tokenizers, order of adapters.")
    var isUnchecked = false

    @Flag(
        name: .customLong("allow-nonfinite"),
        help: "Write weights that are infinite or NaN, with a warning, instead of an error; quantized types and scores of pieces can't be.")
    var allowsNonfinite = false

    @Flag(name: .customLong("verify-base"), help: "Hash the base's files too and compare them with the published list.")
    var verifiesBase = false

    @Flag(name: .customLong("hash"), help: "Hash what was written, and say which published file it is.")
    var hashesOutput = false

    @Flag(help: "Say what would be read and written, and what it takes; write nothing.")
    var plan = false

    @Option(help: "Progress on standard error: bar, json (an object a line) or none; by default a bar on a terminal.")
    var progress: ProgressMode?

    @Flag(help: "Print JSON.")
    var json = false

    /// Options that say nothing where others stand.
    func validate() throws {
        _ = try options()
        func refuse(_ isGiven: Bool, _ option: String, _ why: String) throws {
            if isGiven { throw ValidationError("\(option): no effect \(why)") }
        }
        let isFolderOfHub = format == .huggingFace || format == .huggingFaceBin
        try refuse(shardSize != nil && !isFolderOfHub, "--shard-size", "with --format \(format.rawValue): it is for hf and hf-bin")
        try refuse(shardCount != 0 && format != .meta, "--shards", "with --format \(format.rawValue): it is for pth")
        try refuse(pure && format != .gguf, "--pure", "with --format \(format.rawValue): it is for gguf")
        try refuse(importanceMatrix != nil && format != .gguf, "--imatrix", "with --format \(format.rawValue): it is for gguf")
        try refuse(!overrides.isEmpty && format != .gguf, "--override", "with --format \(format.rawValue): it is for gguf")
        try refuse(name != nil && format != .gguf, "--name", "with --format \(format.rawValue): it is for gguf")
        let isWhole = ["f32", "f16", "bf16"].contains(quantization?.lowercased())
        try refuse(importanceMatrix != nil && isWhole && overrides.isEmpty, "--imatrix", "with a --type that loses nothing to weigh")
        try refuse(pure && quantization == nil, "--pure", "without --type, which keeps the types as they are")
        try refuse(rounding != nil && adapters.isEmpty, "--merge-rounding", "without --adapter: nothing is merged")
        try refuse(precision != .base && adapters.isEmpty, "--precision", "without --adapter: nothing is merged")
        try refuse(hashesOutput && plan, "--hash", "with --plan, which writes nothing")
        try refuse(verifiesBase && plan, "--verify-base", "with --plan, which reads headers only")
        try refuse(progress != nil && plan, "--progress", "with --plan, which is done at once")
    }

    func run() throws {
        let options = try options()
        if plan {
            let plan = try Converter.plan(options)
            // Both have the warnings in them.
            return try Console.print(json ? plan.json() : plan.description)
        }
        let report = try ProgressDisplay.watch(progress) { try Converter.convert(options, progress: $0) }
        var warnings = report.plan.warnings
        warnings += report.warnings.filter { !warnings.contains($0) }
        // They are in the report.
        if json { return try Console.print(report.json()) }
        for warning in warnings { Console.warn(warning) }
        var line = "\(report.plan.output): \(report.plan.quantization), \(ByteCount.text(report.byteCount))"
        if report.mergedTensorCount > 0 { line += ", \(report.mergedTensorCount) tensors merged" }
        line += ", \((report.seconds * 10).rounded() / 10) s"
        if let peak = report.peakMemoryByteCount { line += ", \(ByteCount.text(peak)) of memory" }
        try Console.print(PathText.shown(line))
        for file in report.files {
            try Console.print(PathText.shown("\(file.sha256)  \(file.path)" + (file.published.map { ": \($0)" } ?? "")))
        }
    }

    private func options() throws -> ConversionOptions {
        var options = ConversionOptions(base: base, output: output)
        options.adapters = adapters.map(Convert.adapter)
        options.tokenizer = tokenizer
        options.format = format
        options.quantization = quantization
        options.isPure = pure
        options.overrides = try overrides.map { text in
            guard let split = text.lastIndex(of: "="), split != text.startIndex, text.index(after: split) != text.endIndex else {
                throw ValidationError("--override: found \"\(text)\", expected PATTERN=TYPE")
            }
            return (String(text[..<split]), String(text[text.index(after: split)...]))
        }
        options.importanceMatrix = importanceMatrix
        options.rounding = rounding
        options.precision = precision
        guard (0...256).contains(threads) else { throw ValidationError("--n-threads: found \(threads), expected 0 to 256") }
        options.threadCount = threads
        options.overwrites = overwrite
        options.checksFamily = !isUnchecked
        options.allowsNonfinite = allowsNonfinite
        options.verifiesBase = verifiesBase
        options.hashesOutput = hashesOutput
        options.modelName = name
        if let shardSize {
            guard let size = ByteCount.parse(shardSize), size > 0 else {
                throw ValidationError("--shard-size: found \"\(shardSize)\", expected a size such as 10GB or 500MB")
            }
            options.maximumShardByteCount = size
        }
        guard (0...4096).contains(shardCount) else { throw ValidationError("--shards: found \(shardCount), expected 0 to 4096") }
        options.shardCount = shardCount == 0 ? nil : shardCount
        return options
    }

    /// "PATH" or "PATH@SCALE"; what is there under the whole name is a path.
    static func adapter(_ text: String) -> ConversionOptions.Adapter {
        guard access(text.cPath, F_OK) != 0, let at = text.lastIndex(of: "@"), let scale = Double(text[text.index(after: at)...]) else {
            return .init(path: text)
        }
        return .init(path: String(text[..<at]), scale: scale)
    }
}

extension OutputFormat: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.lowercased()) }
}
extension MergeRounding: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.lowercased()) }
}
extension MergePrecision: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.lowercased()) }
}

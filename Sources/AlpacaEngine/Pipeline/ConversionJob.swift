import Glibc

/// A conversion whose inputs are open and checked, and whose output is laid out to the last byte.
struct ConversionJob {
    let options: ConversionOptions
    let source: MergedSource
    private(set) var plan: ConversionPlan
    private(set) var output: Output
    let inputs: [InputFile]
    private let given: ConversionInputs
    private let configuration: ModelConfiguration
    private let tokenizer: ChosenTokenizer?
    private let mergedTensorCount: Int
    private let memoryByteCount: Int
    private let optionWarnings: [String]
    /// What else the output must not replace: files, and folders of files.
    private let sidePaths: [String]
    private let sideFolders: [String]

    var threadCount: Int { ConversionJob.threadCount(options) }

    static func threadCount(_ options: ConversionOptions) -> Int {
        options.threadCount > 0 ? min(options.threadCount, WorkerPool.mostThreads) : ProcessorCount.usable()
    }

    init(_ inputs: ConversionInputs) throws(AlpacaError) {
        let options = inputs.options
        self.options = options
        given = inputs
        self.inputs = inputs.files
        optionWarnings = try options.check(keepsFiles: HuggingFaceBinOutput.files(of: inputs.base) != nil)
        let warnings = try optionWarnings + inputs.check([:])
        configuration = try inputs.resultConfiguration()
        let merged = try inputs.mergedTensors(configuration)
        source = try MergedSource(merged, inputs: inputs.files, rounding: options.effectiveRounding, precision: options.precision)
        tokenizer = try inputs.tokenizer(configuration)
        mergedTensorCount = merged.count { $0.isChanged || !($0.origin.source is ModelTensors) }
        memoryByteCount = ConversionJob.memory(source, merged, ConversionJob.threadCount(options))
        sidePaths = [options.tokenizer, options.importanceMatrix, inputs.base.tokenizerFile?.file.path].compactMap { $0 }
        sideFolders = ([inputs.base.folder?.path] + inputs.adapters.map(\.adapter.path)).compactMap { $0 }
        output = try ConversionJob.output(inputs, source, configuration, tokenizer, [:])
        plan = ConversionJob.plan(
            inputs, output, source, configuration, tokenizer, mergedTensorCount, memoryByteCount, warnings, try inputs.published([:]))
    }

    /// Takes note of what the inputs were found to be, once they are hashed: rules that go by hashes are checked, and the output tells the
    /// hashes. Nothing else changes.
    ///
    /// - Parameter hashes: SHA-256 by path.
    mutating func note(_ hashes: [String: String]) throws(AlpacaError) {
        guard !hashes.isEmpty else { return }
        let warnings = try optionWarnings + given.check(hashes)
        output = try ConversionJob.output(given, source, configuration, tokenizer, hashes)
        plan = ConversionJob.plan(
            given, output, source, configuration, tokenizer, mergedTensorCount, memoryByteCount, warnings, try given.published(hashes))
    }

    private static func output(
        _ inputs: ConversionInputs, _ source: MergedSource, _ configuration: ModelConfiguration, _ tokenizer: ChosenTokenizer?,
        _ hashes: [String: String]
    ) throws(AlpacaError) -> Output {
        let template = ResultTemplate(inputs, tokenizer)
        return try Output.make(
            OutputRequest(
                options: inputs.options, base: inputs.base, source: source, configuration: configuration, tokenizer: tokenizer,
                added: inputs.addedTokens, settings: inputs.adapterSettings, provenance: inputs.provenance(hashes, template),
                template: template))
    }

    private static func plan(
        _ inputs: ConversionInputs, _ output: Output, _ source: MergedSource, _ configuration: ModelConfiguration,
        _ tokenizer: ChosenTokenizer?, _ mergedTensorCount: Int, _ memoryByteCount: Int, _ warnings: [String],
        _ known: (models: [ConversionPlan.KnownModel], warnings: [String])
    ) -> ConversionPlan {
        let base = inputs.base, options = inputs.options
        return ConversionPlan(
            base: .init(path: base.path, format: base.format, byteCount: base.byteCount),
            adapters: inputs.adapters.map { .init(path: $0.adapter.path, format: $0.adapter.summary, byteCount: $0.adapter.byteCount) },
            tokenizer: tokenizer.map { ($0.path, $0.tokenCount(rows: configuration.vocabularySize)) }
                ?? keptTokenizer(inputs, rows: configuration.vocabularySize),
            configuration: configuration,
            output: options.output,
            format: options.format, quantization: output.quantization, files: files(output, options.output),
            types: ModelDescription.summarize(output.tensors.map(\.info)), mergedTensorCount: mergedTensorCount,
            parameterCount: source.tensors.reduce(0) { $0 &+ $1.elementCount }, memoryByteCount: memoryByteCount,
            freeByteCount: freeBytes(options.output), models: known.models,
            warnings: base.warnings + warnings + known.warnings + inputs.vocabularyWarnings(tokenizer, configuration) + output.warnings
                + ResultTemplate(inputs, tokenizer).warnings)
    }

    /// The base's own, which stays where none takes its place: a folder's of byte-level pieces, a GGUF file's.
    private static func keptTokenizer(_ inputs: ConversionInputs, rows: Int) -> (path: String, pieceCount: Int)? {
        let base = inputs.base
        guard !inputs.options.omitsTokenizer, let stored = try? base.metadata.strings(GGUFKey.tokens).count else { return nil }
        // A folder's are padded to the rows of the embeddings in the metadata.
        let pieces = base.folder?.byteLevel?.pieces.count ?? stored
        let count = pieces + inputs.addedTokens.listed(in: pieces..<max(pieces, rows)).count
        guard let folder = base.folder else { return (base.path, count) }
        let name = ["tokenizer.model", "tokenizer.json"].first { (try? InputFile(path: FolderFiles.join(folder.path, $0))) != nil }
        return (name.map { FolderFiles.join(folder.path, $0) } ?? folder.path, count)
    }

    private static func files(_ output: Output, _ path: String) -> [(name: String, byteCount: Int)] {
        output.files.map { ($0.name.isEmpty ? path : $0.name, $0.layout.byteCount) } + output.extras.map { ($0.name, $0.bytes.count) }
    }

    /// Buffers of the threads (a chunk as it is read, as floats, as it is written) and the small matrices that are kept ready.
    private static func memory(_ source: MergedSource, _ merged: [MergedTensor], _ threads: Int) -> Int {
        let columns = source.tensors.map(\.columns).max() ?? 0
        let chunk = max(TensorPipeline.weightsPerChunk, 64 * columns) * 12
        let small = merged.map { $0.updates.reduce(0) { $0 + ($1.rank * 4) } * $0.info.columns }.max() ?? 0
        return threads * chunk + 4 * small + 32 << 20
    }

    /// Bytes free where `path` will lie.
    private static func freeBytes(_ path: String) -> Int? {
        var disk = statvfs()
        guard unsafe statvfs(WriteTarget(path).folder.cPath, &disk) == 0, disk.f_blocks > 0 else { return nil }
        let (free, overflow) = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
        return overflow ? nil : Int(clamping: free)
    }

    // MARK: Work

    /// Throws what would hinder the output from being written, as far as it can be known: what stands in its place, the folder, the room.
    ///
    /// - Parameter cleans: whether what earlier runs that were killed left of this output is removed first.
    func checkPlace(cleans: Bool) throws(AlpacaError) {
        let guarded = inputs + sideFiles
        if options.format.isFolder {
            try AtomicFolderWriter.check(
                path: options.output, sizes: plan.files.map(\.byteCount), overwrite: options.overwrites, inputs: guarded,
                own: OwnOutput.folder, cleans: cleans)
        } else {
            try AtomicFileWriter.check(
                path: options.output, size: plan.byteCount, overwrite: options.overwrites, inputs: guarded,
                own: OwnOutput.gguf, cleans: cleans)
        }
    }

    /// The small files that are read, and whatever else makes up the folders of the base and the adapters.
    private var sideFiles: [InputFile] {
        var paths = sidePaths
        for folder in sideFolders {
            let names = (try? FolderListing.names(in: folder)) ?? []
            // A GGUF file in a model's folder is something made of it.
            paths += names.filter { !$0.hasSuffix(".gguf") }.map { FolderFiles.join(folder, $0) }
        }
        return paths.compactMap { try? InputFile(path: $0) }
    }

    /// Writes everything. Nothing shows under the output's name before all of it is on the disk.
    ///
    /// - Returns: warnings, also of what was replaced.
    func run(progress: ProgressHandler) throws(AlpacaError) -> [String] {
        var warnings: [String]
        let cancelled = AlpacaError(.cancelled, path: options.output, "conversion was cancelled")
        if options.format.isFolder {
            let folder = try AtomicFolderWriter(
                path: options.output, overwrite: options.overwrites, inputs: inputs, own: OwnOutput.folder)
            var files: [(file: OutputFile, layout: FileLayout)] = []
            for planned in output.files {
                let file = try folder.create(planned.name)
                try file.reserve(planned.layout.byteCount)
                files.append((file, planned.layout))
            }
            warnings = try write(files, progress, cancelled)
            var marks: [String: String] = [:]
            for (file, planned) in zip(files, output.files) {
                marks[planned.name] = try ContentMark.of(file.file.reader(size: planned.layout.byteCount))
            }
            for extra in output.extras { marks[extra.name] = ContentMark.of(extra.bytes) }
            for extra in output.extras {
                let bytes = extra.name == OwnOutput.mark ? output.mark(marks) : extra.bytes
                try folder.create(extra.name).write(bytes, at: 0)
            }
            try flush(files, progress, cancelled)
            warnings += try folder.finish()
        } else {
            guard let planned = output.files.first else { throw AlpacaError(.internalError, path: options.output, "nothing to write") }
            let writer = try AtomicFileWriter(
                path: options.output, size: planned.layout.byteCount, overwrite: options.overwrites, inputs: inputs,
                own: OwnOutput.gguf)
            warnings = try write([(writer.file, planned.layout)], progress, cancelled)
            try flush([(writer.file, planned.layout)], progress, cancelled)
            try writer.finish()
        }
        return warnings
    }

    /// What remains to be done when all is written: waiting for the disk, for a megabyte at a time, since a wait can't be cancelled.
    private func flush(
        _ files: [(file: OutputFile, layout: FileLayout)], _ progress: ProgressHandler, _ cancelled: AlpacaError
    ) throws(AlpacaError) {
        let piece = 1 << 20
        let total = UInt64(files.reduce(0) { $0 + $1.layout.byteCount })
        var done = 0
        var due: UInt64 = 0
        for (file, layout) in files {
            for start in stride(from: 0, to: layout.byteCount, by: piece) {
                if Clock.now() >= due {
                    let report = Progress(stage: "flush", item: options.output, done: UInt64(done), total: total)
                    guard progress(report) else { throw cancelled }
                    due = Clock.now() + ParallelJob.interval
                }
                let bytes = start..<min(start + piece, layout.byteCount)
                file.awaitWriting(bytes)
                done += bytes.count
            }
        }
        guard progress(Progress(stage: "flush", item: options.output, done: total, total: total)) else { throw cancelled }
    }

    private func write(
        _ files: [(file: OutputFile, layout: FileLayout)], _ progress: ProgressHandler, _ cancelled: AlpacaError
    ) throws(AlpacaError) -> [String] {
        for input in inputs { input.willBeReadInOrder() }
        let pipeline = try TensorPipeline(
            source: source, outputs: output.tensors, constants: output.constants, files: files, threadCount: threadCount,
            allowsNonfinite: options.allowsNonfinite)
        try pipeline.run(progress: progress, cancelled: cancelled)
        return try pipeline.warnings()
    }
}

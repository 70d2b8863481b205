/// One pass from a base model, perhaps with adapters, to a file or folder in another format and type.
public enum Converter {
    /// What ``convert(_:progress:)`` would do; writes nothing, and reads headers only.
    ///
    /// - Throws: ``AlpacaError`` for everything that can be known before: missing files, adapters that don't fit, rules of the family.
    public static func plan(_ options: ConversionOptions) throws(AlpacaError) -> ConversionPlan {
        let job = try ConversionJob(ConversionInputs(options))
        var plan = job.plan
        do throws(AlpacaError) { try job.checkPlace(cleans: false) } catch { plan.warnings.append(error.message) }
        return plan
    }

    /// Merges, converts and quantizes. The output appears whole or not at all.
    ///
    /// - Parameter progress: stages "verify", "convert", "flush", "hash"; bytes of the input done and in all; on this thread, some fifty
    ///   times a second. false stops with ``AlpacaError/Code/cancelled``; what stood at the output's place is then as it was (unless
    ///   only the output's hash was missing).
    public static func convert(_ options: ConversionOptions, progress: ProgressHandler? = nil) throws(AlpacaError) -> ConversionReport {
        try FloatState.standard { () throws(AlpacaError) in try run(options, progress) }
    }

    private static func run(_ options: ConversionOptions, _ progress: ProgressHandler?) throws(AlpacaError) -> ConversionReport {
        let start = Clock.now()
        let memory = PeakMemory()
        let report: ProgressHandler = { state in
            memory.sample()
            return progress?(state) ?? true
        }
        let inputs = try ConversionInputs(options)
        // Before anything is hashed: what is wrong is found at once.
        var job = try ConversionJob(inputs)
        try job.checkPlace(cleans: true)
        var warnings: [String] = []
        try job.note(verify(inputs, &warnings, report))
        warnings += try job.run(progress: report)
        var files: [(path: String, sha256: String, published: String?)] = []
        if options.hashesOutput, options.output != "/dev/null" {
            let paths = job.output.files.map { $0.name.isEmpty ? options.output : FolderFiles.join(options.output, $0.name) }
            files = try Verifier.verify(paths: paths, threadCount: options.threadCount, progress: report).files.map {
                ($0.path, $0.sha256, $0.identity)
            }
        }
        memory.sample()
        return ConversionReport(
            plan: job.plan, byteCount: job.plan.byteCount, mergedTensorCount: job.plan.mergedTensorCount,
            seconds: Double(Clock.now() - start) / 1e9, peakMemoryByteCount: memory.peak, warnings: job.plan.warnings + warnings,
            files: files)
    }

    /// Hashes the adapters, and the base when asked to. A file that has the name of a published one and another hash is refused.
    ///
    /// - Returns: SHA-256 by path.
    private static func verify(
        _ inputs: ConversionInputs, _ warnings: inout [String], _ progress: @escaping ProgressHandler
    ) throws(AlpacaError) -> [String: String] {
        let options = inputs.options
        var paths = inputs.adapters.flatMap { $0.adapter.inputs.map(\.path) }
        if options.verifiesBase { paths += inputs.base.weights.inputs.map(\.path) }
        guard !paths.isEmpty else { return [:] }
        let report = try Verifier.verify(paths: paths, threadCount: options.threadCount) { state in
            var state = state
            state.stage = "verify"
            return progress(state)
        }
        for file in report.files where file.status == .differs {
            guard !options.checksFamily else { throw AlpacaError(.verificationFailed, file.verdict) }
            warnings.append(file.verdict)
        }
        return Dictionary(report.files.map { ($0.path, $0.sha256) }, uniquingKeysWith: { first, _ in first })
    }
}

/// The most private memory that the process was seen with.
private final class PeakMemory {
    private(set) var peak: Int?

    func sample() {
        guard let line = SystemFile.line(of: "/proc/self/status", startingWith: "RssAnon:"),
            let kilobytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).first.flatMap({ Int($0) })
        else { return }
        let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1024)
        if !overflow { peak = max(peak ?? 0, bytes) }
    }
}

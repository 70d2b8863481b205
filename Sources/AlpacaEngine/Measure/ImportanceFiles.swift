/// Importance matrices that are there already.
public enum ImportanceFiles {
    /// Adds up the inputs, and writes the output: what they would have been, had their texts been measured together. No model is needed.
    public static func combine(_ options: ImportanceOptions) throws(AlpacaError) -> ImportanceReport {
        try options.validate()
        guard !options.inputs.isEmpty else {
            throw AlpacaError(.invalidArgument, "inputs: found none, expected at least one importance matrix where there is no text")
        }
        let start = Clock.now()
        let (matrix, inputs) = try read(options)
        try matrix.write(to: options.output, as: options.format, overwrite: options.overwrites, inputs: inputs)
        return ImportanceReport(
            output: options.output, format: options.format, datasets: matrix.datasets, chunkCount: matrix.chunkCount ?? 0,
            chunkSize: matrix.chunkSize ?? options.chunkSize, tokenCount: 0, matrixCount: matrix.entries.count, perplexity: nil,
            seconds: Clock.seconds(since: start), warnings: warnings(matrix))
    }

    /// The inputs, added up.
    static func read(_ options: ImportanceOptions) throws(AlpacaError) -> (ImportanceMatrix, [InputFile]) {
        var matrix = ImportanceMatrix()
        var files: [InputFile] = []
        for path in options.inputs {
            files.append(try InputFile(path: path))
            do throws(AlpacaError) {
                try matrix.add(ImportanceMatrix(path: path), chunkSize: options.chunkSize)
            } catch {
                throw error.inFile(path)
            }
        }
        return (matrix, files)
    }

    /// Throws what writing would throw, as far as it can be known before hours of work.
    static func checkOutput(_ options: ImportanceOptions, _ inputs: [InputFile]) throws(AlpacaError) {
        try AtomicFileWriter.check(
            path: options.output, size: 0, overwrite: options.overwrites, inputs: inputs, own: OwnOutput.importanceMatrix)
    }

    /// Experts that no token was sent to.
    static func warnings(_ matrix: ImportanceMatrix) -> [String] {
        let idle = matrix.entries.filter { $0.value.counts.contains(0) }.sorted { $0.key < $1.key }
        guard let first = idle.first else { return [] }
        let experts = idle.reduce(0) { $0 + $1.value.counts.count { $0 == 0 } }
        return [
            "no token of the text was sent to \(FactTable.count(experts, "expert")), such as "
                + "\(first.value.counts.firstIndex(of: 0) ?? 0) of \(first.key.quoted()): their columns count alike; measure a longer text"
        ]
    }
}

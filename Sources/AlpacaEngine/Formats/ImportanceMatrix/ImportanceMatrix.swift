// Importance matrices: how much the error of each column of a weight matrix counts, as the mean square of what the column is multiplied with
// over a text. Two kinds of files hold them: GGUF (`ImportanceMatrix+GGUF.swift`), and the older `.dat` (`ImportanceMatrix+Legacy.swift`).

/// What was measured of the inputs of a model's matrices.
package struct ImportanceMatrix: Sendable, Equatable {
    /// What was measured of one matrix. A matrix of several experts has its numbers expert by expert.
    package struct Entry: Sendable, Equatable {
        /// The sum of the squares of each column's inputs.
        package var sums: [Double]
        /// How many inputs were summed, a number for each expert; 0 for one that no token was sent to. One for all where a file says no more.
        package var counts: [Double]

        package init(sums: [Double], counts: [Double]) {
            self.sums = sums
            self.counts = counts
        }

        /// The mean square of each column's inputs; 1 where there were none, as nothing is known then: all columns count alike.
        package var means: [Float] {
            let width = sums.count / max(1, counts.count)
            return sums.indices.map { i in
                let count = counts[width == 0 ? 0 : min(i / width, counts.count - 1)]
                return count > 0 ? Float(sums[i] / count) : 1
            }
        }
    }

    /// By the weight's name in GGUF files.
    package internal(set) var entries: [String: Entry] = [:]
    /// The texts that it was measured on, as they were called.
    package internal(set) var datasets: [String] = []
    /// How many pieces of the texts were read, and tokens of each; nil where a file doesn't tell.
    package internal(set) var chunkCount: Int?
    package internal(set) var chunkSize: Int?
    /// Whether counts are of chunks, not of tokens: in files of the older form.
    var countsChunks = false

    /// What GGUF files of them say that they are, where models say "model" (``GGUFKey/type``).
    package static let generalType = "imatrix"

    package init() {}

    package init(entries: [String: Entry], datasets: [String], chunkCount: Int, chunkSize: Int) {
        self.entries = entries
        self.datasets = datasets
        self.chunkCount = chunkCount
        self.chunkSize = chunkSize
    }

    /// By the weight's name a number for each column, 0 or more; of a matrix of experts those of one expert after the other.
    package var columns: [String: [Float]] { entries.mapValues(\.means) }

    /// Reads a file of either form.
    package init(path: String) throws(AlpacaError) {
        let file = try InputFile(path: path)
        if ImportanceMatrix.isLegacy(file) {
            try self.init(legacy: file)
            return
        }
        let kind = try CheckpointKind(file)
        guard kind == .gguf else {
            throw AlpacaError(.badFormat, path: path, "this is \(kind), expected an importance matrix, as llama-imatrix writes it")
        }
        try self.init(GGUFReader(file))
    }

    /// Adds what another measured of the same model.
    ///
    /// - Parameter chunkSize: tokens of a chunk, for files that tell only chunks.
    package mutating func add(_ other: ImportanceMatrix, chunkSize size: Int) throws(AlpacaError) {
        let other = other.counted(inChunksOf: size)
        for (name, more) in other.entries {
            guard let known = entries[name] else {
                entries[name] = more
                continue
            }
            entries[name] = try Self.sum(known, more, name)
        }
        datasets += other.datasets.filter { !datasets.contains($0) }
        let chunks = (chunkCount ?? 0).addingReportingOverflow(other.chunkCount ?? 0)
        chunkCount = chunks.overflow ? Int.max : chunks.partialValue
        chunkSize = chunkSize ?? other.chunkSize ?? size
    }

    /// The same with tokens as counts.
    private func counted(inChunksOf size: Int) -> ImportanceMatrix {
        guard countsChunks else { return self }
        var result = self
        result.countsChunks = false
        for (name, entry) in entries {
            result.entries[name] = Entry(sums: entry.sums.map { $0 * Double(size) }, counts: entry.counts.map { $0 * Double(size) })
        }
        return result
    }

    private static func sum(_ a: Entry, _ b: Entry, _ name: String) throws(AlpacaError) -> Entry {
        let experts = max(a.counts.count, b.counts.count)
        guard a.sums.count == b.sums.count, [a, b].allSatisfy({ [1, experts].contains($0.counts.count) }) else {
            throw AlpacaError(
                .shapeMismatch,
                "\(name.quoted()): found \(b.sums.count) columns of \(b.counts.count), expected \(a.sums.count) of \(a.counts.count) as in what "
                    + "it is added to (was it made for another model?)")
        }
        func all(_ counts: [Double]) -> [Double] { counts.count == experts ? counts : Array(repeating: counts[0], count: experts) }
        return Entry(
            sums: zip(a.sums, b.sums).map { $0 + $1 }, counts: zip(all(a.counts), all(b.counts)).map { $0 + $1 })
    }
}

/// What is in a file that llama-imatrix wrote.
public struct ImportanceMatrixDescription: Sendable {
    public let file: WeightsFile
    /// "importance matrix (GGUF)", or "importance matrix (llama.cpp's older form)".
    public let format: String
    /// The matrices whose columns it weighs, by GGUF's names, in alphabetical order; each expert of a matrix has columns of its own.
    public let matrices: [(name: String, columns: Int, experts: Int)]
    /// The texts that it was measured on, as the file tells, and how many pieces of them; none where it does not.
    public let datasets: [String]
    public let chunkCount: Int?
    public let chunkSize: Int?

    /// - Throws: for matrices that can't be used, as when a model is quantized.
    init(_ reader: GGUFReader) throws(AlpacaError) {
        self.init(
            try ImportanceMatrix(reader), WeightsFile(FileRegion(reader.file), reader), "importance matrix (GGUF)")
    }

    /// A file of the older form.
    init(legacy input: InputFile) throws(AlpacaError) {
        self.init(
            try ImportanceMatrix(legacy: input), WeightsFile(path: input.path, byteCount: input.size, tensors: []),
            "importance matrix (llama.cpp's older form)")
    }

    private init(_ matrix: ImportanceMatrix, _ file: WeightsFile, _ format: String) {
        self.file = file
        self.format = format
        matrices = matrix.entries.sorted { $0.key < $1.key }.map { name, entry in
            (name: name, columns: entry.sums.count / entry.counts.count, experts: entry.counts.count)
        }
        datasets = matrix.datasets
        chunkCount = matrix.chunkCount
        chunkSize = matrix.chunkSize
    }

    var facts: [(String, String)] {
        var lines = [("format", "\(format), \(FactTable.size(file.byteCount))")]
        lines.append(("weighs", "the columns of \(matrices.count) \(matrices.count == 1 ? "matrix" : "matrices")"))
        if !datasets.isEmpty { lines.append(("measured on", datasets.map { $0.quoted() }.joined(separator: ", "))) }
        if let chunkCount {
            lines.append(("chunks", "\(chunkCount)" + (chunkSize.map { " of \($0) tokens" } ?? "")))
        }
        lines.append(("for", "`alpaca convert ... --imatrix` and models with these matrices"))
        return lines
    }

    func write(to json: inout JSONWriter, listsTensors: Bool) {
        json.beginObject()
        json.member("path", PathText.shown(file.path))
        json.member("kind", "importance_matrix")
        json.member("format", format)
        json.member("size_bytes", file.byteCount)
        json.member("problem", String?.none)
        json.types(ModelDescription.types(file.tensors))
        json.beginArray("matrices")
        for matrix in matrices {
            json.beginObject()
            json.member("name", matrix.name)
            json.member("n_columns", matrix.columns)
            if matrix.experts > 1 { json.member("n_experts", matrix.experts) }
            json.end()
        }
        json.end()
        json.strings("datasets", datasets)
        json.member("n_chunks", chunkCount)
        json.member("chunk_size", chunkSize)
        json.files([file], listsTensors: listsTensors)
        json.end()
    }
}

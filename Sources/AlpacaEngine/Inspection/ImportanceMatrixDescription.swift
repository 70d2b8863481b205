/// What is in a file that llama-imatrix wrote.
public struct ImportanceMatrixDescription: Sendable {
    public let file: WeightsFile
    /// "importance matrix (GGUF)", or "importance matrix (llama.cpp's older form)".
    public let format: String
    /// The matrices whose columns it weighs, by GGUF's names, in alphabetical order.
    public let matrices: [(name: String, columns: Int)]
    /// The texts that it was measured on, as the file tells, and how many pieces of them; none where it does not.
    public let datasets: [String]
    public let chunkCount: Int?
    public let chunkSize: Int?

    /// - Throws: for matrices that can't be used, as when a model is quantized.
    init(_ reader: GGUFReader) throws(AlpacaError) {
        matrices = try ImportanceMatrix(reader).columns.map { (name: $0.key, columns: $0.value.count) }.sorted { $0.name < $1.name }
        file = WeightsFile(FileRegion(reader.file), reader)
        format = "importance matrix (GGUF)"
        let names = (try? reader.metadata.stringsIfPresent("imatrix.datasets")) ?? nil
        datasets = names.map { list in list.indices.map { list.text($0) } } ?? []
        chunkCount = (try? reader.metadata.uintIfPresent("imatrix.chunk_count")) ?? nil
        chunkSize = (try? reader.metadata.uintIfPresent("imatrix.chunk_size")) ?? nil
    }

    /// A file of the older form.
    init(legacy input: InputFile) throws(AlpacaError) {
        let matrix = try ImportanceMatrix(legacy: input)
        matrices = matrix.columns.map { (name: $0.key, columns: $0.value.count) }.sorted { $0.name < $1.name }
        file = WeightsFile(path: input.path, byteCount: input.size, tensors: [])
        format = "importance matrix (llama.cpp's older form)"
        datasets = matrix.measured.dataset.map { [$0] } ?? []
        chunkCount = matrix.measured.chunkCount
        chunkSize = nil
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

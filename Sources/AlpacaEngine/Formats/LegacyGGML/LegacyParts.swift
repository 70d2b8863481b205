/// Models of the first weeks came in several files, "model.bin", "model.bin.1", ...: one for each of Meta's shards. Each has the whole header
/// and its share of every matrix.
struct LegacyParts {
    /// How a tensor is shared out.
    enum Cut: Sendable {
        /// Each file has all of it.
        case whole
        case rows, columns
    }

    let files: [InputFile]
    private let headers: [LegacyGGMLHeader]

    private static let most = 64

    /// Opens the files beside the first one, as many as its matrices are too narrow for the model.
    static func open(_ file: InputFile, _ header: LegacyGGMLHeader) throws(AlpacaError) -> LegacyParts {
        let width = header.parameters.embeddingLength
        guard header.container.mayHaveParts,
            let embedding = header.tensors.first(where: { $0.name == "tok_embeddings.weight" }), embedding.columns != width
        else { return LegacyParts(files: [file], headers: [header]) }
        guard embedding.columns < width, width % embedding.columns == 0, width / embedding.columns <= most else {
            throw AlpacaError(
                .shapeMismatch,
                "tensor \"tok_embeddings.weight\": found \(embedding.columns) columns, expected \(width) (n_embd) or a part "
                    + "of them")
        }
        let count = width / embedding.columns
        var files = [file]
        var headers = [header]
        for i in 1..<count {
            let path = "\(file.path).\(i)"
            do {
                files.append(try InputFile(path: path))
                headers.append(try LegacyGGMLHeader(files[i]))
                try header.check(part: headers[i])
            } catch {
                guard error.code == .notFound else { throw error.inFile(path) }
                throw AlpacaError(
                    .missing,
                    "this is a part of a model in \(count) files; \(path) is not there (name the first file, the one without a number)")
            }
        }
        return LegacyParts(files: files, headers: headers)
    }

    func cut(of tensor: LegacyGGMLTensor) -> Cut {
        guard files.count > 1, tensor.shape.count == 2 else { return .whole }
        let isColumns =
            tensor.name == "tok_embeddings.weight" || tensor.name.hasSuffix(".attention.wo.weight")
            || tensor.name.hasSuffix(".feed_forward.w2.weight")
        return isColumns ? .columns : .rows
    }

    /// Tensor `index` of the first file, in all files.
    func tensors(at index: Int) throws(AlpacaError) -> [LegacyGGMLTensor] {
        let first = headers[0].tensors[index]
        let isColumns = cut(of: first) == .columns
        var result = [first]
        for (header, file) in zip(headers, files).dropFirst() {
            // Bound: check(part:) found as many tensors in each file.
            let other = header.tensors[index]
            let isFitting = isColumns ? other.rows == first.rows : other.columns == first.columns
            guard other.name == first.name, other.type == first.type, other.shape.count == first.shape.count, isFitting else {
                throw AlpacaError(
                    .shapeMismatch, path: file.path,
                    "tensor \(index): found \(other.name.quoted()) \(TensorInfo.text(other.shape)), which does not continue "
                        + "\(first.name.quoted()) \(TensorInfo.text(first.shape)) of the first file")
            }
            result.append(other)
        }
        return result
    }

    /// The shape that the parts make together.
    static func shape(_ shapes: [[Int]], _ cut: Cut) throws(AlpacaError) -> [Int] {
        guard var result = shapes.first, result.count == 2, cut != .whole else { return shapes.first ?? [] }
        for shape in shapes.dropFirst() {
            let axis = cut == .columns ? 1 : 0
            result[axis] = try CheckedMath.sum(result[axis], shape[axis], of: "rows or columns of all parts")
        }
        return result
    }
}

extension LegacyGGMLHeader {
    /// - Throws: when `part` is not of the same model.
    fileprivate func check(part: LegacyGGMLHeader) throws(AlpacaError) {
        guard part.container == container, part.parameters == parameters, part.pieces == pieces, part.tensors.count == tensors.count else {
            throw AlpacaError(.shapeMismatch, "this part belongs to another model: its header differs from that of the first file")
        }
    }
}

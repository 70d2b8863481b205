// Meta's checkpoints are cut into as many files as GPUs ran them: consolidated.00.pth, consolidated.01.pth, .... Each holds a part of every
// matrix under the same name: some matrices are cut between rows, some between columns; vectors are repeated in each file. Parts need not be
// equal: where the rows of the output matrix do not divide, the last file has the rest.

/// The tensors of all shards, put together.
package final class MetaShards: TensorSource {
    package let tensors: [TensorInfo]
    package let inputs: [InputFile]
    /// What is unusual, in sentences.
    package let warnings: [String]
    private let shards: [any TensorSource]
    private let places: [Place]
    private let indexByName: [String: Int]

    package enum Cut: Sendable { case rows, columns, repeated }

    private struct Place: Sendable {
        let cut: Cut
        /// The tensor's number in each shard, or in the first alone.
        let indices: [Int]
        /// Rows behind those of the shards, which are zero.
        var lostRows = 0
    }

    /// How the tensor of that name is cut. What is no matrix of the model is repeated, rotary frequencies among it.
    package static func cut(_ name: String) -> Cut {
        let parts = name.split(separator: ".")
        guard parts.count >= 2, parts.last == "weight" else { return .repeated }
        switch parts[parts.count - 2] {
        case "tok_embeddings", "wo", "w2": return .columns
        case "wq", "wk", "wv", "w1", "w3", "output": return .rows
        default: return .repeated
        }
    }

    /// - Parameters:
    ///   - shards: in the order of their numbers, with the names of their files.
    package init(_ shards: [(name: String, source: any TensorSource)]) throws(AlpacaError) {
        guard let first = shards.first else { throw AlpacaError(.missing, "there is no file consolidated.00.pth") }
        var tensors: [TensorInfo] = []
        var places: [Place] = []
        var index: [String: Int] = [:]
        for (i, info) in first.source.tensors.enumerated() {
            let cut = info.shape.count < 2 ? .repeated : MetaShards.cut(info.name)
            var indices = [i]
            var shape = info.shape
            for (name, source) in shards.dropFirst() {
                guard let there = source.index(of: info.name) else {
                    throw AlpacaError(
                        .missing, path: name,
                        "tensor \(info.name.quoted()) is missing, \(first.name) has it (is it a shard of another model?)"
                    )
                }
                let part = source.tensors[there]
                try MetaShards.check(part, of: name, against: info, of: first.name, cut)
                guard cut != .repeated else { continue }
                indices.append(there)
                let axis = cut == .rows ? 0 : 1
                shape[axis] = try CheckedMath.sum(shape[axis], part.shape[axis], of: "tensor \(info.name.quoted())")
            }
            index[info.name] = i
            tensors.append(try TensorInfo(name: info.name, type: info.type, shape: shape))
            places.append(Place(cut: cut, indices: indices))
        }
        for (name, source) in shards.dropFirst() {
            for info in source.tensors where index[info.name] == nil {
                throw AlpacaError(
                    .shapeMismatch, path: name, "tensor \(info.name.quoted()) is not in \(first.name) (is it a shard of another model?)")
            }
        }
        warnings = try MetaShards.restoreLostRow(&tensors, &places, index)
        self.tensors = tensors
        self.places = places
        self.shards = shards.map(\.source)
        indexByName = index
        inputs = shards.flatMap { $0.source.inputs }
    }

    /// The first version of Chinese-LLaMA-Alpaca's merge script cut 49953 rows of the output matrix into two times 24976: the last piece of the
    /// vocabulary lost its row. It comes back as zeros: a logit of 0 for that piece.
    private static func restoreLostRow(
        _ tensors: inout [TensorInfo], _ places: inout [Place], _ index: [String: Int]
    ) throws(AlpacaError) -> [String] {
        guard let output = index["output.weight"], let embeddings = index["tok_embeddings.weight"], places[output].indices.count > 1,
            tensors[output].shape.count == 2, tensors[embeddings].shape.count == 2, tensors[output].rows > 1,
            tensors[output].rows == tensors[embeddings].rows - 1
        else { return [] }
        let info = tensors[output]
        tensors[output] = try TensorInfo(name: info.name, type: info.type, shape: [info.rows + 1, info.columns])
        places[output].lostRows = 1
        return [
            "the output matrix has \(info.rows) rows, the embeddings have \(info.rows + 1): the first merge script lost the last row, which is "
                + "taken as zeros; better merge anew from the base"
        ]
    }

    /// The part of another shard has the first one's type and all its dimensions but the one that is cut.
    private static func check(
        _ part: TensorInfo, of name: String, against info: TensorInfo, of firstName: String, _ cut: Cut
    ) throws(AlpacaError) {
        var a = info.shape, b = part.shape
        if a.count == b.count, cut != .repeated {
            let axis = cut == .rows ? 0 : 1
            a[axis] = 0
            b[axis] = 0
        }
        guard a == b, part.type == info.type else {
            throw AlpacaError(
                .shapeMismatch, path: name,
                "tensor \(info.name.quoted()): found \(part.shapeText) \(part.type), which does not go with \(info.shapeText) \(info.type) in \(firstName) "
                    + "(is it a shard of another model?)")
        }
    }

    package func index(of name: String) -> Int? { indexByName[name] }

    package func place(of index: Int) -> FileRegion? {
        guard places.indices.contains(index), places[index].indices.count == 1 else { return nil }
        return shards[0].place(of: places[index].indices[0])
    }

    package func origins(of index: Int) -> [TensorOrigin] {
        guard places.indices.contains(index) else { return [] }
        return zip(shards, places[index].indices).flatMap { $0.origins(of: $1) }
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        let place = places[index]
        guard place.indices.count > 1 else {
            return try unsafe shards[0].read(place.indices[0], rows: rows, into: target, scratch: scratch)
        }
        let rowBytes = tensors[index].rowByteCount
        let lost = rows.clamped(to: tensors[index].rows - place.lostRows..<tensors[index].rows)
        if !lost.isEmpty {
            // Bound: rows of the target, whose size was checked.
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[(lost.lowerBound - rows.lowerBound) * rowBytes..<target.count])
                .initializeMemory(as: UInt8.self, repeating: 0)
        }
        var start = 0
        for (shard, part) in zip(shards, place.indices) {
            let info = shard.tensors[part]
            if place.cut == .rows {
                let here = rows.clamped(to: start..<start + info.rows)
                start += info.rows
                guard !here.isEmpty else { continue }
                let first = start - info.rows
                // Bound: `here` lies inside `rows`, of which the target has all.
                let bytes = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: target[(here.lowerBound - rows.lowerBound) * rowBytes..<(here.upperBound - rows.lowerBound) * rowBytes])
                try unsafe shard.read(part, rows: here.lowerBound - first..<here.upperBound - first, into: bytes, scratch: scratch)
            } else {
                let width = info.rowByteCount
                try scratch.scope { () throws(AlpacaError) in
                    let panel = try unsafe scratch.take(rows.count * width, for: "tensor \(info.name.quoted())")
                    try unsafe shard.read(part, rows: rows, into: panel, scratch: scratch)
                    guard let from = panel.baseAddress, let to = target.baseAddress else { return }
                    for row in 0..<rows.count {
                        // Bound: the parts' columns add up to those of the tensor, as init made its shape.
                        unsafe (to + row * rowBytes + start).copyMemory(from: from + row * width, byteCount: width)
                    }
                }
                start += width
            }
        }
    }
}

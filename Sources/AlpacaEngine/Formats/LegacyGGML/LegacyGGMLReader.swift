/// A model in one of llama.cpp's formats before GGUF: ggml, ggmf (both perhaps in several files) and ggjt versions 1 to 3.
///
/// The tensors have Meta's names ("layers.0.attention.wq.weight") and today's types: blocks of older layouts are converted on reading, and
/// parts are put together. ``metadata`` is what a GGUF file of the same model would say. Immutable; share it between threads.
package final class LegacyGGMLReader: TensorSource {
    package let container: LegacyGGMLContainer
    package let metadata: GGUFMetadata
    package let tensors: [TensorInfo]
    /// The model's files in order; one, unless a ggml or ggmf model is cut into several.
    package let files: [InputFile]

    /// For each tensor its place in each file, or in the first alone if all have the whole of it.
    private let places: [Place]
    private let indexByName: [String: Int]

    private struct Place: Sendable {
        var parts: [LegacyGGMLTensor]
        let cut: LegacyParts.Cut
    }

    package init(_ file: InputFile) throws(AlpacaError) {
        do {
            let header = try LegacyGGMLHeader(file)
            let parts = try LegacyParts.open(file, header)
            container = header.container
            files = parts.files
            var places: [Place] = []
            var tensors: [TensorInfo] = []
            var index: [String: Int] = [:]
            for (i, tensor) in header.tensors.enumerated() {
                let cut = parts.cut(of: tensor)
                let place = Place(parts: cut == .whole ? [tensor] : try parts.tensors(at: i), cut: cut)
                tensors.append(
                    try TensorInfo(name: tensor.name, type: tensor.type.type, shape: LegacyParts.shape(place.parts.map(\.shape), cut)))
                places.append(place)
                index[tensor.name] = i
            }
            self.places = places
            self.tensors = tensors
            indexByName = index
            metadata = try LegacyMetadata.make(header) { name in index[name].map { tensors[$0] } }
        } catch {
            throw error.inFile(file.path)
        }
    }

    /// The tensors as they lie in one of the files: parts of them, where the model is cut.
    package func tensors(inFile number: Int) -> [TensorInfo] {
        zip(tensors, places).map { tensor, place in
            guard place.parts.indices.contains(number), place.parts.count > 1 else { return tensor }
            return (try? TensorInfo(name: tensor.name, type: tensor.type, shape: place.parts[number].shape)) ?? tensor
        }
    }

    package func index(of name: String) -> Int? { indexByName[name] }

    package var inputs: [InputFile] { files }

    package func place(of index: Int) -> FileRegion? {
        guard places.indices.contains(index), places[index].parts.count == 1, let part = places[index].parts.first,
            part.type.layout == .current, part.offset % (part.type.type == .f32 ? 4 : 2) == 0
        else { return nil }
        return try? FileRegion(files[0]).region(at: part.offset, count: tensors[index].byteCount)
    }

    /// Reads rows in today's layout.
    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        let place = places[index]
        guard let base = target.baseAddress else { return }
        let rowBytes = tensors[index].rowByteCount
        var column = 0
        var firstRow = 0
        for (part, file) in zip(place.parts, files) {
            let width = part.columns / part.type.elementsPerBlock * part.type.bytesPerBlockRead
            if place.cut == .columns {
                // Bound: the parts' columns add up to those of the tensor, as LegacyParts.shape made it.
                try unsafe read(part, file, rows: rows, to: base + column, rowStride: rowBytes, scratch: scratch)
                column += width
            } else {
                let here = rows.clamped(to: firstRow..<firstRow + part.rows)
                // Bound: the rows of this part that were asked for, behind those of the parts before.
                let target = unsafe base + (here.isEmpty ? 0 : here.lowerBound - rows.lowerBound) * rowBytes
                try unsafe read(
                    part, file, rows: here.isEmpty ? 0..<0 : here.lowerBound - firstRow..<here.upperBound - firstRow, to: target,
                    rowStride: width, scratch: scratch)
                firstRow += part.rows
            }
        }
    }

    /// Reads rows of one part, each `rowStride` bytes behind the one before. A panel of about 1 MB at a time.
    @unsafe private func read(
        _ part: LegacyGGMLTensor, _ file: InputFile, rows: Range<Int>, to target: UnsafeMutableRawPointer, rowStride: Int,
        scratch: ScratchArena
    ) throws(AlpacaError) {
        let blocks = part.columns / part.type.elementsPerBlock
        let fileRow = blocks * part.type.bytesPerBlock
        let panelRows = max(1, min(rows.count, (1 << 20) / max(1, fileRow)))
        try scratch.scope { () throws(AlpacaError) in
            let panel: UnsafeMutableRawBufferPointer
            do throws(AlpacaError) {
                unsafe panel = try scratch.take(panelRows * fileRow, for: "tensor \(part.name.quoted())")
            } catch {
                throw error.inFile(file.path)
            }
            guard let source = panel.baseAddress else { return }
            var row = rows.lowerBound
            while row < rows.upperBound {
                let count = min(panelRows, rows.upperBound - row)
                // Bound: count <= panelRows rows, for which the panel was made.
                let bytes = unsafe UnsafeMutableRawBufferPointer(start: source, count: count * fileRow)
                guard try unsafe file.read(at: part.offset + row * fileRow, into: bytes) == bytes.count else {
                    throw AlpacaError(.truncated, path: file.path, "the file became shorter while tensor \(part.name.quoted()) was read")
                }
                for i in 0..<count {
                    // Bound: row + i < rows.upperBound, and the caller gives room for all of them.
                    let place = unsafe target + (row - rows.lowerBound + i) * rowStride
                    guard unsafe LegacyBlocks.convert(source + i * fileRow, part.type, count: blocks, into: place) else {
                        throw AlpacaError(
                            .badFormat, path: file.path,
                            "tensor \(part.name.quoted()): a scale in row \(row + i) is too large for F16, in which "
                                + "today's blocks have it")
                    }
                }
                row += count
            }
        }
    }
}

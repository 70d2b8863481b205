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
            // What the operating system, or another part, says names its file already.
            throw error.message.hasPrefix(file.path) ? error : error.inFile(file.path)
        }
    }

    package func index(of name: String) -> Int? { indexByName[name] }

    /// Where the tensor's bytes lie in the first file just as they are to be; nil if they have to be read by ``withTensor(_:_:)``.
    package func offset(of index: Int) -> Int? {
        guard places.indices.contains(index), places[index].parts.count == 1, let part = places[index].parts.first,
            part.type.layout == .current, part.offset % (part.type.type == .f32 ? 4 : 2) == 0
        else { return nil }
        return part.offset
    }

    /// Reads the tensor into memory of its own, in today's layout.
    package func withTensor<R>(_ index: Int, _ body: (RawSpan) throws(AlpacaError) -> R) throws(AlpacaError) -> R {
        guard tensors.indices.contains(index) else {
            throw AlpacaError(.invalidArgument, "\(files[0].path): there is no tensor \(index), the file has \(tensors.count)")
        }
        let info = tensors[index]
        let buffer = try AlignedBuffer(count: info.byteCount, for: "\(files[0].path): tensor \(info.name.quoted())")
        defer { extendLifetime(buffer) }
        // Bound: the buffer was made with byteCount bytes or more, and outlives the body.
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: buffer.base, count: info.byteCount)
        try unsafe read(index, into: bytes)
        return try body(unsafe UnsafeRawBufferPointer(bytes).bytes)
    }

    /// Reads tensor `index`, in today's layout, into `target`, which has `tensors[index].byteCount` bytes.
    @unsafe func read(_ index: Int, into target: UnsafeMutableRawBufferPointer) throws(AlpacaError) {
        let info = tensors[index]
        let place = places[index]
        guard target.count == info.byteCount, let base = target.baseAddress else { return }
        let rowBytes = info.byteCount / max(1, info.rows)
        var start = 0
        for (part, file) in zip(place.parts, files) {
            let width = part.columns / part.type.elementsPerBlock * part.type.bytesPerBlockRead
            // Bound: the parts' rows (or columns) add up to those of the tensor, as LegacyParts.shape made it.
            try unsafe read(part, file, to: base + start, rowStride: place.cut == .columns ? rowBytes : width)
            start += place.cut == .columns ? width : width * part.rows
        }
    }

    /// Reads the rows of one part, each `rowStride` bytes behind the one before. A panel of about 1 MB at a time.
    @unsafe private func read(
        _ part: LegacyGGMLTensor, _ file: InputFile, to target: UnsafeMutableRawPointer, rowStride: Int
    ) throws(AlpacaError) {
        let blocks = part.columns / part.type.elementsPerBlock
        let fileRow = blocks * part.type.bytesPerBlock
        let panelRows = max(1, min(part.rows, (1 << 20) / max(1, fileRow)))
        let panel = try AlignedBuffer(count: panelRows * fileRow, for: "\(file.path): tensor \(part.name.quoted())")
        defer { extendLifetime(panel) }
        var row = 0
        while row < part.rows {
            let count = min(panelRows, part.rows - row)
            // Bound: count <= panelRows rows, for which the panel was made.
            let bytes = unsafe UnsafeMutableRawBufferPointer(start: panel.base, count: count * fileRow)
            guard try unsafe file.read(at: part.offset + row * fileRow, into: bytes) == bytes.count else {
                throw AlpacaError(.truncated, "\(file.path): the file became shorter while tensor \(part.name.quoted()) was read")
            }
            for i in 0..<count {
                // Bound: row + i < part.rows, and the caller gives room for all of them.
                guard unsafe LegacyBlocks.convert(panel.base + i * fileRow, part.type, count: blocks, into: target + (row + i) * rowStride)
                else {
                    throw AlpacaError(
                        .badFormat,
                        "\(file.path): tensor \(part.name.quoted()): a scale in row \(row + i) is too large for F16, in which today's "
                            + "blocks have it")
                }
            }
            row += count
        }
    }
}

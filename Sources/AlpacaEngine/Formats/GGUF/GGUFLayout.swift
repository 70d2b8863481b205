// GGUF version 3, to be written. The format is told in GGUFReader.

/// Lays out GGUF files.
///
/// What it accepts, ``GGUFReader`` reads: names, counts and lengths are held to the same limits.
package enum GGUFLayout {
    /// - Parameters:
    ///   - metadata: written in its order. `general.alignment` there, if any, is obeyed; else it is 32.
    ///   - tensors: in the order in which their data will lie.
    package static func make(_ metadata: GGUFMetadata, _ tensors: [TensorInfo]) throws(AlpacaError) -> FileLayout {
        let alignment = try GGUFReader.alignment(metadata)
        // What the header takes at most, twice because it grows by doubling.
        try LargeMemory.ask(tensors.count, of: TensorInfo.mostMemory, for: "header")
        try LargeMemory.ask(metadata.byteCount, of: 3, for: "header")
        var header = GGUFEncoder()
        header.header(tensors: tensors.count, keys: metadata.count)
        try header.metadata(metadata)
        let dataSize = try header.tensors(tensors, alignment: alignment)
        header.pad(to: alignment)
        guard header.bytes.count <= GGUFReader.Limits.headerBytes else {
            throw AlpacaError(.badFormat, "the header has \(header.bytes.count) bytes, expected at most \(GGUFReader.Limits.headerBytes)")
        }
        let byteCount = try CheckedMath.sum(header.bytes.count, dataSize, of: "size of the file")
        var offsets: [Int] = []
        var next = header.bytes.count
        for info in tensors {
            offsets.append(next)
            // No overflow: the sum of all is dataSize, checked above.
            next = try CheckedMath.align(next + info.byteCount, to: alignment, of: "size of the file")
        }
        return FileLayout(byteCount: byteCount, fixed: [.init(at: 0, header.bytes)], dataOffsets: offsets)
    }
}

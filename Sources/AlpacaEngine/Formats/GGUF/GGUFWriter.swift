// Writes GGUF version 3. The layout follows from the list of tensors alone, so that header and offsets are on the disk before the first
// tensor's data exist; data stream behind it in the order of the list. The format is told in GGUFReader.

/// A GGUF file being written. Give it each tensor in the order of the list, then ``finish()``; without that nothing appears.
///
/// What it accepts, ``GGUFReader`` reads: names, counts and lengths are held to the same limits.
package struct GGUFWriter: ~Copyable {
    /// Bytes that the file will have.
    package let byteCount: Int

    private let tensors: [TensorInfo]
    private let alignment: Int
    private var file: AtomicFileWriter
    private var next = 0

    /// - Parameters:
    ///   - metadata: written in its order. `general.alignment` there, if any, is obeyed; else it is 32.
    ///   - overwrite: whether a file of that name may be replaced.
    ///   - inputs: files that are still being read, which the target must not be.
    package init(
        path: String, metadata: GGUFMetadata, tensors: [TensorInfo], overwrite: Bool = false, inputs: [InputFile] = []
    ) throws(AlpacaError) {
        let plan: (alignment: Int, header: GGUFEncoder, size: Int)
        do throws(AlpacaError) { plan = try GGUFWriter.layOut(metadata, tensors) } catch { throw error.inFile(path) }
        var file = try AtomicFileWriter(path: path, size: plan.size, overwrite: overwrite, inputs: inputs)
        try file.write(plan.header.bytes)
        self.file = file
        self.tensors = tensors
        alignment = plan.alignment
        byteCount = plan.size
    }

    private static func layOut(
        _ metadata: GGUFMetadata, _ tensors: [TensorInfo]
    ) throws(AlpacaError) -> (alignment: Int, header: GGUFEncoder, size: Int) {
        let alignment = try GGUFReader.alignment(metadata)
        var header = GGUFEncoder()
        header.header(tensors: tensors.count, keys: metadata.count)
        try header.metadata(metadata)
        let dataSize = try header.tensors(tensors, alignment: alignment)
        header.pad(to: alignment)
        guard header.bytes.count <= GGUFReader.Limits.headerBytes else {
            throw AlpacaError(.badFormat, "the header has \(header.bytes.count) bytes, expected at most \(GGUFReader.Limits.headerBytes)")
        }
        return (alignment, header, try CheckedMath.sum(header.bytes.count, dataSize, of: "size of the file"))
    }

    /// Writes the next tensor's data, `info.byteCount` bytes.
    package mutating func append(_ info: TensorInfo, _ bytes: RawSpan) throws(AlpacaError) {
        guard next < tensors.count, tensors[next] == info else {
            let expected = next < tensors.count ? "tensor \(tensors[next].name.quoted())" : "no more tensors"
            throw AlpacaError(.internalError, "\(file.path): tensor \(info.name.quoted()) was given, expected was \(expected)")
        }
        guard bytes.byteCount == info.byteCount else {
            throw AlpacaError(
                .internalError,
                "\(file.path): tensor \(info.name.quoted()): \(bytes.byteCount) bytes were given, expected were \(info.byteCount)")
        }
        try file.write(bytes)
        let rest = info.byteCount % alignment
        if rest > 0 { try file.write([UInt8](repeating: 0, count: alignment - rest)) }
        next += 1
    }

    package consuming func finish() throws(AlpacaError) {
        guard next == tensors.count else {
            throw AlpacaError(.internalError, "\(file.path): \(next) of \(tensors.count) tensors were written")
        }
        try file.finish()
    }
}

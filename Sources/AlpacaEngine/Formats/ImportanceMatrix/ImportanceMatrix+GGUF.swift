// llama.cpp's `imatrix` files, the GGUF kind (2025 and later): for each weight matrix the sums of its squared inputs over a text, as the
// tensor "NAME.in_sum2" (F32, a number a column, a row an expert), and how many inputs were summed, as "NAME.counts" (F32, a number an
// expert). Files may have more of each matrix, which isn't read. There is no `general.architecture`.

extension ImportanceMatrix {
    static let sums = ".in_sum2", counts = ".counts"

    /// Whether a file has what `init` looks for.
    package static func isOne(_ reader: GGUFReader) -> Bool { reader.tensors.contains { $0.name.hasSuffix(sums) } }

    package init(_ reader: GGUFReader) throws(AlpacaError) {
        self.init()
        for (index, info) in reader.tensors.enumerated() where info.name.hasSuffix(Self.sums) {
            let name = String(info.name.dropLast(Self.sums.count))
            guard info.type == .f32, let counts = reader.index(of: name + Self.counts), reader.tensors[counts].type == .f32,
                reader.tensors[counts].elementCount == info.rows
            else {
                throw AlpacaError(
                    .unsupported, path: reader.file.path,
                    "tensor \(info.name.quoted()): found \(info.shapeText) \(info.type), expected rows of F32 and for each row a number "
                        + "in \((name + Self.counts).quoted())")
            }
            let entry = Entry(sums: try Self.numbers(reader, index), counts: try Self.numbers(reader, counts))
            guard entry.isSound else {
                throw AlpacaError(
                    .badFormat, path: reader.file.path, "tensor \(info.name.quoted()) holds numbers that no sum of squares can have")
            }
            entries[name] = entry
        }
        guard !entries.isEmpty else {
            throw AlpacaError(
                .badFormat, path: reader.file.path,
                "found no tensor \"*\(Self.sums)\", expected a file that llama-imatrix wrote")
        }
        let names = (try? reader.metadata.stringsIfPresent(GGUFKey.imatrixDatasets)) ?? nil
        datasets = names.map { list in list.indices.map { list.text($0) } } ?? []
        chunkCount = (try? reader.metadata.uintIfPresent(GGUFKey.imatrixChunkCount)) ?? nil
        chunkSize = (try? reader.metadata.uintIfPresent(GGUFKey.imatrixChunkSize)) ?? nil
    }

    private static func numbers(_ reader: GGUFReader, _ index: Int) throws(AlpacaError) -> [Double] {
        let count = reader.tensors[index].elementCount
        // Once as they are, once divided.
        try LargeMemory.ask(count, of: 2 * MemoryLayout<Double>.size, for: "tensor \(reader.tensors[index].name.quoted())")
        return try reader.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) in
            // Bound: an F32 tensor has 4 bytes an element.
            (0..<count).map { Double(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
        }
    }

    /// The bytes of such a file, matrices in the order of their names.
    func ggufBytes() throws(AlpacaError) -> [UInt8] {
        var metadata = GGUFMetadata()
        metadata[GGUFKey.type] = .string(Array(ImportanceMatrix.generalType.utf8))
        metadata[GGUFKey.imatrixDatasets] = .array(.string(GGUFStrings(datasets)))
        metadata[GGUFKey.imatrixChunkCount] = .uint32(UInt32(clamping: chunkCount ?? 0))
        metadata[GGUFKey.imatrixChunkSize] = .uint32(UInt32(clamping: chunkSize ?? 0))
        metadata[GGUFKey.alpacaVersion] = .string(Array(Version.string.utf8))
        var tensors: [TensorInfo] = []
        var data: [[Double]] = []
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let experts = entry.counts.count, width = entry.sums.count / max(1, experts)
            tensors.append(try TensorInfo(name: name + Self.sums, type: .f32, shape: experts > 1 ? [experts, width] : [width]))
            tensors.append(try TensorInfo(name: name + Self.counts, type: .f32, shape: experts > 1 ? [experts, 1] : [1]))
            data += [entry.sums, entry.counts]
        }
        let layout = try GGUFLayout.make(metadata, tensors)
        var bytes: [UInt8] = []
        try bytes.makeRoom(for: layout.byteCount, of: "importance matrix")
        for patch in layout.fixed { bytes += patch.bytes }
        for (offset, numbers) in zip(layout.dataOffsets, data) {
            bytes += [UInt8](repeating: 0, count: max(0, offset - bytes.count))
            for number in numbers { bytes.append(littleEndian: Float(number).bitPattern) }
        }
        bytes += [UInt8](repeating: 0, count: max(0, layout.byteCount - bytes.count))
        return bytes
    }
}

extension ImportanceMatrix.Entry {
    /// Whether these can be sums of squares, and counts.
    var isSound: Bool {
        !counts.isEmpty && sums.count % counts.count == 0 && (sums + counts).allSatisfy { $0 >= 0 && $0 < .infinity }
            && means.allSatisfy { $0 < .infinity }
    }
}

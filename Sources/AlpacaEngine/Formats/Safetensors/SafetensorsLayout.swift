/// Where everything goes in a new safetensors file. The bytes are those that the library itself (version 0.8) writes for the same tensors;
/// it puts the texts of `__metadata__` in an order of chance, though, where there are several: here they are sorted.
package enum SafetensorsLayout {
    /// - Parameters:
    ///   - tensors: in any order. The file has them as the library does, larger elements first (so that all are aligned), then by name;
    ///     ``FileLayout/dataOffsets`` are in the order of this list.
    ///   - metadata: texts of `__metadata__`. `transformers` refuses files that have no "format" there.
    package static func make(_ tensors: [TensorInfo], metadata: [String: String] = ["format": "pt"]) throws(AlpacaError) -> FileLayout {
        try LargeMemory.ask(tensors.count, of: TensorInfo.mostMemory, for: "header")
        var ranks: [Int] = []
        var seen: Set<String> = []
        for tensor in tensors {
            guard let type = SafetensorsType(tensor.type), let rank = SafetensorsType.all.firstIndex(of: type) else {
                throw AlpacaError(.unsupported, "tensor \(tensor.name.quoted()): safetensors files have no type for \(tensor.type)")
            }
            guard seen.insert(tensor.name).inserted, tensor.name != SafetensorsReader.Limits.metadataKey, !tensor.name.isEmpty else {
                throw AlpacaError(.badFormat, "tensor \(tensor.name.quoted()): the name is there twice, or can't be used")
            }
            ranks.append(rank)
        }
        let order = tensors.indices.sorted { a, b in
            ranks[a] != ranks[b] ? ranks[a] > ranks[b] : tensors[a].name.utf8.lexicographicallyPrecedes(tensors[b].name.utf8)
        }

        var header: [UInt8] = []
        header.append(UInt8(ascii: "{"))
        if !metadata.isEmpty {
            let texts = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
                JSONWriter.quote($0.key) + ":" + JSONWriter.quote($0.value)
            }
            header += Array("\"\(SafetensorsReader.Limits.metadataKey)\":{\(texts.joined(separator: ","))}".utf8)
        }
        var offsets = [Int](repeating: 0, count: tensors.count)
        var end = 0
        for index in order {
            let tensor = tensors[index]
            offsets[index] = end
            end = try CheckedMath.sum(end, tensor.byteCount, of: "size of the file")
            if header.count > 1 { header.append(UInt8(ascii: ",")) }
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            let type = SafetensorsType(tensor.type)?.name ?? ""
            header += Array(
                "\(JSONWriter.quote(tensor.name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offsets[index]),\(end)]}"
                    .utf8)
        }
        header.append(UInt8(ascii: "}"))
        while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
        guard header.count <= SafetensorsReader.Limits.headerBytes else {
            throw AlpacaError(
                .unsupported, "the header takes \(header.count) bytes, the format allows \(SafetensorsReader.Limits.headerBytes)")
        }
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        let start = 8 + header.count
        return FileLayout(
            byteCount: try CheckedMath.sum(start, end, of: "size of the file"), fixed: [.init(at: 0, length + header)],
            // Bound: no offset is beyond `end`, which was added to `start` without overflow.
            dataOffsets: offsets.map { start + $0 })
    }
}

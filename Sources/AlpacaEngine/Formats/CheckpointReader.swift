/// Opens files of weights, whatever their format, as a source of tensors. A new format is a folder beside this file and a case here.
package enum CheckpointReader {
    package static func open(_ path: String) throws(AlpacaError) -> any TensorSource { try open(FileRegion(try InputFile(path: path))) }

    /// - Throws: what the file is instead, and what to do about it, when no weights can be read from it.
    package static func open(_ region: FileRegion) throws(AlpacaError) -> any TensorSource {
        let kind = try CheckpointKind(region)
        switch kind {
        case .gguf: return try GGUFReader(region.file)
        case .legacyGGML: return try LegacyGGMLReader(region.file)
        case .safetensors: return try SafetensorsReader(region)
        case .torchZip, .torchPickle: return try TorchCheckpoint(region)
        case .sentencePiece:
            throw AlpacaError(.badFormat, path: region.name, "this is \(kind), not a model: the model's own file has to be named")
        case .json:
            let start = try region.bytes(at: 0, count: min(region.count, 200))
            throw AlpacaError(.badFormat, path: region.name, "this is \(kind), not a model; it begins with \(start.quoted(limit: 60))")
        }
    }
}

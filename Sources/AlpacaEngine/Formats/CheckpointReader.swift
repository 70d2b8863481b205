/// Opens files of weights, whatever their format, as a source of tensors. A new format is a folder beside this file and a case here.
package enum CheckpointReader {
    /// - Throws: what the file is instead, and what to do about it, when no weights can be read from it.
    package static func open(_ path: String) throws(AlpacaError) -> any TensorSource {
        let file = try InputFile(path: path)
        let kind = try CheckpointKind(file)
        switch kind {
        case .gguf: return try GGUFReader(file)
        case .legacyGGML: return try LegacyGGMLReader(file)
        case .safetensors: return try SafetensorsReader(FileRegion(file))
        case .torchZip, .torchPickle:
            throw AlpacaError(.unsupported, "\(path): this is \(kind), which this version can't read yet")
        case .sentencePiece:
            throw AlpacaError(.badFormat, "\(path): this is \(kind), not a model: the model's own file has to be named")
        case .json:
            let start = try file.bytes(at: 0, count: min(file.size, 200))
            throw AlpacaError(.badFormat, "\(path): this is \(kind), not a model; it begins with \(start.quoted(limit: 60))")
        }
    }
}

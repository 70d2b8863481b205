/// The forms of files that hold importance matrices.
public enum ImportanceFormat: String, Sendable, CaseIterable {
    /// What llama-imatrix writes since 2025.
    case gguf
    /// llama.cpp's older form.
    case dat
}

extension ImportanceMatrix {
    /// Writes the file; it appears whole or not at all.
    package func write(
        to path: String, as format: ImportanceFormat, overwrite: Bool, inputs: [InputFile] = []
    ) throws(AlpacaError) {
        let bytes: [UInt8]
        switch format {
        case .gguf: bytes = try ggufBytes()
        case .dat: bytes = try legacyBytes()
        }
        let writer = try AtomicFileWriter(
            path: path, size: bytes.count, overwrite: overwrite, inputs: inputs, own: OwnOutput.importanceMatrix)
        try writer.write(bytes)
        try writer.finish()
    }
}

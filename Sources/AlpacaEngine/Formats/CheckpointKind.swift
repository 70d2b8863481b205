// What a file is, judged by its first bytes. Names are not asked: a .bin is one of four formats, and what a failed download leaves behind is
// called like the model that it is not.

/// The formats that models, weights and tokenizers come in.
package enum CheckpointKind: Sendable, Equatable, CaseIterable, CustomStringConvertible {
    case gguf
    /// llama.cpp's files of 2023, before GGUF: "ggml", "ggmf" and "ggjt".
    case legacyGGML
    case safetensors
    /// What `torch.save` writes since 2020.
    case torchZip
    /// What it wrote before.
    case torchPickle
    case sentencePiece
    case json

    package var description: String {
        switch self {
        case .gguf: "a GGUF model"
        case .legacyGGML: "a model in one of llama.cpp's formats before GGUF (ggml, ggmf, ggjt)"
        case .safetensors: "a safetensors file"
        case .torchZip: "a PyTorch file (zip)"
        case .torchPickle: "a PyTorch file (pickle, before version 1.6)"
        case .sentencePiece: "a SentencePiece tokenizer"
        case .json: "a JSON file"
        }
    }

    /// How many bytes from the front decide.
    private static let windowSize = 1_024

    /// - Throws: what the file is instead, and what to do about it, when it is none of the formats.
    package init(_ file: InputFile) throws(AlpacaError) { try self.init(FileRegion(file)) }

    package init(_ region: FileRegion) throws(AlpacaError) {
        do {
            self = try CheckpointKind.judge(try region.bytes(at: 0, count: min(region.count, CheckpointKind.windowSize)))
        } catch {
            throw error.inFile(region.name)
        }
    }

    /// Throws when the file is something that is often found in a file's place: the pointer or the web page of a failed download, an archive.
    package static func refuseOthers(_ region: FileRegion) throws(AlpacaError) {
        do {
            let bytes = try region.bytes(at: 0, count: min(region.count, CheckpointKind.windowSize))
            try refuseOtherBinaries(bytes)
            try refuseMarkup(bytes)
        } catch {
            throw error.inFile(region.name)
        }
    }

    private static func judge(_ bytes: [UInt8]) throws(AlpacaError) -> CheckpointKind {
        guard !bytes.isEmpty else { throw AlpacaError(.truncated, "the file is empty") }
        if let kind = binaryFormat(bytes) { return kind }
        try refuseOtherBinaries(bytes)
        try refuseMarkup(bytes)
        if let first = firstInk(bytes), first == UInt8(ascii: "{") || first == UInt8(ascii: "[") { return .json }
        guard bytes.count >= 8 else {
            throw AlpacaError(.truncated, "the file has only \(bytes.count) bytes: \(bytes.quoted()) (is the download complete?)")
        }
        if isText(bytes) {
            throw AlpacaError(.badFormat, "this is a text file, not a model; it begins with \(bytes.quoted(limit: 60))")
        }
        if bytes.allSatisfy({ $0 == 0 }) {
            throw AlpacaError(
                .badFormat, "the file begins with \(bytes.count) zero bytes (a download that reserved the space and did not finish?)")
        }
        let shown = bytes.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
        throw AlpacaError(
            .badFormat,
            "found the bytes \(shown), with which no supported format begins: GGUF, ggml, safetensors, PyTorch, SentencePiece, JSON")
    }

    private static func binaryFormat(_ bytes: [UInt8]) -> CheckpointKind? {
        if bytes.starts(with: "GGUF".utf8) { return .gguf }
        // Numbers in the file, hence backwards.
        if ["lmgg", "fmgg", "tjgg"].contains(where: { bytes.starts(with: $0.utf8) }) { return .legacyGGML }
        if bytes.starts(with: [0x50, 0x4b, 3, 4]) { return .torchZip }
        // Before pickles: a header of 640 bytes has the length 80 02 00 ..., as a pickle begins.
        if isSafetensors(bytes) { return .safetensors }
        if bytes.count > 1, bytes[0] == 0x80, (2...5).contains(bytes[1]) { return .torchPickle }
        if isSentencePiece(bytes) { return .sentencePiece }
        return nil
    }

    /// The length of the header as 8 bytes, then the header, which is JSON. Eight characters of text before a brace are no length.
    private static func isSafetensors(_ bytes: [UInt8]) -> Bool {
        bytes.count > 8 && bytes[8] == UInt8(ascii: "{")
            && bytes[..<8].contains { $0 < 0x20 && $0 != 0x09 && $0 != 0x0a && $0 != 0x0d || $0 >= 0xf8 }
    }

    /// A protobuf message whose first field, 1, is a message whose first field, 1, is a string: the first piece.
    private static func isSentencePiece(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 4, bytes[0] == 0x0a, bytes[1] < 0x80, bytes[2] == 0x0a, bytes[3] < 0x80 else { return false }
        let pieceEnd = 2 + Int(bytes[1])
        let stringEnd = 4 + Int(bytes[3])
        guard stringEnd <= pieceEnd, stringEnd < bytes.count else { return false }
        // Behind the string: its score (field 2, float), its type (field 3, number), or the next piece.
        return bytes[stringEnd] == (stringEnd == pieceEnd ? 0x0a : 0x15) || bytes[stringEnd] == 0x18
    }

    // MARK: What can't be opened

    private static let others: [(magic: [UInt8], name: String, advice: String)] = [
        (Array("FUGG".utf8), "a big-endian GGUF file", "convert it with `gguf-convert-endian` of the Python package gguf"),
        (Array("algg".utf8), "a LoRA in llama.cpp's format of 2023 (ggla)", "use the PEFT adapter that it was made from"),
        (Array("nsgg".utf8), "a session saved by llama.cpp", "name the model"),
        ([0x1f, 0x8b], "a file packed with gzip", "unpack it with `gunzip`"),
        ([0x42, 0x5a, 0x68], "a file packed with bzip2", "unpack it with `bunzip2`"),
        ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "a file packed with xz", "unpack it with `unxz`"),
        ([0x28, 0xb5, 0x2f, 0xfd], "a file packed with zstd", "unpack it with `unzstd`"),
        ([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "a 7-Zip archive", "unpack it"),
        (Array("Rar!".utf8), "a RAR archive", "unpack it"),
        ([0x50, 0x4b, 5, 6], "an empty zip archive", "download it again"),
        ([0x89, 0x48, 0x44, 0x46], "an HDF5 file (Keras)", "models come as GGUF, safetensors or PyTorch files"),
        ([0x93, 0x4e, 0x55, 0x4d], "a NumPy array", "models come as GGUF, safetensors or PyTorch files"),
        ([0x7f, 0x45, 0x4c, 0x46], "a program or library (ELF)", "name a model"),
        (Array("%PDF".utf8), "a PDF document", "name a model"),
        ([0x89, 0x50, 0x4e, 0x47], "a PNG image", "name a model"),
        (Array("SQLite format 3".utf8), "an SQLite database", "name a model"),
    ]

    private static func refuseOtherBinaries(_ bytes: [UInt8]) throws(AlpacaError) {
        for other in others where bytes.starts(with: other.magic) {
            throw AlpacaError(.unsupported, "this is \(other.name), not a model: \(other.advice)")
        }
        if bytes.count > 262, bytes[257..<262].elementsEqual("ustar".utf8) {
            throw AlpacaError(.unsupported, "this is a tar archive, not a model: unpack it with `tar -xf`")
        }
    }

    /// Throws when `bytes` begin like what a failed download leaves in a file's place. Readers ask this of text that they can't read.
    static func refuseMarkup(_ bytes: [UInt8]) throws(AlpacaError) {
        if bytes.starts(with: "version https://git-lfs".utf8) {
            throw AlpacaError(
                .badFormat, "this is a Git LFS pointer, not the file itself: run `git lfs pull` in the repository that it belongs to")
        }
        guard firstInk(bytes) == UInt8(ascii: "<") else { return }
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        if text.contains("<html") || text.contains("<!doctype html") || text.contains("<head") || text.contains("<body") {
            throw AlpacaError(
                .badFormat,
                "this is an HTML page, not the model: the download gave a web page instead of the file (open it in a browser to see why)")
        }
        throw AlpacaError(
            .badFormat, "this is XML or the like, not the model (the message of a server?); it begins with \(bytes.quoted(limit: 60))")
    }

    /// The first byte that is neither blank nor part of a byte order mark.
    private static func firstInk(_ bytes: [UInt8]) -> UInt8? {
        let text = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes[...]
        return text.first { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 }
    }

    static func isText(_ bytes: [UInt8]) -> Bool {
        guard !bytes.contains(where: { $0 < 0x20 && !(0x08...0x0d).contains($0) && $0 != 0x1b || $0 == 0x7f }) else { return false }
        // The window may end inside a character of up to four bytes.
        return (0...min(3, bytes.count)).contains { String(validating: bytes.dropLast($0), as: UTF8.self) != nil }
    }
}

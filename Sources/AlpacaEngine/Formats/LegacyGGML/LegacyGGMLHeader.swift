// What stands in front of the tensors' data in llama.cpp's files before GGUF, and between them: these files have no table, each tensor's
// head lies before its data.
//
//   magic:u32 ("ggml", "ggmf", "ggjt" read as a number)   version:u32 (not in ggml)
//   n_vocab n_embd n_mult n_head n_layer n_rot ftype: i32
//   n_vocab times  length:u32  bytes  score:f32 (not in ggml)
//   until the end  n_dims name_length type: i32   sizes: i32 x n_dims (innermost first)   name   padding to 32 (ggjt only)   data

/// The three containers of 2023.
package enum LegacyGGMLContainer: Sendable, Equatable, CustomStringConvertible {
    /// No version, no scores.
    case ggml
    /// Version 1: with scores.
    case ggmf
    /// Versions 1 to 3: one file, data aligned so that it can be mapped. Version 2 changed the order in blocks, version 3 their scales.
    case ggjt(version: UInt32)

    package var description: String {
        switch self {
        case .ggml: "ggml"
        case .ggmf: "ggmf version 1"
        case .ggjt(let version): "ggjt version \(version)"
        }
    }

    var hasScores: Bool { self != .ggml }
    /// Whether a model may be cut into several files; ggjt put an end to that.
    var mayHaveParts: Bool {
        switch self {
        case .ggml, .ggmf: true
        case .ggjt: false
        }
    }
    /// Bytes, a power of two, counted from the start of the file.
    var alignment: Int { mayHaveParts ? 1 : 32 }
    /// The layout of quantized blocks: 1, 2 or 3.
    var blockVersion: UInt32 {
        switch self {
        case .ggml, .ggmf: 1
        case .ggjt(let version): version
        }
    }
}

/// The numbers of the header, all but `ftype` positive.
struct LegacyGGMLParameters: Sendable, Equatable {
    var vocabularySize = 0
    var embeddingLength = 0
    /// What the width of the feed-forward part is rounded up to a multiple of.
    var multiple = 0
    var headCount = 0
    var layerCount = 0
    var ropeDimension = 0
    var fileType: Int32 = 0
}

/// A tensor as one file has it.
struct LegacyGGMLTensor: Sendable {
    let name: String
    let type: LegacyTensorType
    /// Outermost first.
    let shape: [Int]
    let offset: Int
    /// In the file's layout.
    let byteCount: Int

    var columns: Int { shape.last ?? 1 }
    var rows: Int { shape.count == 2 ? shape[0] : 1 }
}

/// All of one file but the tensors' data.
struct LegacyGGMLHeader: Sendable {
    let container: LegacyGGMLContainer
    let parameters: LegacyGGMLParameters
    let pieces: GGUFStrings
    /// As many as pieces; empty in a container without scores.
    let scores: [Float]
    let tensors: [LegacyGGMLTensor]

    private enum Limits {
        static let pieceBytes = 1 << 16
        static let nameBytes = 255
        static let tensors = 65_536
    }

    init(_ file: InputFile) throws(AlpacaError) {
        var reader = ByteReader(file)
        container = try Self.readContainer(&reader)
        do {
            parameters = try Self.readParameters(&reader, container)
            (pieces, scores) = try Self.readVocabulary(&reader, parameters.vocabularySize, container)
            tensors = try Self.readTensors(&reader, container)
        } catch {
            // What the operating system says names the file already.
            throw error.path == nil ? error.inContext("\(container)") : error
        }
    }

    private static func readContainer(_ reader: inout ByteReader) throws(AlpacaError) -> LegacyGGMLContainer {
        let magic: UInt32 = try reader.read("magic")
        switch magic {
        case 0x6767_6d6c: return .ggml
        case 0x6767_6d66:
            let version: UInt32 = try reader.read("version")
            guard version == 1 else { throw AlpacaError(.unsupported, "ggmf: found version \(version), supported is 1") }
            return .ggmf
        case 0x6767_6a74:
            let version: UInt32 = try reader.read("version")
            guard (1...3).contains(version) else {
                throw AlpacaError(.unsupported, "ggjt: found version \(version), supported are 1, 2 and 3")
            }
            return .ggjt(version: version)
        default:
            throw AlpacaError(.badFormat, "magic: found 0x\(String(magic, radix: 16)), expected \"ggml\", \"ggmf\" or \"ggjt\"")
        }
    }

    private static func readParameters(
        _ reader: inout ByteReader, _ container: LegacyGGMLContainer
    ) throws(AlpacaError) -> LegacyGGMLParameters {
        var result = LegacyGGMLParameters()
        func positive(_ name: String, _ reader: inout ByteReader) throws(AlpacaError) -> Int {
            let value: Int32 = try reader.read(name)
            guard value > 0 else { throw AlpacaError(.badFormat, "\(name): found \(value), expected 1 or more") }
            return Int(value)
        }
        result.vocabularySize = try positive("n_vocab", &reader)
        result.embeddingLength = try positive("n_embd", &reader)
        result.multiple = try positive("n_mult", &reader)
        result.headCount = try positive("n_head", &reader)
        result.layerCount = try positive("n_layer", &reader)
        result.ropeDimension = try positive("n_rot", &reader)
        result.fileType = try reader.read("ftype")
        let most = min(VocabularyLimit.count, reader.remaining / (container.hasScores ? 8 : 4))
        guard result.vocabularySize <= most else {
            throw AlpacaError(.badFormat, "n_vocab: found \(result.vocabularySize), at most \(most) tokens fit in the rest of the file")
        }
        return result
    }

    private static func readVocabulary(
        _ reader: inout ByteReader, _ count: Int, _ container: LegacyGGMLContainer
    ) throws(AlpacaError) -> (GGUFStrings, [Float]) {
        var pieces = GGUFStrings()
        var scores: [Float] = []
        // Names, scores and kinds, as they are here and as metadata.
        try LargeMemory.ask(count, of: 32, for: "n_vocab")
        if container.hasScores { try scores.makeRoom(for: count, of: "n_vocab") }
        for i in 0..<count {
            let length = try reader.count(as: UInt32.self, "length of token \(i)", minimumBytesEach: 1)
            guard length <= Limits.pieceBytes else {
                throw AlpacaError(.badFormat, "length of token \(i): found \(length) bytes, expected at most \(Limits.pieceBytes)")
            }
            try pieces.append(try reader.bytes(length, "token \(i)"), of: "n_vocab")
            guard container.hasScores else { continue }
            let score = try reader.readFloat("score of token \(i)")
            guard score.isFinite else { throw AlpacaError(.badFormat, "score of token \(i): found \(score), expected a finite number") }
            scores.append(score)
        }
        return (pieces, scores)
    }

    // MARK: Tensors

    private static func readTensors(
        _ reader: inout ByteReader, _ container: LegacyGGMLContainer
    ) throws(AlpacaError) -> [LegacyGGMLTensor] {
        var tensors: [LegacyGGMLTensor] = []
        var names: Set<String> = []
        while reader.remaining > 0 {
            guard tensors.count < Limits.tensors else {
                throw AlpacaError(.badFormat, "found more than \(Limits.tensors) tensors")
            }
            let tensor = try readTensor(&reader, tensors.count, container)
            guard names.insert(tensor.name).inserted else {
                throw AlpacaError(.badFormat, "tensor \(tensor.name.quoted()) is there twice")
            }
            if tensors.count == tensors.capacity {
                try LargeMemory.ask(2 * tensors.count, of: TensorInfo.mostMemory, for: "list of tensors")
            }
            tensors.append(tensor)
        }
        guard !tensors.isEmpty else {
            throw AlpacaError(.truncated, "the file ends behind the vocabulary: it has no tensors (is it complete?)")
        }
        return tensors
    }

    private static func readTensor(
        _ reader: inout ByteReader, _ index: Int, _ container: LegacyGGMLContainer
    ) throws(AlpacaError) -> LegacyGGMLTensor {
        let at = reader.position
        let rank: Int32 = try reader.read("n_dims of tensor \(index)")
        let length: Int32 = try reader.read("name length of tensor \(index)")
        let number: Int32 = try reader.read("type of tensor \(index)")
        guard rank == 1 || rank == 2 else {
            throw AlpacaError(.badFormat, "tensor \(index) at byte \(at): found \(rank) dimensions, expected 1 or 2")
        }
        guard length >= 1, length <= Limits.nameBytes else {
            throw AlpacaError(
                .badFormat, "tensor \(index) at byte \(at): found a name of \(length) bytes, expected 1 to \(Limits.nameBytes)")
        }
        var shape: [Int] = []
        for _ in 0..<rank {
            let size: Int32 = try reader.read("size of tensor \(index)")
            guard size > 0 else {
                throw AlpacaError(.badFormat, "tensor \(index) at byte \(at): found a dimension of \(size), expected 1 or more")
            }
            shape.insert(Int(size), at: 0)
        }
        let bytes = try reader.bytes(Int(length), "name of tensor \(index)")
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
            throw AlpacaError(
                .badFormat, "name of tensor \(index) at byte \(at): found \(bytes.quoted()), expected printable ASCII characters")
        }
        let name = String(decoding: bytes, as: UTF8.self)
        do {
            let type = try LegacyTensorType(number, blockVersion: container.blockVersion)
            let byteCount = try type.byteCount(shape)
            let start = try CheckedMath.align(reader.position, to: container.alignment, of: "start")
            try reader.skip(start - reader.position, "padding")
            try reader.skip(byteCount, "data")
            return LegacyGGMLTensor(name: name, type: type, shape: shape, offset: start, byteCount: byteCount)
        } catch {
            throw error.inContext("tensor \(name.quoted())")
        }
    }
}

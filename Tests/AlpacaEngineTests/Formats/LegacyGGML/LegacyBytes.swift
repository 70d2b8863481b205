// Writes llama.cpp's formats before GGUF from a GGUF model, after the documented layouts: one weight at a time, by the formula, and not the
// way the reader goes. So a file that is read back must give the bytes that ggml wrote into the GGUF file.

import Foundation

@testable import AlpacaEngine

/// A legacy file in the making.
struct LegacyBytes {
    enum Kind: String, CaseIterable { case ggml, ggmf, ggjt1, ggjt2, ggjt3 }

    struct Tensor {
        var name: String
        var shape: [Int]
        var type: Int32
        var data: [UInt8]
    }

    var kind = Kind.ggjt3
    /// n_vocab n_embd n_mult n_head n_layer n_rot ftype
    var numbers: [Int32] = [3, 32, 32, 2, 1, 16, 0]
    var pieces: [(bytes: [UInt8], score: Float)] = [(Array(" \u{2047} ".utf8), 0), ([], 0), ([], 0)]
    var tensors: [Tensor] = []

    var isInterleaved: Bool { kind != .ggjt2 && kind != .ggjt3 }
    var hasWideScales: Bool { kind != .ggjt3 }

    func build() -> [UInt8] {
        var out: [UInt8] = Array(kind == .ggml ? "lmgg".utf8 : kind == .ggmf ? "fmgg".utf8 : "tjgg".utf8)
        if kind != .ggml { out += Self.bytes(UInt32(kind == .ggjt3 ? 3 : kind == .ggjt2 ? 2 : 1)) }
        for number in numbers { out += Self.bytes(UInt32(bitPattern: number)) }
        for piece in pieces {
            out += Self.bytes(UInt32(piece.bytes.count)) + piece.bytes
            if kind != .ggml { out += Self.bytes(piece.score.bitPattern) }
        }
        for tensor in tensors {
            out += Self.bytes(UInt32(tensor.shape.count)) + Self.bytes(UInt32(tensor.name.utf8.count))
            out += Self.bytes(UInt32(bitPattern: tensor.type))
            for size in tensor.shape.reversed() { out += Self.bytes(UInt32(bitPattern: Int32(size))) }
            out += tensor.name.utf8
            if ![.ggml, .ggmf].contains(kind) { while out.count % 32 != 0 { out.append(0) } }
            out += tensor.data
        }
        return out
    }

    static func bytes(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    static func half(_ bytes: ArraySlice<UInt8>) -> Float16 {
        Float16(bitPattern: UInt16(bytes[bytes.startIndex]) | UInt16(bytes[bytes.startIndex + 1]) << 8)
    }

    /// The data of a tensor in today's layout, as files of this kind have it.
    func encode(_ type: TensorType, _ data: [UInt8]) -> [UInt8] {
        let scales: Int
        let kept: Int
        switch type {
        case .q4_0: (scales, kept) = (1, 0)
        case .q4_1: (scales, kept) = (2, 0)
        case .q5_0: (scales, kept) = (0, 6)
        case .q5_1: (scales, kept) = (0, 8)
        case .q8_0: (scales, kept) = (1, 0)
        default: return data
        }
        var out: [UInt8] = []
        for start in stride(from: 0, to: data.count, by: type.bytesPerBlock) {
            let block = data[start..<start + type.bytesPerBlock]
            for k in 0..<scales {
                let scale = block.dropFirst(2 * k).prefix(2)
                out += hasWideScales ? Self.bytes(Float(Self.half(scale)).bitPattern) : Array(scale)
            }
            out += block.dropFirst(2 * scales).prefix(kept)
            let rest = Array(block.dropFirst(2 * scales + kept))
            guard type != .q8_0, isInterleaved else {
                out += rest
                continue
            }
            let weights = (0..<32).map { $0 < 16 ? rest[$0] & 15 : rest[$0 - 16] >> 4 }
            out += (0..<16).map { weights[2 * $0] | weights[2 * $0 + 1] << 4 }
        }
        return out
    }

    /// K types came with the last version.
    static func isKnown(_ type: TensorType, to kind: Kind) -> Bool { kind == .ggjt3 || type.elementsPerBlock != 256 }

    /// The model of a GGUF file; its weights keep their types, those of K types are left out where the format does not have them.
    init(_ gguf: GGUFReader, _ kind: Kind) throws {
        self.kind = kind
        let model = try ModelConfiguration(gguf)
        numbers = [
            Int32(model.vocabularySize), Int32(model.embeddingLength), 256, Int32(model.headCount), Int32(model.layerCount),
            Int32(model.headDimension), 1,
        ]
        let names = try gguf.metadata.strings(GGUFKey.tokens)
        let scores = try gguf.metadata.floats(GGUFKey.scores)
        let types = try gguf.metadata.ints(GGUFKey.tokenTypes)
        pieces = names.indices.map { id in
            let text = names.text(id)
            switch types[id] {
            case 2: return (Array(" \u{2047} ".utf8), scores[id])
            case 3: return ([], scores[id])
            case 6: return ([UInt8(text.dropFirst(3).dropLast(), radix: 16) ?? 0], scores[id])
            default: return (Array(text.replacingOccurrences(of: "\u{2581}", with: " ").utf8), scores[id])
            }
        }
        for (index, info) in gguf.tensors.enumerated() {
            guard Self.isKnown(info.type, to: kind), let name = TensorRole(info.name, in: .gguf)?.name(in: .meta) else { continue }
            let data = try Self.data(gguf, index)
            tensors.append(Tensor(name: name, shape: info.shape, type: Int32(info.type.rawValue), data: encode(info.type, data)))
        }
    }

    init(_ kind: Kind = .ggjt3) { self.kind = kind }

    static func data(_ source: some TensorSource, _ index: Int) throws -> [UInt8] {
        try source.withTensor(index) { bytes in bytes.withUnsafeBytes { Array($0) } }
    }

    /// The same model in several files, cut as Meta's shards are.
    func parts(_ count: Int) -> [LegacyBytes] {
        (0..<count).map { part in
            var result = self
            result.tensors = tensors.map { tensor in
                guard tensor.shape.count == 2 else { return tensor }
                var cut = tensor
                let rowBytes = tensor.data.count / tensor.shape[0]
                if tensor.name.hasPrefix("tok_") || tensor.name.hasSuffix(".wo.weight") || tensor.name.hasSuffix(".w2.weight") {
                    let width = rowBytes / count
                    cut.shape[1] /= count
                    cut.data = []
                    for row in 0..<tensor.shape[0] {
                        let start = row * rowBytes + part * width
                        cut.data += tensor.data[start..<start + width]
                    }
                } else {
                    // Uneven where it does not divide: the last has the rest.
                    let rows = tensor.shape[0] / count
                    let end = part == count - 1 ? tensor.shape[0] : (part + 1) * rows
                    cut.shape[0] = end - part * rows
                    cut.data = Array(tensor.data[part * rows * rowBytes..<end * rowBytes])
                }
                return cut
            }
            return result
        }
    }
}

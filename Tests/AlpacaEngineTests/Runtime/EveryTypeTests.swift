import CAlpacaKernels
import Foundation
import Testing

@testable import AlpacaEngine

/// A model whose layers are random blocks of a type computes what the same weights in F32 do, and the same bits however the work is cut:
/// the types that can't be written too.
@Suite struct EveryTypeTests {
    static let types = MatmulFormat.all.filter { !$0.isFloat }

    @Test(arguments: types) func `blocks as they come and their weights in F32`(format: MatmulFormat) throws {
        let source = try GGUFReader(InputFile(path: MiniFamily.f16))
        var numbers = Numbers(UInt64(format.type) + 400)
        try Fixtures.withFolder { folder in
            func write(_ path: String, _ make: (TensorInfo, [UInt8]) throws -> (TensorInfo, [UInt8])) throws {
                var infos: [TensorInfo] = [], data: [[UInt8]] = []
                for (i, info) in source.tensors.enumerated() {
                    let bytes = try source.withTensor(i) { (bytes: RawSpan) throws(AlpacaError) in bytes.withUnsafeBytes { Array($0) } }
                    let (made, its) = try make(info, bytes)
                    infos.append(made)
                    data.append(its)
                }
                try LayoutFile.write(GGUFLayout.make(source.metadata, infos), data, to: path)
            }
            let type = try #require(TensorType(rawValue: UInt32(format.type)))
            var floats: [String: [Float]] = [:]
            let stored = folder + "/stored.gguf", plain = folder + "/plain.gguf"
            try write(stored) { info, bytes in
                guard info.name.hasPrefix("blk.0.") || info.name.hasPrefix("blk.1."), info.shape.count == 2 else { return (info, bytes) }
                let matrix = Self.matrix(format, rows: info.rows, columns: info.columns, &numbers)
                floats[info.name] = QuantizeKernelTests.decode(type, matrix, info.elementCount)
                return (try TensorInfo(name: info.name, type: type, shape: info.shape), matrix)
            }
            try write(plain) { info, bytes in
                guard let weights = floats[info.name] else { return (info, bytes) }
                return (try TensorInfo(name: info.name, type: .f32, shape: info.shape), weights.withUnsafeBytes { Array($0) })
            }
            #expect(floats.count == 14 && floats.values.allSatisfy { $0.allSatisfy { $0.isFinite } })
            let found = try ConvertedTypeTests.logits(stored, threads: 1)
            for (threads, batch) in [(2, 1), (3, 7), (2, 32)] {
                let other = try ConvertedTypeTests.logits(stored, threads: threads, batch: batch)
                #expect(other.bits == found.bits, "\(threads) threads, batch \(batch)")
            }
            let expected = try ConvertedTypeTests.logits(plain)
            let error = zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let size = expected.reduce(0) { $0 + $1 * $1 }
            print("\(type): off from F32 by \((error / size).squareRoot())")
            // Of inputs in eight bits, after layers of noise. Other weights than those would be off by 1.4.
            #expect(error / size < 0.2 * 0.2 && size > 0)
        }
    }

    /// Random blocks whose weights are about as large as a model's: the power of two that their scale is comes from what they are at a scale
    /// of one.
    private static func matrix(_ format: MatmulFormat, rows: Int, columns: Int, _ numbers: inout Numbers) -> [UInt8] {
        let matrix = RandomMatrix(format, rows: rows, columns: columns, numbers: &numbers)
        let all = rows * matrix.rowBytes
        set(exponent: 0, matrix, all)
        let weights = matrix.weights(row: 0, KernelPath.generic.table)
        let size = (weights.reduce(0) { $0 + $1 * $1 } / Float(columns)).squareRoot()
        set(exponent: Int((0.03 / size).exponent), matrix, all)
        return (0..<all).map { matrix.memory.base.load(fromByteOffset: $0, as: UInt8.self) }
    }

    private static func set(exponent: Int, _ matrix: RandomMatrix, _ all: Int) {
        let format = matrix.format, half = Float16(Float(sign: .plus, exponent: exponent, significand: 1)).bitPattern
        for at in stride(from: 0, to: all, by: format.bytes) {
            let block = matrix.memory.base + at
            switch format.decode {
            case Int32(KERN_DECODE_EXPONENT16): (block + format.scales[0]).storeBytes(of: UInt8(128 + exponent), as: UInt8.self)
            case Int32(KERN_DECODE_GRID_SPREAD):
                for i in 0..<4 {
                    let top = block + format.scales[0] + 2 * i + 1
                    top.storeBytes(of: top.load(as: UInt8.self) & 15 | UInt8(half >> (4 * i) & 15) << 4, as: UInt8.self)
                }
            default: for place in format.scales { (block + place).storeBytes(of: half, as: UInt16.self) }
            }
        }
    }
}

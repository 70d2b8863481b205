import Foundation
import Testing

@testable import AlpacaEngine

/// Random blocks of the types that no fixture has, their weights by the documented formulas.
@Suite struct LegacyBlocksTests {
    struct Case: CustomTestStringConvertible {
        let name: String
        let number: Int32
        let kinds: [LegacyBytes.Kind]
        let perBlock: Int
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "Q4_0", number: 2, kinds: [.ggml, .ggmf, .ggjt1, .ggjt2, .ggjt3], perBlock: 32),
        Case(name: "Q4_1", number: 3, kinds: [.ggml, .ggmf, .ggjt1, .ggjt2, .ggjt3], perBlock: 32),
        Case(name: "Q4_2", number: 4, kinds: [.ggjt1], perBlock: 16), Case(name: "Q4_3", number: 5, kinds: [.ggjt1], perBlock: 16),
        Case(name: "Q5_0", number: 6, kinds: [.ggjt1, .ggjt2, .ggjt3], perBlock: 32),
        Case(name: "Q5_1", number: 7, kinds: [.ggjt1, .ggjt2, .ggjt3], perBlock: 32),
        Case(name: "Q8_0", number: 8, kinds: [.ggjt1, .ggjt2, .ggjt3], perBlock: 32),
    ]

    @Test(arguments: cases) func weightsByTheFormulas(test: Case) throws {
        var random = SystemRandomNumberGenerator()
        for kind in test.kinds {
            var file = LegacyBytes(kind)
            var data: [UInt8] = []
            var expected: [Float] = []
            for _ in 0..<(3 * 96 / test.perBlock) {
                let (block, weights) = Self.block(test.number, wide: file.hasWideScales, interleaved: file.isInterleaved, &random)
                data += block
                expected += weights
            }
            file.tensors = [
                .init(name: "layers.0.attention.wk.weight", shape: [32, 9], type: 0, data: [UInt8](repeating: 0, count: 4 * 288)),
                .init(name: "x", shape: [3, 96], type: test.number, data: data),
            ]
            try Fixtures.withFile(file.build()) { path in
                let reader = try LegacyGGMLReader(InputFile(path: path))
                let index = try #require(reader.index(of: "x"))
                let info = reader.tensors[index]
                var found = [Float](repeating: .nan, count: 288)
                let bytes = try LegacyBytes.data(reader, index)
                try bytes.withUnsafeBytes { bytes in
                    try found.withUnsafeMutableBufferPointer { try Kernels.decode(info, bytes, into: $0.baseAddress!) }
                }
                // Q4_2 and Q4_3 are rounded to F16.
                #expect(found == (test.perBlock == 16 ? expected.map { Float(Float16($0)) } : expected), "\(kind)")
            }
        }
    }

    /// A block and its weights; scales are numbers that F16 has.
    private static func block(
        _ number: Int32, wide: Bool, interleaved: Bool, _ random: inout SystemRandomNumberGenerator
    ) -> ([UInt8], [Float]) {
        func half(_ value: Float16) -> [UInt8] { [UInt8(truncatingIfNeeded: value.bitPattern), UInt8(value.bitPattern >> 8)] }
        let d = Float16(Float.random(in: 0.001...0.1, using: &random)), m = Float16(Float.random(in: -1...1, using: &random))
        let isWide = wide && [2, 3, 8].contains(number)
        func scale(_ value: Float16) -> [UInt8] { isWide ? LegacyBytes.bytes(Float(value).bitPattern) : half(value) }
        if number == 8 {
            let q = (0..<32).map { _ in Int8.random(in: -127...127, using: &random) }
            return (scale(d) + q.map { UInt8(bitPattern: $0) }, q.map { Float($0) * Float(d) })
        }
        let count = number == 4 || number == 5 ? 16 : 32
        let isFive = number == 6 || number == 7
        let q = (0..<count).map { _ in UInt32.random(in: 0..<(isFive ? 32 : 16), using: &random) }
        let hasMinimum = [3, 5, 7].contains(number)
        var bytes = scale(d) + (hasMinimum ? scale(m) : [])
        if isFive {
            var high: UInt32 = 0
            for l in 0..<32 { high |= (q[l] >> 4) << UInt32(l) }
            bytes += LegacyBytes.bytes(high)
        }
        bytes += (0..<count / 2).map { i in
            let (low, high) = interleaved ? (2 * i, 2 * i + 1) : (i, i + count / 2)
            return UInt8(q[low] & 15) | UInt8(q[high] & 15) << 4
        }
        let middle: Float = isFive ? 16 : 8
        return (bytes, q.map { hasMinimum ? Float($0) * Float(d) + Float(m) : (Float($0) - middle) * Float(d) })
    }

    @Test func scalesBeyondF16AreRefused() throws {
        var file = LegacyBytes(.ggjt2)
        file.tensors = [
            .init(
                name: "x", shape: [2, 32], type: 2,
                data: [UInt8](repeating: 0, count: 20) + LegacyBytes.bytes(Float(1e6).bitPattern)
                    + [UInt8](repeating: 0, count: 16))
        ]
        try Fixtures.withFile(file.build()) { path in
            let reader = try LegacyGGMLReader(InputFile(path: path))
            #expect(
                alpacaError { try reader.withTensor(0) { _ in } }
                    == AlpacaError(
                        .badFormat,
                        "\(path): tensor \"x\": a scale in row 1 is too large for F16, in which today's blocks have it"))
        }
    }
}

import CAlpacaKernels
import Foundation
import Testing

@testable import AlpacaEngine

/// Blocks of the small types against what the Python package gguf makes of them, bit for bit.
@Suite struct StoredBlocksTests {
    struct Row: Decodable { let id: Int32, values: Int, bytes: Int }

    static let folder = "fixtures/family/quants"

    /// Every index of every table, random blocks, encoded numbers.
    @Test(
        .enabled(if: Fixtures.isShared(folder + "/types.npz"), "blocks of all types are not in ALPACA_SHARED"), arguments: KernelPath.all)
    func `all blocks of the family`(path: KernelPath) throws {
        let rows = try JSONDecoder().decode(
            [String: Row].self, from: Data(contentsOf: URL(fileURLWithPath: Fixtures.sharedPath(Self.folder + "/types.json"))))
        let archive = try NumPyArchive(path: Fixtures.sharedPath(Self.folder + "/types.npz"))
        var count = 0
        for (name, row) in rows where name != "NVFP4" {
            let raw = try archive.numbers(name + ".raw", as: UInt8.self), expected = try archive.numbers(name + ".f32", as: UInt32.self)
            #expect(raw.count / row.bytes * row.values == expected.count && !expected.isEmpty)
            let bytes = GuardedBuffer(raw), out = GuardedBuffer<Float>(count: expected.count, repeating: .nan)
            path.vector.dequantize_row(row.id, bytes.pointer, expected.count, out.pointer)
            let wrong = expected.indices.first { out.pointer[$0].bitPattern != expected[$0] }
            #expect(wrong == nil && out.frontIsIntact, "\(name) at \(wrong ?? 0)")
            count += 1
        }
        #expect(count == 12)
    }

    /// The tables as the library unpacks them, entry by entry, from blocks that hold one index all over; scale 1, all signs plus.
    @Test(arguments: KernelPath.all) func `each entry of each table`(path: KernelPath) throws {
        let grids = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: Fixtures.golden("dequantize/grids.json"))) as? [String: Any])
        for name in ["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"] {
            let type = try #require(TensorType(named: name))
            let grid = try #require((grids[name] ?? grids["IQ1_S"]) as? [String: Any])
            let values = try #require(grid["values"] as? [Int]), entries = try #require(grid["entries"] as? [String])
            #expect(entries.count >= 256)
            for (index, entry) in entries.enumerated() {
                var floats = [Float](repeating: .nan, count: 256)
                path.vector.dequantize_row(Int32(type.rawValue), Self.block(of: type, index), 256, &floats)
                let digits = entry.utf8.map { Int($0) - 48 }
                let expected = digits.map { Self.weight(of: type, values[$0]) }
                let repeated = (0..<256).map { expected[$0 % expected.count] }
                if floats != repeated { Issue.record("\(type), entry \(index): found \(floats.prefix(8)), expected \(expected)") }
            }
        }
    }

    private static func weight(of type: TensorType, _ value: Int) -> Float {
        switch type {
        case .iq1_S, .iq1_M: Float(value) + 0.125
        case .iq3_S: Float(value)
        case .iq3_XXS: Float(value) * 0.25
        default: Float(value) * 0.125
        }
    }

    private static func block(of type: TensorType, _ index: Int) -> [UInt8] {
        let low = UInt8(index & 255), high = index >> 8, one: [UInt8] = [0, 0x3C]
        func times(_ n: Int, _ bytes: UInt8...) -> [UInt8] { (0..<n).flatMap { _ in bytes } }
        switch type {
        case .iq2_XXS: return one + times(8, low, low, low, low, 0, 0, 0, 0)
        case .iq2_XS: return one + times(32, low, UInt8(high)) + times(8, 0)
        case .iq2_S: return one + times(32, low) + times(32, 0) + times(8, UInt8(high * 0x55)) + times(8, 0)
        case .iq3_XXS: return one + times(64, low) + times(32, 0)
        case .iq3_S: return one + times(64, low) + times(8, high == 0 ? 0 : 255) + times(32 + 4, 0)
        case .iq1_S:
            let four = high * 0o1111
            return one + times(32, low) + times(8, UInt8(four & 255), UInt8(four >> 8))
        default: return times(32, low) + times(16, UInt8(high * 0x11)) + [0, 0, 0, 0, 0, 0xC0, 0, 0x30]
        }
    }

    /// Whatever the bytes are, every path multiplies them alike and reads nothing behind them: scales that are NaN or infinite, exponents of
    /// 255, every index.
    @Test(arguments: MatmulFormat.all.filter { !$0.isFloat }) func `any bytes`(format: MatmulFormat) throws {
        var numbers = Numbers(UInt64(format.type) + 300)
        for fill in [UInt8?.none, 0, 255, 127] {
            let w = RandomMatrix(format, rows: 19, columns: 512, finite: false, numbers: &numbers)
            if let fill { w.fill(fill) }
            for tokens in [1, 3, 20] {
                let x = RandomInputs(columns: 512, tokens: tokens, numbers: &numbers)
                let expected = MatmulPath.all[0].product(w, x)
                for path in MatmulPath.all.dropFirst() {
                    let found = path.product(w, x)
                    // Which NaN it is depends on the order of an instruction's operands.
                    let wrong = expected.indices.first {
                        found[$0] != expected[$0] && !(Float(bitPattern: found[$0]).isNaN && Float(bitPattern: expected[$0]).isNaN)
                    }
                    #expect(wrong == nil, "\(path.name), \(tokens) tokens, bytes \(fill.map { "\($0)" } ?? "at random")")
                }
            }
        }
    }
}

import CAlpacaKernels
import Foundation
import Testing

@testable import AlpacaEngine

/// Low-rank updates: every path against a plain loop bit for bit, and against PEFT's merge of the mini family.
@Suite struct LoraKernelTests {
    static let types = [Int32(KERN_F32), Int32(KERN_F16), Int32(KERN_BF16)]

    /// A number as `type` keeps it, in that type's bits.
    static func stored(_ x: Float, _ type: Int32) -> UInt32 {
        switch Int(type) {
        case KERN_F32: return x.bitPattern
        case KERN_F16: return UInt32(Float16(x).bitPattern)
        default:
            if x.isNaN { return x.bitPattern >> 16 | 64 }
            return (x.bitPattern + 0x7FFF + (x.bitPattern >> 16 & 1)) >> 16
        }
    }

    static func loaded(_ bits: UInt32, _ type: Int32) -> Float {
        switch Int(type) {
        case KERN_F32: Float(bitPattern: bits)
        case KERN_F16: Float(Float16(bitPattern: UInt16(bits)))
        default: Float(bitPattern: bits << 16)
        }
    }

    static func bytes(_ bits: [UInt32], _ type: Int32) -> [UInt8] {
        bits.flatMap { (b: UInt32) in (0..<(type == Int32(KERN_F32) ? 4 : 2)).map { UInt8(truncatingIfNeeded: b >> (8 * $0)) } }
    }

    struct Case {
        var rows = 1, rank = 1, columns = 1
        var a: [Float] = [], b: [Float] = [], w: [Float] = []
        var scale: Float = 2

        /// scale * B A, the plain loop.
        func update() -> [Float] {
            var sums = [Float](repeating: 0, count: rows * columns)
            for r in 0..<rows {
                for c in 0..<columns {
                    var sum: Float = 0
                    for k in 0..<rank { sum.addProduct(b[r * rank + k], a[k * columns + c]) }
                    sums[r * columns + c] = sum * scale
                }
            }
            return sums
        }

        func merge(_ path: KernelPath, _ type: Int32, rounding: Int32, as outType: Int32, alone: Bool, inPlace: Bool) -> [UInt8] {
            let table = path.vector
            let packed = GuardedBuffer<Float>(count: table.lora_packed_count(rank, columns), repeating: .nan)
            for k in 0..<rank {
                let row = GuardedBuffer(Array(a[k * columns..<(k + 1) * columns]))
                table.lora_pack(row.pointer, k, rank, columns, packed.pointer)
            }
            let factor = GuardedBuffer(b)
            let weights = GuardedBuffer(LoraKernelTests.bytes(w.map { LoraKernelTests.stored($0, type) }, type))
            let size = outType == Int32(KERN_F32) ? 4 : 2
            let out = inPlace ? weights : GuardedBuffer<UInt8>(count: rows * columns * size, repeating: 0xAA)
            var lora = kern_lora(
                a: packed.pointer, b: factor.pointer, b_stride: rank, rank: rank, columns: columns, scale: scale, rounding: rounding)
            table.lora_merge(
                &lora, rows, type, alone ? nil : UnsafeRawPointer(weights.pointer), weights.count / rows, outType, out.pointer,
                columns * size)
            #expect(packed.frontIsIntact && factor.frontIsIntact && weights.frontIsIntact && out.frontIsIntact)
            return out.array
        }
    }

    @Test(arguments: KernelPath.all) func `merges as a plain loop does`(path: KernelPath) {
        var random = SplitMix(11)
        for (rows, rank, columns) in [
            (1, 1, 1), (1, 8, 16), (2, 3, 31), (3, 64, 33), (5, 7, 48), (6, 16, 63), (7, 2, 64), (8, 5, 65), (9, 4, 100), (13, 33, 130),
        ] {
            var c = Case(rows: rows, rank: rank, columns: columns)
            c.a = random.floats(rank * columns)
            c.b = random.floats(rows * rank)
            c.w = random.floats(rows * columns)
            // Overflow, subnormals, ties, infinity and NaN.
            for (i, special) in ([65504, -65504, 1e-7, 3e-8, 0, -0.0, 1e30, .infinity, .nan] as [Float]).enumerated() where i < c.w.count {
                c.w[c.w.count - 1 - i] = special
            }
            if rows == 9 { c.scale = 1e5 }
            if rows == 5 { c.scale = 1e-6 }
            if rows == 6 { c.b[1] = .infinity }
            let update = c.update()
            for type in Self.types {
                for rounding in Self.types {
                    for outType in Self.types {
                        for (alone, inPlace) in [(false, false), (true, false), (false, true)] where !inPlace || type == outType {
                            let expected = Self.bytes(
                                zip(update, c.w).map { update, w in
                                    let rounded = Self.loaded(Self.stored(update, rounding), rounding)
                                    return Self.stored(alone ? rounded : Self.loaded(Self.stored(w, type), type) + rounded, outType)
                                }, outType)
                            let got = c.merge(path, type, rounding: rounding, as: outType, alone: alone, inPlace: inPlace)
                            let same = Self.alike(got, expected, outType)
                            #expect(same, "\(rows) x \(rank) x \(columns), \(type) + \(rounding) -> \(outType), \(alone) \(inPlace)")
                        }
                    }
                }
            }
        }
    }

    /// Byte for byte, but a NaN may be any.
    static func alike(_ got: [UInt8], _ expected: [UInt8], _ type: Int32) -> Bool {
        let size = type == Int32(KERN_F32) ? 4 : 2
        guard got.count == expected.count else { return false }
        return stride(from: 0, to: got.count, by: size).allSatisfy { at in
            let number = { (bytes: [UInt8]) in loaded((0..<size).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * $1) }, type) }
            return got[at..<at + size] == expected[at..<at + size] || (number(got).isNaN && number(expected).isNaN)
        }
    }

    @Test(arguments: KernelPath.all) func `BF16 is rounded to nearest even`(path: KernelPath) {
        var random = SplitMix(12)
        var floats = (0..<2000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
        floats += [0, -0.0, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .nan, Float(bitPattern: 0x7F80_0001)]
        floats += (0..<64).map { Float(bitPattern: 0x3F80_8000 + $0 << 16 &- UInt32($0 % 3) &+ 1) }
        for n in [1, 15, 16, 17, floats.count] {
            let x = GuardedBuffer(Array(floats.suffix(n))), out = GuardedBuffer<UInt16>(count: n, repeating: 0)
            path.vector.f32_to_bf16(x.pointer, n, out.pointer)
            let expected = floats.suffix(n).map { UInt16(Self.stored($0, Int32(KERN_BF16))) }
            #expect(firstDifference(out.array, expected) == nil && out.frontIsIntact)
            let back = GuardedBuffer<Float>(count: n, repeating: 0)
            path.vector.dequantize_row(Int32(KERN_BF16), out.pointer, n, back.pointer)
            #expect(firstDifference(back.array.bits, expected.map { UInt32($0) << 16 }) == nil && back.frontIsIntact)
        }
    }
}

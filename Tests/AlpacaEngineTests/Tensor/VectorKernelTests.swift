import CAlpacaKernels
import Foundation
import Testing

@testable import AlpacaEngine

/// Norm, sums, gate, rotary embedding, conversions: every path against the plain one bit for bit, and that one against double precision.
@Suite struct VectorKernelTests {
    static let lengths = Array(1...50) + [63, 64, 65, 255, 256, 4096, 11008]

    @Test func thereIsMoreThanThePlainPath() throws {
        #if arch(x86_64)
            // Every machine that this is developed on has AVX2; if this fails, the comparisons below compare nothing.
            #expect(KernelPath.fast.map(\.name).contains("avx2"))
        #endif
    }

    @Test func everyPathGivesTheSameBits() {
        var random = SplitMix(1)
        for n in Self.lengths {
            let x = random.floats(n, within: 20), y = random.floats(n, within: 2)
            let expected = Self.elementwise(KernelPath.generic, x, y)
            for path in KernelPath.fast {
                for (function, (got, wanted)) in zip(Self.elementwise(path, x, y), expected).enumerated() {
                    #expect(firstDifference(got, wanted) == nil, "\(path.name), \(n) elements, function \(function)")
                }
            }
        }
    }

    /// The bits of every elementwise function's result, computed in buffers that end at a guard page.
    static func elementwise(_ path: KernelPath, _ x: [Float], _ y: [Float]) -> [[UInt32]] {
        let table = path.vector, n = x.count
        var results: [[UInt32]] = []
        let run = { (body: (GuardedBuffer<Float>, GuardedBuffer<Float>) -> Void) in
            let a = GuardedBuffer(x), b = GuardedBuffer(y)
            body(a, b)
            #expect(a.frontIsIntact && b.frontIsIntact && firstDifference(b.array.bits, y.bits) == nil)
            results.append(a.array.bits)
        }
        run { table.rms_norm($0.pointer, $1.pointer, 1e-5, n, $0.pointer) }
        run { table.add($0.pointer, $1.pointer, n) }
        run { table.silu_mul($0.pointer, $1.pointer, n) }
        run { table.rope($0.pointer, 1, n, n / 2 * 2, $1.pointer, Int32(KERN_ROPE_INTERLEAVED)) }
        run { table.rope($0.pointer, 1, n, n / 2 * 2, $1.pointer, Int32(KERN_ROPE_HALVES)) }
        run { a, _ in
            let halves = GuardedBuffer<UInt16>(count: n, repeating: 0)
            table.f32_to_f16(a.pointer, n, halves.pointer)
            table.dequantize_row(Int32(KERN_F16), halves.pointer, n, a.pointer)
            #expect(halves.frontIsIntact)
        }
        return results
    }

    @Test func rmsNorm() {
        var random = SplitMix(2)
        for n in Self.lengths {
            let x = random.floats(n, within: 10), weight = random.floats(n)
            var out = [Float](repeating: 0, count: n)
            KernelPath.generic.vector.rms_norm(x, weight, 1e-6, n, &out)
            let mean = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(n)
            for i in 0..<n {
                let exact = Double(x[i]) / (mean + 1e-6).squareRoot() * Double(weight[i])
                #expect(abs(Double(out[i]) - exact) <= 3e-7 * abs(exact))
            }
        }
    }

    @Test func siluTimes() {
        var random = SplitMix(3)
        let gate = random.floats(4000, within: 30) + random.floats(4000, within: 0.01) + [0, -0.0, 88, -86, 100, 1e38]
        let up = random.floats(gate.count, within: 3)
        var out = gate
        KernelPath.generic.vector.silu_mul(&out, up, out.count)
        for i in gate.indices {
            let g = Double(gate[i]), exact = g / (1 + exp(-g)) * Double(up[i])
            #expect(abs(Double(out[i]) - exact) <= 4e-7 * abs(exact), "silu(\(g)) * \(up[i])")
        }
    }

    /// Sizes at which the exponential over- or underflows; NaN stays NaN.
    @Test(arguments: KernelPath.all) func siluOfExtremes(path: KernelPath) {
        var gate: [Float] = [-88.5, -89, -104, -1e30, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, .infinity, .nan]
        let up = [Float](repeating: 2, count: gate.count)
        path.vector.silu_mul(&gate, up, gate.count)
        #expect(gate[0..<6].allSatisfy { abs($0) < 1e-35 })
        #expect(gate[6] == .infinity && gate[7].isNaN)
    }

    @Test(arguments: KernelPath.all) func ropeTurnsPairsAndLeavesTheRest(path: KernelPath) {
        var random = SplitMix(4)
        for (headDim, ropeDim, heads) in [
            (2, 2, 3), (16, 16, 1), (18, 18, 2), (64, 64, 2), (80, 20, 3), (128, 128, 2), (128, 64, 2), (96, 0, 1),
        ] {
            let x = random.floats(headDim * heads)
            let angles = (0..<ropeDim / 2).map { _ in Double.random(in: -3...3, using: &random) }
            let pairs: [[Float]] = angles.map { [Float(cos($0)), Float(sin($0))] }
            let cosSin = GuardedBuffer(ropeDim == 0 ? [0] : Array(pairs.joined()))
            let out = GuardedBuffer(x)
            path.vector.rope(out.pointer, heads, headDim, ropeDim, cosSin.pointer, Int32(KERN_ROPE_INTERLEAVED))
            for h in 0..<heads {
                for i in 0..<headDim {
                    let at = h * headDim + i
                    guard i < ropeDim else {
                        #expect(out.pointer[at] == x[at])
                        continue
                    }
                    let pair = h * headDim + i / 2 * 2
                    let c = Double(cosSin.pointer[i / 2 * 2]), s = Double(cosSin.pointer[i / 2 * 2 + 1])
                    let a = Double(x[pair]), b = Double(x[pair + 1])
                    let exact = i % 2 == 0 ? a * c - b * s : b * c + a * s
                    #expect(abs(Double(out.pointer[at]) - exact) <= 1.3e-7)
                }
            }
        }
    }

    /// Rounded once from double precision: never more than half a unit in the last place off (and a hair for the double's own error).
    @Test func ropeAngles() {
        var random = SplitMix(5)
        let scales: [Float] = [1, 1, 1.2772588]
        for round in 0..<600 {
            let position = Int.random(in: 0..<(round % 2 == 0 ? 1 << 20 : 4096), using: &random)
            let frequencies = (0..<8).map { pow(10000.0, -Double($0 * 8) / 64) } + [Double.random(in: 0...1, using: &random)]
            let scale = scales[round % 3]
            let out = GuardedBuffer<Float>(count: 2 * frequencies.count, repeating: 0)
            kern_rope_angles(position, frequencies, frequencies.count, scale, out.pointer)
            #expect(out.frontIsIntact)
            for (i, frequency) in frequencies.enumerated() {
                let angle = Double(position) * frequency
                for (got, exact) in [
                    (out.pointer[2 * i], cos(angle) * Double(scale)), (out.pointer[2 * i + 1], sin(angle) * Double(scale)),
                ] {
                    #expect(abs(Double(got) - exact) <= 0.500001 * Double(Float(exact).ulp) + 1e-15, "position \(position), \(frequency)")
                }
            }
        }
    }

    @Test func ropeAnglesOfNonsenseAreNaN() {
        var out = [Float](repeating: 0, count: 8)
        kern_rope_angles(1, [.nan, .infinity, 1e300, 1e10], 4, 1, &out)
        #expect(out.allSatisfy { $0.isNaN })
    }

    // MARK: Conversions

    @Test(arguments: KernelPath.all) func everyHalf(path: KernelPath) {
        let halves = GuardedBuffer((0...UInt16.max).map { $0 })
        let floats = GuardedBuffer<Float>(count: halves.count, repeating: 0)
        path.vector.dequantize_row(Int32(KERN_F16), halves.pointer, halves.count, floats.pointer)
        #expect(halves.frontIsIntact && floats.frontIsIntact)
        let wrong = (0..<halves.count).filter {
            let expected = Float(Float16(bitPattern: UInt16($0)))
            return expected.isNaN ? !floats.pointer[$0].isNaN : floats.pointer[$0].bitPattern != expected.bitPattern
        }
        #expect(wrong.isEmpty)

        let back = GuardedBuffer<UInt16>(count: halves.count, repeating: 0)
        path.vector.f32_to_f16(floats.pointer, floats.count, back.pointer)
        #expect((0..<halves.count).allSatisfy { back.pointer[$0] == $0 || floats.pointer[$0].isNaN })
    }

    /// Around every half, and halfway to the next: ties go to even, beyond 65520 is infinity.
    @Test(arguments: KernelPath.all) func roundingToHalf(path: KernelPath) {
        var floats: [Float] = [65519.996, 65520, 65504, 1e30, .infinity, .leastNonzeroMagnitude, 0x1p-25, 0x1.000002p-25, 0x1p-24]
        for bits in stride(from: UInt16(0), to: 0x7BFF, by: 7) {
            let low = Float(Float16(bitPattern: bits)), high = Float(Float16(bitPattern: bits + 1))
            let middle = (low + high) / 2
            floats += [low, middle.nextDown, middle, middle.nextUp]
        }
        floats += floats.map { -$0 }
        var halves = [UInt16](repeating: 0, count: floats.count)
        path.vector.f32_to_f16(floats, floats.count, &halves)
        let wrong = floats.indices.filter { halves[$0] != Float16(floats[$0]).bitPattern }
        #expect(wrong.isEmpty, "\(wrong.prefix(5).map { (floats[$0], halves[$0]) })")
    }

    struct GoldenRow: Decodable {
        let type: Int32, count: Int, row: String, floats: String
    }

    /// Against the Python package gguf (Tests/Goldens/dequantize/make_dequantize.py), bit for bit: in every type each product is exact in
    /// a float and at most one sum rounds, so there is only one right answer.
    @Test(arguments: KernelPath.all) func dequantizeRow(path: KernelPath) throws {
        let rows = try Self.golden("dequantize")
        #expect(Set(rows.keys) == Set(TensorType.allCases.map(\.description)))
        for (name, row) in try rows.map({ $0 }) + Self.golden("family") {
            let bytes = GuardedBuffer(Self.bytes(row.row))
            let out = GuardedBuffer<Float>(count: row.count, repeating: .nan)
            path.vector.dequantize_row(row.type, bytes.pointer, row.count, out.pointer)
            let expected = Self.bytes(row.floats)
            let got = UnsafeRawBufferPointer(start: out.pointer, count: 4 * row.count)
            #expect(firstDifference(got, expected) == nil && out.frontIsIntact && bytes.frontIsIntact, "\(name)")
        }
    }

    /// "dequantize": of every type; "family": of types with a table, each entry of a type's table in order, then scales at the limits of F16.
    static func golden(_ name: String) throws -> [String: GoldenRow] {
        try JSONDecoder().decode([String: GoldenRow].self, from: Data(contentsOf: Fixtures.golden("dequantize/\(name).json")))
    }

    static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = hexadecimal.utf8.map { $0 < 58 ? $0 - 48 : $0 - 87 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

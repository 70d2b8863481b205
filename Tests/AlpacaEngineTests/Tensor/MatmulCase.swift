// What the tests of the matrix products work with: random matrices of every type, buffers that end at a page nobody may touch, and
// the calls of a kernel table.

import CAlpacaKernels
import Testing

import Glibc

/// xorshift64: the same numbers in every run.
struct Numbers {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    /// In -1 ... 1, in steps of a thousandth.
    mutating func unit() -> Float { Float(Int(next() >> 11 % 2001) - 1000) / 1000 }

    /// A finite binary16 number: one in ten zero, one in ten subnormal.
    mutating func half() -> UInt16 {
        let bits = next()
        switch bits >> 32 % 10 {
        case 0: return UInt16(truncatingIfNeeded: bits & 0x8000)
        case 1: return UInt16(truncatingIfNeeded: bits & 0x83FF)
        default: return UInt16(truncatingIfNeeded: (bits & 0x8FFF) | 0x2000)
        }
    }
}

/// Memory whose last byte is followed by a page that may not be read.
final class Guarded {
    let base: UnsafeMutableRawPointer
    private let mapping: UnsafeMutableRawPointer
    private let length: Int

    /// - Parameter aligned: the base is at a multiple of this, so up to `aligned - 1` bytes may lie behind the buffer.
    init(_ count: Int, aligned: Int = 1) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let rounded = (count + aligned - 1) / aligned * aligned
        let data = max(rounded + page - 1, page) / page * page
        length = data + page
        guard let start = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0), start != MAP_FAILED else {
            fatalError("no memory for a test buffer of \(length) bytes")
        }
        mprotect(start + data, page, PROT_NONE)
        mapping = start
        base = start + (data - rounded)
    }

    deinit { munmap(mapping, length) }

    var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
}

/// A tensor type as the tests need it: the block's geometry, and where in it a scale must be made finite, and how it lies there.
struct MatmulFormat: CustomTestStringConvertible, Sendable {
    let name: String
    let type: Int32
    let weights: Int
    let bytes: Int
    let scales: [Int]
    var decode = Int32(KERN_DECODE_LINEAR)

    var testDescription: String { name }
    var isFloat: Bool { weights == 1 }

    /// The rows of types.def. F32 and BF16 have no binary16 number: their weights are made finite as a whole.
    static let all: [MatmulFormat] = kernelTypes().map { row in
        let scales = row.number == Int32(KERN_F32) || row.number == Int32(KERN_BF16) ? [] : Set([Int(row.scale), Int(row.second_scale)])
        return MatmulFormat(
            name: String(cString: row.name), type: row.number, weights: Int(row.weights), bytes: Int(row.bytes), scales: scales.sorted(),
            decode: row.decode)
    }

    /// Shapes (rows, columns): less and more than a panel, a block of rows and a run of blocks, none a multiple of all.
    var shapes: [(rows: Int, columns: Int)] {
        if isFloat { return [(1, 5), (17, 37), (65, 768), (197, 1040), (3941, 33)] }
        if weights == 32 { return [(1, 32), (17, 288), (64, 256), (65, 768), (130, 4352), (3941, 64)] }
        return [(1, 256), (17, 768), (64, 512), (65, 256), (70, 4352), (3941, 256)]
    }
}

/// A random matrix that ends where its memory ends.
struct RandomMatrix {
    let format: MatmulFormat
    let rows: Int
    let columns: Int
    let rowBytes: Int
    let memory: Guarded

    init(_ format: MatmulFormat, rows: Int, columns: Int, finite: Bool = true, numbers: inout Numbers) {
        self.format = format
        self.rows = rows
        self.columns = columns
        rowBytes = columns / format.weights * format.bytes
        memory = Guarded(rows * rowBytes)
        let bytes = memory.base
        for at in stride(from: 0, to: rows * rowBytes, by: format.bytes) {
            var i = 0
            while i < format.bytes {
                let word = numbers.next()
                for k in 0..<min(8, format.bytes - i) {
                    bytes.storeBytes(of: UInt8(truncatingIfNeeded: word >> UInt64(8 * k)), toByteOffset: at + i + k, as: UInt8.self)
                }
                i += 8
            }
            guard finite else { continue }
            for scale in format.scales { Self.store(scale: &numbers, at: bytes + at + scale, format.decode) }
            if format.type == 0 { bytes.storeBytes(of: numbers.unit(), toByteOffset: at, as: Float.self) }
            if format.type == 30 {
                bytes.storeBytes(of: UInt16(truncatingIfNeeded: numbers.unit().bitPattern >> 16), toByteOffset: at, as: UInt16.self)
            }
        }
    }

    private static func store(scale numbers: inout Numbers, at place: UnsafeMutableRawPointer, _ decode: Int32) {
        let half = numbers.half()
        switch decode {
        case Int32(KERN_DECODE_EXPONENT16):  // 2^-28 to 2^22, and the two subnormal ones
            place.storeBytes(of: half & 0x7FFF < 0x400 ? UInt8(half & 1) : UInt8(100 + half % 50), as: UInt8.self)
        case Int32(KERN_DECODE_GRID_SPREAD):
            for i in 0..<4 {
                let top = place + 2 * i + 1
                let low = top.load(as: UInt8.self) & 15
                top.storeBytes(of: low | UInt8(truncatingIfNeeded: half >> (4 * i)) << 4, as: UInt8.self)
            }
        default: place.storeBytes(of: half, as: UInt16.self)
        }
    }

    /// Every byte of it.
    func fill(_ byte: UInt8) { memset(memory.base, Int32(byte), rows * rowBytes) }

    var matrix: kern_matrix {
        kern_matrix(base: memory.base, rows: rows, columns: columns, row_bytes: rowBytes, type: format.type, reserved: 0)
    }

    /// Row `row` as floats, by the plain C path.
    func weights(row: Int, _ table: UnsafePointer<kern_table>) -> [Float] {
        var out = [Float](repeating: 0, count: columns)
        table.pointee.vector.dequantize_row(format.type, memory.base + row * rowBytes, columns, &out)
        return out
    }
}

/// Inputs of some tokens, `stride` floats apart, the last one ending where its memory ends.
struct RandomInputs {
    let columns: Int
    let tokens: Int
    let stride: Int
    let memory: Guarded

    init(columns: Int, tokens: Int, gap: Int = 3, numbers: inout Numbers) {
        self.columns = columns
        self.tokens = tokens
        stride = columns + gap
        memory = Guarded((stride * (tokens - 1) + columns) * 4, aligned: 4)
        for i in 0..<stride * (tokens - 1) + columns { memory.floats[i] = numbers.unit() * 3 }
        // A block of zeros, and one whose scale is subnormal.
        for i in 0..<min(32, columns) where tokens > 1 {
            memory.floats[i] = 0
            memory.floats[stride + i] *= 1e-37
        }
    }

    func token(_ t: Int) -> [Float] { (0..<columns).map { memory.floats[t * stride + $0] } }
}

/// One path's calls, with buffers of exactly the sizes it asks for.
struct MatmulPath {
    let table: UnsafePointer<kern_table>
    let name: String

    /// The paths that this machine can run, plain C first.
    static var all: [MatmulPath] {
        ["generic", "avx2", "avxvnni", "avx512", "avx512vbmi", "neon", "i8mm"].compactMap { name in
            kern_named(name).map { MatmulPath(table: $0, name: name) }
        }
    }

    /// Results as (token, row), from row blocks of `rowsAtOnce`, computed in descending order.
    func product(_ w: RandomMatrix, _ x: RandomInputs, tokens: Range<Int>? = nil, rowsAtOnce: Int = .max) -> [UInt32] {
        let m = table.pointee.matmul
        let range = tokens ?? 0..<x.tokens
        let n = range.count
        var matrix = w.matrix
        let packed = Guarded(m.packed_bytes(x.columns / 32 * 32, n), aligned: 64)
        var inputs = kern_inputs(
            x: x.memory.floats + range.lowerBound * x.stride, stride: x.stride, columns: x.columns, n_tokens: n,
            packed: w.format.isFloat ? nil : packed.base)
        if !w.format.isFloat {
            let group = m.pack_group(n)
            for first in stride(from: 0, to: n, by: group).reversed() { m.pack_inputs(&inputs, first, min(n, first + group)) }
        }
        let scratch = Guarded(m.scratch_bytes(x.columns, n), aligned: 64)
        // A gap behind each token's results, which must stay as it is.
        let gap = 5
        let yStride = w.rows + gap
        let canary: UInt32 = 0xAAAA_AAAA
        let y = Guarded(yStride * n * 4, aligned: 4)
        let bits = y.base.assumingMemoryBound(to: UInt32.self)
        for i in 0..<yStride * n { bits[i] = canary }
        let step = min(rowsAtOnce, w.rows)
        for first in stride(from: 0, to: w.rows, by: step).reversed() {
            m.matmul(&matrix, first, min(w.rows, first + step), &inputs, kern_ahead(), y.floats, yStride, scratch.base)
        }
        var out: [UInt32] = []
        out.reserveCapacity(n * (w.rows + 1))
        for t in 0..<n {
            for r in 0..<w.rows { out.append(bits[t * yStride + r]) }
            // Any write into the gap shows as a difference to the other paths' results and to a single token's.
            let touched = (0..<gap).contains { bits[t * yStride + w.rows + $0] != canary }
            out.append(touched ? 1 : 0)
        }
        return out
    }
}

import CAlpacaKernels

/// Blocks of any type: a byte for the type, a byte for the number of rows and tokens and for a CPU path, then the bytes of the rows, which repeat
/// until there are enough. The path reads weights and products from them as plain C does. Buffers end where the rows end.
enum BlocksTarget {
    nonisolated(unsafe) private static let types: [kern_type] = {
        var count = 0
        let rows = kern_types(&count)
        return (0..<count).map { rows![$0] }.filter { $0.weights > 1 }
    }()
    nonisolated(unsafe) private static let plain = kern_named("generic")!
    nonisolated(unsafe) private static let paths: [UnsafePointer<kern_table>] = {
        let names = ["avx512vbmi", "avx512", "avxvnni", "avx2", "neon", "i8mm"]
        let fast = names.compactMap { (name: String) in kern_named(name) }
        return fast.isEmpty ? [plain] : fast
    }()
    private static let columns = 256

    static func run(_ bytes: [UInt8]) throws {
        guard bytes.count > 2 else { return }
        let type = types[Int(bytes[0]) % types.count]
        let rows = [1, 2, 8, 17][Int(bytes[1] & 3)], tokens = [1, 3, 9, 17][Int(bytes[1] >> 2 & 3)]
        let path = paths[Int(bytes[1] >> 4) % paths.count]
        let rowBytes = columns / Int(type.weights) * Int(type.bytes), count = rows * rowBytes
        let matrix = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
        defer { matrix.deallocate() }
        for i in 0..<count { matrix.storeBytes(of: bytes[2 + i % (bytes.count - 2)], toByteOffset: i, as: UInt8.self) }

        let weights = UnsafeMutablePointer<Float>.allocate(capacity: columns)
        defer { weights.deallocate() }
        func read(_ row: Int, _ path: UnsafePointer<kern_table>) -> [Float] {
            path.pointee.vector.dequantize_row(type.number, matrix + row * rowBytes, columns, weights)
            return (0..<columns).map { weights[$0] }
        }
        for row in Set([0, rows - 1]) { precondition(same(read(row, path), read(row, plain)), "a path reads other weights") }
        let whole = kern_matrix(base: matrix, rows: rows, columns: columns, row_bytes: rowBytes, type: type.number, reserved: 0)
        precondition(same(product(path, whole, tokens), product(plain, whole, tokens)), "a path computes other products")
    }

    private static func product(_ path: UnsafePointer<kern_table>, _ matrix: kern_matrix, _ tokens: Int) -> [Float] {
        let m = path.pointee.matmul
        let x = UnsafeMutablePointer<Float>.allocate(capacity: columns * tokens)
        let y = UnsafeMutablePointer<Float>.allocate(capacity: matrix.rows * tokens)
        let packed = UnsafeMutableRawPointer.allocate(byteCount: m.packed_bytes(columns, tokens), alignment: 64)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: m.scratch_bytes(columns, tokens), alignment: 64)
        defer {
            x.deallocate()
            y.deallocate()
            packed.deallocate()
            scratch.deallocate()
        }
        for i in 0..<columns * tokens { x[i] = Float((i * 7_919 + i / columns * 31) % 255 - 127) / 64 }
        var inputs = kern_inputs(x: x, stride: columns, columns: columns, n_tokens: tokens, packed: packed)
        m.pack_inputs(&inputs, 0, tokens)
        var matrix = matrix
        m.matmul(&matrix, 0, matrix.rows, &inputs, kern_ahead(), y, matrix.rows, scratch)
        return (0..<matrix.rows * tokens).map { y[$0] }
    }

    /// To the bit; which NaN it is does not matter.
    private static func same(_ a: [Float], _ b: [Float]) -> Bool {
        a.count == b.count && a.indices.allSatisfy { a[$0].bitPattern == b[$0].bitPattern || a[$0].isNaN && b[$0].isNaN }
    }
}

// The matrix products: plain C against a loop in double precision, and every other path against plain C, bit for bit.

import CAlpacaKernels
import Testing

@Suite("Matrix product kernels")
struct MatmulKernelTests {
    /// The inputs as a quantized product sees them: int8 in blocks of 32, scale = amax / 127.
    static func quantized(_ x: [Float]) -> [Double] {
        var out: [Double] = []
        for begin in stride(from: 0, to: x.count, by: 32) {
            let block = x[begin..<begin + 32]
            let amax = block.reduce(0) { max($0, $1.magnitude) }
            let inverse = amax >= 0x1p-120 ? 127 / amax : 0
            for v in block { out.append(Double((v * inverse).rounded(.toNearestOrEven)) * Double(amax / 127)) }
        }
        return out
    }

    @Test("plain C equals a loop in double precision", arguments: MatmulFormat.all)
    func plainLoop(format: MatmulFormat) throws {
        let generic = try #require(MatmulPath.all.first { $0.name == "generic" })
        var numbers = Numbers(UInt64(format.type) + 1)
        for shape in format.shapes {
            let w = RandomMatrix(format, rows: shape.rows, columns: shape.columns, numbers: &numbers)
            for tokens in [1, 3, 7] {
                let x = RandomInputs(columns: shape.columns, tokens: tokens, numbers: &numbers)
                let y = generic.product(w, x)
                let seen = (0..<tokens).map { t in format.isFloat ? x.token(t).map(Double.init) : Self.quantized(x.token(t)) }
                for row in Set([0, shape.rows / 2, shape.rows - 1, shape.rows * 5 / 7]) {
                    let weights = w.weights(row: row, generic.table).map(Double.init)
                    let most = weights.reduce(0) { max($0, $1.magnitude) }
                    for t in 0..<tokens {
                        var sum = 0.0
                        var inputs = 0.0
                        for k in 0..<shape.columns {
                            sum += weights[k] * seen[t][k]
                            inputs += seen[t][k].magnitude
                        }
                        // One rounding in 2^24 for each addition on the way of a sum, and a few for the scales.
                        let additions = Double(shape.columns) / (format.isFloat ? 16 : 32) * 2 + 8
                        let bound = most * inputs * additions * 0x1p-24 + 1e-42
                        let found = Double(Float(bitPattern: y[t * (shape.rows + 1) + row]))
                        #expect((found - sum).magnitude <= bound, "\(shape), token \(t) of \(tokens), row \(row): \(found), not \(sum)")
                    }
                }
            }
        }
    }

    @Test("every path gives the bits of plain C, whatever the batch and the split", arguments: MatmulFormat.all)
    func sameBits(format: MatmulFormat) throws {
        let paths = MatmulPath.all
        let generic = try #require(paths.first { $0.name == "generic" })
        var numbers = Numbers(UInt64(format.type) + 100)
        for shape in format.shapes {
            let w = RandomMatrix(format, rows: shape.rows, columns: shape.columns, numbers: &numbers)
            let x = RandomInputs(columns: shape.columns, tokens: 40, numbers: &numbers)
            let expected = generic.product(w, x)
            #expect(!(0..<40).contains { expected[$0 * (shape.rows + 1) + shape.rows] != 0 }, "\(shape): wrote behind a token's results")
            for path in paths {
                for tokens in [0..<1, 4..<6, 6..<9, 0..<4, 9..<14, 1..<8, 3..<15, 2..<10, 5..<22, 1..<25, 4..<29, 0..<30, 0..<40] {
                    let rowsAtOnce = tokens.count % 2 == 0 ? 64 : 192
                    let same = path.product(w, x, tokens: tokens, rowsAtOnce: rowsAtOnce).elementsEqual(
                        expected[tokens.lowerBound * (shape.rows + 1)..<tokens.upperBound * (shape.rows + 1)])
                    #expect(same, "\(path.name), \(shape), tokens \(tokens)")
                }
            }
        }
    }

    @Test("infinities and NaN stay with their token, and every scale is memory-safe", arguments: MatmulFormat.all)
    func notFinite(format: MatmulFormat) throws {
        var numbers = Numbers(UInt64(format.type) + 200)
        let columns = format.isFloat ? 100 : 512
        let w = RandomMatrix(format, rows: 70, columns: columns, numbers: &numbers)
        let wild = RandomMatrix(format, rows: 70, columns: columns, finite: false, numbers: &numbers)
        for tokens in [2, 4, 9, 14, 27] {
            let x = RandomInputs(columns: columns, tokens: tokens, numbers: &numbers)
            for path in MatmulPath.all {
                let before = path.product(w, x)
                let kept = (x.memory.floats[3], x.memory.floats[columns - 1])
                x.memory.floats[3] = .nan
                x.memory.floats[columns - 1] = .infinity
                let after = path.product(w, x)
                #expect(after.dropFirst(71) == before.dropFirst(71), "\(path.name), \(tokens) tokens")
                #expect(after.prefix(70).allSatisfy { !Float(bitPattern: $0).isFinite }, "\(path.name), \(tokens) tokens")
                let any = path.product(wild, x)
                #expect(any[70] == 0, "\(path.name), \(tokens) tokens: wrote behind the results")
                (x.memory.floats[3], x.memory.floats[columns - 1]) = kept
            }
        }
    }

    @Test("the machine's best path is one that can be named")
    func best() throws {
        let best = try #require(kern_best())
        #expect(MatmulPath.all.contains { $0.table == best })
        #expect(kern_named("no such path") == nil)
        #expect(kern_named(nil) == nil)
    }
}

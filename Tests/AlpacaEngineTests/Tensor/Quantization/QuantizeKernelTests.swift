import CAlpacaKernels
import Testing

@testable import AlpacaEngine

/// The encoders on every CPU path, on rows that are hard for them. Their figures against ggml's are QuantizerTests'.
@Suite struct QuantizeKernelTests {
    static let paths: [String] = KernelPath.all.map(\.name)

    static func encode(_ path: String, _ type: TensorType, _ row: [Float], importance: [Float]? = nil) throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0xAA, count: try type.bytesPerRow(columns: row.count))
        let table = try #require(kern_named(path))
        let ok = table.pointee.vector.quantize_row(Int32(type.rawValue), row, row.count, importance, &bytes)
        return ok == 0 ? nil : bytes
    }

    static func decode(_ type: TensorType, _ bytes: [UInt8], _ count: Int) -> [Float] {
        var floats = [Float](repeating: 0, count: count)
        kern_named("generic").pointee.vector.dequantize_row(Int32(type.rawValue), bytes, count, &floats)
        return floats
    }

    static let rows: [(name: String, values: [Float])] = {
        var random = SplitMix(7)
        let noise = random.floats(512)
        return [
            ("noise", noise), ("zero", .init(repeating: 0, count: 512)), ("negative zero", .init(repeating: -0.0, count: 512)),
            ("all alike", .init(repeating: 0.37, count: 512)), ("all alike, negative", .init(repeating: -0.37, count: 512)),
            ("positive", noise.map { abs($0) + 1 }), ("negative", noise.map { -abs($0) - 1 }),
            ("tiny", noise.map { $0 * 1e-9 }), ("subnormal", noise.map { $0 * 0x1p-135 }), ("large", noise.map { $0 * 1e38 }),
            ("one outlier", noise.enumerated().map { $0 == 100 ? 1000 : $1 }), ("single", (0..<512).map { $0 == 300 ? -2 : 0 }),
            ("ties", (0..<512).map { Float($0 % 17 - 8) / 8 }),
        ]
    }()

    @Test(arguments: TensorType.allCases.filter(\.facts.isWritable))
    func `all paths give the same bytes, and finite weights`(type: TensorType) throws {
        var random = SplitMix(3)
        let importance = random.floats(512).map { abs($0) }
        for (name, row) in Self.rows {
            for weights in [nil, importance, [Float](repeating: 0, count: 512)] {
                let expected = try #require(try Self.encode("generic", type, row, importance: weights))
                for path in Self.paths {
                    let bytes = try Self.encode(path, type, row, importance: weights)
                    #expect(bytes == expected, "\(name) on \(path)")
                }
                if name != "large" || type == .f32 || type == .bf16 {
                    #expect(Self.decode(type, expected, 512).allSatisfy { $0.isFinite }, "\(name)")
                }
            }
        }
    }

    /// Types whose entries would have to be searched for.
    @Test(arguments: TensorType.allCases.filter { !$0.facts.isWritable }) func `what can't be written is refused`(type: TensorType) throws {
        for path in Self.paths {
            let bytes = try Self.encode(path, type, Self.rows[0].values)
            #expect(bytes == nil)
        }
    }

    @Test(arguments: TensorType.allCases.filter { $0.isQuantized && $0.facts.isWritable })
    func `infinity and NaN are refused wherever they stand`(type: TensorType) throws {
        for bad in [Float.infinity, -.infinity, .nan] {
            for place in [0, 17, 255, 511] {
                var row = Self.rows[0].values
                row[place] = bad
                for path in Self.paths {
                    let bytes = try Self.encode(path, type, row)
                    #expect(bytes == nil)
                }
            }
        }
    }

    @Test(arguments: TensorType.allCases.filter { $0.facts.heedsImportance })
    func `importance lowers the error where it is high`(type: TensorType) throws {
        // MXFP4 has nothing to choose but the exponent: that matters where a few weights are much greater than the others.
        let row = Self.rows[0].values.map { type == .mxfp4 ? $0 * $0 * $0 : $0 }
        let importance = (0..<512).map { $0 % 4 == 0 ? Float(50) : 1 }
        func error(_ bytes: [UInt8]) -> Float {
            zip(zip(row, Self.decode(type, bytes, 512)), importance).reduce(0) { $0 + $1.1 * ($1.0.0 - $1.0.1) * ($1.0.0 - $1.0.1) }
        }
        let plain = try #require(try Self.encode("generic", type, row))
        let weighted = try #require(try Self.encode("generic", type, row, importance: importance))
        #expect(error(weighted) < error(plain) * (type == .mxfp4 ? 1 : 0.95))
    }

    /// Most types of blocks of 32 are searched eight blocks at a time: neighbours and the end of the row change nothing.
    @Test(arguments: TensorType.allCases.filter { $0.facts.heedsImportance && $0.elementsPerBlock == 32 })
    func `a block depends on itself alone`(type: TensorType) throws {
        var random = SplitMix(9)
        let row = random.floats(32 * 13), importance = random.floats(32 * 13).map { abs($0) }
        for path in Self.paths {
            let all = try #require(try Self.encode(path, type, row, importance: importance))
            for block in 0..<13 {
                let range = 32 * block..<32 * (block + 1)
                let one = try #require(try Self.encode(path, type, Array(row[range]), importance: Array(importance[range])))
                #expect(one[...] == all[one.count * block..<one.count * (block + 1)])
            }
            var some = importance
            some.replaceSubrange(32..<64, with: [Float](repeating: 0, count: 32))
            let plain = try #require(try Self.encode(path, type, row))
            let mixed = try #require(try Self.encode(path, type, row, importance: some))
            let bytes = type.bytesPerBlock
            #expect(mixed[bytes..<2 * bytes] == plain[bytes..<2 * bytes])
            #expect(mixed[2 * bytes..<3 * bytes] == all[2 * bytes..<3 * bytes])
        }
    }

    @Test func `BF16 rounds to nearest even`() throws {
        let values: [(Float, UInt16)] = [
            (1, 0x3F80), (Float(bitPattern: 0x3F80_8000), 0x3F80),
            (Float(bitPattern: 0x3F81_8000), 0x3F82), (Float(bitPattern: 0x3F80_8001), 0x3F81),
            (.infinity, 0x7F80), (.greatestFiniteMagnitude, 0x7F80), (-0.0, 0x8000), (Float(bitPattern: 0x7F80_0001), 0x7FC0),
        ]
        let bytes = try #require(try Self.encode("generic", .bf16, values.map(\.0)))
        #expect(stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 } == values.map(\.1))
    }
}

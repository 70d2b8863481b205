import AlpacaEngine
import Foundation
import Testing

@Suite struct GGUFReaderTests {
    typealias B = GGUFBytes

    static func open(_ bytes: [UInt8]) throws -> GGUFReader {
        try Fixtures.withFile(bytes) { try GGUFReader(InputFile(path: $0)) }
    }

    /// Every type of value, in each version that has it.
    @Test(arguments: [1, 2, 3] as [UInt32])
    func allMetadataTypes(version v: UInt32) throws {
        let strings = B.join(B.u32(8), B.word(3, v), B.string("山", v), B.string("", v), B.word(2, v), [0xff, 0x41])
        var values: [(String, UInt32, [UInt8], GGUFValue)] = [
            ("a.u8", 0, B.u8(200), .uint8(200)), ("a.i8", 1, B.u8(0x80), .int8(-128)), ("a.u16", 2, B.u16(65535), .uint16(65535)),
            ("a.i16", 3, B.u16(0x8000), .int16(-32768)), ("a.u32", 4, B.u32(4_000_000_000), .uint32(4_000_000_000)),
            ("a.i32", 5, B.u32(UInt32(bitPattern: -5)), .int32(-5)), ("a.f32", 6, B.f32(-0.5), .float32(-0.5)),
            ("a.true", 7, B.u8(1), .bool(true)), ("a.false", 7, B.u8(0), .bool(false)),
            ("a.string", 8, B.string("你好", v), .string("你好")),
            ("a.u8s", 9, B.join(B.u32(0), B.word(2, v), [1, 255]), .array(.uint8([1, 255]))),
            ("a.i8s", 9, B.join(B.u32(1), B.word(1, v), [255]), .array(.int8([-1]))),
            ("a.u16s", 9, B.join(B.u32(2), B.word(1, v), B.u16(300)), .array(.uint16([300]))),
            ("a.i16s", 9, B.join(B.u32(3), B.word(1, v), B.u16(0xffff)), .array(.int16([-1]))),
            ("a.u32s", 9, B.join(B.u32(4), B.word(1, v), B.u32(7)), .array(.uint32([7]))),
            ("a.i32s", 9, B.join(B.u32(5), B.word(2, v), B.u32(7), B.u32(0xffff_fffe)), .array(.int32([7, -2]))),
            ("a.f32s", 9, B.join(B.u32(6), B.word(2, v), B.f32(1), B.f32(-.infinity)), .array(.float32([1, -.infinity]))),
            ("a.bools", 9, B.join(B.u32(7), B.word(2, v), [1, 0]), .array(.bool([true, false]))),
            ("a.none", 9, B.join(B.u32(4), B.word(0, v)), .array(.uint32([]))),
        ]
        if v > 1 {
            values += [
                ("a.u64", 10, B.u64(UInt64.max), .uint64(UInt64.max)), ("a.i64", 11, B.u64(UInt64.max), .int64(-1)),
                ("a.f64", 12, B.f64(1e300), .float64(1e300)),
                ("a.u64s", 9, B.join(B.u32(10), B.word(1, v), B.u64(1 << 63)), .array(.uint64([1 << 63]))),
                ("a.i64s", 9, B.join(B.u32(11), B.word(1, v), B.u64(1 << 63)), .array(.int64([Int64.min]))),
                ("a.f64s", 9, B.join(B.u32(12), B.word(1, v), B.f64(0.1)), .array(.float64([0.1]))),
            ]
        }
        var bytes = B.header(version: v, keys: values.count + 1)
        for value in values { bytes += B.key(value.0, value.1, value.2, v) }
        bytes += B.key("a.strings", 9, strings, v)
        let reader = try Self.open(bytes)
        #expect(reader.version == v)
        #expect(reader.alignment == 32)
        #expect(reader.metadata.keys == values.map(\.0) + ["a.strings"])
        for value in values { #expect(reader.metadata[value.0] == value.3, "\(value.0)") }
        let list = try reader.metadata.strings("a.strings")
        #expect(list.map { Array($0) } == [Array("山".utf8), [], [0xff, 0x41]])
        #expect(list.text(2) == "\u{fffd}A")
    }

    /// Shapes turned, offsets absolute, data as it lies in the file; the alignment of the file's own choice.
    @Test(arguments: [(1, 32), (2, 32), (3, 32), (3, 64), (3, 8)] as [(UInt32, Int)])
    func tensorsAndData(version v: UInt32, alignment: Int) throws {
        let first = (0..<6).flatMap { B.f32(Float($0)) }
        let second = [UInt8](repeating: 7, count: 18)
        var bytes = B.header(version: v, tensors: 2, keys: 1)
        bytes += B.key("general.alignment", 4, B.u32(UInt32(alignment)), v)
        bytes += B.tensor("a", dims: [3, 2], v)
        bytes += B.tensor("b", dims: [32], type: 2, offset: UInt64(B.padded(first, to: alignment).count), v)
        bytes = B.padded(bytes, to: alignment)
        let start = bytes.count
        bytes += B.padded(first, to: alignment) + second
        // Reading the data needs the file itself.
        try Fixtures.withFile(bytes) { path in
            let reader = try GGUFReader(InputFile(path: path))
            #expect(reader.dataStart == start)
            #expect(reader.tensors.map(\.name) == ["a", "b"])
            #expect(reader.tensors.map(\.shape) == [[2, 3], [32]])
            #expect(reader.tensors.map(\.type) == [.f32, .q4_0])
            #expect(reader.tensors.map(\.byteCount) == [24, 18])
            #expect(reader.offset(of: 0) == start)
            #expect(reader.offset(of: 1) == start + B.padded(first, to: alignment).count)
            #expect(reader.index(of: "b") == 1)
            #expect(reader.index(of: "c") == nil)
            #expect(try read(reader, 0) == first)
            #expect(try read(reader, 1) == second)
            let none = alpacaError { _ = try read(reader, 2) }
            #expect(none == AlpacaError(.invalidArgument, "\(path): there is no tensor 2, the file has 2"))
            // The file is cut short behind the reader's back.
            let cut = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try cut.truncate(atOffset: UInt64(bytes.count - 1))
            let error = alpacaError { _ = try read(reader, 1) }
            #expect(error == AlpacaError(.truncated, "\(path): the file became shorter while tensor \"b\" was read"))
        }
    }

    private func read(_ reader: GGUFReader, _ index: Int) throws -> [UInt8] {
        try reader.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) -> [UInt8] in
            bytes.byteOffsets.map { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
    }

    @Test func theFileOfAFullVocabularyIsReadInProportion() throws {
        var bytes = B.header(keys: 1) + B.string("tokenizer.ggml.tokens") + B.u32(9) + B.u32(8) + B.word(50_000)
        for i in 0..<50_000 { bytes += B.string("piece \(i)") }
        let list = try Self.open(bytes).metadata.strings("tokenizer.ggml.tokens")
        #expect(list.count == 50_000)
        #expect(list.text(0) == "piece 0")
        #expect(list.text(49_999) == "piece 49999")
        #expect(list.bytes.count == (0..<50_000).reduce(0) { $0 + "piece \($1)".utf8.count })
    }

    // MARK: Hostile headers

    struct Case: CustomTestStringConvertible {
        let bytes: [UInt8]
        let code: AlpacaError.Code
        let message: String
        var testDescription: String { message }
        init(_ code: AlpacaError.Code, _ message: String, _ bytes: [UInt8]...) {
            self.code = code
            self.message = message
            self.bytes = Array(bytes.joined())
        }
    }

    static let u8 = B.key("k", 0, [1])
    static let dim3 = B.padded(B.header(tensors: 1) + B.tensor("t", dims: [8, 1, 1, 1]))
    static func twoTensors(_ second: UInt64) -> [UInt8] {
        B.padded(B.header(tensors: 2) + B.tensor("a", dims: [16]) + B.tensor("b", dims: [16], offset: second))
            + [UInt8](repeating: 0, count: 256)
    }

    static let hostile: [Case] = [
        // Magic, version, counts
        Case(.truncated, "magic at byte 0: needs 4 bytes, 3 are left (is the file complete?)", Array("GGU".utf8)),
        Case(.badFormat, "magic: found \"gguf\", expected \"GGUF\"", Array("gguf".utf8)),
        Case(.truncated, "version at byte 4: needs 4 bytes, 0 are left (is the file complete?)", Array("GGUF".utf8)),
        Case(.unsupported, "version: found 0, supported are 1, 2 and 3", B.header(version: 0)),
        Case(.unsupported, "version: found 4, supported are 1, 2 and 3", B.header(version: 4)),
        Case(
            .unsupported,
            "version: this is a big-endian file (version 3), only little-endian ones are supported: "
                + "convert it with `gguf-convert-endian FILE little` of the Python package gguf", B.header(version: 3 << 24)),
        Case(
            .badFormat, "tensor count at byte 8: found 18446744073709551615, at most 0 fit in the rest of the file",
            Array("GGUF".utf8), B.u32(3), B.u64(.max), B.u64(0)),
        Case(
            .badFormat, "key count at byte 16: found 461168601842738791, at most 0 fit in the rest of the file",
            Array("GGUF".utf8), B.u32(3), B.u64(0), B.u64(461_168_601_842_738_791)),
        Case(
            .badFormat, "key count: found 65537, expected at most 65536", B.header(keys: 65_537),
            [UInt8](repeating: 0, count: 65_537 * 13)),
        // Keys
        Case(
            .badFormat, "length of metadata key 0 at byte 24: found 9223372036854775808, at most 6 fit in the rest of the file",
            B.header(keys: 1), B.u64(1 << 63), [1, 2, 3, 4, 5, 6]),
        Case(
            .badFormat, "metadata key 0 at byte 24: found a length of 0 bytes, expected 1 to 65535", B.header(keys: 1), B.string(""), u8),
        Case(
            .badFormat, "metadata key 0 at byte 24: found a length of 65536 bytes, expected 1 to 65535", B.header(keys: 1),
            B.key(String(repeating: "k", count: 65_536), 0, [1])),
        Case(
            .badFormat, "metadata key 0 at byte 24: found \"k\\u{0}k\", expected printable ASCII characters", B.header(keys: 1),
            B.key("k\0k", 0, [1])),
        Case(
            .badFormat, "metadata key 0 at byte 24: found \"\u{fffd}kkk\", expected printable ASCII characters", B.header(keys: 1),
            B.word(4), [0xff], Array("kkk".utf8), B.u32(0), [1]),
        Case(.badFormat, "metadata key \"k\" is there twice", B.header(keys: 2), u8, u8),
        // Values
        Case(
            .badFormat, "metadata key \"k\": value type at byte 33: found 13, expected 0 to 12 in version 3", B.header(keys: 1),
            B.key("k", 13, B.u64(0))),
        Case(
            .badFormat, "metadata key \"k\": value type at byte 21: found 10, expected 0 to 9 in version 1",
            B.header(version: 1, keys: 1), B.key("k", 10, B.u64(0), 1)),
        Case(.badFormat, "metadata key \"k\": bool at byte 37: found 2, expected 0 or 1", B.header(keys: 1), B.key("k", 7, [2])),
        Case(
            .truncated, "metadata key \"k\": value at byte 37: needs 4 bytes, 3 are left (is the file complete?)", B.header(keys: 1),
            B.key("k", 4, [1, 2, 3])),
        Case(
            .badFormat,
            "metadata key \"k\": string length at byte 37: found 18446744073709551584, at most 4 fit in the rest of the file",
            B.header(keys: 1), B.key("k", 8, B.u64(UInt64.max - 31)), [1, 2, 3, 4]),
        Case(
            .badFormat, "metadata key \"k\": string length: found 16777217, expected at most 16777216", B.header(keys: 1),
            B.key("k", 8, B.word(16_777_217)), [UInt8](repeating: 65, count: 16_777_217)),
        // Arrays
        Case(
            .badFormat, "metadata key \"k\": element type at byte 37: found 77, expected 0 to 12 in version 3", B.header(keys: 1),
            B.key("k", 9, B.u32(77) + B.word(0))),
        Case(
            .unsupported, "metadata key \"k\": arrays of arrays are not supported (no known model has any)", B.header(keys: 1),
            B.key("k", 9, B.u32(9) + B.word(1) + B.u32(9) + B.word(0))),
        Case(
            .badFormat,
            "metadata key \"k\": array length at byte 41: found 4611686018427387904, at most 2 fit in the rest of the file",
            B.header(keys: 1), B.key("k", 9, B.u32(4) + B.u64(1 << 62)), [UInt8](repeating: 0, count: 8)),
        Case(
            .badFormat, "metadata key \"k\": array length at byte 41: found 3, at most 2 fit in the rest of the file",
            B.header(keys: 1), B.key("k", 9, B.u32(8) + B.word(3)), B.string("a"), B.string("")),
        Case(
            .badFormat, "metadata key \"k\": array length: found 16777217, expected at most 16777216", B.header(keys: 1),
            B.key("k", 9, B.u32(0) + B.word(16_777_217)), [UInt8](repeating: 0, count: 16_777_217)),
        Case(
            .badFormat, "metadata key \"k\": string length at byte 58: found 9, at most 4 fit in the rest of the file",
            B.header(keys: 1), B.key("k", 9, B.u32(8) + B.word(2)), B.string("a"), B.word(9), [1, 2, 3, 4]),
        Case(
            .badFormat, "metadata key \"k\": bool at byte 50: found 255, expected 0 or 1", B.header(keys: 1),
            B.key("k", 9, B.u32(7) + B.word(2) + [1, 255])),
        // Alignment
        Case(
            .badFormat, "metadata key \"general.alignment\": found 0, expected a power of two from 8 to 1048576", B.header(keys: 1),
            B.key("general.alignment", 4, B.u32(0))),
        Case(
            .badFormat, "metadata key \"general.alignment\": found 24, expected a power of two from 8 to 1048576", B.header(keys: 1),
            B.key("general.alignment", 4, B.u32(24))),
        Case(
            .badFormat, "metadata key \"general.alignment\": found -8, expected 0 or more", B.header(keys: 1),
            B.key("general.alignment", 5, B.u32(UInt32(bitPattern: -8)))),
        Case(
            .badFormat, "metadata key \"general.alignment\": found the string \"32\", expected an integer", B.header(keys: 1),
            B.key("general.alignment", 8, B.string("32"))),
        // Tensors
        Case(
            .badFormat, "name of tensor 0 at byte 24: found a length of 256 bytes, expected 1 to 255", B.header(tensors: 1),
            B.tensor(String(repeating: "t", count: 256), dims: [8])),
        Case(
            .badFormat, "name of tensor 0 at byte 24: found \"t\\u{1b}[2J\", expected printable ASCII characters", B.header(tensors: 1),
            B.tensor("t\u{1b}[2J", dims: [8])),
        Case(
            .badFormat, "tensor \"t\": found 0 dimensions, expected 1 to 4", B.header(tensors: 1), B.tensor("t", dims: []),
            [UInt8](repeating: 0, count: 32)),
        Case(.badFormat, "tensor \"t\": found 5 dimensions, expected 1 to 4", B.header(tensors: 1), B.tensor("t", dims: [1, 1, 1, 1, 1])),
        Case(
            .badFormat, "tensor \"t\": found 4294967295 dimensions, expected 1 to 4", B.header(tensors: 1), B.string("t"),
            B.u32(.max), [UInt8](repeating: 0, count: 64)),
        Case(
            .badFormat, "tensor \"t\": found a dimension of 0, expected 1 or more (below 2^63)", B.header(tensors: 1),
            B.tensor("t", dims: [32, 0])),
        Case(
            .badFormat, "tensor \"t\": found a dimension of 9223372036854775808, expected 1 or more (below 2^63)", B.header(tensors: 1),
            B.string("t"), B.u32(1), B.u64(1 << 63), B.u32(0), B.u64(0)),
        Case(
            .badFormat, "tensor \"t\": rows: 4294967296 x 4294967296 is out of range", B.header(tensors: 1),
            B.tensor("t", dims: [1, 1 << 32, 1 << 32])),
        Case(
            .badFormat, "tensor \"t\": bytes of a row: 4611686018427387904 x 4 is out of range", B.header(tensors: 1),
            B.tensor("t", dims: [1 << 62])),
        Case(
            .badFormat, "tensor \"t\": elements: 2 x 4611686018427387904 is out of range", B.header(tensors: 1),
            B.tensor("t", dims: [1 << 62, 2], type: 10)),
        Case(
            .badFormat, "tensor \"t\": row length 33 is not a multiple of 32, the block of Q4_0", B.header(tensors: 1),
            B.tensor("t", dims: [33], type: 2)),
        Case(
            .unsupported,
            "tensor \"t\": found type 40 (NVFP4; a file of the model in Q4_K_M or MXFP4 can be opened), supported are \(TensorType.names)",
            B.header(tensors: 1), B.tensor("t", dims: [256], type: 40)),
        Case(
            .unsupported,
            "tensor \"t\": found type 36 (IQ4_NL_4_4, removed from ggml in 2024; take a file of the model in IQ4_NL), supported are "
                + TensorType.names, B.header(tensors: 1), B.tensor("t", dims: [256], type: 36)),
        Case(
            .unsupported,
            "tensor \"t\": found type 32 (Q4_0_4_8, removed from ggml in 2024; take a file of the model in Q4_0), supported are "
                + TensorType.names, B.header(tensors: 1), B.tensor("t", dims: [256], type: 32)),
        Case(
            .unsupported,
            "tensor \"t\": found type 4294967295, supported are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, "
                + "IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ4_NL, IQ3_S, IQ2_S, IQ4_XS, IQ1_M, BF16, TQ1_0, TQ2_0, MXFP4",
            B.header(tensors: 1), B.tensor("t", dims: [256], type: .max)),
        Case(
            .truncated, "tensor \"t\": offset at byte 49: needs 8 bytes, 7 are left (is the file complete?)",
            Array((B.header(tensors: 1) + B.tensor("t", dims: [8])).dropLast())),
        // Places
        Case(
            .badFormat, "tensor \"a\" is there twice", B.header(tensors: 2), B.tensor("a", dims: [8]),
            B.tensor("a", dims: [8])
                + [UInt8](repeating: 0, count: 64)),
        Case(
            .badFormat, "tensor \"t\": found offset 8, expected a multiple of 32",
            B.padded(B.header(tensors: 1) + B.tensor("t", dims: [8], offset: 8))),
        Case(
            .badFormat, "tensor \"t\": found offset 18446744073709551584, expected a multiple of 32",
            B.padded(B.header(tensors: 1) + B.tensor("t", dims: [8], offset: UInt64.max - 31))),
        Case(
            .badFormat, "tensor \"t\": offset: 64 + 9223372036854775776 is out of range",
            B.padded(B.header(tensors: 1) + B.tensor("t", dims: [8], offset: (1 << 63) - 32))),
        Case(
            .truncated, "tensor \"t\": its data ends at byte 128, the file has 127 bytes (is the download complete?)", dim3,
            [UInt8](repeating: 0, count: 31)),
        Case(
            .truncated, "tensor \"t\": its data ends at byte 128, the file has 81 bytes (is the download complete?)",
            B.header(tensors: 1), B.tensor("t", dims: [8, 1, 1, 1])),
        Case(
            .badFormat, "tensor \"b\" at byte 96 lies over tensor \"a\", which has 64 bytes from byte 96 on", twoTensors(0)),
        Case(
            .badFormat, "tensor \"b\" at byte 128 lies over tensor \"a\", which has 64 bytes from byte 96 on", twoTensors(32)),
    ]

    @Test(arguments: hostile)
    func hostileHeader(_ hostile: Case) throws {
        try Fixtures.withFile(hostile.bytes, named: "x.gguf") { path in
            let error = alpacaError { _ = try GGUFReader(InputFile(path: path)) }
            #expect(error == AlpacaError(hostile.code, "\(path): GGUF header: \(hostile.message)"))
        }
    }

    /// Every prefix of a good header is refused without a crash; so is the file with one byte gone.
    @Test func everyPrefixIsRefused() throws {
        let bytes = Self.twoTensors(64).prefix(96 + 64 + 64)
        try Fixtures.withFile(bytes) { path in
            _ = try GGUFReader(InputFile(path: path))
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            for length in (0..<bytes.count).reversed() {
                try handle.truncate(atOffset: UInt64(length))
                let error = alpacaError { _ = try GGUFReader(InputFile(path: path)) }
                #expect(error?.code == .truncated || error?.code == .badFormat, "\(length)")
            }
        }
    }
}

import AlpacaEngine
import Foundation
import Testing

@Suite struct GGUFLayoutTests {
    /// Every type of value and array.
    static func metadata() -> GGUFMetadata {
        var metadata = GGUFMetadata()
        metadata["general.architecture"] = .string("llama")
        let values: [GGUFValue] = [
            .uint8(200), .int8(-100), .uint16(60_000), .int16(-30_000), .uint32(4_000_000_000), .int32(-2_000_000_000), .float32(0.1),
            .bool(true), .bool(false), .string("你好，\n🦙"), .string(""), .uint64(.max), .int64(.min), .float64(-1e300),
            .array(.uint8([0, 255])), .array(.int8([-128, 127])), .array(.uint16([65_535])), .array(.int16([-32_768])),
            .array(.uint32([.max, 0])), .array(.int32([.min, 7])), .array(.float32([0.1, -0.0, .infinity])),
            .array(.bool([true, false, true])), .array(.string(GGUFStrings(["山", "", "a b"]))), .array(.uint64([.max])),
            .array(.int64([.min, -1])), .array(.float64([0.1, 1e-320])),
        ]
        for (i, value) in values.enumerated() { metadata["test.value_\(i)"] = value }
        return metadata
    }

    static func tensors() throws -> [TensorInfo] {
        try [
            TensorInfo(name: "a.weight", type: .f32, shape: [3]), TensorInfo(name: "b.weight", type: .q4_0, shape: [2, 64]),
            TensorInfo(name: "c.weight", type: .f16, shape: [2, 3, 5]), TensorInfo(name: "d.weight", type: .q6_K, shape: [1, 256]),
        ]
    }

    static func data(_ info: TensorInfo) -> [UInt8] { (0..<info.byteCount).map { UInt8(truncatingIfNeeded: $0 &* 7 + info.rank) } }

    static func write(_ metadata: GGUFMetadata, _ tensors: [TensorInfo], to path: String) throws {
        try LayoutFile.write(try GGUFLayout.make(metadata, tensors), tensors.map(data), to: path)
    }

    @Test(arguments: [nil, 32, 8, 4096] as [UInt32?])
    func whatIsWrittenIsRead(alignment: UInt32?) throws {
        var metadata = Self.metadata()
        if let alignment { metadata[GGUFKey.alignment] = .uint32(alignment) }
        try Fixtures.withFolder { folder in
            let tensors = try Self.tensors()
            try Self.write(metadata, tensors, to: folder + "/x.gguf")
            let file = try InputFile(path: folder + "/x.gguf")
            let reader = try GGUFReader(file)
            #expect(reader.version == 3)
            #expect(reader.alignment == Int(alignment ?? 32))
            #expect(reader.metadata == metadata)
            #expect(reader.tensors == tensors)
            for (i, info) in tensors.enumerated() {
                let bytes = try reader.withTensor(i) { (bytes: RawSpan) throws(AlpacaError) in
                    (0..<bytes.byteCount).map { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
                }
                #expect(bytes == Self.data(info))
            }
            #expect(file.size % reader.alignment == 0)
        }
    }

    /// Files that other programs wrote, read and written again: the same bytes.
    @Test(arguments: [MiniFamily.f16, MiniFamily.q8_0]) func aRewrittenFileIsTheSame(path: String) throws {
        let reader = try GGUFReader(InputFile(path: path))
        let layout = try GGUFLayout.make(reader.metadata, reader.tensors)
        let data = try reader.tensors.indices.map { index in
            try reader.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) in bytes.withUnsafeBytes { Array($0) } }
        }
        #expect(try Data(LayoutFile.bytes(layout, data)) == Data(contentsOf: URL(fileURLWithPath: path)))
    }

    @Test func whatTheFormatDoesNotTake() throws {
        func error(_ metadata: GGUFMetadata, _ tensors: [TensorInfo]) -> AlpacaError? {
            alpacaError { _ = try GGUFLayout.make(metadata, tensors) }
        }
        func key(_ name: String, _ value: GGUFValue) -> GGUFMetadata {
            var metadata = GGUFMetadata()
            metadata[name] = value
            return metadata
        }
        let tensor = try TensorInfo(name: "a", type: .f32, shape: [1])
        #expect(
            error(key("", .bool(true)), [])
                == AlpacaError(.badFormat, "metadata key \"\": expected 1 to 65535 printable ASCII characters"))
        #expect(
            error(key("山", .bool(true)), [])
                == AlpacaError(.badFormat, "metadata key \"山\": expected 1 to 65535 printable ASCII characters"))
        #expect(
            error(key(GGUFKey.alignment, .uint32(48)), [])
                == AlpacaError(
                    .badFormat,
                    "metadata key \"general.alignment\": found 48, expected a power of two from 8 to 1048576"))
        #expect(
            error(key("a", .string([UInt8](repeating: 65, count: 16 << 20 + 1))), [])
                == AlpacaError(
                    .badFormat, "metadata key \"a\": found 16777217 bytes of the string, expected at most 16777216"))
        #expect(error(GGUFMetadata(), [tensor, tensor]) == AlpacaError(.badFormat, "tensor \"a\" is there twice"))
        let long = try TensorInfo(name: String(repeating: "n", count: 64), type: .f32, shape: [1])
        #expect(
            error(GGUFMetadata(), [long])
                == AlpacaError(
                    .badFormat,
                    "tensor's name \"\(long.name)\": expected 1 to 63 printable ASCII characters"))
        for (shape, text) in [([], "[]"), ([1, 1, 1, 1, 1], "[1, 1, 1, 1, 1]"), ([0, 4], "[0, 4]")] {
            let info = try TensorInfo(name: "a", type: .f32, shape: shape)
            #expect(
                error(GGUFMetadata(), [info])
                    == AlpacaError(.badFormat, "tensor \"a\": the shape \(text) can't be stored in GGUF"))
        }
    }

    /// For Tests/reference/check_gguf_layout.py, which reads the file with the Python package gguf.
    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["ALPACA_GGUF_OUT"] != nil,
            "writes a file for Tests/reference/check_gguf_layout.py, which sets ALPACA_GGUF_OUT"))
    func aFileForTheReference() throws {
        let path = try #require(ProcessInfo.processInfo.environment["ALPACA_GGUF_OUT"])
        try Self.write(Self.metadata(), Self.tensors(), to: path)
    }
}

extension TensorInfo {
    fileprivate var rank: Int { shape.count }
}

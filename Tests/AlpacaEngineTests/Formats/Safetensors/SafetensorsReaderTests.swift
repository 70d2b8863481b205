import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct SafetensorsReaderTests {
    /// A file of a header, which is padded to `length`, and data.
    static func file(_ header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
        GGUFBytes.u64(length ?? UInt64(header.utf8.count)) + Array(header.utf8) + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
    }

    static func open(_ bytes: [UInt8]) throws -> SafetensorsReader {
        try Fixtures.withFile(bytes, named: "m.safetensors") { try SafetensorsReader(FileRegion(InputFile(path: $0))) }
    }

    @Test func tensorsAreListedInTheOrderOfTheirData() throws {
        let header = """
            {"b": {"shape": [2, 3], "data_offsets": [4, 16], "dtype": "F16"}, "__metadata__": {"format": "pt", "名": "字"},
             "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}, "n": {"dtype": "BF16", "shape": [0, 7], "data_offsets": [16, 16]},
             "i": {"dtype": "I64", "shape": [2], "data_offsets": [16, 32]}, "f": {"dtype": "F4", "shape": [4], "data_offsets": [32, 34]}}
            """
        let reader = try Self.open(Self.file(header, data: 34))
        #expect(reader.tensors.map(\.name) == ["a", "b", "n"])
        #expect(reader.tensors.map(\.type) == [.f32, .f16, .bf16])
        #expect(reader.tensors.map(\.shape) == [[], [2, 3], [0, 7]])
        #expect(reader.metadata == ["format": "pt", "名": "字"])
        #expect(
            reader.others == [ForeignTensor(name: "i", dtype: "I64", shape: [2]), ForeignTensor(name: "f", dtype: "F4", shape: [4])])
        #expect(reader.index(of: "b") == 1)
        #expect(reader.index(of: "i") == nil)
        #expect(try Self.bytes(reader, 1) == Array(4..<16))
        // The last row alone.
        let row = UnsafeMutableRawBufferPointer.allocate(byteCount: 6, alignment: 2)
        defer { row.deallocate() }
        try reader.read(1, rows: 1..<2, into: row, scratch: ScratchArena())
        #expect(Array(row) == Array(10..<16))
        #expect(alpacaError { try reader.read(1, rows: 1..<3, into: row, scratch: ScratchArena()) }?.code == .internalError)
        #expect(alpacaError { try reader.read(3, rows: 0..<1, into: row, scratch: ScratchArena()) }?.code == .internalError)
    }

    @Test func placesAreThereWhereDataAreAligned() throws {
        let tensor = "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}"
        let even = tensor.utf8.count % 2 == 0 ? tensor : tensor + " "
        let place = try #require(try Self.open(Self.file(even, data: 4)).place(of: 0))
        #expect(place.start == 8 + even.utf8.count)
        #expect(place.count == 4)
        let odd = try Self.open(Self.file(even + " ", data: 4))
        #expect(odd.place(of: 0) == nil)
        #expect(odd.place(of: 1) == nil)
        #expect(try Self.bytes(odd, 0) == [0, 1, 2, 3])
    }

    @Test func aMemberOfAnArchive() throws {
        let inner = Self.file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data: 8)
        try Fixtures.withFile([1, 2, 3] + inner + [4]) { path in
            let region = try FileRegion(InputFile(path: path)).region(at: 3, count: inner.count, name: "a.zip/m.safetensors")
            let reader = try SafetensorsReader(region)
            #expect(try Self.bytes(reader, 0) == Array(0..<8))
            let cut = try FileRegion(InputFile(path: path)).region(at: 3, count: inner.count - 1, name: "a.zip/m.safetensors")
            let message =
                "a.zip/m.safetensors: safetensors header: tensor \"a\" ends at byte 8 of the data, the file has 7 bytes of data "
                + "(is the download complete?)"
            #expect(alpacaError { _ = try SafetensorsReader(cut) } == AlpacaError(.truncated, message))
        }
    }

    static func tensor(_ name: String = "a", _ dtype: String = "F32", _ shape: String = "[2]", _ range: String = "[0,8]") -> String {
        "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(range)}"
    }

    /// (bytes, code, message)
    static let refused: [([UInt8], AlpacaError.Code, String)] = [
        ([1, 0, 0], .truncated, "the file has only 3 bytes (is the download complete?)"),
        (file("", data: 1, length: 100_000_001), .badFormat, "found a length of 100000001 bytes, expected at most 100000000"),
        (file("", data: 1, length: .max), .badFormat, "found a length of 18446744073709551615 bytes, expected at most 100000000"),
        (file("{}", data: 0, length: 1), .badFormat, "found a length of 1 bytes, expected 2 or more"),
        (file("{}", data: 0, length: 3), .truncated, "it has 3 bytes, but only 2 are left in the file (is the download complete?)"),
        (file(" {}", data: 0), .badFormat, "found \" \" as its first character, expected \"{\""),
        (file("{\(tensor()),\(tensor())}", data: 8), .badFormat, "the object that ends at line 1, column 108 has the key \"a\" twice"),
        (file("{\(tensor("a", "F7"))}", data: 8), .unsupported, "tensor \"a\": found the unknown dtype \"F7\""),
        (
            file("{\(tensor("a", "F32", "[3]"))}", data: 8), .shapeMismatch,
            "tensor \"a\": found 8 bytes of data, expected 12 for F32 [3]"
        ),
        (
            file("{\(tensor("a", "F32", "[4611686018427387904,4]"))}", data: 8), .badFormat,
            "tensor \"a\": elements: 4611686018427387904 x 4 is out of range"
        ),
        (file("{\(tensor("a", "F32", "[-2]"))}", data: 8), .badFormat, "\"a.shape[0]\": found -2, expected 0 to 9223372036854775807"),
        (file("{\(tensor("a", "F4", "[3]"))}", data: 8), .badFormat, "tensor \"a\": 3 elements of 4 bits are no whole number of bytes"),
        (file("{\(tensor("a", "F32", "[2]", "[8,0]"))}", data: 8), .badFormat, "tensor \"a\": found data from 8 to 0"),
        (
            file("{\(tensor("a", "F32", "[2]", "[0,8,9]"))}", data: 8), .badFormat,
            "\"a.data_offsets\": found an array of 3 elements, expected at most 2 numbers"
        ),
        (
            file("{\(tensor("a", "F32", "[2]", "[8]"))}", data: 8), .badFormat,
            "\"a.data_offsets\": found an array of 1 element, expected two numbers"
        ),
        (
            file("{\(tensor()),\(tensor("b", "F32", "[2]", "[4,12]"))}", data: 12), .badFormat,
            "tensor \"b\" at byte 4 of the data lies over tensor \"a\", which ends at byte 8"
        ),
        (
            file("{\(tensor()),\(tensor("b", "F32", "[2]", "[9,17]"))}", data: 17), .badFormat,
            "tensor \"b\" at byte 9 of the data leaves a gap: what is before it ends at byte 8"
        ),
        (file("{\(tensor())}", data: 9), .badFormat, "the last tensor ends at byte 8 of the data, the file has 9 bytes of data"),
        (file("{\(tensor(""))}", data: 8), .badFormat, "found a tensor without a name"),
        (file("{\"__metadata__\":{\"a\":1}}", data: 0), .badFormat, "\"__metadata__.a\": found 1, expected a string"),
    ]

    @Test(arguments: refused.indices)
    func refusedFiles(_ index: Int) throws {
        let (bytes, code, message) = Self.refused[index]
        let error = try #require(alpacaError { _ = try Self.open(bytes) })
        #expect(error.code == code)
        #expect(error.message.hasSuffix("/m.safetensors: safetensors header: \(message)"), "\(error)")
    }

    // MARK: Against the reference

    /// (file, what the goldens say of its tensors)
    @Test func tensorsOfTheMergedModelHaveTheGoldenHashes() throws {
        let path = MiniFamily.shared("merged-chinese-alpaca-hf/model.safetensors")
        let reader = try #require(try CheckpointReader.open(path) as? SafetensorsReader)
        let goldens = try JSONDocument(InputFile(path: Fixtures.golden("mini/merged_chinese_alpaca.tensors.json").path)).root
        let tensors = try goldens.member("tensors")
        #expect(reader.tensors.count == tensors.count)
        for (i, tensor) in reader.tensors.enumerated() {
            let golden = try tensors.member(tensor.name)
            #expect(try golden.member("shape").array().map { try $0.int() } == tensor.shape)
            #expect(try Self.hash(reader, i) == golden.string("sha256"), "\(tensor.name)")
        }
    }

    static func bytes(_ source: any TensorSource, _ index: Int) throws -> [UInt8] {
        try source.withTensor(index) { bytes throws(AlpacaError) in bytes.withUnsafeBytes { Array($0) } }
    }

    static func hash(_ source: any TensorSource, _ index: Int) throws -> String {
        try source.withTensor(index) { bytes throws(AlpacaError) in
            var hash = SHA256()
            bytes.withUnsafeBytes { hash.update($0) }
            return hash.hexDigest()
        }
    }
}

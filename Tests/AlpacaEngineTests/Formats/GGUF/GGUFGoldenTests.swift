import AlpacaEngine
import Foundation
import Testing

/// The mini models' headers against what the Python package gguf reads (Tests/Goldens/gguf/make_headers.py).
@Suite struct GGUFGoldenTests {
    @Test(arguments: ["f16", "q8_0"]) func headerEqualsThatOfTheReference(variant: String) throws {
        try check(
            "mini-chinese-alpaca-\(variant).gguf",
            Fixtures.repository.appendingPathComponent("models/mini/chinese-alpaca-mini-\(variant).gguf").path)
    }

    @Test(
        .enabled(if: Fixtures.isShared("fixtures/mini/gguf"), "llama-quantize's other files of the mini model are not in ALPACA_SHARED"),
        arguments: ["q4_0", "q4_k_m"])
    func headerEqualsThatOfTheReferenceToo(variant: String) throws {
        let name = "mini-chinese-alpaca-\(variant).gguf"
        try check(name, Fixtures.sharedPath("fixtures/mini/gguf/\(name)"))
    }

    private func check(_ name: String, _ path: String) throws {
        let all = try JSONSerialization.jsonObject(with: Data(contentsOf: Fixtures.golden("gguf/headers.json")))
        let golden = try #require((all as? [String: Any])?[name] as? [String: Any])
        let reader = try GGUFReader(InputFile(path: path))

        #expect(Int(reader.version) == golden["version"] as? Int)
        #expect(reader.alignment == golden["alignment"] as? Int)
        let keys = try #require(golden["keys"] as? [[String: Any]])
        #expect(reader.metadata.keys == keys.map { $0["key"] as? String })
        for key in keys {
            let value = try #require(reader.metadata[key["key"] as? String ?? ""])
            #expect(value.type.description == key["type"] as? String)
            if case .array(let list) = value {
                #expect(list.type.description == key["of"] as? String)
                #expect(list.count == key["count"] as? Int)
                #expect(Int(Self.crc32(Self.bytes(list))) == key["crc32"] as? Int)
            } else {
                let expected: String =
                    switch value {
                    case .string: try #require(key["value"] as? String)
                    case .bool: try #require(key["value"] as? Bool).description
                    case .float32: Float(try #require(key["value"] as? Double)).description
                    default: try #require(key["value"] as? Int).description
                    }
                #expect(value.text() == expected)
            }
        }

        let tensors = try #require(golden["tensors"] as? [[Any]])
        try #require(reader.tensors.count == tensors.count)
        for (i, (tensor, expected)) in zip(reader.tensors, tensors).enumerated() {
            #expect(tensor.name == expected[0] as? String)
            #expect(tensor.type.description == expected[1] as? String)
            #expect(tensor.shape == expected[2] as? [Int])
            #expect(reader.offset(of: i) == expected[3] as? Int)
            #expect(tensor.byteCount == expected[4] as? Int)
            let ends = try reader.withTensor(i) { (bytes: RawSpan) throws(AlpacaError) -> [UInt8] in
                (Array(0..<64) + Array(bytes.byteCount - 64..<bytes.byteCount)).map {
                    bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                }
            }
            #expect(Int(Self.crc32(ends)) == expected[5] as? Int, "\(tensor.name)")
        }
    }

    /// The elements as they lie in the file.
    static func bytes(_ list: GGUFArray) -> [UInt8] {
        switch list {
        case .int32(let values): values.flatMap(GGUFBytes.integer)
        case .float32(let values): values.flatMap(GGUFBytes.f32)
        case .string(let values): values.flatMap { GGUFBytes.u64(UInt64($0.count)) + Array($0) }
        default: []
        }
    }

    /// CRC-32 as zlib has it.
    static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xedb8_8320 : 0) }
        }
    }
}

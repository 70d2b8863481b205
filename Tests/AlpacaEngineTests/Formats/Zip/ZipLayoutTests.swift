import Foundation
import Testing

@testable import AlpacaEngine

/// Against an archive of 8 GiB that torch 2.15.0 wrote (Tests/Goldens/torch): its container is that of 1.13.1, with
/// more entries. Sizes and offsets beyond 32 bits, of the first alone, of the second alone, and of both.
@Suite struct ZipLayoutTests {
    struct Golden: Decodable {
        struct Entry: Decodable {
            let name: String
            let offset: Int
            let size: Int
            let crc: UInt32
            let header: String
            /// Of small entries, in hexadecimal.
            let content: String?
            let descriptor: String
        }
        let byte_count: Int
        let entries: [Entry]
        let directory_offset: Int
        let directory: String
    }

    static func bytes(_ hex: String) throws -> [UInt8] {
        let digits = Array(hex)
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(digits[$0..<$0 + 2]), radix: 16))
        }
    }

    @Test func `an archive beyond 4 GiB`() throws {
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: Fixtures.golden("torch/zip64.json")))
        var entries: [ZipLayout.Entry] = []
        var later: [Golden.Entry] = []
        for entry in golden.entries {
            if let content = entry.content {
                entries.append(ZipLayout.Entry(name: entry.name, content: .bytes(try ZipLayoutTests.bytes(content))))
            } else {
                entries.append(ZipLayout.Entry(name: entry.name, content: .later(number: later.count, byteCount: entry.size)))
                later.append(entry)
            }
        }
        let layout = try ZipLayout.layOut(entries)
        #expect(layout.byteCount == golden.byte_count)

        var expected: [FileLayout.Patch] = []
        for entry in golden.entries {
            let header = try ZipLayoutTests.bytes(entry.header)
            let descriptor = try ZipLayoutTests.bytes(entry.descriptor)
            if let content = entry.content {
                expected.append(FileLayout.Patch(at: entry.offset, header + (try ZipLayoutTests.bytes(content)) + descriptor))
            } else {
                expected.append(FileLayout.Patch(at: entry.offset, header))
                expected.append(FileLayout.Patch(at: entry.offset + header.count + entry.size, descriptor))
            }
        }
        let closing = try #require(layout.closing)
        let written = layout.fixed + closing(later.map(\.crc))
        let sorted = written.sorted { $0.offset < $1.offset }
        for (found, wanted) in zip(sorted, expected) { #expect(found == wanted) }
        let tail = sorted.dropFirst(expected.count)
        #expect(tail.first?.offset == golden.directory_offset)
        #expect(tail.flatMap(\.bytes) == (try ZipLayoutTests.bytes(golden.directory)))
        for (entry, offset) in zip(later, layout.dataOffsets) {
            #expect(offset == entry.offset + entry.header.utf8.count / 2)
            #expect(offset % 64 == 0)
        }
    }

    @Test func `the pickle of that archive`() throws {
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: Fixtures.golden("torch/zip64.json")))
        let tensors = [
            try TensorInfo(name: "a", type: .f16, shape: [1 << 31 + 1000]), try TensorInfo(name: "b", type: .f16, shape: [3]),
            try TensorInfo(name: "c", type: .f16, shape: [1 << 31 + 1007]), try TensorInfo(name: "d", type: .f32, shape: [5]),
        ]
        let pickle = try ZipLayoutTests.bytes(try #require(golden.entries.first?.content))
        #expect(try TorchLayout.pickle(tensors) == pickle)
    }

    @Test func `what is refused`() {
        func message(_ entry: ZipLayout.Entry) -> String? { alpacaError { _ = try ZipLayout.layOut([entry]) }?.message }
        #expect(message(ZipLayout.Entry(name: "", content: .bytes([1]))) == "zip entry \"\": the name has 0 bytes, expected 1 to 32768")
        #expect(message(ZipLayout.Entry(name: "a", content: .bytes([]))) == "zip entry \"a\" is empty")
        #expect(message(ZipLayout.Entry(name: "a", content: .later(number: 1, byteCount: 1))) == "entry 1 of a zip archive with 1")
        let name = ZipLayout.Entry(name: "a", content: .later(number: 0, byteCount: .max - 8))
        #expect(message(name) == "size of the file: 64 + \(Int.max - 8) is out of range")
    }
}

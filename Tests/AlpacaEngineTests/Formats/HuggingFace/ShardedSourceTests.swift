import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct ShardedSourceTests {
    /// A shard of F32 vectors of 1, 2, ... elements.
    static func shard(_ folder: String, _ name: String, _ tensors: [String], extra: String = "") throws -> ShardedSource.Shard {
        var end = 0
        var lines: [String] = []
        for (i, tensor) in tensors.enumerated() {
            lines.append("\"\(tensor)\":{\"dtype\":\"F32\",\"shape\":[\(i + 1)],\"data_offsets\":[\(end),\(end + 4 * (i + 1))]}")
            end += 4 * (i + 1)
        }
        if !extra.isEmpty {
            lines.append("\"\(extra)\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[\(end),\(end + 8)]}")
            end += 8
        }
        let path = folder + "/" + name
        var header = "{\(lines.joined(separator: ","))}"
        while header.utf8.count % 8 != 0 { header += " " }
        try Data(SafetensorsReaderTests.file(header, data: end)).write(to: URL(fileURLWithPath: path))
        let reader = try SafetensorsReader(FileRegion(InputFile(path: path)))
        return .init(name: name, source: reader, others: reader.others)
    }

    static func index(_ places: [(String, String)]) throws -> ShardIndex {
        let bytes = ShardIndex.encode(places.map { ($0.0, $0.1) }, totalSize: 12)
        return try ShardIndex(JSONDocument(bytes, name: "index"), name: "index")
    }

    @Test func shardsAreOneSource() throws {
        try Fixtures.withFolder { folder in
            let shards = try [Self.shard(folder, "1", ["a", "b"]), Self.shard(folder, "2", ["c"], extra: "ids")]
            let source = try ShardedSource(Self.index([("a", "1"), ("b", "1"), ("c", "2"), ("ids", "2")]), shards)
            #expect(source.tensors.map(\.name) == ["a", "b", "c"])
            #expect(source.others.map(\.name) == ["ids"])
            #expect(source.inputs.map(\.path) == [folder + "/1", folder + "/2"])
            #expect(source.index(of: "c") == 2)
            #expect(source.index(of: "ids") == nil)
            #expect(source.place(of: 3) == nil)
            #expect(source.place(of: 2)?.name == folder + "/2")
            #expect(try SafetensorsReaderTests.bytes(source, 1) == Array(4..<12))
            #expect(try SafetensorsReaderTests.bytes(source, 2) == Array(0..<4))
        }
    }

    /// (places in the index, code, message)
    static let refused: [([(String, String)], AlpacaError.Code, String)] = [
        (
            [("a", "1"), ("b", "1"), ("c", "2"), ("d", "2")], .missing,
            "index: tensor \"d\" is not in \"2\", where the index says it is"
        ),
        (
            [("a", "1"), ("b", "1"), ("c", "2"), ("d", "2"), ("e", "2")], .missing,
            "index: tensor \"d\" is not in \"2\", where the index says it is, nor 1 more that should be there"
        ),
        (
            [("a", "1"), ("c", "2")], .badFormat,
            "index: \"1\" has the tensor \"b\", of which the index knows nothing: it is a shard of another model"
        ),
        (
            [("a", "1"), ("b", "2"), ("c", "2")], .badFormat,
            "index: \"1\" has the tensor \"b\", which should be in \"2\": it is a shard of another model"
        ),
        (
            [("a", "1"), ("b", "1"), ("c", "2"), ("d", "3")], .missing,
            "index: the shard \"3\" is missing (is the download complete?)"
        ),
        (
            [("a", "1"), ("b", "1"), ("c", "2"), ("d", "3"), ("e", "4")], .missing,
            "index: the shard \"3\" and 1 more of 4 are missing (is the download complete?)"
        ),
        ([("a", "1")], .invalidArgument, "index: \"2\" is no shard of this index, or given twice"),
    ]

    @Test(arguments: refused.indices)
    func refusedShards(_ number: Int) throws {
        let (places, code, message) = Self.refused[number]
        try Fixtures.withFolder { folder in
            let shards = try [Self.shard(folder, "1", ["a", "b"]), Self.shard(folder, "2", ["c"])]
            #expect(alpacaError { _ = try ShardedSource(Self.index(places), shards) } == AlpacaError(code, message))
        }
    }

    @Test(arguments: ["../a", "/etc/passwd", "..", ".", "", "a\\b", "C:a", "~", "a\u{0}", "https://x/y"])
    func namesThatLeadElsewhere(_ name: String) throws {
        let error = try #require(alpacaError { _ = try Self.index([("a", name)]) })
        #expect(error.code == .unsafe)
        #expect(error.message == "index: \"weight_map.a\": found \(name.quoted()), expected the plain name of a file in the same folder")
    }

    /// (index, message)
    @Test(arguments: [
        ("{}", "i: \"weight_map\" is missing"), ("{\"weight_map\":{}}", "i: \"weight_map\" lists no tensor"),
        ("{\"weight_map\":{\"a\":1}}", "i: \"weight_map.a\": found 1, expected a string"),
        (
            "{\"metadata\":{\"total_size\":-1},\"weight_map\":{\"a\":\"b\"}}",
            "i: \"metadata.total_size\": found -1, expected 0 to 9223372036854775807"
        ),
    ])
    func wrongIndexes(_ text: String, _ message: String) {
        #expect(alpacaError { _ = try ShardIndex(JSONDocument(Array(text.utf8), name: "i"), name: "i") }?.message == message)
    }

    @Test(
        .enabled(if: OfficialFiles.isThere, OfficialFiles.missing))
    func theIndexThatTransformersWrote() throws {
        let path = Fixtures.sharedPath("fixtures/mini/official/base-hf-bin/pytorch_model.bin.index.json")
        let index = try ShardIndex(FileRegion(InputFile(path: path)))
        #expect(index.shards == ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"])
        #expect(index.totalSize == 7_844_608)
        let bytes = ShardIndex.encode(index.shardByTensor.map { ($0.key, $0.value) }, totalSize: index.totalSize ?? 0)
        #expect(try bytes == Array(Data(contentsOf: URL(fileURLWithPath: path))))
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

extension FileLayout {
    /// The file whose tensors have these data, put together in memory; nothing may be written twice.
    func assembled(_ data: [[UInt8]]) throws -> [UInt8] {
        try #require(data.count == dataOffsets.count)
        var file = [UInt8](repeating: 0, count: byteCount)
        var written = 0
        func put(_ bytes: [UInt8], at offset: Int) throws {
            try #require(offset >= 0 && offset + bytes.count <= byteCount)
            file.replaceSubrange(offset..<offset + bytes.count, with: bytes)
            written += bytes.count
        }
        for patch in fixed { try put(patch.bytes, at: patch.offset) }
        for (bytes, offset) in zip(data, dataOffsets) { try put(bytes, at: offset) }
        if let closing {
            for patch in closing(data.map(checksum)) { try put(patch.bytes, at: patch.offset) }
            // A zip archive has no holes.
            #expect(written == byteCount)
        }
        return file
    }
}

private func checksum(_ bytes: [UInt8]) -> UInt32 {
    var crc = CRC32()
    bytes.withUnsafeBytes { crc.update($0) }
    return crc.value
}

func sha256(_ bytes: some Sequence<UInt8>) -> String {
    var sha = SHA256()
    sha.update(Array(bytes))
    return sha.hexDigest()
}

/// What the official merge script wrote for the mini family.
enum OfficialFiles {
    static let folder = "fixtures/mini/official"
    static let isThere = Fixtures.isShared(folder + "/sha256.json")

    struct Digest: Decodable, Equatable {
        let sha256: String
        let bytes: Int
    }

    static func digests(_ title: String) throws -> [String: Digest] {
        let data = try Data(contentsOf: Fixtures.shared.appendingPathComponent(folder + "/sha256.json"))
        return try #require(JSONDecoder().decode([String: [String: Digest]].self, from: data)[title])
    }

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: Fixtures.shared.appendingPathComponent(folder + "/" + path)))
    }

    static func json(_ path: String) throws -> JSONDocument { try JSONDocument(bytes(path), name: path) }

    static func digest(_ bytes: [UInt8]) -> Digest { Digest(sha256: AlpacaEngineTests.sha256(bytes), bytes: bytes.count) }

    static func model(
        vocabularySize: Int, embeddingLength: Int = 256, layerCount: Int = 4, headCount: Int = 4, keyValueHeadCount: Int? = nil,
        feedForwardLength: Int = 768, normEpsilon: Double = 1e-6, ropeTheta: Double = 10000
    ) throws -> ModelConfiguration {
        let headDimension = embeddingLength / headCount
        return try ModelConfiguration(
            vocabularySize: vocabularySize, contextLength: 512, embeddingLength: embeddingLength, layerCount: layerCount,
            headCount: headCount, keyValueHeadCount: keyValueHeadCount ?? headCount, headDimension: headDimension,
            feedForwardLength: feedForwardLength, normEpsilon: normEpsilon, ropeTheta: ropeTheta, ropeDimension: headDimension)
    }
}

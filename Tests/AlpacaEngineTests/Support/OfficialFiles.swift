import Foundation
import Testing

@testable import AlpacaEngine

func sha256(_ bytes: some Sequence<UInt8>) -> String {
    var sha = SHA256()
    sha.update(Array(bytes))
    return sha.hexDigest()
}

/// What the official merge script wrote for the mini family.
enum OfficialFiles {
    static let folder = "fixtures/mini/official"
    static let isThere = Fixtures.isShared(folder + "/sha256.json")
    static let missing: Comment = "what the official script made of the mini family is not in ALPACA_SHARED"

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

/// The sizes and constants of a model: what its weights and its math are made after.
///
/// A value of this type is sound: each number lies in its range of ``Limits``, heads divide as they have to, and no product of two sizes
/// overflows. Whether the weights agree with it is checked when they are bound.
public struct ModelConfiguration: Sendable, Equatable {
    /// The architecture's name as GGUF files have it: "llama", "qwen2".
    public let architecture: String
    /// The family's name as config.json has it: "llama", "mistral", "qwen2".
    public let modelType: String
    /// Tokens in the vocabulary: rows of the embeddings and of the output matrix.
    public private(set) var vocabularySize: Int
    /// Positions that the model was trained for.
    public let contextLength: Int
    /// Width of the residual stream.
    public let embeddingLength: Int
    public let layerCount: Int
    /// Query heads of a layer.
    public let headCount: Int
    /// Key and value heads of a layer; each serves `headCount / keyValueHeadCount` query heads.
    public let keyValueHeadCount: Int
    /// Components of a head.
    public let headDimension: Int
    /// Width of the feed-forward part.
    public let feedForwardLength: Int
    /// What RMSNorm adds to the mean square.
    public let normEpsilon: Float
    /// Base of the rotary angles; 10000 for LLaMA 1 and 2, 500000 for Llama 3.
    public let ropeTheta: Double
    /// Leading components of a head that are rotated; even, at most ``headDimension``.
    public let ropeDimension: Int
    public private(set) var ropeScaling: RopeScaling
    /// Whether the file has a tensor that divides each rotary frequency by a factor of its own (Llama 3.1).
    public private(set) var hasRopeFactors: Bool
    /// Whether the output matrix is that of the embeddings.
    public private(set) var isOutputTied: Bool
    /// Which components of a head are rotated together.
    public let ropePairing: RopePairing
    /// nil for models whose layers have one feed-forward part each.
    public let experts: Experts?
    /// The biases of families in which some models have them.
    package let biases: Biases
    /// What only some families have, by the names of ``FamilyNumber/gguf``.
    private let numbers: [String: Int]

    /// All query heads side by side.
    public var queryLength: Int { headCount * headDimension }
    /// All key heads, or all value heads, side by side.
    public var keyValueLength: Int { keyValueHeadCount * headDimension }
    /// Pairs of a head's components that are rotated.
    package var rotatedPairCount: Int { ropeDimension / 2 }
    /// Whether the output has a matrix of its own.
    package var hasOutput: Bool { !isOutputTied }

    /// What a model may be at most (the largest published ones stay far below), so that sizes can be multiplied without a thought.
    package enum Limits {
        package static let vocabularySize = 1...4_194_304
        package static let contextLength = 1...16_777_216
        package static let embeddingLength = 1...131_072
        package static let layerCount = 1...1_024
        package static let headCount = 1...1_024
        package static let headDimension = 2...1_024
        package static let feedForwardLength = 1...1_048_576
        package static let expertCount = 1...1_024
        package static let normEpsilon = 1e-12...0.1
        package static let ropeTheta = 1.0...1e15
        package static let ropeScalingFactor = 1e-3...1e4
    }

    /// - Parameters:
    ///   - family: which of ``Architectures/families`` the model is of.
    ///   - numbers: what only that family has, by the names of ``FamilyNumber/gguf``.
    /// - Throws: ``AlpacaError/Code/badFormat`` naming the quantity that is out of its range or doesn't divide another.
    package init(
        _ family: any Architecture.Type = Llama.self, vocabularySize: Int, contextLength: Int, embeddingLength: Int, layerCount: Int,
        headCount: Int,
        keyValueHeadCount: Int, headDimension: Int, feedForwardLength: Int, normEpsilon: Double, ropeTheta: Double, ropeDimension: Int,
        ropeScaling: RopeScaling = .none, hasRopeFactors: Bool = false, isOutputTied: Bool = false, experts: Experts? = nil,
        biases: Biases = [], numbers: [String: Int] = [:]
    ) throws(AlpacaError) {
        try Self.check(vocabularySize, Limits.vocabularySize, "vocabulary size")
        try Self.check(contextLength, Limits.contextLength, "context length")
        try Self.check(embeddingLength, Limits.embeddingLength, "embedding length")
        try Self.check(layerCount, Limits.layerCount, "layer count")
        try Self.check(headCount, Limits.headCount, "head count")
        try Self.check(keyValueHeadCount, 1...headCount, "key/value head count")
        try Self.check(headDimension, Limits.headDimension, "head dimension")
        try Self.check(feedForwardLength, Limits.feedForwardLength, "feed-forward length")
        try Self.check(normEpsilon, Limits.normEpsilon, "epsilon of the norms")
        try Self.check(ropeTheta, Limits.ropeTheta, "rope theta")
        try Self.check(ropeDimension, 2...headDimension, "rope dimension")
        try ropeScaling.check(dimension: ropeDimension)
        try experts?.check(layerCount: layerCount)
        guard headCount % keyValueHeadCount == 0 else {
            throw AlpacaError(.badFormat, "\(keyValueHeadCount) key/value heads do not divide \(headCount) heads")
        }
        guard ropeDimension % 2 == 0 else {
            throw AlpacaError(.badFormat, "rope dimension: found \(ropeDimension), expected an even number")
        }
        for number in family.numbers {
            if let value = numbers[number.gguf] { try Self.check(value, number.limits, number.huggingFace) }
        }
        architecture = family.names.gguf
        modelType = family.names.modelType
        ropePairing = family.ropePairing
        self.experts = experts
        self.biases = biases
        self.numbers = numbers
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.embeddingLength = embeddingLength
        self.layerCount = layerCount
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.feedForwardLength = feedForwardLength
        self.normEpsilon = Float(normEpsilon)
        self.ropeTheta = ropeTheta
        self.ropeDimension = ropeDimension
        self.ropeScaling = ropeScaling
        self.hasRopeFactors = hasRopeFactors
        self.isOutputTied = isOutputTied
    }

    /// The same model with another vocabulary, or with an output matrix of its own.
    package func resized(vocabularySize: Int, isOutputTied: Bool? = nil) throws(AlpacaError) -> ModelConfiguration {
        try Self.check(vocabularySize, Limits.vocabularySize, "vocabulary size")
        var result = self
        result.vocabularySize = vocabularySize
        result.isOutputTied = isOutputTied ?? self.isOutputTied
        return result
    }

    /// The same model with settings in place of a tensor of divisors.
    package func scaled(_ scaling: RopeScaling) -> ModelConfiguration {
        var result = self
        (result.ropeScaling, result.hasRopeFactors) = (scaling, false)
        return result
    }

    /// What only some families have; nil where this model doesn't.
    package subscript(number: FamilyNumber) -> Int? { numbers[number.gguf] }

    static func check<T: Comparable>(_ value: T, _ range: ClosedRange<T>, _ what: String) throws(AlpacaError) {
        guard range.contains(value) else {
            throw AlpacaError(.badFormat, at: what, found: "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)")
        }
    }

    /// The dimension of a head where no key tells it: the heads share the embedding length.
    package static func headDimension(embeddingLength: Int, headCount: Int) throws(AlpacaError) -> Int {
        guard headCount > 0, embeddingLength % headCount == 0 else {
            throw AlpacaError(.badFormat, "\(headCount) heads do not divide the embedding length \(embeddingLength)")
        }
        return embeddingLength / headCount
    }
}

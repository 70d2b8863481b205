/// What a token takes of the machine, whoever computes it: bytes that have to come from memory, and products of weights.
struct ModelCost {
    /// Bytes of the matrices that every token takes, of all layers and of the output.
    let matrixByteCount: Int
    /// Bytes of all experts, and the share of them that a token takes.
    let expertByteCount: Int
    let expertShare: Double
    /// Bytes of one token's embedding.
    let embeddingByteCount: Int
    /// Bytes that a position takes in the key and value cache.
    let cacheByteCount: Int
    /// Weights that each token of a prompt is multiplied with, and those that only its last one is.
    /// Experts count by the share that a token takes.
    let layerWeightCount, outputWeightCount: Int
    /// Whether all layers' matrices are multiplied as integers.
    let isInteger: Bool

    init(_ model: RunnableModel, keys: CacheType, values: CacheType) {
        // Every matrix is a part of memory, so no sum of their sizes overflows.
        let matrices = model.matrices
        matrixByteCount = matrices.reduce(0) { $0 + $1.byteCount }
        embeddingByteCount = model.embedding?.rowByteCount ?? 0
        let experts = model.expertMatrices
        expertByteCount = experts.reduce(0) { $0 + $1.byteCount }
        expertShare = model.configuration.experts.map { Double($0.usedCount) / Double($0.count) } ?? 1
        let expertWeights = experts.reduce(0) { $0 + $1.rows * $1.columns }
        layerWeightCount = matrices.dropLast().reduce(0) { $0 + $1.rows * $1.columns } + Int(Double(expertWeights) * expertShare)
        outputWeightCount = matrices.last.map { $0.rows * $0.columns } ?? 0
        // Routers are floats whatever the model is; so small that they don't count.
        let layers = matrices.dropLast().filter { $0.rows != model.configuration.experts?.count } + experts
        isInteger = layers.allSatisfy(\.needsPackedInputs)
        let configuration = model.configuration
        let head = configuration.headDimension
        let block = keys.bytesPerBlock(headDimension: head) + values.bytesPerBlock(headDimension: head)
        cacheByteCount = block / CacheType.positionsPerPage * configuration.keyValueHeadCount * configuration.layerCount
    }

    /// Operations for a token of a prompt of `length` tokens, on average; a multiplication and an addition count as two.
    func operations(promptLength length: Int) -> Double {
        2 * (Double(layerWeightCount) + Double(outputWeightCount) / Double(length))
    }

    /// Bytes of experts that are read for each token, if `sequences` of them share the step and choose without regard to each other.
    func expertBytes(sequences: Int) -> Double {
        Double(expertByteCount) * (1 - Numerics.power(1 - expertShare, Double(sequences))) / Double(sequences)
    }

    /// Bytes read for each of `length` tokens that are written after `depth` positions, on average; `sequences` share the weights.
    func bytes(generationLength length: Int, depth: Int, sequences: Int) -> Double {
        let positions = Double(depth) + Double(length + 1) / 2
        return Double(matrixByteCount) / Double(sequences) + expertBytes(sequences: sequences) + Double(embeddingByteCount) + Double(
            cacheByteCount) * positions
    }
}

internal import CAlpacaKernels

/// Where a model's tensors lie, under their GGUF names and in GGUF's row order. The bytes are valid while the store lives.
package protocol WeightStore: AnyObject, Sendable {
    func contains(_ name: String) -> Bool
    func info(_ name: String) -> TensorInfo?
    /// The tensor's bytes, `info.byteCount` of them.
    @unsafe func bytes(_ name: String) throws(AlpacaError) -> UnsafeRawBufferPointer
}

/// The matrices and norms of one transformer layer. Norms are F32 of `embeddingLength` values.
@safe struct LayerWeights {
    let attentionNorm: UnsafePointer<Float>
    let query, key, value, attentionOutput: QuantizedMatrix
    let feedForwardNorm: UnsafePointer<Float>
    let gate, up, down: QuantizedMatrix
}

/// A model's weights, bound to where they lie, every shape checked against the configuration once.
@safe final class LlamaWeights: @unchecked Sendable {
    let tokenEmbedding: QuantizedMatrix
    let layers: [LayerWeights]
    let outputNorm: UnsafePointer<Float>
    /// The embedding itself when the file has no output matrix (tied weights).
    let output: QuantizedMatrix
    let isOutputTied: Bool
    /// `rope_freqs.weight`, or empty.
    let ropeFactors: [Float]
    /// The widest input of any matrix.
    let mostColumns: Int

    private let store: any WeightStore
    /// All norms, as F32.
    private let norms: AlignedBuffer

    init(_ configuration: ModelConfiguration, store: any WeightStore) throws(AlpacaError) {
        let width = configuration.embeddingLength
        let queries = configuration.headCount * configuration.headDimension
        let keys = configuration.keyValueHeadCount * configuration.headDimension
        let inner = configuration.feedForwardLength

        func matrix(_ name: String, _ rows: Int, _ columns: Int) throws(AlpacaError) -> QuantizedMatrix {
            guard let info = store.info(name) else {
                throw AlpacaError(.missing, "tensor \"\(name)\" is missing: expected shape [\(rows), \(columns)] (is the file complete?)")
            }
            guard info.shape == [rows, columns] else {
                throw AlpacaError(
                    .shapeMismatch, "tensor \"\(name)\": found shape \(info.shapeText), expected [\(rows), \(columns)]")
            }
            let bytes = try unsafe store.bytes(name)
            let alignment = info.type == .f32 ? 4 : 2
            guard unsafe Int(bitPattern: bytes.baseAddress) % alignment == 0 else {
                throw AlpacaError(.badFormat, "tensor \"\(name)\": data is not aligned to \(alignment) bytes")
            }
            do {
                return try unsafe QuantizedMatrix(type: info.type, rows: rows, columns: columns, bytes: bytes)
            } catch {
                throw error.inContext("tensor \"\(name)\"")
            }
        }

        let normBytes = try CheckedMath.product(2 * configuration.layerCount + 1, width, of: "norms")
        let norms = try AlignedBuffer(normBytes, of: Float.self, for: "norms")
        var normCount = 0
        func norm(_ name: String) throws(AlpacaError) -> UnsafePointer<Float> {
            guard let info = store.info(name) else {
                throw AlpacaError(.missing, "tensor \"\(name)\" is missing: expected shape [\(width)] (is the file complete?)")
            }
            guard info.shape == [width] else {
                throw AlpacaError(.shapeMismatch, "tensor \"\(name)\": found shape \(info.shapeText), expected [\(width)]")
            }
            // Bound: normCount < 2 * layerCount + 1, each of `width` floats, as the buffer was made.
            let target = unsafe norms.pointer(as: Float.self) + normCount * width
            try unsafe Kernels.decode(info, try store.bytes(name), into: target)
            normCount += 1
            return unsafe UnsafePointer(target)
        }

        tokenEmbedding = try matrix("token_embd.weight", configuration.vocabularySize, width)
        var layers: [LayerWeights] = []
        for i in 0..<configuration.layerCount {
            layers.append(
                unsafe LayerWeights(
                    attentionNorm: try norm("blk.\(i).attn_norm.weight"),
                    query: try matrix("blk.\(i).attn_q.weight", queries, width),
                    key: try matrix("blk.\(i).attn_k.weight", keys, width),
                    value: try matrix("blk.\(i).attn_v.weight", keys, width),
                    attentionOutput: try matrix("blk.\(i).attn_output.weight", width, queries),
                    feedForwardNorm: try norm("blk.\(i).ffn_norm.weight"),
                    gate: try matrix("blk.\(i).ffn_gate.weight", inner, width),
                    up: try matrix("blk.\(i).ffn_up.weight", inner, width),
                    down: try matrix("blk.\(i).ffn_down.weight", width, inner)))
        }
        self.layers = layers
        unsafe outputNorm = try norm("output_norm.weight")
        isOutputTied = !store.contains("output.weight")
        output = isOutputTied ? tokenEmbedding : try matrix("output.weight", configuration.vocabularySize, width)
        mostColumns = max(width, queries, inner)

        if let info = store.info("rope_freqs.weight") {
            let expected = configuration.ropeDimension / 2
            guard info.shape == [expected] else {
                throw AlpacaError(.shapeMismatch, "tensor \"rope_freqs.weight\": found shape \(info.shapeText), expected [\(expected)]")
            }
            let factors = try AlignedBuffer(expected, of: Float.self, for: "rope_freqs.weight")
            try unsafe Kernels.decode(info, try store.bytes("rope_freqs.weight"), into: factors.pointer())
            ropeFactors = unsafe (0..<expected).map { unsafe factors.pointer(as: Float.self)[$0] }
            guard ropeFactors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
                throw AlpacaError(.badFormat, "tensor \"rope_freqs.weight\": every factor must be a positive number")
            }
        } else {
            ropeFactors = []
        }
        self.norms = consume norms
        self.store = store
    }
}

internal import CAlpacaKernels

/// Where a model's tensors lie, in GGUF's row order. The bytes are valid while the store lives.
package protocol WeightStore: AnyObject, Sendable {
    /// Name (as the file has it), type and shape; nil when there is no such tensor.
    func info(_ role: TensorRole) -> TensorInfo?
    /// The tensor's bytes, `info.byteCount` of them.
    @unsafe func bytes(_ role: TensorRole) throws(AlpacaError) -> UnsafeRawBufferPointer
    /// Throws when a mapped file was cut short or written to: touching its pages could end the process.
    func checkFiles() throws(AlpacaError)
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
    /// `rope_freqs.weight`, or empty.
    let ropeFactors: [Float]
    /// The widest input of any matrix.
    let mostColumns: Int

    let store: any WeightStore
    /// All norms, as F32.
    private let norms: AlignedBuffer

    init(_ configuration: ModelConfiguration, store: any WeightStore) throws(AlpacaError) {
        let architecture = Architectures.make(configuration)
        func checked(_ role: TensorRole) throws(AlpacaError) -> TensorInfo {
            let expected = architecture.spec(of: role)?.shape ?? []
            guard let info = store.info(role) else {
                throw AlpacaError(
                    .missing,
                    "tensor \"\(role.name(in: .gguf) ?? "")\" is missing: expected shape \(TensorInfo.text(expected)) "
                        + "(is the file complete?)")
            }
            guard info.shape == expected else {
                throw AlpacaError(
                    .shapeMismatch, "tensor \(info.name.quoted()): found shape \(info.shapeText), expected \(TensorInfo.text(expected))")
            }
            return info
        }

        func matrix(_ role: TensorRole) throws(AlpacaError) -> QuantizedMatrix {
            let info = try checked(role)
            let bytes = try unsafe store.bytes(role)
            let alignment = info.type == .f32 ? 4 : 2
            guard Int(bitPattern: bytes.baseAddress) % alignment == 0 else {
                throw AlpacaError(.badFormat, "tensor \(info.name.quoted()): data is not aligned to \(alignment) bytes")
            }
            do {
                return try unsafe QuantizedMatrix(type: info.type, rows: info.rows, columns: info.columns, bytes: bytes)
            } catch {
                throw error.inContext("tensor \(info.name.quoted())")
            }
        }

        let width = configuration.embeddingLength
        let normBytes = try CheckedMath.product(2 * configuration.layerCount + 1, width, of: "norms")
        let norms = try AlignedBuffer(normBytes, of: Float.self, for: "norms")
        let normBase = unsafe norms.pointer(as: Float.self)
        var normCount = 0
        func norm(_ role: TensorRole) throws(AlpacaError) -> UnsafePointer<Float> {
            let info = try checked(role)
            // Bound: normCount < 2 * layerCount + 1, each of `width` floats, as the buffer was made.
            let target = unsafe normBase + normCount * width
            try unsafe Kernels.decode(info, try store.bytes(role), into: target)
            normCount += 1
            return unsafe UnsafePointer(target)
        }

        tokenEmbedding = try matrix(.tokenEmbedding)
        var layers: [LayerWeights] = []
        for i in 0..<configuration.layerCount {
            layers.append(
                unsafe LayerWeights(
                    attentionNorm: try norm(.attentionNorm(i)), query: try matrix(.query(i)), key: try matrix(.key(i)),
                    value: try matrix(.value(i)), attentionOutput: try matrix(.attentionOutput(i)),
                    feedForwardNorm: try norm(.feedForwardNorm(i)), gate: try matrix(.gate(i)), up: try matrix(.up(i)),
                    down: try matrix(.down(i))))
        }
        self.layers = layers
        unsafe outputNorm = try norm(.outputNorm)
        output = configuration.isOutputTied ? tokenEmbedding : try matrix(.output)
        mostColumns = max(width, configuration.queryLength, configuration.feedForwardLength)

        if configuration.hasRopeFactors {
            let info = try checked(.ropeFactors)
            let factors = try AlignedBuffer(info.elementCount, of: Float.self, for: "rope factors")
            try unsafe Kernels.decode(info, try store.bytes(.ropeFactors), into: factors.pointer())
            ropeFactors = (0..<info.elementCount).map { unsafe factors.pointer(as: Float.self)[$0] }
            guard ropeFactors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
                throw AlpacaError(.badFormat, "tensor \(info.name.quoted()): every factor must be a positive number")
            }
        } else {
            ropeFactors = []
        }
        self.norms = consume norms
        self.store = store
    }
}

internal import CAlpacaKernels

/// A model's weights for the kernels: matrices where they lie in the file, vectors (norms, biases) as F32. That each tensor has its shape was
/// checked when the files were opened.
@safe final class CPUWeights: @unchecked Sendable {
    private let matrices: [TensorRole: QuantizedMatrix]
    private let vectors: [TensorRole: UnsafePointer<Float>]
    /// The widest input of any matrix.
    let mostColumns: Int
    /// `rope_freqs.weight`, one divisor for each pair of components that turns; or empty.
    let ropeFactors: [Float]

    let store: any WeightStore
    /// All vectors.
    private let memory: AlignedBuffer

    init(_ program: Program, _ store: any WeightStore) throws(AlpacaError) {
        var matrices: [TensorRole: QuantizedMatrix] = [:]
        var sizes: [(role: TensorRole, count: Int)] = []
        func addMatrix(_ role: TensorRole) throws(AlpacaError) {
            if matrices[role] == nil { matrices[role] = try CPUWeights.matrix(role, store) }
        }
        func addVector(_ role: TensorRole) throws(AlpacaError) {
            let count = try CPUWeights.info(role, store).elementCount
            // Each begins at a multiple of 64 bytes.
            sizes.append((role, try CheckedMath.align(count, to: 16, of: "norms")))
        }
        for operation in program.operations {
            switch operation {
            case .embed(let role, _), .logits(let role, _): try addMatrix(role)
            case .rmsNorm(_, let weight, _), .headNorm(_, let weight, _): try addVector(weight)
            case .matmul(let role, _, let bias, _):
                try addMatrix(role)
                if let bias { try addVector(bias) }
            case .experts, .mix:
                for role in operation.experts { try addMatrix(role) }
            default: break
            }
        }

        var total = 0
        for size in sizes { total = try CheckedMath.sum(total, size.count, of: "norms") }
        let memory = try AlignedBuffer(total, of: Float.self, for: "norms")
        var vectors: [TensorRole: UnsafePointer<Float>] = unsafe [:]
        var at = 0
        for (role, count) in sizes {
            // Bound: `at + count <= total`; the tensor has at most `count` elements.
            let target = unsafe memory.pointer(as: Float.self) + at
            try unsafe Kernels.decode(CPUWeights.info(role, store), store.bytes(role), into: target)
            unsafe vectors[role] = unsafe UnsafePointer(target)
            at += count
        }
        self.matrices = matrices
        unsafe self.vectors = unsafe vectors
        mostColumns = matrices.values.reduce(0) { max($0, $1.columns) }
        ropeFactors = program.configuration.hasRopeFactors ? try CPUWeights.ropeFactors(store) : []
        self.memory = consume memory
        self.store = store
    }

    func matrix(_ role: TensorRole) throws(AlpacaError) -> QuantizedMatrix {
        guard let matrix = matrices[role] else { throw CPUWeights.missing(role) }
        return matrix
    }

    /// Valid while the weights live.
    @unsafe func vector(_ role: TensorRole) throws(AlpacaError) -> UnsafePointer<Float> {
        guard let vector = unsafe vectors[role] else { throw CPUWeights.missing(role) }
        return unsafe vector
    }

    // MARK: -

    private static func missing(_ role: TensorRole) -> AlpacaError {
        AlpacaError(.missing, "tensor \(role.description.quoted()) is missing (is the file complete?)")
    }

    private static func info(_ role: TensorRole, _ store: any WeightStore) throws(AlpacaError) -> TensorInfo {
        guard let info = store.info(role) else { throw missing(role) }
        return info
    }

    private static func matrix(_ role: TensorRole, _ store: any WeightStore) throws(AlpacaError) -> QuantizedMatrix {
        let info = try info(role, store)
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

    private static func ropeFactors(_ store: any WeightStore) throws(AlpacaError) -> [Float] {
        let role = TensorRole(.ropeFactors)
        let info = try info(role, store)
        let factors = try AlignedBuffer(info.elementCount, of: Float.self, for: "rope factors")
        try unsafe Kernels.decode(info, try store.bytes(role), into: factors.pointer())
        // Bound: the buffer has elementCount floats.
        let result = (0..<info.elementCount).map { unsafe factors.pointer(as: Float.self)[$0] }
        guard result.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw AlpacaError(.badFormat, "tensor \(info.name.quoted()): every factor must be a positive number")
        }
        return result
    }
}

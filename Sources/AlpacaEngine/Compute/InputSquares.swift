/// Sums of the squares of what a model's matrices are multiplied with, a sum for each column, over all rows that a backend computes. From
/// them importance matrices are made.
///
/// A backend that is made with one says which inputs there are, and then adds to them. Sums are of double precision, in the order of the rows.
@safe final class InputSquares {
    /// What some matrices are multiplied with, one after the other.
    struct Input {
        let roles: [TensorRole]
        let columns: Int
        /// Each expert is multiplied with rows of its own; 1 where all rows go to one matrix.
        let experts: Int
        /// The number of its first sum.
        fileprivate(set) var start: Int

        /// The names of its matrices in GGUF files, where those of all experts of a layer are one.
        var names: [String] {
            roles.compactMap { experts > 1 ? Architectures.table.stackName(of: $0) : $0.name(in: .gguf) }
        }
    }

    /// Whether the output matrix counts as well.
    let includesHead: Bool
    /// Asked between two steps of a batch; false stops it.
    var goesOn: (() -> Bool)?
    private(set) var inputs: [Input] = []
    /// For each input `experts` times `columns` sums, then `experts` counts.
    private var buffer: AlignedBuffer?
    private var total = 0

    init(includesHead: Bool) { self.includesHead = includesHead }

    // MARK: For the backend

    /// - Returns: the number of the input.
    func add(_ roles: [TensorRole], columns: Int, experts: Int = 1) -> Int {
        inputs.append(Input(roles: roles, columns: columns, experts: experts, start: 0))
        return inputs.count - 1
    }

    /// Takes the memory, all of it 0. No input may be added any more.
    func allocate() throws(AlpacaError) {
        let what = "sums of the inputs' squares"
        total = 0
        for i in inputs.indices {
            inputs[i].start = total
            let sums = try CheckedMath.product([inputs[i].experts, inputs[i].columns], of: what)
            total = try CheckedMath.sum(total, try CheckedMath.sum(sums, inputs[i].experts, of: what), of: what)
        }
        try MemoryBudget.require(try CheckedMath.product([total, MemoryLayout<Double>.size], of: what), for: what)
        let memory = try AlignedBuffer(max(1, total), of: Double.self, for: what)
        buffer = consume memory
    }

    /// The sums of an input (experts, columns), and its counts (experts). Valid while this lives.
    @unsafe func pointers(
        of input: Int
    ) -> (sums: UnsafeMutablePointer<Double>?, count: UnsafeMutablePointer<Double>?) {
        guard let base = unsafe base else { return (nil, nil) }
        // Bound: the buffer has an input's sums and counts from its start on.
        let sums = unsafe base + inputs[input].start
        return unsafe (sums, sums + inputs[input].experts * inputs[input].columns)
    }

    @unsafe private var base: UnsafeMutablePointer<Double>? { unsafe buffer?.pointer() }

    // MARK: For whoever wants to know

    /// What was added up of an input; while nothing is computed.
    func values(of input: Input) -> (sums: [Double], counts: [Double]) {
        guard let base = unsafe base else { return ([], []) }
        let count = input.experts * input.columns
        // Bound: as above.
        let sums = (0..<count).map { unsafe base[input.start + $0] }
        return (sums, (0..<input.experts).map { unsafe base[input.start + count + $0] })
    }
}

/// llama.cpp multiplies matrices of F16 and BF16 with inputs that it rounds to that type. An importance matrix that is to be the one that
/// llama-imatrix measures needs the same: the layers that follow are other by a thousandth without it. Only backends that observe do it.
enum InputRounding: BitwiseCopyable {
    case none, f16, bf16

    /// - Parameter matrices: those that an input is multiplied with; of several types it stays as it is.
    init(_ matrices: [QuantizedMatrix]) {
        if matrices.allSatisfy({ $0.type == .f16 }) {
            self = .f16
        } else if matrices.allSatisfy({ $0.type == .bf16 }) {
            self = .bf16
        } else {
            self = .none
        }
    }

    /// To the nearest, ties to even. What the type has no number for stays as it is.
    func rounded(_ value: Float) -> Float {
        switch self {
        case .none: return value
        case .f16:
            let half = Float(Float16(value))
            return half.isFinite ? half : value
        case .bf16:
            guard value.isFinite else { return value }
            let bits = value.bitPattern
            let half = Float(bitPattern: (bits &+ 0x7fff &+ (bits >> 16 & 1)) & 0xffff_0000)
            return half.isFinite ? half : value
        }
    }
}

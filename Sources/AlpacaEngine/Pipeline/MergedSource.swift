// The merge: a base's tensors with those of adapters in them. A tensor is computed when its rows are read, a chunk at a time on the thread
// that reads it, so that a model of any size is merged in the memory of a few chunks.
//
// A low-rank update adds scale * B A (arXiv:2106.09685). Where the order of sums matters it is fixed: over the rank from left to right, each
// product by fused multiply-add, one multiplication by the scale. Adapters follow each other; after each one the sum is rounded to the base's
// type, as PEFT's `merge_and_unload` leaves it there.

/// A tensor of the result: where it comes from, and what is added.
struct MergedTensor: Sendable {
    /// The tensor that is kept, or that takes its place.
    let origin: Part
    /// As it is before adapters' types are forgotten: name and shape of the result, type of the base.
    let info: TensorInfo
    var updates: [LowRankUpdate] = []
    /// Rows that take the place of what the updates gave.
    var rows: [RowUpdate] = []

    /// Whether anything is done to what the origin holds.
    var isChanged: Bool { !updates.isEmpty || !rows.isEmpty }

    /// A tensor of one of the sources.
    struct Part: Sendable {
        let source: any TensorSource
        let index: Int
        /// Set where the source has the rows of heads in Hugging Face's order and the result has them interleaved: a head's dimension.
        var headDimension: Int?
        var info: TensorInfo { source.tensors[index] }

        /// Reads rows in the result's order, in the source's type.
        @unsafe func read(
            rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
        ) throws(AlpacaError) {
            guard let headDimension else {
                return try unsafe source.read(index, rows: rows, into: target, scratch: scratch)
            }
            try unsafe readReordered(
                source, index, rows: rows, order: .interleaved, headDimension: headDimension, into: target, scratch: scratch)
        }
    }
}

/// `scale * left * right` in F32, rounded, added; then, where there is a magnitude, each row brought to that length (DoRA, arXiv:2402.09353).
struct LowRankUpdate: Sendable {
    /// B: (rows, rank); as stored, or its transpose (LoRA of embeddings).
    let left: Factor
    /// A: (rank, columns).
    let right: Factor
    let rank: Int
    let scale: Float
    /// A number for each row, in the order of `left`'s rows; nil for plain LoRA.
    var magnitude: MergedTensor.Part?
    /// Whether the update is rounded to the base's type before it is added, whatever is asked for: PEFT does so with embeddings and with bare
    /// parameters.
    var isRounded = false
    /// Set where the adapter has the rows of heads in Hugging Face's order and the result has them interleaved: a head's dimension.
    var headDimension: Int?

    struct Factor: Sendable {
        let part: MergedTensor.Part
        var isTransposed = false
    }
}

/// Rows of a matrix that were trained alone: row `i` of the part is row `ids[i]` of the matrix.
struct RowUpdate: Sendable {
    let part: MergedTensor.Part
    let ids: [Int]
}

/// A source over sources.
final class MergedSource: TensorSource {
    let tensors: [TensorInfo]
    let inputs: [InputFile]
    let parts: [MergedTensor]
    private let rounding: MergeRounding
    private let indexByName: [String: Int]
    private let prepared = Lock<[Prepared]>([])

    /// A tensor's small matrices, as the kernels want them.
    private final class Prepared: Sendable {
        let index: Int
        let right: [LowRankFactor]
        /// Whole, where it had to be transposed: (rows, rank).
        let left: [[Float]?]
        let magnitude: [[Float]?]

        init(index: Int, right: [LowRankFactor], left: [[Float]?], magnitude: [[Float]?]) {
            self.index = index
            self.right = right
            self.left = left
            self.magnitude = magnitude
        }
    }

    /// Tensors whose small matrices are kept ready: threads work on neighbouring chunks.
    private static let mostPrepared = 4

    /// - Parameters:
    ///   - precision: `.f32` gives what is merged in F32, as do bases of quantized types, whose sums would not be theirs any more.
    init(_ parts: [MergedTensor], inputs: [InputFile], rounding: MergeRounding, precision: MergePrecision) throws(AlpacaError) {
        self.parts = parts
        self.inputs = inputs
        self.rounding = rounding
        var tensors: [TensorInfo] = []
        for part in parts {
            try MergedSource.check(part)
            // What an adapter replaces takes the base's type too, as PEFT has it: an F32 copy of the embeddings makes no F32 model.
            let isUntouched = !part.isChanged && part.origin.info.type == part.info.type
            let isKept = isUntouched || (precision == .base && FloatType(part.info.type) != nil)
            let type = isKept ? part.info.type : .f32
            tensors.append(try TensorInfo(name: part.info.name, type: type, shape: part.info.shape))
        }
        self.tensors = tensors
        indexByName = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// What reading takes for granted: the small matrices have the sizes of what they change.
    private static func check(_ tensor: MergedTensor) throws(AlpacaError) {
        let info = tensor.info
        guard tensor.origin.info.shape == info.shape else {
            throw AlpacaError(
                .shapeMismatch,
                "tensor \(tensor.origin.info.name.quoted()): found shape \(tensor.origin.info.shapeText), expected \(info.shapeText)")
        }
        guard tensor.origin.headDimension.map({ $0 > 0 && $0 % 2 == 0 && info.rows % $0 == 0 }) ?? true else {
            throw AlpacaError(.internalError, "tensor \(info.name.quoted()): heads that don't divide its rows")
        }
        for update in tensor.rows {
            guard update.part.info.columns == info.columns, update.ids.count == update.part.info.rows,
                update.ids.allSatisfy({ (0..<info.rows).contains($0) })
            else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(update.part.info.name.quoted()): found rows \(update.part.info.shapeText) of a matrix \(info.shapeText)")
            }
        }
        for update in tensor.updates {
            let rank = update.rank
            let left = update.left.isTransposed ? [rank, info.rows] : [info.rows, rank]
            let right = update.right.isTransposed ? [info.columns, rank] : [rank, info.columns]
            for (part, expected) in [(update.left.part, left), (update.right.part, right)] where part.info.shape != expected {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(part.info.name.quoted()): found shape \(part.info.shapeText), expected \(TensorInfo.text(expected)) for "
                        + "\(info.name.quoted())")
            }
            if let magnitude = update.magnitude, magnitude.info.elementCount != info.rows {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(magnitude.info.name.quoted()): found shape \(magnitude.info.shapeText), expected [\(info.rows)]")
            }
            guard rank > 0, update.headDimension.map({ $0 > 0 && $0 % 2 == 0 && info.rows % $0 == 0 }) ?? true else {
                throw AlpacaError(.internalError, "tensor \(info.name.quoted()): an update of rank \(rank) in heads that don't divide it")
            }
        }
    }

    func index(of name: String) -> Int? { indexByName[name] }

    func place(of index: Int) -> FileRegion? {
        guard parts.indices.contains(index), !parts[index].isChanged, parts[index].origin.headDimension == nil,
            parts[index].origin.info.type == tensors[index].type
        else { return nil }
        return parts[index].origin.source.place(of: parts[index].origin.index)
    }

    @unsafe func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        let part = parts[index]
        try unsafe readOrigin(part.origin, as: tensors[index].type, rows: rows, into: target, scratch: scratch)
        try unsafe addUpdates(index, rows, target, scratch)
        for update in part.rows {
            let size = tensors[index].rowByteCount
            for (number, id) in update.ids.enumerated() where rows.contains(id) {
                // Bound: the row lies inside `rows`, of which the target has all.
                let place = (id - rows.lowerBound) * size
                let row = unsafe UnsafeMutableRawBufferPointer(rebasing: target[place..<place + size])
                try unsafe readOrigin(update.part, as: tensors[index].type, rows: number..<number + 1, into: row, scratch: scratch)
            }
        }
    }

    /// Adds the low-rank updates to rows that are read.
    @unsafe private func addUpdates(
        _ index: Int, _ rows: Range<Int>, _ target: UnsafeMutableRawBufferPointer, _ scratch: ScratchArena
    ) throws(AlpacaError) {
        let part = parts[index]
        guard !part.updates.isEmpty, let base = target.baseAddress else { return }
        guard let type = FloatType(tensors[index].type) else {
            throw AlpacaError(.internalError, "tensor \(part.info.name.quoted()) can't be merged in \(tensors[index].type)")
        }
        let ready = try prepare(index, scratch)
        for (number, update) in part.updates.enumerated() {
            try scratch.scope { () throws(AlpacaError) in
                let left = try unsafe readLeft(update, ready.left[number], rows: rows, rounding: factorType(index), scratch: scratch)
                let delta = rounding == .each || update.isRounded ? type : .f32
                // Bounds: `left` has a row of `rank` floats for each of `rows`, the target as many rows of `columns` numbers.
                guard let magnitude = ready.magnitude[number] else {
                    unsafe ready.right[number].merge(
                        rowCount: rows.count, b: left, scale: update.scale, rounding: delta, weights: base, of: type, into: base, as: type)
                    return
                }
                // Rows get their lengths before they are rounded for the last time.
                let columns = tensors[index].columns
                let sumType = rounding == .each ? type : .f32
                let sum = try unsafe scratch.take(rows.count * columns * sumType.byteCount, for: "tensor \(part.info.name.quoted())")
                guard let sums = sum.baseAddress else { return }
                unsafe ready.right[number].merge(
                    rowCount: rows.count, b: left, scale: update.scale, rounding: delta, weights: base, of: type, into: sums, as: sumType)
                try unsafe RowLengths.set(
                    rows: rows, columns: columns, type: sumType, lengths: magnitude, headDimension: update.headDimension, in: sums,
                    scratch: scratch)
                let encoder = try RowEncoder(from: sumType.tensorType, to: type.tensorType, columns: columns)
                _ = try unsafe encoder.encode(rows: rows.count, from: sums, to: base, scratch: scratch)
            }
        }
    }

    /// The rows that adapters have not changed yet, in `type`.
    @unsafe private func readOrigin(
        _ part: MergedTensor.Part, as type: TensorType, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        let info = part.info
        guard info.type != type else { return try unsafe part.read(rows: rows, into: target, scratch: scratch) }
        try scratch.scope { () throws(AlpacaError) in
            let bytes = try unsafe scratch.take(rows.count * info.rowByteCount, for: "tensor \(info.name.quoted())")
            try unsafe part.read(rows: rows, into: bytes, scratch: scratch)
            guard let from = bytes.baseAddress, let to = target.baseAddress else { return }
            let encoder = try RowEncoder(from: info.type, to: type, columns: info.columns)
            // Bound: both hold rows.count rows of their types.
            _ = try unsafe encoder.encode(rows: rows.count, from: from, to: to, scratch: scratch)
        }
    }

    /// The rows of B for rows of the result: (rows.count, rank).
    @unsafe private func readLeft(
        _ update: LowRankUpdate, _ whole: [Float]?, rows: Range<Int>, rounding type: TensorType, scratch: ScratchArena
    ) throws(AlpacaError) -> UnsafePointer<Float> {
        let part = update.left.part
        let floats = try unsafe scratch.take(
            try CheckedMath.product(rows.count, update.rank, MemoryLayout<Float>.size, of: part.info.name), for: part.info.name)
        guard let base = floats.baseAddress else { throw AlpacaError(.internalError, "no rows of \(part.info.name.quoted())") }
        let result = unsafe base.assumingMemoryBound(to: Float.self)
        if let whole {
            // Bound: `whole` has a row for each of the result's.
            for i in 0..<rows.count * update.rank { unsafe result[i] = whole[rows.lowerBound * update.rank + i] }
            return unsafe UnsafePointer(result)
        }
        try scratch.scope { () throws(AlpacaError) in
            let bytes = try unsafe scratch.take(rows.count * part.info.rowByteCount, for: part.info.name)
            if let head = update.headDimension {
                try unsafe readReordered(
                    part.source, part.index, rows: rows, order: .interleaved, headDimension: head, into: bytes, scratch: scratch)
            } else {
                try unsafe part.source.read(part.index, rows: rows, into: bytes, scratch: scratch)
            }
            guard let from = bytes.baseAddress else { return }
            let encoder = try RowEncoder(from: part.info.type, to: .f32, columns: update.rank)
            // Bound: rows.count rows of `rank` numbers, checked when the update was made.
            _ = try unsafe encoder.encode(rows: rows.count, from: from, to: result, scratch: scratch)
            if part.info.type != type {
                // Bound: as before.
                try unsafe RowLengths.round(result, rows: rows.count, columns: update.rank, to: type, scratch: scratch)
            }
        }
        return unsafe UnsafePointer(result)
    }

    /// What an adapter's numbers are rounded to before they are used: PEFT keeps an adapter in the base's type
    /// (`autocast_adapter_dtype=False`), also one that was saved in F32. Where the sum alone is rounded, it keeps them in F32.
    private func factorType(_ index: Int) -> TensorType { rounding == .each ? tensors[index].type : .f32 }

    // MARK: Small matrices

    private func prepare(_ index: Int, _ scratch: ScratchArena) throws(AlpacaError) -> Prepared {
        var failure: AlpacaError?
        // Made under the lock: the others would need it next.
        let found = prepared.withLock { list -> Prepared? in
            if let ready = list.first(where: { $0.index == index }) { return ready }
            do throws(AlpacaError) {
                let made = try make(index, scratch)
                list.append(made)
                if list.count > MergedSource.mostPrepared { list.removeFirst() }
                return made
            } catch {
                failure = error
                return nil
            }
        }
        if let failure { throw failure }
        guard let found else { throw AlpacaError(.internalError, "tensor \(parts[index].info.name.quoted()) was not prepared") }
        return found
    }

    private func make(_ index: Int, _ scratch: ScratchArena) throws(AlpacaError) -> Prepared {
        var right: [LowRankFactor] = [], left: [[Float]?] = [], magnitude: [[Float]?] = []
        for update in parts[index].updates {
            let columns = tensors[index].columns
            let factor = try LowRankFactor(rank: update.rank, columns: columns, for: update.right.part.info.name)
            let floats = try update.right.floats(rounding: factorType(index), scratch)
            // Bound: (rank, columns) floats, checked when the update was made.
            unsafe floats.withUnsafeBufferPointer { floats in
                guard let base = floats.baseAddress else { return }
                for k in 0..<update.rank { unsafe factor.setRow(k, base + k * columns) }
            }
            right.append(factor)
            left.append(update.left.isTransposed ? try update.left.floats(rounding: factorType(index), scratch) : nil)
            magnitude.append(
                try update.magnitude.map { (part) throws(AlpacaError) in
                    try LowRankUpdate.Factor(part: part).floats(rounding: factorType(index), scratch)
                })
        }
        return Prepared(index: index, right: right, left: left, magnitude: magnitude)
    }
}

extension LowRankUpdate.Factor {
    /// The matrix in the way that its use asks for, as floats, rounded to `type`.
    func floats(rounding type: TensorType, _ scratch: ScratchArena) throws(AlpacaError) -> [Float] {
        let info = part.info
        try LargeMemory.ask(info.elementCount, of: MemoryLayout<Float>.size, for: "tensor \(info.name.quoted())")
        var result = [Float](repeating: 0, count: info.elementCount)
        try part.source.withTensor(part.index) { (bytes: RawSpan) throws(AlpacaError) in
            let failure: AlpacaError? = unsafe result.withUnsafeMutableBufferPointer { target in
                unsafe bytes.withUnsafeBytes { bytes in
                    guard let base = target.baseAddress else { return nil }
                    // Bound: the array has elementCount floats.
                    do throws(AlpacaError) {
                        try unsafe Kernels.decode(info, bytes, into: base)
                        guard info.type != type else { return nil }
                        try unsafe RowLengths.round(base, rows: info.rows, columns: info.columns, to: type, scratch: scratch)
                    } catch {
                        return error
                    }
                    return nil
                }
            }
            if let failure { throw failure }
        }
        guard isTransposed else { return result }
        let rows = info.rows, columns = info.columns
        try LargeMemory.ask(result.count, of: MemoryLayout<Float>.size, for: "tensor \(info.name.quoted())")
        var turned = [Float](repeating: 0, count: result.count)
        for row in 0..<rows {
            for column in 0..<columns { turned[column * rows + row] = result[row * columns + column] }
        }
        return turned
    }
}

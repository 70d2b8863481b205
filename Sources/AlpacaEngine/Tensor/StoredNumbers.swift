// Numbers that aren't: infinities, NaN, and scales that were cut because binary16 has no greater ones.

internal import CAlpacaKernels

/// What is among stored weights. Of blocks their scales are looked at, so that all of it costs little more than reading once.
struct StoredNumbers: OptionSet, Sendable {
    let rawValue: Int32

    /// A number, or a block's scale, is infinite or NaN.
    static let notFinite = StoredNumbers(rawValue: Int32(KERN_NOT_FINITE.rawValue))
    /// A block's scale is the greatest number of binary16. Greater ones are cut to it when blocks are made.
    static let fullScale = StoredNumbers(rawValue: Int32(KERN_SCALE_FULL.rawValue))

    init(rawValue: Int32) { self.rawValue = rawValue }

    /// - Parameter bytes: whole rows of `type`.
    @unsafe init(_ type: TensorType, _ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else {
            rawValue = 0
            return
        }
        let count = bytes.count / type.bytesPerBlock * type.elementsPerBlock
        // Bound: that many weights lie in the bytes.
        rawValue = unsafe Kernels.best.pointee.vector.stored_numbers(Int32(bitPattern: type.rawValue), base, count)
    }
}

/// A tensor, or a part of one, as it lies in one file.
package struct TensorOrigin: Sendable {
    package let source: any TensorSource
    package let index: Int

    package init(source: any TensorSource, index: Int) {
        self.source = source
        self.index = index
    }

    var info: TensorInfo { source.tensors[index] }
    /// What messages call the file.
    var file: String { source.place(of: index)?.name ?? source.inputs.first?.path ?? "" }
}

/// How many numbers of a tensor aren't, and how great the others are.
struct NumberSurvey: Sendable {
    private(set) var strange = 0
    private(set) var count = 0
    /// The greatest magnitude of a finite number.
    private(set) var greatest: Float = 0
    /// The least finite number.
    private(set) var least = Float.infinity

    /// Reads the whole tensor, some rows at a time: for messages, not for every tensor.
    init(_ origin: TensorOrigin, _ scratch: ScratchArena) throws(AlpacaError) {
        let info = origin.info
        let panel = max(1, (1 << 16) / max(1, info.columns))
        var row = 0
        while row < info.rows {
            let rows = row..<min(row + panel, info.rows)
            try scratch.scope { () throws(AlpacaError) in
                let bytes = try unsafe scratch.take(rows.count * info.rowByteCount, for: "tensor \(info.name.quoted())")
                try unsafe origin.source.read(origin.index, rows: rows, into: bytes, scratch: scratch)
                try unsafe add(UnsafeRawBufferPointer(bytes), of: info.type, scratch)
            }
            row = rows.upperBound
        }
    }

    /// - Parameter bytes: whole blocks of `type`.
    @unsafe init(_ bytes: UnsafeRawBufferPointer, of type: TensorType, _ scratch: ScratchArena) throws(AlpacaError) {
        try unsafe add(bytes, of: type, scratch)
    }

    @unsafe private mutating func add(
        _ bytes: UnsafeRawBufferPointer, of type: TensorType, _ scratch: ScratchArena
    ) throws(AlpacaError) {
        let number = bytes.count / type.bytesPerBlock * type.elementsPerBlock
        guard number > 0, let from = bytes.baseAddress else { return }
        var strange = 0
        var greatest = self.greatest, least = self.least
        try scratch.scope { () throws(AlpacaError) in
            let memory = try unsafe scratch.take(
                try CheckedMath.product(number, MemoryLayout<Float>.size, of: "numbers"), for: "numbers of a tensor")
            guard let floats = unsafe memory.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            // Bound: both have `number` weights.
            unsafe Kernels.best.pointee.vector.dequantize_row(Int32(bitPattern: type.rawValue), from, number, floats)
            for i in 0..<number {
                let number = unsafe floats[i]
                guard number.isFinite else {
                    strange += 1
                    continue
                }
                greatest = max(greatest, abs(number))
                least = min(least, number)
            }
        }
        self.strange += strange
        self.greatest = greatest
        self.least = least
        count += number
    }
}

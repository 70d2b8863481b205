/// The tensors of a legacy file: where they lie in it if they lie as they should, converted into memory otherwise.
final class LegacyGGMLWeightStore: WeightStore {
    private let reader: LegacyGGMLReader
    private let data: MappedFile?
    /// For each tensor its copy; nil where `data` has it.
    private let copies: [Copy?]

    private final class Copy: Sendable {
        let buffer: AlignedBuffer
        init(_ buffer: consuming AlignedBuffer) { self.buffer = buffer }
    }

    init(_ reader: LegacyGGMLReader, _ options: ModelOptions) throws(AlpacaError) {
        self.reader = reader
        let inPlace = reader.tensors.indices.map { options.usesMemoryMap && reader.place(of: $0) != nil }
        var total = 0
        for (info, isInPlace) in zip(reader.tensors, inPlace) where !isInPlace {
            total = try CheckedMath.sum(total, info.byteCount, of: "bytes of all tensors")
        }
        try MemoryBudget.require(total, for: "weights of \(reader.container), which have to be converted (to a GGUF file, once, for less)")
        data = inPlace.contains(true) ? try MappedFile(reader.files[0], mode: .map) : nil
        if let data, options.prefetches || options.locksMemory {
            let all = try unsafe data.region(at: 0, count: data.count, of: "the file")
            unsafe data.advise(all, willNeed: true)
            if options.locksMemory { try data.lock() }
        }
        let scratch = ScratchArena()
        var copies: [Copy?] = []
        var done = 0
        for (i, info) in reader.tensors.enumerated() {
            guard !inPlace[i] else {
                copies.append(nil)
                continue
            }
            let copy = Copy(try AlignedBuffer(count: info.byteCount, for: "tensor \(info.name.quoted())"))
            // Bound: the buffer was made with byteCount bytes or more.
            let bytes = unsafe UnsafeMutableRawBufferPointer(start: copy.buffer.base, count: info.byteCount)
            try unsafe reader.read(i, rows: 0..<info.rows, into: bytes, scratch: scratch)
            copies.append(copy)
            done += info.byteCount
            let report = Progress(stage: "load", item: info.name, done: UInt64(done), total: UInt64(total))
            if let progress = options.progress, !progress(report) {
                throw AlpacaError(.cancelled, "loading was cancelled")
            }
        }
        self.copies = copies
    }

    func info(_ role: TensorRole) -> TensorInfo? { index(role).map { reader.tensors[$0] } }

    @unsafe func bytes(_ role: TensorRole) throws(AlpacaError) -> UnsafeRawBufferPointer {
        guard let index = index(role) else { throw AlpacaError(.missing, "tensor \"\(role.name(in: .meta) ?? "")\" is missing") }
        let info = reader.tensors[index]
        // Bound: the copy has byteCount bytes or more, and lives as long as the store.
        if let copy = copies[index] { return unsafe UnsafeRawBufferPointer(start: copy.buffer.base, count: info.byteCount) }
        guard let data, let place = reader.place(of: index) else {
            throw AlpacaError(.internalError, "tensor \(info.name.quoted()) was not loaded")
        }
        return try unsafe data.region(at: place.start, count: info.byteCount, of: "tensor \(info.name.quoted())")
    }

    private func index(_ role: TensorRole) -> Int? { role.name(in: .meta).flatMap { reader.index(of: $0) } }
}

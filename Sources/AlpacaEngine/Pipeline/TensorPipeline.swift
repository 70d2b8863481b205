// Where the work is done. A tensor is cut into chunks of rows, and a chunk goes its whole way on one thread: it is read (and merged, where
// the source is a merge), put into the output's type and order of rows, and written at its place. So reading, computing and writing
// overlap, all cores are busy, and no more is in memory than a chunk for each thread.

import Synchronization

/// One tensor of the output.
struct OutputTensor: Sendable {
    /// Its number in the source.
    let source: Int
    /// As it is written: the output's name and type, the whole tensor's shape.
    let info: TensorInfo
    /// The order of rows that heads are to have; nil: as the source has them.
    var order: (RopePairing, headDimension: Int)?
    /// For each column how much its errors count.
    var importance: [Float]?
    /// Where it goes. Several places: a tensor that is cut or repeated.
    var pieces: [Piece]

    struct Piece: Sendable {
        let file: Int
        /// Its number among the tensors of the file's layout.
        let part: Int
        let rows: Range<Int>
        let columns: Range<Int>
        /// Rows of the part before this piece: those of the experts before.
        var before = 0
    }
}

/// Writes tensors from a source to files after their layouts.
final class TensorPipeline: Sendable {
    private let source: any TensorSource
    private let outputs: [OutputTensor]
    private let constants: [Output.Constant]
    private let files: [(file: OutputFile, layout: FileLayout)]
    private let chunks: [Chunk]
    private let scratch: [Scratch]
    private let numbers: NumberCheck
    private let done = Atomic<UInt64>(0)
    private let current = Atomic<Int>(0)
    /// CRC-32 of what each chunk wrote to each piece, for formats that store checksums.
    private let checksums: Lock<[[UInt32]]>

    private struct Chunk: Sendable {
        let output: Int
        let rows: Range<Int>
    }

    /// Each thread's own.
    private final class Scratch: @unchecked Sendable { let arena = ScratchArena() }

    /// Weights of a chunk, about: few enough to stay in the processor's cache, enough that handing out costs nothing.
    static let weightsPerChunk = 1 << 18
    /// Weights that are encoded between two looks at whether to go on: some milliseconds.
    private static let weightsBetweenLooks = 1 << 14
    /// Rows at least: an adapter's small matrices are walked once a chunk.
    private static let leastRows = 64

    init(
        source: any TensorSource, outputs: [OutputTensor], constants: [Output.Constant] = [],
        files: [(file: OutputFile, layout: FileLayout)], threadCount: Int, allowsNonfinite: Bool = false
    ) throws(AlpacaError) {
        self.source = source
        numbers = NumberCheck(source, outputs, allowsNonfinite: allowsNonfinite)
        self.outputs = outputs
        self.constants = constants
        self.files = files
        var chunks: [Chunk] = []
        for (i, output) in outputs.enumerated() {
            let size = TensorPipeline.chunkRows(output)
            var row = 0
            while row < output.info.rows {
                let end = min(row + size, output.info.rows)
                try chunks.makeRoom(for: 1, of: "list of chunks")
                chunks.append(Chunk(output: i, rows: row..<end))
                row = end
            }
        }
        self.chunks = chunks
        // A list for each, with a number in it.
        try LargeMemory.ask(chunks.count, of: 64, for: "checksums")
        scratch = (0..<max(1, threadCount)).map { _ in Scratch() }
        checksums = Lock([[UInt32]](repeating: [], count: chunks.count))
    }

    /// Whole heads where rows are put into another order.
    private static func chunkRows(_ output: OutputTensor) -> Int {
        let rows = max(leastRows, weightsPerChunk / max(1, output.info.columns))
        guard let head = output.order?.headDimension else { return rows }
        return max(1, rows / head) * head
    }

    /// Bytes of the source that are read: what progress counts.
    static func total(_ source: any TensorSource, _ outputs: [OutputTensor]) throws(AlpacaError) -> Int {
        var sum = 0
        for output in outputs { sum = try CheckedMath.sum(sum, source.tensors[output.source].byteCount, of: "size of the input") }
        return sum
    }

    /// What was written although it is no number, in sentences.
    func warnings() throws(AlpacaError) -> [String] { try numbers.warnings() }

    /// Does the work on as many threads as `init` was told.
    func run(progress: ProgressHandler, cancelled: AlpacaError) throws(AlpacaError) {
        for (file, layout) in files {
            for patch in layout.fixed { try file.write(patch.bytes, at: patch.offset) }
        }
        for constant in constants {
            try files[constant.file].file.write(constant.bytes, at: files[constant.file].layout.dataOffsets[constant.part])
        }
        let total = UInt64(try TensorPipeline.total(source, outputs))
        try ParallelJob.run(items: chunks.count, threadCount: scratch.count, cancelled: cancelled) {
            let name = outputs.isEmpty ? "" : outputs[current.load(ordering: .relaxed)].info.name
            return progress(Progress(stage: "convert", item: name, done: done.load(ordering: .relaxed), total: total))
        } body: { [self] (item, worker) throws(AlpacaError) in
            try convert(item, scratch[worker.thread].arena, worker)
        }
        try close()
    }

    private func convert(_ item: Int, _ scratch: ScratchArena, _ worker: ParallelJob.Worker) throws(AlpacaError) {
        let chunk = chunks[item]
        let output = outputs[chunk.output]
        current.store(chunk.output, ordering: .relaxed)
        let info = source.tensors[output.source]
        let count = chunk.rows.count
        try scratch.scope { () throws(AlpacaError) in
            let input = try unsafe scratch.take(count * info.rowByteCount, for: "tensor \(info.name.quoted())")
            if let (order, head) = output.order {
                try unsafe readReordered(
                    source, output.source, rows: chunk.rows, order: order, headDimension: head, into: input, scratch: scratch)
            } else {
                try unsafe source.read(output.source, rows: chunk.rows, into: input, scratch: scratch)
            }
            var bytes = UnsafeRawBufferPointer(input)
            if info.type != output.info.type {
                let encoded = try unsafe scratch.take(count * output.info.rowByteCount, for: "tensor \(info.name.quoted())")
                if let from = input.baseAddress, let to = encoded.baseAddress {
                    let encoder = try RowEncoder(
                        from: info.type, to: output.info.type, columns: info.columns, importance: output.importance)
                    // The types with a search for scales take long: some rows, a look at whether to go on, some rows.
                    let step = max(1, TensorPipeline.weightsBetweenLooks / max(1, info.columns))
                    for row in stride(from: 0, to: count, by: step) {
                        guard worker.goesOn() else { return }
                        // Bound: both hold `count` rows of their types.
                        let bad = try unsafe encoder.encode(
                            rows: min(step, count - row), from: from + row * info.rowByteCount, to: to + row * output.info.rowByteCount,
                            scratch: scratch)
                        if bad != nil { throw try numbers.refusal(chunk.output) }
                    }
                }
                unsafe bytes = UnsafeRawBufferPointer(encoded)
            }
            try unsafe numbers.check(chunk.output, bytes, from: UnsafeRawBufferPointer(input), scratch)
            try unsafe write(bytes, item, output, chunk.rows, scratch)
        }
        done.add(UInt64(count * info.rowByteCount), ordering: .relaxed)
    }

    /// Writes a chunk's rows to all pieces that they belong to.
    @unsafe private func write(
        _ bytes: UnsafeRawBufferPointer, _ item: Int, _ output: OutputTensor, _ rows: Range<Int>, _ scratch: ScratchArena
    ) throws(AlpacaError) {
        let rowBytes = output.info.rowByteCount
        var sums: [UInt32] = []
        for piece in output.pieces {
            let (file, layout) = files[piece.file]
            let here = rows.clamped(to: piece.rows)
            var part = unsafe UnsafeRawBufferPointer(rebasing: bytes[0..<0])
            if !here.isEmpty {
                // Bound: `here` lies inside `rows`, of which the bytes have all.
                unsafe part = UnsafeRawBufferPointer(
                    rebasing: bytes[(here.lowerBound - rows.lowerBound) * rowBytes..<(here.upperBound - rows.lowerBound) * rowBytes])
            }
            try scratch.scope { () throws(AlpacaError) in
                var width = rowBytes
                if piece.columns.count != output.info.columns, !here.isEmpty {
                    width = try output.info.type.bytesPerRow(columns: piece.columns.count)
                    let start = try output.info.type.bytesPerRow(columns: piece.columns.lowerBound)
                    let slice = try unsafe scratch.take(here.count * width, for: "tensor \(output.info.name.quoted())")
                    for row in 0..<here.count {
                        // Bound: the piece's columns lie inside the row.
                        if let to = slice.baseAddress, let from = part.baseAddress {
                            unsafe (to + row * width).copyMemory(from: from + row * rowBytes + start, byteCount: width)
                        }
                    }
                    unsafe part = UnsafeRawBufferPointer(slice)
                }
                if layout.closing != nil {
                    var sum = CRC32()
                    unsafe sum.update(part)
                    sums.append(sum.value)
                }
                guard !here.isEmpty else { return }
                let row = piece.before + here.lowerBound - piece.rows.lowerBound
                try unsafe file.write(part, at: layout.dataOffsets[piece.part] + row * width)
            }
        }
        if !sums.isEmpty { checksums.withLock { $0[item] = sums } }
    }

    /// Writes what depends on checksums.
    private func close() throws(AlpacaError) {
        guard files.contains(where: { $0.layout.closing != nil }) else { return }
        var totals = files.map { [UInt32](repeating: 0, count: $0.layout.dataOffsets.count) }
        for constant in constants {
            var sum = CRC32()
            // Bound: the array's own bytes.
            unsafe constant.bytes.withUnsafeBytes { unsafe sum.update($0) }
            totals[constant.file][constant.part] = sum.value
        }
        let sums = checksums.withLock { $0 }
        for (chunk, sums) in zip(chunks, sums) {
            let output = outputs[chunk.output]
            var next = sums.makeIterator()
            for piece in output.pieces where files[piece.file].layout.closing != nil {
                guard let sum = next.next() else { continue }
                let rows = chunk.rows.clamped(to: piece.rows).count
                let length = try rows * output.info.type.bytesPerRow(columns: piece.columns.count)
                totals[piece.file][piece.part] = CRC32.combine(totals[piece.file][piece.part], sum, lengthOfB: length)
            }
        }
        for ((file, layout), sums) in zip(files, totals) {
            for patch in layout.closing?(sums) ?? [] { try file.write(patch.bytes, at: patch.offset) }
        }
    }
}

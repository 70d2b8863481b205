/// The tensors of a model's files: where they lie in a file if they lie as the kernels need them, else read into memory.
final class SourceWeightStore: WeightStore {
    private let source: ModelTensors
    /// The files that are mapped, by their places in `places`.
    private let maps: [MappedFile]
    /// For each tensor its map and place, or its copy.
    private let places: [Place]

    private enum Place: Sendable {
        case mapped(Int, offset: Int)
        case copied(Copy)
    }

    private final class Copy: Sendable {
        let buffer: AlignedBuffer
        init(_ buffer: consuming AlignedBuffer) { self.buffer = buffer }
    }

    init(_ model: ModelSource, _ options: ModelOptions) throws(AlpacaError) {
        let source = model.weights
        self.source = source
        var maps: [MappedFile] = []
        var places: [Place?] = []
        var total = 0
        let remote = options.usesMemoryMap == nil ? source.inputs.filter(\.isRemote) : []
        for (i, info) in source.tensors.enumerated() {
            guard options.usesMemoryMap ?? true, let region = source.place(of: i), region.start % (info.type == .f32 ? 4 : 2) == 0,
                !remote.contains(where: { $0 === region.file })
            else {
                places.append(nil)
                total = try CheckedMath.sum(total, info.byteCount, of: "bytes of all tensors")
                continue
            }
            let known = maps.firstIndex { $0.file === region.file }
            if known == nil { maps.append(try MappedFile(region.file)) }
            places.append(.mapped(known ?? maps.count - 1, offset: region.start))
        }
        try MemoryBudget.require(total, for: "weights of \(model.format), which have to be read into memory")
        func report(_ item: String, _ done: Int, _ total: Int) throws(AlpacaError) {
            guard let progress = options.progress else { return }
            guard progress(Progress(stage: "load", item: item, done: UInt64(done), total: UInt64(total))) else {
                throw AlpacaError(.cancelled, "loading was cancelled")
            }
        }
        for map in maps where options.prefetches || options.locksMemory {
            try map.load(locks: options.locksMemory) { (done) throws(AlpacaError) in try report(map.file.path, done, map.count) }
        }
        let scratch = ScratchArena()
        var done = 0
        self.maps = maps
        var complete: [Place] = []
        for (i, place) in places.enumerated() {
            if let place {
                complete.append(place)
                continue
            }
            let info = source.tensors[i]
            let copy = Copy(try AlignedBuffer(count: info.byteCount, for: "tensor \(info.name.quoted())"))
            // A panel at a time, so that cancelling is quick. Bound: the buffer was made with byteCount bytes or more.
            let panel = max(1, (4 << 20) / max(1, info.rowByteCount))
            var row = 0
            while row < info.rows {
                let rows = row..<min(row + panel, info.rows)
                let target = unsafe UnsafeMutableRawBufferPointer(
                    start: copy.buffer.base + row * info.rowByteCount, count: rows.count * info.rowByteCount)
                try scratch.scope { () throws(AlpacaError) in try unsafe source.read(i, rows: rows, into: target, scratch: scratch) }
                row = rows.upperBound
                done += rows.count * info.rowByteCount
                try report(info.name, done, total)
            }
            complete.append(.copied(copy))
        }
        self.places = complete
        // They were checked against their tensors' ends when they were opened.
        try checkFiles()
    }

    func checkFiles() throws(AlpacaError) {
        for map in maps { try map.file.checkUnchanged() }
    }

    func info(_ role: TensorRole) -> TensorInfo? { source.index(of: role).map { source.tensors[$0] } }

    @unsafe func bytes(_ role: TensorRole) throws(AlpacaError) -> UnsafeRawBufferPointer {
        guard let index = source.index(of: role) else {
            throw AlpacaError(.missing, "tensor \"\(role.name(in: .gguf) ?? "")\" is missing")
        }
        let info = source.tensors[index]
        switch places[index] {
        case .mapped(let map, let offset):
            return try unsafe maps[map].region(at: offset, count: info.byteCount, of: "tensor \(info.name.quoted())")
        case .copied(let copy):
            // Bound: the copy has byteCount bytes or more, and lives as long as the store.
            return unsafe UnsafeRawBufferPointer(start: copy.buffer.base, count: info.byteCount)
        }
    }
}

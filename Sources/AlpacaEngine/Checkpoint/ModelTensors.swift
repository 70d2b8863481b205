/// The tensors of a model's files by what they are, as a GGUF file would have them: under its names, rows of queries and keys in its order.
package final class ModelTensors: TensorSource {
    /// Those that the architecture doesn't have keep their own names.
    package let tensors: [TensorInfo]
    private let weights: any TensorSource
    private let naming: TensorNaming
    private let entries: [Entry]
    private let indexByName: [String: Int]
    private let indexByRole: [TensorRole: Int]

    private struct Entry: Sendable {
        /// The number in the files.
        let index: Int
        let role: TensorRole?
        /// Set where rows have to be brought into GGUF's order: the dimension of a head.
        var headDimension: Int?
        /// Set where the tensor is a part of the files': its first row there, of a vector its first element.
        var start: Int?
    }

    /// - Parameters:
    ///   - naming: whose names `weights` has.
    ///   - configuration: nil where the files don't tell it: then tensors are named after whichever family knows them, and left as they lie.
    package init(_ weights: any TensorSource, _ naming: TensorNaming, _ configuration: ModelConfiguration?) {
        self.weights = weights
        self.naming = naming
        let architecture = configuration.map { Architectures.make($0) }
        let table = configuration.map { Architectures.family($0).table } ?? Architectures.table
        var tensors: [TensorInfo] = []
        var entries: [Entry] = []
        let listed = ModelTensors.list(weights.tensors, naming, table, configuration)
        for number in ModelTensors.order(listed.map(\.0), weights.tensors, naming, table) {
            var (entry, info) = listed[number]
            let role = entry.role
            if entry.start == nil, naming == .huggingFace, let role, let head = configuration?.headDimension,
                architecture?.spec(of: role)?.hasHeadOrder == true,
                info.shape[0] % head == 0, head % 2 == 0, info.shape.count == 2 || FloatType(info.type) != nil
            {
                entry.headDimension = head
            }
            let name = role.flatMap { table.name(of: $0, in: .gguf) } ?? info.name
            // The shape is the same, so that nothing can be out of range.
            info = (try? TensorInfo(name: name, type: info.type, shape: info.shape)) ?? info
            tensors.append(info)
            entries.append(entry)
        }
        self.tensors = tensors
        self.entries = entries
        indexByName = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        indexByRole = Dictionary(
            entries.enumerated().compactMap { number, entry in entry.role.map { ($0, number) } }, uniquingKeysWith: { first, _ in first })
    }

    /// The files' tensors with their roles; those that hold several are taken apart.
    private static func list(
        _ tensors: [TensorInfo], _ naming: TensorNaming, _ table: TensorTable, _ configuration: ModelConfiguration?
    ) -> [(Entry, TensorInfo)] {
        var result: [(Entry, TensorInfo)] = []
        for (index, info) in tensors.enumerated() {
            guard let parts = parts(of: info, naming, table, configuration) else {
                result.append((Entry(index: index, role: table.role(of: info.name, in: naming)), info))
                continue
            }
            result += parts.map { (Entry(index: index, role: $0.part.role, start: $0.part.start), $0.info) }
        }
        return result
    }

    /// What a tensor of the files holds of the model's; nil where it is one of them, or none, or not of the shape that it has to have.
    private static func parts(
        of info: TensorInfo, _ naming: TensorNaming, _ table: TensorTable, _ configuration: ModelConfiguration?
    ) -> [(part: TensorJoin.Part, info: TensorInfo)]? {
        guard let configuration, let (join, layer) = table.join(named: info.name, in: naming),
            let (shape, parts) = join.parts(layer, table, configuration), info.shape == shape
        else { return nil }
        // Parts of vectors begin at whole blocks.
        guard shape.count > 1 || info.type.elementsPerBlock == 1 else { return nil }
        var result: [(part: TensorJoin.Part, info: TensorInfo)] = []
        for part in parts {
            guard let info = try? TensorInfo(name: info.name, type: info.type, shape: part.shape) else { return nil }
            result.append((part, info))
        }
        return result
    }

    /// The places in the list in the order in which tensors are to be listed: GGUF files keep theirs, others get the model's.
    private static func order(_ list: [Entry], _ tensors: [TensorInfo], _ naming: TensorNaming, _ table: TensorTable) -> [Int] {
        guard naming != .gguf else { return Array(list.indices) }
        let known = list.indices.filter { !Architectures.isIgnored(tensors[list[$0].index].name) }
            .map { ($0, table.place(of: list[$0].role)) }
        return known.sorted { $0.1 == $1.1 ? $0.0 < $1.0 : $0.1 < $1.1 }.map(\.0)
    }

    // MARK: What they are

    package func role(of index: Int) -> TensorRole? { entries[index].role }

    package func index(of role: TensorRole) -> Int? { indexByRole[role] }

    /// The name that messages give a tensor: that in the files.
    package func fileName(of index: Int) -> String { weights.tensors[entries[index].index].name }

    /// Throws unless the tensors are those of the configuration, no more and no fewer, each of its shape. The only check of shapes: what binds
    /// weights after it trusts them.
    package func check(_ configuration: ModelConfiguration) throws(AlpacaError) {
        let architecture = Architectures.make(configuration)
        for (i, info) in tensors.enumerated() where !Architectures.isIgnored(info.name) {
            let name = fileName(of: i).quoted()
            guard let role = entries[i].role else {
                if let (join, layer) = Architectures.family(configuration).table.join(named: fileName(of: i), in: naming),
                    let (shape, _) = join.parts(layer, Architectures.family(configuration).table, configuration)
                {
                    throw AlpacaError(
                        .shapeMismatch, "tensor \(name): found shape \(info.shapeText), expected \(TensorInfo.text(shape))")
                }
                let title = Architectures.family(configuration).names.title
                throw AlpacaError(.unsupported, "tensor \(name) has no place in the \(title) architecture as this version runs it")
            }
            guard (role.layer ?? 0) < configuration.layerCount else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(name): found a layer beyond those that the header tells, \(configuration.layerCount)")
            }
            if let first = index(of: role), first != i {
                throw AlpacaError(
                    .badFormat, "tensors \(fileName(of: first).quoted()) and \(name) are for the same place")
            }
            guard role.expert ?? 0 < configuration.expertCount else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(name): found an expert beyond those that the header tells, \(configuration.expertCount)")
            }
            // Passing over a bias, or a matrix beside experts, would make another model.
            guard architecture.spec(of: role) != nil else {
                throw AlpacaError(
                    .unsupported,
                    "tensor \(name) has no place in this model: by its configuration, or its first layer, it has no such tensors")
            }
        }
        for spec in architecture.tensors {
            // One after the other: what a header tells may be far more than what is there.
            for expert in 0..<(spec.expertCount ?? 1) { try check(spec, expert: spec.expertCount == nil ? nil : expert) }
        }
    }

    private func check(_ spec: TensorSpec, expert: Int?) throws(AlpacaError) {
        var role = spec.role
        role.expert = expert
        guard let index = index(of: role) else {
            guard spec.isRequired else { return }
            let (name, shape) = missing(spec, expert: expert)
            // There, but of no type that weights have.
            if let other = others.first(where: { $0.name == name }) { throw other.refusal }
            throw AlpacaError(
                .missing, "tensor \(name.quoted()) is missing: expected shape \(TensorInfo.text(shape)) (is the file complete?)")
        }
        guard tensors[index].shape == spec.shape else {
            throw AlpacaError(
                .shapeMismatch,
                "tensor \(fileName(of: index).quoted()): found shape \(tensors[index].shapeText), expected \(TensorInfo.text(spec.shape))"
            )
        }
    }

    /// What messages call a tensor that is missing, and its shape. Where a layer's experts are together, none of them has a name of its own.
    private func missing(_ spec: TensorSpec, expert: Int?) -> (name: String, shape: [Int]) {
        guard let expert else { return (spec.names[naming] ?? "\(spec.role)", spec.shape) }
        if naming == .gguf, expert == 0, let stack = Architectures.table.stackName(of: spec.role) {
            return (stack, [spec.expertCount ?? 1] + spec.shape)
        }
        let names = spec.names.numbered(expert: expert)
        return (names[naming] ?? "\(spec.role)", spec.shape)
    }

    // MARK: Bytes

    package var others: [ForeignTensor] { weights.others }
    package var inputs: [InputFile] { weights.inputs }
    package func index(of name: String) -> Int? { indexByName[name] }

    package func place(of index: Int) -> FileRegion? {
        guard entries.indices.contains(index), entries[index].headDimension == nil else { return nil }
        let entry = entries[index], place = weights.place(of: entry.index)
        guard let start = entry.start, let place else { return place }
        // Bound: the part lies inside the files' tensor.
        return try? place.region(at: offset(entry, start), count: tensors[index].byteCount)
    }

    package func origins(of index: Int) -> [TensorOrigin] {
        entries.indices.contains(index) ? weights.origins(of: entries[index].index) : []
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        let entry = entries[index]
        if let start = entry.start { return try unsafe readPart(index, entry, start, rows, into: target, scratch: scratch) }
        guard let head = entry.headDimension else {
            return try unsafe weights.read(entry.index, rows: rows, into: target, scratch: scratch)
        }
        try unsafe readReordered(
            weights, entry.index, rows: rows, order: .interleaved, headDimension: head, into: target, scratch: scratch)
    }

    /// Bytes of a files' tensor before one of its parts.
    private func offset(_ entry: Entry, _ start: Int) -> Int {
        let whole = weights.tensors[entry.index]
        return whole.shape.count > 1 ? start * whole.rowByteCount : start / whole.type.elementsPerBlock * whole.type.bytesPerBlock
    }

    @unsafe private func readPart(
        _ index: Int, _ entry: Entry, _ start: Int, _ rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        let whole = weights.tensors[entry.index]
        guard whole.shape.count == 1, !rows.isEmpty else {
            let there = start + rows.lowerBound..<start + rows.upperBound
            return try unsafe weights.read(entry.index, rows: there, into: target, scratch: scratch)
        }
        try scratch.scope { () throws(AlpacaError) in
            let bytes = try unsafe scratch.take(whole.byteCount, for: "tensor \(whole.name.quoted())")
            try unsafe weights.read(entry.index, rows: 0..<1, into: bytes, scratch: scratch)
            let first = offset(entry, start)
            // Bound: the part lies inside the vector, of which all was read; the target has the part's size.
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first..<first + target.count]))
        }
    }

    // MARK: As a GGUF file has them

    /// The tensors as a GGUF file would list them: those of a layer's experts as one.
    package var listed: [TensorInfo] { TensorStack.stacks(tensors).map(\.info) }
}

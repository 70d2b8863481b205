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
        for (index, role) in ModelTensors.order(weights.tensors, naming, table) {
            let info = weights.tensors[index]
            var entry = Entry(index: index, role: role)
            if naming == .huggingFace, let role, let head = configuration?.headDimension,
                architecture?.spec(of: role)?.hasHeadOrder == true,
                info.shape.count == 2, info.rows % head == 0, head % 2 == 0
            {
                entry.headDimension = head
            }
            let name = role.flatMap { table.name(of: $0, in: .gguf) } ?? info.name
            // The shape is the same, so that nothing can be out of range.
            tensors.append((try? TensorInfo(name: name, type: info.type, shape: info.shape)) ?? info)
            entries.append(entry)
        }
        self.tensors = tensors
        self.entries = entries
        indexByName = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        indexByRole = Dictionary(
            entries.enumerated().compactMap { number, entry in entry.role.map { ($0, number) } }, uniquingKeysWith: { first, _ in first })
    }

    /// The tensors' numbers in the order in which they are to be listed, with their roles: GGUF files keep theirs, others get the model's.
    private static func order(_ tensors: [TensorInfo], _ naming: TensorNaming, _ table: TensorTable) -> [(Int, TensorRole?)] {
        let all = tensors.indices.map { ($0, table.role(of: tensors[$0].name, in: naming)) }
        guard naming != .gguf else { return all }
        let known = all.filter { !Architectures.isIgnored(tensors[$0.0].name) }.map { ($0, table.place(of: $0.1)) }
        return known.sorted { $0.1 == $1.1 ? $0.0.0 < $1.0.0 : $0.1 < $1.1 }.map(\.0)
    }

    // MARK: What they are

    package func role(of index: Int) -> TensorRole? { entries[index].role }

    package func index(of role: TensorRole) -> Int? { indexByRole[role] }

    /// The name that messages give a tensor: that in the files.
    package func fileName(of index: Int) -> String { weights.tensors[entries[index].index].name }

    /// Throws unless the tensors are those of the configuration, no more and no fewer, each of its shape. The only check of shapes: what binds
    /// weights after it trusts them.
    package func check(_ configuration: ModelConfiguration) throws(AlpacaError) {
        for (i, info) in tensors.enumerated() where !Architectures.isIgnored(info.name) {
            let name = fileName(of: i).quoted()
            guard let role = entries[i].role else {
                let title = Architectures.family(configuration).names.title
                throw AlpacaError(.unsupported, "tensor \(name) has no place in the \(title) architecture as this version runs it")
            }
            guard (role.layer ?? 0) < configuration.layerCount else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(name): found a layer beyond those that the header tells, \(configuration.layerCount)")
            }
        }
        for spec in Architectures.make(configuration).tensors {
            guard let index = index(of: spec.role) else {
                guard spec.isRequired else { continue }
                let name = spec.names[naming] ?? "\(spec.role)"
                // There, but of no type that weights have.
                if let other = others.first(where: { $0.name == name }) { throw other.refusal }
                throw AlpacaError(
                    .missing,
                    "tensor \(name.quoted()) is missing: expected shape \(TensorInfo.text(spec.shape)) (is the file complete?)")
            }
            guard tensors[index].shape == spec.shape else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(fileName(of: index).quoted()): found shape \(tensors[index].shapeText), expected \(TensorInfo.text(spec.shape))"
                )
            }
        }
    }

    // MARK: Bytes

    package var others: [ForeignTensor] { weights.others }
    package var inputs: [InputFile] { weights.inputs }
    package func index(of name: String) -> Int? { indexByName[name] }

    package func place(of index: Int) -> FileRegion? {
        guard entries.indices.contains(index), entries[index].headDimension == nil else { return nil }
        return weights.place(of: entries[index].index)
    }

    package func origins(of index: Int) -> [TensorOrigin] {
        entries.indices.contains(index) ? weights.origins(of: entries[index].index) : []
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        let entry = entries[index]
        guard let head = entry.headDimension else {
            return try unsafe weights.read(entry.index, rows: rows, into: target, scratch: scratch)
        }
        try unsafe readReordered(
            weights, entry.index, rows: rows, order: .interleaved, headDimension: head, into: target, scratch: scratch)
    }
}

// Adapters of models whose experts are one parameter a layer. Transformers 5 has them so in memory, and PEFT then trains what
// "target_parameters" names: A has a row for each rank of each expert, one expert behind the other, B a column for each expert of each rank.
// The inner of the two wrappers of a layer has the gates and ups together, the outer one the second matrices.

/// An adapter's tensors, where those of experts are taken apart: each expert has an A and a B of its own, under Hugging Face's names.
package final class FusedExperts: TensorSource {
    package let tensors: [TensorInfo]
    /// Experts of a layer.
    package let expertCount: Int
    private let source: any TensorSource
    private let entries: [Entry]
    private let indexByName: [String: Int]

    private struct Entry {
        let index: Int
        var part = Part.whole
    }

    private enum Part {
        case whole
        /// Rows from this one on.
        case rows(Int)
        /// Rows from this one on, and of them the columns of an expert.
        case columns(row: Int, expert: Int)
    }

    /// A and B of one of a layer's two parameters.
    private struct Pair {
        var a: Int?
        var b: Int?
    }

    /// nil where the adapter has no such tensors.
    package init?(_ source: any TensorSource, _ configuration: AdapterConfiguration) throws(AlpacaError) {
        var layers: [Int: [Pair]] = [:]
        var tensors: [TensorInfo] = []
        var entries: [Entry] = []
        for (index, info) in source.tensors.enumerated() {
            guard let (module, part, _) = AdapterKey.parsed(info.name), let (layer, isInner) = FusedExperts.place(module),
                part == .loraA || part == .loraB
            else {
                tensors.append(info)
                entries.append(Entry(index: index))
                continue
            }
            var pairs = layers[layer] ?? [Pair(), Pair()]
            let number = isInner ? 1 : 0
            if part == .loraA { pairs[number].a = index } else { pairs[number].b = index }
            layers[layer] = pairs
        }
        guard !layers.isEmpty else { return nil }
        var count: Int?
        for (layer, pairs) in layers.sorted(by: { $0.key < $1.key }) {
            let found = try FusedExperts.kinds(pairs, source, configuration)
            for (name, a, b) in found {
                let module = "model.layers.\(layer).mlp.experts.\(name)", first = source.tensors[a], second = source.tensors[b]
                let rank = configuration.rank(of: module)
                guard first.rows % rank == 0, ModelConfiguration.Limits.expertCount.contains(first.rows / rank),
                    first.rows / rank == count ?? (first.rows / rank), second.columns == first.rows, first.type.elementsPerBlock == 1,
                    second.type.elementsPerBlock == 1
                else {
                    throw AlpacaError(
                        .shapeMismatch,
                        "tensors \(first.name.quoted()) \(first.shapeText) and \(second.name.quoted()) \(second.shapeText): expected "
                            + "\(rank) rows and columns for each expert" + (count.map { " of \($0)" } ?? ""))
                }
                let experts = first.rows / rank
                count = experts
                let parts = name == "down_proj" ? ["down_proj"] : ["gate_proj", "up_proj"]
                let height = second.rows / parts.count
                for expert in 0..<experts {
                    for (number, part) in parts.enumerated() {
                        let start = "base_model.model.model.layers.\(layer).mlp.experts.\(expert).\(part).lora_"
                        tensors.append(try TensorInfo(name: "\(start)A.weight", type: first.type, shape: [rank, first.columns]))
                        entries.append(Entry(index: a, part: .rows(expert * rank)))
                        tensors.append(try TensorInfo(name: "\(start)B.weight", type: second.type, shape: [height, rank]))
                        entries.append(Entry(index: b, part: .columns(row: number * height, expert: expert)))
                    }
                }
            }
        }
        self.source = source
        self.tensors = tensors
        self.entries = entries
        expertCount = count ?? 0
        indexByName = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The layer of a module that stands for all its experts, and whether it is the inner of two.
    private static func place(_ module: String) -> (layer: Int, isInner: Bool)? {
        let words = module.split(separator: ".", omittingEmptySubsequences: false)
        guard let at = words.firstIndex(of: "layers"), words.count > at + 3, let layer = Int(words[at + 1]), (0..<1 << 20).contains(layer),
            words[at + 2] == "mlp" || words[at + 2] == "block_sparse_moe", words[at + 3] == "experts"
        else { return nil }
        let rest = words[(at + 4)...]
        guard rest.isEmpty || Array(rest) == ["base_layer"] else { return nil }
        return (layer, !rest.isEmpty)
    }

    /// Which parameter each pair is of. The shapes tell: gates and ups give twice what the second matrices take, and these give what those
    /// take. Of one pair alone the configuration tells.
    private static func kinds(
        _ pairs: [Pair], _ source: any TensorSource, _ configuration: AdapterConfiguration
    ) throws(AlpacaError) -> [(name: String, a: Int, b: Int)] {
        var found: [(a: Int, b: Int)] = []
        for pair in pairs {
            guard let known = pair.a ?? pair.b else { continue }
            guard let a = pair.a, let b = pair.b else {
                throw AlpacaError(
                    .missing,
                    "tensor \(source.tensors[known].name.quoted()): its other half, \(pair.a == nil ? "lora_A" : "lora_B"), is missing")
            }
            for index in [a, b] where source.tensors[index].shape.count != 2 {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(source.tensors[index].name.quoted()): found the shape \(source.tensors[index].shapeText), expected a matrix")
            }
            found.append((a, b))
        }
        func input(_ pair: (a: Int, b: Int)) -> Int { source.tensors[pair.a].columns }
        func output(_ pair: (a: Int, b: Int)) -> Int { source.tensors[pair.b].rows }
        let names = ["gate_up_proj", "down_proj"].filter { name in
            configuration.targetParameters.contains { $0 == name || $0.hasSuffix(".\(name)") }
        }
        if found.count == 1, names.count == 1, names[0] == "down_proj" || output(found[0]) % 2 == 0 {
            return [(names[0], found[0].a, found[0].b)]
        }
        if found.count == 2 {
            for (first, second) in [(found[0], found[1]), (found[1], found[0])]
            where input(first) == output(second) && output(first) == 2 * input(second) {
                return [("gate_up_proj", first.a, first.b), ("down_proj", second.a, second.b)]
            }
        }
        let shapes = found.flatMap { [$0.a, $0.b] }.map { "\(source.tensors[$0].name.quoted()) \(source.tensors[$0].shapeText)" }
        throw AlpacaError(
            .unsupported,
            "the tensors of all experts of a layer, \(shapes.joined(separator: ", ")), are not those of gate_up_proj and down_proj as "
                + "\"target_parameters\" of the configuration names them")
    }

    // MARK: TensorSource

    package var others: [ForeignTensor] { source.others }
    package var inputs: [InputFile] { source.inputs }
    package func index(of name: String) -> Int? { indexByName[name] }

    package func place(of index: Int) -> FileRegion? {
        guard entries.indices.contains(index), case .whole = entries[index].part else { return nil }
        return source.place(of: entries[index].index)
    }

    package func origins(of index: Int) -> [TensorOrigin] {
        entries.indices.contains(index) ? source.origins(of: entries[index].index) : []
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        let entry = entries[index]
        switch entry.part {
        case .whole: try unsafe source.read(entry.index, rows: rows, into: target, scratch: scratch)
        case .rows(let first):
            try unsafe source.read(
                entry.index, rows: first + rows.lowerBound..<first + rows.upperBound, into: target, scratch: scratch)
        case .columns(let first, let expert):
            let info = source.tensors[entry.index], size = info.type.bytesPerBlock, rank = tensors[index].columns
            guard !rows.isEmpty, let to = target.baseAddress else { return }
            try scratch.scope { () throws(AlpacaError) in
                let wide = try unsafe scratch.take(
                    try CheckedMath.product(rows.count, info.rowByteCount, of: info.name), for: "tensor \(info.name.quoted())")
                try unsafe source.read(
                    entry.index, rows: first + rows.lowerBound..<first + rows.upperBound, into: wide, scratch: scratch)
                guard let from = wide.baseAddress else { return }
                for row in 0..<rows.count {
                    for k in 0..<rank {
                        // Bounds: the columns of the whole are rank * expertCount, checked when it was taken apart; the target has `rank`.
                        unsafe (to + (row * rank + k) * size).copyMemory(
                            from: from + row * info.rowByteCount + (k * expertCount + expert) * size, byteCount: size)
                    }
                }
            }
        }
    }
}

extension AdapterConfiguration {
    /// What the settings call the parameter that an expert's matrix is a part of; other modules are called by their names.
    func settingsName(_ module: String) -> String {
        guard !targetParameters.isEmpty else { return module }
        var words = module.split(separator: ".", omittingEmptySubsequences: false)
        guard words.count > 3, words[words.count - 3] == "experts", Int(words[words.count - 2]) != nil else { return module }
        words.remove(at: words.count - 2)
        if words[words.count - 1] != "down_proj" { words[words.count - 1] = "gate_up_proj" }
        return words.joined(separator: ".")
    }

    /// Whether the settings name a parameter that the module has, or is a part of.
    func targetsParameter(of module: String) -> Bool {
        let name = settingsName(module)
        return targetParameters.contains { target in
            [name, "\(name).weight"].contains { $0 == target || $0.hasSuffix(".\(target)") }
        }
    }
}

// From the tensors of an adapter to what they change: pairs are found, shapes compared with each other and with the configuration.

/// The work of ``LoRAAdapter``'s initializer.
struct AdapterChanges {
    let weights: any TensorSource
    let configuration: AdapterConfiguration
    /// For each tensor of the model, the adapter's tensors by what they are to it.
    private var parts: [TensorRole: [AdapterKey.Part: Int]] = [:]
    private(set) var modules: [TensorRole: String] = [:]
    /// What the adapter is called in its tensors' names.
    private var name: String?

    init(_ weights: any TensorSource, _ configuration: AdapterConfiguration) throws(AlpacaError) {
        self.weights = weights
        self.configuration = configuration
        for (index, info) in weights.tensors.enumerated() {
            guard let key = AdapterKey(info.name) else {
                throw AlpacaError(.unsupported, "tensor \(info.name.quoted()): adapters have no such tensor, or none that can be applied")
            }
            try checkName(key.adapter, info.name)
            switch key.part {
            case .ignored: continue
            case .bias: try refuseBias(index)
            default:
                guard let role = key.role else {
                    throw AlpacaError(
                        .unsupported, "tensor \(info.name.quoted()): models of the Llama architecture have no \(key.module.quoted())")
                }
                if let other = parts[role, default: [:]].updateValue(index, forKey: key.part) {
                    throw AlpacaError(
                        .badFormat, "tensors \(weights.tensors[other].name.quoted()) and \(info.name.quoted()) are for the same place")
                }
                modules[role] = key.module
            }
        }
    }

    /// States of several adapters have the tensors of each under its own name.
    private mutating func checkName(_ found: String?, _ tensor: String) throws(AlpacaError) {
        guard let found else { return }
        if let name, name != found {
            throw AlpacaError(
                .unsupported,
                "tensor \(tensor.quoted()): it is of the adapter \(found.quoted()), others are of \(name.quoted()): a file with several adapters; "
                    + "save them one by one")
        }
        name = found
    }

    func changes() throws(AlpacaError) -> [TensorRole: LoRAAdapter.Change] {
        var result: [TensorRole: LoRAAdapter.Change] = [:]
        // In the order of the names: of several faults the same is told each time.
        for (role, module) in modules.sorted(by: { $0.value < $1.value }) {
            result[role] = try change(role, module, parts[role] ?? [:])
        }
        let hasUpdates = result.values.contains { if case .replacement = $0 { false } else { true } }
        guard hasUpdates else {
            throw AlpacaError(
                .missing,
                "found \(weights.tensors.count) tensors, no LoRA among them (such as \"...q_proj.lora_A.weight\"): is this a whole model?")
        }
        if configuration.tokenIndices.contains(where: { !$0.ids.isEmpty }), !parts.values.contains(where: { $0[.tokens] != nil }) {
            throw AlpacaError(
                .missing, "\"trainable_token_indices\" of the configuration names tokens, whose trained rows are not in the file")
        }
        for name in configuration.modulesToSave {
            let isThere = modules.contains { role, module in
                ".\(module).".contains(".\(name).") && (parts[role]?[.saved] != nil || parts[role]?[.base] != nil)
            }
            guard isThere else {
                throw AlpacaError(
                    .missing, "\"modules_to_save\" of the configuration names \(name.quoted()), whose weights are not in the file")
            }
        }
        return result
    }

    private func change(
        _ role: TensorRole, _ module: String, _ parts: [AdapterKey.Part: Int]
    ) throws(AlpacaError) -> LoRAAdapter.Change {
        if let tokens = parts[.tokens] { return try rows(module, tokens, parts) }
        let isEmbedding = parts[.embeddingA] != nil || parts[.embeddingB] != nil
        let a = parts[.embeddingA] ?? parts[.loraA], b = parts[.embeddingB] ?? parts[.loraB]
        if a == nil, b == nil {
            if let magnitude = parts[.magnitude] {
                throw AlpacaError(.missing, "tensor \(name(magnitude)): the low-rank matrices that belong to it are missing")
            }
            if let saved = parts[.saved], let base = parts[.base] {
                throw AlpacaError(.badFormat, "tensors \(name(saved)) and \(name(base)) are for the same place")
            }
            // One of the two is there: the module came from it.
            guard let index = parts[.saved] ?? parts[.base] else { throw AlpacaError(.internalError, "\(module.quoted()) has no tensor") }
            try checkFilled(index)
            return .replacement(index)
        }
        guard let a, let b else {
            let found = a ?? b ?? 0
            throw AlpacaError(
                .missing, "tensor \(name(found)): its other half, \(a == nil ? "lora_A" : "lora_B") of \(module.quoted()), is missing")
        }
        guard isEmbedding == (role == .tokenEmbedding), parts[.embeddingA] == nil || parts[.loraA] == nil && parts[.loraB] == nil else {
            throw AlpacaError(.unsupported, "tensor \(name(a)): embeddings have lora_embedding_A and B, other modules lora_A and B")
        }
        if let saved = parts[.saved] {
            throw AlpacaError(.unsupported, "tensor \(name(saved)) replaces \(module.quoted()), to which \(name(a)) is an update")
        }
        return .lowRank(try update(role, module, a: a, b: b, parts, isEmbedding: isEmbedding))
    }

    /// PEFT puts the trained rows in the place of the base's.
    private func rows(
        _ module: String, _ index: Int, _ parts: [AdapterKey.Part: Int]
    ) throws(AlpacaError) -> LoRAAdapter.Change {
        guard let ids = configuration.tokenIndices(of: module), !ids.isEmpty else {
            throw AlpacaError(
                .missing, "tensor \(name(index)): \"trainable_token_indices\" of the configuration doesn't say which rows these are")
        }
        let info = weights.tensors[index]
        guard info.shape.count == 2, info.rows == ids.count else {
            throw AlpacaError(
                .shapeMismatch,
                "tensor \(name(index)): found the shape \(info.shapeText), expected a row for each of the \(ids.count) \"trainable_token_indices\""
            )
        }
        let others = parts.keys.filter { ![.tokens, .saved, .base].contains($0) }
        guard others.isEmpty, parts[.saved] == nil || parts[.base] == nil else {
            throw AlpacaError(.unsupported, "tensor \(name(index)): \(module.quoted()) has another change beside its trained rows")
        }
        let base = parts[.saved] ?? parts[.base]
        if let base {
            let whole = weights.tensors[base]
            guard whole.shape.count == 2, whole.columns == info.columns else {
                throw AlpacaError(
                    .shapeMismatch, "tensor \(name(index)): found rows of \(info.columns), those of \(name(base)) are \(whole.shapeText)")
            }
        }
        return .rows(LoRAAdapter.Rows(index: index, ids: ids, base: base))
    }

    private func update(
        _ role: TensorRole, _ module: String, a: Int, b: Int, _ parts: [AdapterKey.Part: Int], isEmbedding: Bool
    ) throws(AlpacaError) -> LoRAAdapter.LowRank {
        let first = weights.tensors[a], second = weights.tensors[b]
        let rank = configuration.rank(of: module)
        guard Architectures.table[role.kind]?.shape.count == 2 else {
            throw AlpacaError(.unsupported, "tensor \(name(a)): \(module.quoted()) is no matrix, it can't have a low-rank update")
        }
        for info in [first, second] {
            guard info.shape.count == 2, info.elementCount > 0 else {
                throw AlpacaError(
                    .shapeMismatch,
                    "tensor \(info.name.quoted()): found the shape \(info.shapeText), expected a matrix with one side of \(rank)")
            }
        }
        guard first.rows == second.columns else {
            throw AlpacaError(
                .shapeMismatch,
                "tensors \(name(a)) \(first.shapeText) and \(name(b)) \(second.shapeText): the rows of A have to be as many as the columns of B"
            )
        }
        guard first.rows == rank else {
            throw AlpacaError(
                .shapeMismatch,
                "tensor \(name(a)): its rank is \(first.rows), but the configuration says \(rank) (is adapter_config.json that of another "
                    + "adapter?)")
        }
        let rows = isEmbedding ? first.columns : second.rows, columns = isEmbedding ? second.rows : first.columns
        let scale = configuration.scale(of: module, rank: rank)
        guard Float(scale).isFinite else {
            throw AlpacaError(.badFormat, "\(module.quoted()): the scale \(scale) (lora_alpha by r) is out of range")
        }
        if let base = parts[.base] {
            try checkFilled(base)
            guard weights.tensors[base].shape == [rows, columns] else {
                throw AlpacaError(
                    .shapeMismatch, "tensor \(name(base)): found \(weights.tensors[base].shapeText), its update has [\(rows), \(columns)]")
            }
        }
        try checkMagnitude(parts[.magnitude], module, rows: rows, isEmbedding: isEmbedding)
        return LoRAAdapter.LowRank(
            left: isEmbedding ? a : b, right: isEmbedding ? b : a, isTransposed: isEmbedding, rank: rank, scale: scale,
            magnitude: parts[.magnitude], base: parts[.base], rows: rows, columns: columns)
    }

    private func checkMagnitude(_ index: Int?, _ module: String, rows: Int, isEmbedding: Bool) throws(AlpacaError) {
        guard let index else {
            guard configuration.usesDoRA else { return }
            throw AlpacaError(.missing, "\"use_dora\" is true, but lora_magnitude_vector of \(module.quoted()) is missing")
        }
        guard configuration.usesDoRA else {
            throw AlpacaError(.badFormat, "tensor \(name(index)): \"use_dora\" of the configuration is not true")
        }
        guard !isEmbedding else { throw AlpacaError(.unsupported, "tensor \(name(index)): DoRA of embeddings can't be applied") }
        let info = weights.tensors[index]
        guard info.shape.count == 1, info.elementCount == rows else {
            throw AlpacaError(.shapeMismatch, "tensor \(name(index)): found the shape \(info.shapeText), expected [\(rows)]")
        }
    }

    private func checkFilled(_ index: Int) throws(AlpacaError) {
        let info = weights.tensors[index]
        guard info.elementCount > 0 else {
            throw AlpacaError(
                .shapeMismatch,
                "tensor \(name(index)): found the shape \(info.shapeText), no number at all: saved under DeepSpeed ZeRO-3 without gathering "
                    + "the weights first")
        }
    }

    /// Biases that are zero change nothing.
    private func refuseBias(_ index: Int) throws(AlpacaError) {
        guard try isZero(index) else {
            throw AlpacaError(
                .unsupported, "tensor \(name(index)): trained biases can't be applied, only changes of matrices and norms")
        }
    }

    func isZero(_ index: Int) throws(AlpacaError) -> Bool {
        try weights.withTensor(index) { (bytes: RawSpan) throws(AlpacaError) in
            unsafe bytes.withUnsafeBytes { unsafe $0.allSatisfy { $0 == 0 } }
        }
    }

    private func name(_ index: Int) -> String { weights.tensors[index].name.quoted() }
}

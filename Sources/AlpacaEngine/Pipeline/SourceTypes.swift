/// What the weights of a base are stored in, and what becomes of it that users should know.
enum SourceTypes {
    /// The floating-point type that most weights have; nil where there is none. One tensor in another type, such as embeddings that a trainer
    /// kept in F32, does not decide over all.
    static func dominant(_ tensors: [TensorInfo]) -> TensorType? {
        TensorType.mostUsed(tensors.filter { FloatType($0.type) != nil })
    }

    /// For weights that are quantized already and get another quantized type, or the same after a merge.
    static func requantized(_ base: ModelTensors, _ source: MergedSource, _ targets: [TensorInfo]) -> String? {
        var from: Set<TensorType> = [], to: Set<TensorType> = [], count = 0
        for target in targets where target.type.isQuantized {
            guard let index = base.index(of: target.name) else { continue }
            let old = base.tensors[index].type
            // What is copied as it is stays as good as it was.
            let isCopied = old == target.type && source.index(of: target.name).map { source.tensors[$0].type == old } == true
            guard old.isQuantized, !isCopied else { continue }
            from.insert(old)
            to.insert(target.type)
            count += 1
        }
        guard count > 0 else { return nil }
        func list(_ types: Set<TensorType>) -> String {
            types.sorted { $0.rawValue < $1.rawValue }.map(\.description).joined(separator: ", ")
        }
        return
            "\(FactTable.count(count, "tensor")) of the base \(count == 1 ? "is" : "are") quantized already (\(list(from))) and quantized again "
            + "(\(list(to))): that loses more than quantizing the original once; take that, if it can be had"
    }

    /// For matrices of several floating-point types, where none is asked for.
    ///
    /// - Parameter keeps: whether each keeps its own in the output.
    static func mixed(_ tensors: [TensorInfo], keeps: Bool) -> String? {
        let matrices = tensors.filter { $0.shape.count > 1 && TensorRole($0.name, in: .gguf)?.kind != .router }
        guard let most = dominant(matrices) else { return nil }
        let others = matrices.filter { $0.type != most && FloatType($0.type) != nil }
        guard let first = others.first else { return nil }
        let types = Set(others.map(\.type)).sorted { $0.rawValue < $1.rawValue }.map(\.description).joined(separator: ", ")
        return
            "most weights of the base are \(most), but \(FactTable.count(others.count, "tensor")) such as \(first.name.quoted()) \(types): "
            + (keeps ? "kept so; name a type to have them alike" : "stored as \(most)")
    }
}

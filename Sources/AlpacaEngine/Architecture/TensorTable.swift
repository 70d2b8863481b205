/// The kinds of tensors of a family, found by what they are and by their names.
package struct TensorTable: Sendable {
    /// In the order in which GGUF files list the tensors: what comes before the layers, the layers, what comes behind them.
    package let patterns: [TensorPattern]
    /// The number of the first pattern of a layer.
    private let firstInLayers: Int
    private let byKind: [TensorRole.Kind: Int]
    private let byName: [TensorNaming: [String: Int]]
    /// Tensors of files that hold several of these.
    package let joins: [TensorJoin]
    private let joinByName: [TensorNaming: [String: Int]]

    /// - Parameter patterns: of those of one kind the first counts, of those of one name too.
    package init(_ patterns: [TensorPattern], joins: [TensorJoin] = []) {
        self.patterns = patterns
        self.joins = joins
        var joinByName: [TensorNaming: [String: Int]] = [:]
        for (number, join) in joins.enumerated() where joinByName[join.naming]?[join.name] == nil {
            joinByName[join.naming, default: [:]][join.name] = number
        }
        self.joinByName = joinByName
        firstInLayers = patterns.firstIndex { $0.numberCount > 0 } ?? patterns.count
        byKind = Dictionary(patterns.enumerated().map { ($1.kind, $0) }, uniquingKeysWith: { first, _ in first })
        var byName: [TensorNaming: [String: Int]] = [:]
        for naming in TensorNaming.allCases {
            let names = patterns.enumerated().flatMap { number, pattern in
                ([pattern.names[naming]].compactMap { $0 } + (naming == .huggingFace ? pattern.aliases : [])).map { ($0, number) }
            }
            byName[naming] = Dictionary(names, uniquingKeysWith: { first, _ in first })
        }
        self.byName = byName
    }

    package subscript(kind: TensorRole.Kind) -> TensorPattern? { byKind[kind].map { patterns[$0] } }

    /// The role of the tensor called `name`; nil when the family has none of that name.
    package func role(of name: String, in naming: TensorNaming) -> TensorRole? {
        let (pattern, numbers) = TensorNames.parse(name)
        guard let index = byName[naming]?[pattern], patterns[index].numberCount == numbers.count else { return nil }
        return TensorRole(patterns[index].kind, layer: numbers.first, expert: numbers.dropFirst().first)
    }

    /// The name in files of a kind; nil where such files have no such tensor.
    package func name(of role: TensorRole, in naming: TensorNaming) -> String? {
        self[role.kind]?.names[naming].map { TensorNames.numbered($0, role) }
    }

    /// The tensor of a file that holds several, and its layer; nil where `name` is none's.
    package func join(named name: String, in naming: TensorNaming) -> (join: TensorJoin, layer: Int)? {
        let (pattern, numbers) = TensorNames.parse(name)
        guard let index = joinByName[naming]?[pattern], let layer = numbers.first, numbers.count == 1 else { return nil }
        return (joins[index], layer)
    }

    /// What a GGUF file calls the tensor that has an expert's beside those of the layer's others.
    package func stackName(of role: TensorRole) -> String? {
        guard let join = joins.first(where: { $0.naming == .gguf && $0.isOfExperts && $0.kinds == [role.kind] }) else { return nil }
        return TensorNames.numbered(join.name, TensorRole(role.kind, layer: role.layer))
    }

    /// The tensors that a model of this configuration has; those of all experts of a layer as one (``TensorSpec/parts``).
    package func specs(of model: ModelConfiguration) -> [TensorSpec] {
        func specs(_ patterns: some Sequence<TensorPattern>, _ layer: Int? = nil) -> [TensorSpec] {
            patterns.filter { $0.isPresent(in: model, layer: layer) }.map { $0.spec(TensorRole($0.kind, layer: layer), in: model) }
        }
        let rest = patterns[firstInLayers...]
        let inLayers = rest.filter { $0.numberCount > 0 }
        return specs(patterns[..<firstInLayers]) + (0..<model.layerCount).flatMap { specs(inLayers, $0) }
            + specs(rest.filter { $0.numberCount == 0 })
    }

    /// The tensor of that role in a model of this configuration; nil where it has none.
    package func spec(of role: TensorRole, in model: ModelConfiguration) -> TensorSpec? {
        guard let pattern = self[role.kind], pattern.isPresent(in: model, layer: role.layer), role.layer ?? 0 < model.layerCount,
            role.expert ?? 0 < (pattern.isOfExperts ? model.experts?.count ?? 0 : 1)
        else { return nil }
        return pattern.spec(role, in: model)
    }

    /// Where a tensor stands in the order of a model's tensors; those that the family doesn't have come last.
    package func place(of role: TensorRole?) -> (layer: Int, number: Int, expert: Int) {
        guard let role, let number = byKind[role.kind] else { return (Int.max, 0, 0) }
        return (role.layer ?? (number < firstInLayers ? -1 : Int.max - 1), number, role.expert ?? 0)
    }
}

/// Writes down the operations of a model. Every result is a value of its own; which of them share memory is found at the end.
package struct ProgramBuilder {
    /// The residual stream: (rows, embedding length).
    package let x = Slot(index: 0)
    private let configuration: ModelConfiguration
    private let shapes: [TensorRole: [Int]]
    private var layer: Int?
    private var widths: [Int]
    private var operations: [Operation] = []
    /// Operations before the head.
    private var bodyCount: Int?

    init(_ architecture: any Architecture) {
        configuration = architecture.configuration
        shapes = Dictionary(architecture.tensors.map { ($0.role, $0.shape) }, uniquingKeysWith: { first, _ in first })
        widths = [configuration.embeddingLength]
    }

    // MARK: What a family writes its layers with

    /// h = norm(x) * w
    package mutating func norm(_ x: Slot, _ weight: TensorRole.Kind) -> Slot {
        let out = value(widths[x.index])
        operations.append(.rmsNorm(x, weight: role(weight), out: out))
        return out
    }

    /// y = W x + b: as wide as the matrix has rows. The bias is left out where the model has none.
    package mutating func matmul(_ matrix: TensorRole.Kind, _ x: Slot, bias: TensorRole.Kind? = nil) -> Slot {
        let matrix = role(matrix)
        let out = value(shapes[matrix]?.first ?? 0)
        operations.append(.matmul(matrix, x, bias: bias.map { role($0) }.flatMap { shapes[$0] == nil ? nil : $0 }, out: out))
        return out
    }

    /// The experts that each row takes, and their shares, from the router's outputs.
    package mutating func route(_ logits: Slot, _ experts: ModelConfiguration.Experts) -> Slot {
        let out = value(2 * experts.usedCount)
        operations.append(.route(logits, count: experts.usedCount, isNormalized: experts.isNormalized, out: out))
        return out
    }

    /// W_e x for each of the row's experts e, side by side.
    package mutating func experts(_ matrices: TensorRole.Kind, _ x: Slot, _ route: Slot) -> Slot {
        let matrices = role(matrices)
        let out = value(widths[route.index] / 2 * (shapes[matrices]?.first ?? 0))
        operations.append(.experts(matrices, count: configuration.expertCount, x, route: route, out: out))
        return out
    }

    /// The sum of share * W_e x_e over the row's experts e; x has their inputs side by side.
    package mutating func mixed(_ matrices: TensorRole.Kind, _ x: Slot, _ route: Slot) -> Slot {
        let matrices = role(matrices)
        let out = value(shapes[matrices]?.first ?? 0)
        operations.append(.mix(matrices, count: configuration.expertCount, x, route: route, out: out))
        return out
    }

    /// Each head of queries or keys = norm(head) * w
    package mutating func headNorm(_ heads: Slot, _ weight: TensorRole.Kind) {
        operations.append(.headNorm(heads, weight: role(weight), headCount: widths[heads.index] / configuration.headDimension))
    }

    /// Turns the heads of queries or keys by the position's angles.
    package mutating func rope(_ heads: Slot) {
        operations.append(.rope(heads, headCount: widths[heads.index] / configuration.headDimension))
    }

    /// Keeps keys and values for the positions to come, and lets the queries see those that are kept.
    package mutating func attention(_ query: Slot, _ key: Slot, _ value: Slot, window: Int? = nil) -> Slot {
        let layer = layer ?? 0
        operations.append(.storeKV(layer: layer, key: key, value: value))
        let out = self.value(widths[query.index])
        operations.append(.attention(layer: layer, query: query, window: window, out: out))
        return out
    }

    /// silu(gate) * up (SwiGLU, arXiv:2002.05202)
    package mutating func gated(_ gate: Slot, _ up: Slot) -> Slot {
        operations.append(.gated(gate: gate, up: up))
        return gate
    }

    /// x = x + branch
    package mutating func add(_ branch: Slot) { operations.append(.add(branch, to: x)) }

    // MARK: The frame

    mutating func begin(layer: Int) { self.layer = layer }

    mutating func beginHead() {
        layer = nil
        bodyCount = operations.count
    }

    mutating func embed(_ matrix: TensorRole.Kind) { operations.append(.embed(role(matrix), out: x)) }
    mutating func logits(_ matrix: TensorRole.Kind, _ h: Slot) { operations.append(.logits(role(matrix), h)) }

    /// The finished program. Values share a slot where the one is used for the last time before the other is made and both are equally
    /// wide; an output never shares with an input of the operation that makes it.
    func program() -> Program {
        var lastUse = [Int](repeating: -1, count: widths.count)
        for (i, operation) in operations.enumerated() {
            for slot in operation.uses { lastUse[slot.index] = i }
        }
        lastUse[x.index] = operations.count
        var slots: [Int: Slot] = [x.index: x]
        var slotWidths = [widths[x.index]]
        var free: [Slot] = []
        var placed: [Operation] = []
        for (i, operation) in operations.enumerated() {
            if let value = operation.fills, slots[value.index] == nil {
                if let index = free.firstIndex(where: { slotWidths[$0.index] == widths[value.index] }) {
                    slots[value.index] = free.remove(at: index)
                } else {
                    slots[value.index] = Slot(index: slotWidths.count)
                    slotWidths.append(widths[value.index])
                }
            }
            placed.append(operation.renamed { slots[$0.index] ?? x })
            for value in operation.uses where lastUse[value.index] == i {
                if let slot = slots[value.index] { free.append(slot) }
            }
        }
        let split = bodyCount ?? operations.count
        return Program(
            body: Array(placed[..<split]), head: Array(placed[split...]), slotWidths: slotWidths, configuration: configuration)
    }

    private func role(_ kind: TensorRole.Kind) -> TensorRole { TensorRole(kind, layer: layer) }

    private mutating func value(_ width: Int) -> Slot {
        widths.append(width)
        return Slot(index: widths.count - 1)
    }
}

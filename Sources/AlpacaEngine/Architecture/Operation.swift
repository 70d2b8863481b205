// What a model computes, as values: every operation names its inputs, its output and its weights, and nothing is remembered between two of
// them. A backend decides how and where; `ProgramBuilder` writes them down in the order of the paper.

/// A vector for each row of a batch: a place in the memory of whoever runs the program.
package struct Slot: Hashable, Sendable {
    package let index: Int
}

/// One operation over all rows of a batch. Shapes are (rows, width of the slot).
package enum Operation: Sendable, Equatable {
    /// out = E[token]; the angles of the row's position are made along with it.
    case embed(TensorRole, out: Slot)
    /// out = x / sqrt(mean(x^2) + epsilon) * w (RMSNorm, arXiv:1910.07467).
    case rmsNorm(Slot, weight: TensorRole, out: Slot)
    /// Each head of x = head / sqrt(mean(head^2) + epsilon) * w, in place; w has the length of a head.
    case headNorm(Slot, weight: TensorRole, headCount: Int)
    /// out = W x + b.
    case matmul(TensorRole, Slot, bias: TensorRole?, out: Slot)
    /// Turns `headCount` heads by the angles of the row's position, in place (RoPE, arXiv:2104.09864).
    case rope(Slot, headCount: Int)
    /// Stores a row's keys and values at its position in its sequence's cache.
    case storeKV(layer: Int, key: Slot, value: Slot)
    /// out = softmax(q . k / sqrt(head dimension)) v over the positions up to the row's own; with a window over the last so many of them.
    case attention(layer: Int, query: Slot, window: Int?, out: Slot)
    /// gate = silu(gate) * up, in place.
    case gated(gate: Slot, up: Slot)
    /// out = the `count` experts with the largest logits, each followed by its share: softmax over all experts, divided by the sum over the
    /// chosen ones if it is normalized. Of equal logits the one of the lower number counts as larger. In the order of the experts' numbers.
    case route(Slot, count: Int, isNormalized: Bool, out: Slot)
    /// out = W_e x for each of the row's experts e, side by side. The role is that of all experts' matrices, `count` of them.
    case experts(TensorRole, count: Int, Slot, route: Slot, out: Slot)
    /// out = the sum of share_e * W_e x_e over the row's experts e, where x has x_e side by side.
    case mix(TensorRole, count: Int, Slot, route: Slot, out: Slot)
    /// x = x + branch, in place.
    case add(Slot, to: Slot)
    /// logits = W x, to where each row wants them. For the rows that want any.
    case logits(TensorRole, Slot)

    /// The slots that the operation reads or changes, and the one that it fills.
    var uses: [Slot] {
        switch self {
        case .embed: []
        case .rmsNorm(let x, _, _), .matmul(_, let x, _, _), .headNorm(let x, _, _), .rope(let x, _), .logits(_, let x): [x]
        case .storeKV(_, let key, let value): [key, value]
        case .attention(_, let query, _, _): [query]
        case .gated(let gate, let up): [gate, up]
        case .route(let logits, _, _, _): [logits]
        case .experts(_, _, let x, let route, _), .mix(_, _, let x, let route, _): [x, route]
        case .add(let branch, let x): [branch, x]
        }
    }

    var fills: Slot? {
        switch self {
        case .embed(_, let out), .rmsNorm(_, _, let out), .matmul(_, _, _, let out), .attention(_, _, _, let out),
            .route(_, _, _, let out), .experts(_, _, _, _, let out), .mix(_, _, _, _, let out):
            out
        case .headNorm, .rope, .storeKV, .gated, .add, .logits: nil
        }
    }

    /// The matrices of experts of which each row meets some.
    var experts: [TensorRole] {
        switch self {
        case .experts(let role, let count, _, _, _), .mix(let role, let count, _, _, _):
            (0..<count).map { TensorRole(role.kind, layer: role.layer, expert: $0) }
        default: []
        }
    }

    /// The matrix that all rows are multiplied with.
    var matrix: TensorRole? {
        switch self {
        case .matmul(let role, _, _, _), .logits(let role, _): role
        default: nil
        }
    }

    /// The same with other slots.
    func renamed(_ place: (Slot) -> Slot) -> Operation {
        switch self {
        case .embed(let role, let out): .embed(role, out: place(out))
        case .rmsNorm(let x, let weight, let out): .rmsNorm(place(x), weight: weight, out: place(out))
        case .matmul(let role, let x, let bias, let out): .matmul(role, place(x), bias: bias, out: place(out))
        case .headNorm(let x, let weight, let heads): .headNorm(place(x), weight: weight, headCount: heads)
        case .rope(let x, let heads): .rope(place(x), headCount: heads)
        case .storeKV(let layer, let key, let value): .storeKV(layer: layer, key: place(key), value: place(value))
        case .attention(let layer, let query, let window, let out):
            .attention(layer: layer, query: place(query), window: window, out: place(out))
        case .gated(let gate, let up): .gated(gate: place(gate), up: place(up))
        case .route(let logits, let count, let isNormalized, let out):
            .route(place(logits), count: count, isNormalized: isNormalized, out: place(out))
        case .experts(let role, let count, let x, let route, let out):
            .experts(role, count: count, place(x), route: place(route), out: place(out))
        case .mix(let role, let count, let x, let route, let out):
            .mix(role, count: count, place(x), route: place(route), out: place(out))
        case .add(let branch, let x): .add(place(branch), to: place(x))
        case .logits(let role, let x): .logits(role, place(x))
        }
    }
}

/// A tensor of a file that holds several of a model's tensors, one behind the other along their rows: a matrix of all experts of a layer, or
/// queries, keys and values in one. The model's tensors are the parts; a file's tensor is taken apart where it is opened.
package struct TensorJoin: Sendable {
    package let naming: TensorNaming
    /// `*` stands for the number of the layer.
    package let name: String
    /// What lies in it, in this order.
    package let kinds: [TensorRole.Kind]
    /// Whether it has these for each expert, in a dimension of its own: [experts, rows, columns].
    package let isOfExperts: Bool

    package init(_ naming: TensorNaming, _ name: String, _ kinds: [TensorRole.Kind], isOfExperts: Bool = false) {
        self.naming = naming
        self.name = name
        self.kinds = kinds
        self.isOfExperts = isOfExperts
    }

    /// A part: which tensor of the model it is, and its place among the rows of the whole (of a vector: among its elements).
    package struct Part: Sendable, Equatable {
        package let role: TensorRole
        package let shape: [Int]
        package let start: Int
    }

    /// The parts of layer `layer`, and the shape that the whole has to have; nil where such a model has no such tensors.
    func parts(_ layer: Int, _ table: TensorTable, _ model: ModelConfiguration) -> (shape: [Int], parts: [Part])? {
        let count = isOfExperts ? model.experts?.count ?? 0 : 1
        var specs: [TensorSpec] = []
        for kind in kinds {
            guard let spec = table.spec(of: TensorRole(kind, layer: layer, expert: isOfExperts ? 0 : nil), in: model) else { return nil }
            specs.append(spec)
        }
        guard count > 0, let first = specs.first, specs.allSatisfy({ $0.shape.dropFirst() == first.shape.dropFirst() }) else { return nil }
        // Bounds: a configuration's lengths lie below 2^21, its experts below 2^11.
        let rows = specs.reduce(0) { $0 + $1.shape[0] }
        var parts: [Part] = []
        for expert in 0..<count {
            var start = expert * rows
            for spec in specs {
                var role = spec.role
                role.expert = isOfExperts ? expert : nil
                parts.append(Part(role: role, shape: spec.shape, start: start))
                start += spec.shape[0]
            }
        }
        return ((isOfExperts ? [count] : []) + [rows] + first.shape.dropFirst(), parts)
    }
}

/// Tensors of a list, under GGUF's names, that a GGUF file has as one: those of all experts of a layer; others stand alone.
package struct TensorStack: Sendable {
    package let info: TensorInfo
    /// The numbers of the tensors in the list, in the order of the experts.
    package let members: [Int]

    /// - Parameter type: of the whole, where the parts are of several types.
    package static func stacks(_ tensors: [TensorInfo]) -> [TensorStack] {
        var result: [TensorStack] = []
        var places: [TensorRole: Int] = [:]
        var members: [[Int]] = []
        var names: [String?] = []
        for (index, info) in tensors.enumerated() {
            guard var role = TensorRole(info.name, in: .gguf), role.expert != nil, let name = Architectures.table.stackName(of: role) else {
                members.append([index])
                names.append(nil)
                continue
            }
            role.expert = nil
            if let place = places[role] {
                members[place].append(index)
            } else {
                places[role] = members.count
                members.append([index])
                names.append(name)
            }
        }
        for (list, name) in zip(members, names) {
            let first = tensors[list[0]]
            guard let name else {
                result.append(TensorStack(info: first, members: list))
                continue
            }
            func expert(_ index: Int) -> Int { TensorRole(tensors[index].name, in: .gguf)?.expert ?? 0 }
            let sorted = list.sorted { expert($0) < expert($1) }
            // Of several types the one with most bits a weight. The shape is that of memory, so that nothing overflows.
            let type = list.map { tensors[$0].type }.max { $0.bits < $1.bits } ?? first.type
            let info = try? TensorInfo(name: name, type: type, shape: [list.count] + first.shape)
            guard let info, list.allSatisfy({ tensors[$0].shape == first.shape }) else {
                result += list.map { TensorStack(info: tensors[$0], members: [$0]) }
                continue
            }
            result.append(TensorStack(info: info, members: sorted))
        }
        return result
    }
}

extension TensorType {
    /// Bits that a weight takes.
    fileprivate var bits: Double { Double(8 * bytesPerBlock) / Double(elementsPerBlock) }
}

extension AdapterChanges {
    /// What is unusual, in sentences: settings and tensors that have no effect.
    func notes(on changes: [TensorRole: LoRAAdapter.Change]) throws(AlpacaError) -> [String] {
        var updated: [AdapterConfiguration.Module] = []
        var others: [String] = []
        for (role, module) in modules {
            if case .lowRank = changes[role] {
                updated.append(.init(name: module, layer: role.layer))
            } else {
                others.append(module)
            }
        }
        let warnings = try configuration.check(updated, others: others)
        guard try !isMoving(changes) else { return warnings }
        return warnings + [
            "in each update one of the two matrices is zero, as before any training: the low-rank updates change nothing (was the wrong state "
                + "saved?)"
        ]
    }

    /// Whether an update has numbers in both of its matrices: in a trained adapter the first one that is looked at.
    private func isMoving(_ changes: [TensorRole: LoRAAdapter.Change]) throws(AlpacaError) -> Bool {
        for (role, _) in modules.sorted(by: { $0.value < $1.value }) {
            guard case .lowRank(let update) = changes[role] else { continue }
            // Lengths of rows change a matrix by themselves.
            if update.magnitude != nil { return true }
            guard try !isZero(update.left) else { continue }
            if try !isZero(update.right) { return true }
        }
        return !changes.values.contains { if case .lowRank = $0 { true } else { false } }
    }
}

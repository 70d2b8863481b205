/// The overrides of a conversion, read and held against the model's tensors: one that does nothing is a slip of the pen.
struct OverrideRules {
    typealias Rule = (pattern: String, type: TensorType)

    let rules: [Rule]
    private(set) var warnings: [String] = []

    /// - Throws: for a type that there is not, and a pattern that no matrix has.
    init(_ given: [(pattern: String, type: String)], _ tensors: [TensorInfo]) throws(AlpacaError) {
        var rules: [Rule] = []
        for (pattern, name) in given {
            guard let type = TensorType(named: name) else {
                throw AlpacaError(
                    .invalidArgument,
                    "override \(pattern.quoted()): found the type \(name.quoted()), expected one of \(TensorType.writableNames)")
            }
            do throws(AlpacaError) {
                try type.checkWritable()
            } catch {
                throw error.inContext("override \(pattern.quoted())")
            }
            let matched = tensors.filter { Glob.matches($0.name, pattern) }
            let matrices = matched.filter { QuantizationMix.isMatrix($0) }
            guard !matrices.isEmpty else {
                let names = tensors.lazy.filter { QuantizationMix.isMatrix($0) }.prefix(2).map { $0.name.quoted() }
                let found =
                    matched.first.map { "it matches only vectors such as \($0.name.quoted()), which stay F32" }
                    ?? "no tensor has such a name"
                throw AlpacaError(
                    .invalidArgument,
                    "override \(pattern.quoted()): \(found); expected a name, or a pattern of names, such as \(names.joined(separator: " and "))"
                )
            }
            if matrices.allSatisfy({ info in rules.contains { Glob.matches(info.name, $0.pattern) } }) {
                warnings.append(
                    "override \(pattern.quoted())=\(type) has no effect: the overrides before it take all the tensors that it matches")
            }
            rules.append((pattern, type))
        }
        self.rules = rules
    }
}

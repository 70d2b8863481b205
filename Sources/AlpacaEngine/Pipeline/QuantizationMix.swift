// Which tensor gets which type. The mixes and their rules are those that llama.cpp's users know by these names: where a K type is asked for,
// the matrices that suffer most (the output, attention's values, the second matrix of the feed-forward part) get a larger one.

/// A recipe for a whole model: a mix by its name, exceptions by pattern.
package struct QuantizationMix: Sendable {
    package let fileType: GGUFFileType
    /// One type for every matrix, the output too.
    package var isPure: Bool
    /// Whether errors will be weighted by an importance matrix: then some tensors do without a larger type.
    package var hasImportance = false
    /// A tensor takes the type of the first pattern that matches its name. `*` stands for any characters, `?` for one.
    package var overrides: [(pattern: String, type: TensorType)]

    package init(_ fileType: GGUFFileType, pure: Bool = false, overrides: [(pattern: String, type: TensorType)] = []) {
        self.fileType = fileType
        isPure = pure
        self.overrides = overrides
    }

    /// - Parameter name: as llama.cpp's tools have it, in any case: "Q4_K_M", "q8_0"; "Q4_K" is Q4_K_M.
    package init(named name: String, pure: Bool = false) throws(AlpacaError) {
        let upper = name.uppercased()
        let found = GGUFFileType.all.first { $0.description == upper } ?? TensorType(named: name).map { GGUFFileType($0) }
        guard let found else {
            throw AlpacaError(
                .invalidArgument, "found the quantization \(name.quoted()), expected one of \(GGUFFileType.writableNames)")
        }
        guard found.baseType.facts.isWritable else { throw TensorType.notWritable(found.description, base: found.baseType) }
        self.init(found, pure: pure)
    }

    /// What one tensor becomes.
    package struct Choice: Sendable, Equatable {
        package let info: TensorInfo
        /// Set where the row's length forbids the type that the mix has for it.
        package let warning: String?
    }

    /// The tensors as they will be, in the same order.
    package func choices(for tensors: [TensorInfo]) throws(AlpacaError) -> [Choice] {
        let model = MixShape(tensors)
        let choices = try tensors.map { (info) throws(AlpacaError) in try choice(info, wantedType(of: info, in: model)) }
        if fileType == .q2_K_S, !hasImportance, choices.contains(where: { $0.info.type == .q2_K && $0.info.name != "token_embd.weight" }) {
            throw AlpacaError(
                .invalidArgument, "Q2_K_S needs an importance matrix: without one so few bits lose too much; Q2_K can do without")
        }
        return choices
    }

    /// The same where only the overrides change anything.
    package func choices(keeping tensors: [TensorInfo]) throws(AlpacaError) -> [Choice] {
        try tensors.map { (info) throws(AlpacaError) in
            try choice(info, QuantizationMix.isMatrix(info) ? override(of: info) ?? info.type : QuantizationMix.vectorType(of: info))
        }
    }

    private func choice(_ info: TensorInfo, _ wanted: TensorType) throws(AlpacaError) -> Choice {
        let type = wanted.fitting(columns: info.columns)
        let warning =
            type == wanted
            ? nil
            : "tensor \(info.name.quoted()): rows of \(info.columns) are not a multiple of \(wanted.elementsPerBlock), the block of "
                + "\(wanted): stored as \(type)"
        return Choice(info: try TensorInfo(name: info.name, type: type, shape: info.shape), warning: warning)
    }

    /// Vectors and norms are small, and every type of ours would hurt them.
    static func isMatrix(_ info: TensorInfo) -> Bool {
        info.shape.count >= 2 && info.name.hasSuffix(".weight") && !info.name.contains("_norm.") && !info.name.contains("ffn_gate_inp.")
    }

    /// F32, as readers of GGUF expect norms.
    private static func vectorType(of info: TensorInfo) -> TensorType { FloatType(info.type) == nil ? info.type : .f32 }

    private func override(of info: TensorInfo) -> TensorType? {
        overrides.first { Glob.matches(info.name, $0.pattern) }?.type
    }

    private func wantedType(of info: TensorInfo, in model: MixShape) -> TensorType {
        guard QuantizationMix.isMatrix(info) else { return QuantizationMix.vectorType(of: info) }
        if let type = override(of: info) { return type }
        if isPure || !fileType.baseType.isQuantized { return fileType.baseType }
        return MixRules(fileType: fileType, hasImportance: hasImportance, model: model).type(of: info)
    }
}

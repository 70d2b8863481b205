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
            let known = GGUFFileType.all.map(\.description).joined(separator: ", ")
            throw AlpacaError(.invalidArgument, "found the quantization \(name.quoted()), expected one of \(known)")
        }
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
        let model = Shape(tensors)
        return try tensors.map { (info) throws(AlpacaError) in try choice(info, wantedType(of: info, in: model)) }
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

    // MARK: The rules

    /// What the rules need to know of the model, from its tensors.
    private struct Shape {
        var layers = 0
        /// Query heads that share a pair of key and value heads.
        var group = 1
        var hasOutput = false
        /// Eight experts make so much of a model that attention's small matrices can be large.
        var hasEightExperts = false

        init(_ tensors: [TensorInfo]) {
            var queries: Int?, keys: Int?
            for info in tensors {
                let role = TensorRole(info.name, in: .gguf)
                if let layer = role?.layer { layers = max(layers, layer + 1) }
                if role == .output { hasOutput = true }
                if role == .query(0) { queries = info.rows }
                if role == .key(0) { keys = info.rows }
                if role?.kind == .downExperts, info.shape.count == 3, info.shape[0] == 8 { hasEightExperts = true }
            }
            if let queries, let keys, keys > 0 { group = max(1, queries / keys) }
        }
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

    private func wantedType(of info: TensorInfo, in model: Shape) -> TensorType {
        guard QuantizationMix.isMatrix(info) else { return QuantizationMix.vectorType(of: info) }
        if let type = override(of: info) { return type }
        let base = fileType.baseType
        if isPure || !base.isQuantized { return base }
        let role = TensorRole(info.name, in: .gguf)
        if role == .output || (role == .tokenEmbedding && !model.hasOutput) {
            return base == .q8_0 ? .q8_0 : .q6_K
        }
        guard let role, let layer = role.layer else { return base }
        if model.hasEightExperts, let type = typeBesideEightExperts(role) { return type }
        if role.kind == .value {
            let type = typeOfValues(layer, model)
            // 70B: so few values serve so many queries that larger ones cost next to nothing.
            return model.layers == 80 && model.group > 1 && (type == .q3_K || type == .q4_K) ? .q5_K : type
        }
        if role.kind == .down || role.kind == .downExperts { return typeOfDown(layer, model.layers) }
        if role.kind == .attentionOutput {
            switch fileType {
            case .q2_K: return .q3_K
            case .q3_K_M: return .q4_K
            case .q3_K_L: return .q5_K
            default: return base
            }
        }
        return base
    }

    private func typeBesideEightExperts(_ role: TensorRole) -> TensorType? {
        if role.kind == .key || role.kind == .value { return .q8_0 }
        guard role.kind == .attentionOutput else { return nil }
        switch fileType {
        case .q2_K, .q3_K_S, .q3_K_M, .q4_K_S, .q4_K_M, .iq4_NL: return .q5_K
        default: return fileType.baseType
        }
    }

    private func typeOfValues(_ layer: Int, _ model: Shape) -> TensorType {
        switch fileType {
        case .q2_K: model.group >= 4 ? .q4_K : .q3_K
        case .q3_K_M: layer < 2 ? .q5_K : .q4_K
        case .q3_K_L: .q5_K
        case .q4_K_S: layer < 4 ? .q5_K : .q4_K
        case .q4_K_M, .q5_K_M: isSensitive(layer, model.layers) ? .q6_K : fileType.baseType
        case .iq4_NL: model.group >= 4 ? .q5_K : .iq4_NL
        default: fileType.baseType
        }
    }

    private func typeOfDown(_ layer: Int, _ layers: Int) -> TensorType {
        switch fileType {
        case .q2_K: .q3_K
        case .q3_K_M: layer < layers / 16 ? .q5_K : .q4_K
        case .q3_K_L: .q5_K
        case .q4_K_S: layer < layers / 8 ? .q5_K : .q4_K
        case .q4_K_M, .q5_K_M: isSensitive(layer, layers) ? .q6_K : fileType.baseType
        case .iq4_NL: layer < layers / 8 && !hasImportance ? .q5_K : .iq4_NL
        case GGUFFileType(.q4_0): layer < layers / 8 && hasImportance ? .q4_1 : .q4_0
        case GGUFFileType(.q5_0): layer < layers / 8 && hasImportance ? .q5_1 : .q5_0
        default: fileType.baseType
        }
    }

    /// The first and the last eighth of the layers, and every third between.
    private func isSensitive(_ layer: Int, _ layers: Int) -> Bool {
        layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
    }

}

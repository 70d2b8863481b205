/// What is in a LoRA adapter.
public struct AdapterDescription: Sendable {
    /// The folder or archive.
    public let path: String
    /// "LoRA adapter (folder, safetensors)"
    public let format: String
    /// The weights' file.
    public let file: WeightsFile
    /// Whatever the one who trained it called the base.
    public let baseModel: String?
    /// The ranks of its updates, ascending; mostly one.
    public let ranks: [Int]
    public let alpha: Double
    /// Rank-stabilized (scaled by the root of the rank), weight-decomposed.
    public let usesRSLoRA: Bool
    public let usesDoRA: Bool
    /// The matrices that get an update, those of all layers together.
    public let targets: [Target]
    /// The tensors that take the place of the base's.
    public let replaced: [Replacement]
    /// The base that it fits, as far as the shapes tell: components of a position's vector, layers up to the last that is changed.
    public let width: Int?
    public let layerCount: Int
    /// Rows of the embeddings that it brings; nil when it leaves the vocabulary alone.
    public let vocabularySize: Int?
    public let tokenizer: TokenizerDescription?
    /// The published adapter that has this name, such as "Chinese-Alpaca-7B adapter"; whether it is that one, its hash tells.
    public let publishedName: String?
    /// Why its tokenizer can't be used; nil when it can, or there is none.
    public var problem: String? { tokenizer?.problem }
    /// What is unusual, in sentences.
    public let warnings: [String]

    public struct Target: Sendable, Equatable {
        /// "q_proj"
        public let module: String
        /// Numbers of the layers, ascending; empty for what is outside of them.
        public let layers: [Int]
        /// Numbers of the experts, ascending; empty for what is no expert's.
        public let experts: [Int]
        public let count: Int
        /// The shape of the matrix that is changed, outermost first.
        public let shape: [Int]
        public let ranks: [Int]
        /// What the updates are multiplied with.
        public let scales: [Double]
    }

    public struct Replacement: Sendable, Equatable {
        public let module: String
        public let type: TensorType
        public let shape: [Int]
        /// How many there are of this name and shape: more than one of those in layers.
        public let count: Int
    }

    init(_ adapter: LoRAAdapter) throws(AlpacaError) {
        path = adapter.path
        let isArchive = try !FolderListing.isFolder(adapter.path)
        let kind = adapter.weightsFile.name.hasSuffix(".safetensors") ? "safetensors" : "PyTorch"
        format = "LoRA adapter (\(isArchive ? "zip archive" : "folder"), \(kind))"
        file = WeightsFile(adapter.weightsFile, adapter.weights)
        baseModel = adapter.configuration.baseModel
        alpha = adapter.configuration.alpha
        usesRSLoRA = adapter.configuration.usesRSLoRA
        usesDoRA = adapter.configuration.usesDoRA
        warnings = adapter.warnings
        vocabularySize = adapter.vocabularySize
        // The list has the files as they were released, in PyTorch's format.
        let folder = path.hasSuffix(".zip") ? String(path.dropLast(4)) : path
        publishedName = PublishedName.expected(at: FolderFiles.join(folder, "adapter_model.bin")).first?.model
        var tokenizer: TokenizerDescription?
        if let region = adapter.tokenizerFile, let model = adapter.tokenizer { tokenizer = try TokenizerDescription(region, model) }
        self.tokenizer = tokenizer

        var updates: [String: [(role: TensorRole, update: LoRAAdapter.LowRank)]] = [:]
        var replacements: [String: [TensorInfo]] = [:]
        for (role, change) in adapter.changes {
            let module = AdapterDescription.module(role)
            switch change {
            case .lowRank(let update): updates[module, default: []].append((role, update))
            case .replacement(let index): replacements[module, default: []].append(adapter.weights.tensors[index])
            case .rows(let rows): replacements[module, default: []].append(adapter.weights.tensors[rows.index])
            }
        }
        targets = updates.map { module, list in
            Target(
                module: module, layers: Set(list.compactMap(\.role.layer)).sorted(), experts: Set(list.compactMap(\.role.expert)).sorted(),
                count: list.count,
                shape: list.first.map { [$0.update.rows, $0.update.columns] } ?? [], ranks: Set(list.map(\.update.rank)).sorted(),
                scales: Set(list.map(\.update.scale)).sorted())
        }.sorted { AdapterDescription.place($0.module) < AdapterDescription.place($1.module) }
        replaced = replacements.compactMap { module, list in
            list.first.map { Replacement(module: module, type: $0.type, shape: $0.shape, count: list.count) }
        }.sorted { AdapterDescription.place($0.module) < AdapterDescription.place($1.module) }
        ranks = Set(targets.flatMap(\.ranks)).sorted()
        layerCount = (adapter.changes.keys.compactMap(\.layer).max() ?? -1) + 1
        width = adapter.changes.compactMap { FamilyRules.width($0, FamilyRules.shape($0, $1, adapter)) }.min()
    }

    /// "q_proj", as the configurations of adapters call it.
    private static func module(_ role: TensorRole) -> String {
        let parts = (role.name(in: .huggingFace) ?? "\(role)").split(separator: ".")
        return parts.dropLast().last.map(String.init) ?? ""
    }

    private static let order = ["embed_tokens", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

    private static func place(_ module: String) -> (Int, String) { (order.firstIndex(of: module) ?? order.count, module) }

    /// "7B (width 4096), 32 layers"
    var fits: String? {
        width.map { AdapterIdentity.size(width: $0) + (layerCount > 0 ? ", \(FactTable.count(layerCount, "layer"))" : "") }
    }
}

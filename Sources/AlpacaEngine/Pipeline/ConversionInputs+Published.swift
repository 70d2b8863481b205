// Which published models the inputs are, and whether they belong together.

extension ConversionPlan {
    /// An input, or the result, that is a published model.
    public struct KnownModel: Sendable, Equatable {
        /// Where it lies; the output's for the result.
        public let path: String
        /// "Chinese-Alpaca-Plus-7B"
        public let name: String
        /// The name on the hub of what lies there, or of the whole model for a result.
        public let hub: String?
        /// The models that an adapter needs, in order: what it is merged into, then those whose adapters come before.
        public let needs: [String]
        /// What is said of it: a line for people.
        public let text: String
    }
}

extension ConversionInputs {
    private enum Basis { case hash, name, sizes }

    /// What is known of the inputs and of the result, and what is wrong with how they are put together.
    ///
    /// - Parameter hashes: SHA-256 by path.
    func published(_ hashes: [String: String]) throws(AlpacaError) -> (models: [ConversionPlan.KnownModel], warnings: [String]) {
        let configuration = try base.configuration()
        var models: [ConversionPlan.KnownModel] = []
        var warnings: [String] = []
        let known = baseModel(configuration, hashes)
        // What speaks against the names.
        var other = ""
        if let (model, basis) = known {
            let how = basis == .sizes ? "has the sizes of \(model.name)" : model.name
            other = Self.other(model, configuration.embeddingLength, configuration.vocabularySize)
            models.append(
                .init(path: base.path, name: model.name, hub: model.whole, needs: [], text: how + Self.hub(model.whole) + other))
        }
        var last: PublishedModel?
        for (adapter, _) in adapters {
            let name = PathName.last(HubCache.modelName(of: adapter.path) ?? adapter.path)
            let hash = adapter.inputs.first.flatMap { hashes[$0.path] }.flatMap { PublishedFile.byHash[$0] }
            guard let model = hash.flatMap({ PublishedModel.of($0) }) ?? PublishedModel.at(adapter.path), let needed = model.base else {
                last = nil
                continue
            }
            let width = adapter.changes.compactMap { FamilyRules.width($0, FamilyRules.shape($0, $1, adapter)) }.min()
            let text = "the adapter of \(model.name)\(Self.hub(model.adapter)), for \(model.needsText ?? needed)"
            other = Self.other(model, width, adapter.vocabularySize)
            models.append(
                .init(path: adapter.path, name: model.name, hub: model.adapter, needs: model.needs, text: text + other))
            if let (found, basis) = known, found.name != needed, options.checksFamily, basis != .sizes || found.shape != model.shape {
                warnings.append(
                    "\(name): the adapter of \(model.name) belongs on \(needed), and this base \(basis == .sizes ? "has the sizes of" : "is") "
                        + "\(found.name): the result will be another model than the one that was published")
            }
            last = model
        }
        if let last, warnings.isEmpty, known == nil || known?.model.name == last.base {
            models.append(.init(path: options.output, name: last.name, hub: last.whole, needs: last.needs, text: Self.facts(last) + other))
        } else if adapters.isEmpty, let (model, _) = known {
            models.append(.init(path: options.output, name: model.name, hub: model.whole, needs: [], text: Self.facts(model) + other))
        }
        return (models, warnings)
    }

    private func baseModel(
        _ configuration: ModelConfiguration, _ hashes: [String: String]
    ) -> (model: PublishedModel, basis: Basis)? {
        for file in base.weights.inputs {
            let found = hashes[file.path].flatMap { PublishedFile.byHash[$0] }
            if let model = found.flatMap({ PublishedModel.of($0) }) { return (model, .hash) }
        }
        if let model = PublishedModel.at(base.path) { return (model, .name) }
        return PublishedModel.original(like: configuration).map { ($0, .sizes) }
    }

    private static func hub(_ name: String?) -> String { name.map { " (\($0))" } ?? "" }

    /// What is otherwise than the name says.
    private static func other(_ model: PublishedModel, _ width: Int?, _ rows: Int?) -> String {
        var parts: [String] = []
        if let width, width != model.shape.sizes.width { parts.append("width \(width) instead of \(model.shape.sizes.width)") }
        if let rows, rows != model.vocabularySize { parts.append("\(rows) tokens instead of \(model.vocabularySize)") }
        return parts.isEmpty ? "" : "; going by its name: it has \(parts.joined(separator: ", "))"
    }

    private static func facts(_ model: PublishedModel) -> String {
        let context = "\(model.contextLength)" + (model.scaling.isEmpty ? "" : " (\(model.scaling))")
        var template = "template \(model.template)"
        if model.template == ModelTemplate.none { template = "no template, it continues texts" }
        if model.template != ModelTemplate.none, KnownTemplate(rawValue: model.template) == nil { template += ", which its files have" }
        return "\(model.name): \(model.vocabularySize) tokens, context \(context), \(template), licence \(model.licence)"
    }
}

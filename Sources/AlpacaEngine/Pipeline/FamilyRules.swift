// What can be known to be wrong before hours of work: an adapter of another size, tokenizers and embeddings that don't belong together,
// adapters in the wrong order or without the one that they build on. Shapes are facts; the rest is judgement, which a caller can turn off.

/// The rules, applied to a base and a chain of adapters.
package struct FamilyRules {
    private let base: ModelConfiguration
    private let checksFamily: Bool
    /// Rows of the embeddings and pieces of the tokenizer, so far along the chain.
    private var rows: Int
    private var pieces: Int?
    private var warnings: [String] = []

    package typealias Entry = (adapter: LoRAAdapter, name: String, sha256: String?)

    /// - Parameters:
    ///   - basePieces: of the base's tokenizer, nil if it has none.
    ///   - adapters: in the order of the merge; `name` is what the user calls the adapter, `sha256` of its weights' file, if it is known.
    ///   - tokenizerPieces: of a tokenizer that the user wants in place of the adapters'.
    ///   - checksFamily: false leaves only what would make the result wrong in any case.
    /// - Returns: warnings.
    package static func check(
        base: ModelConfiguration, basePieces: Int?, adapters: [Entry], tokenizerPieces: Int? = nil, checksFamily: Bool
    ) throws(AlpacaError) -> [String] {
        var rules = FamilyRules(base: base, basePieces: basePieces, checksFamily: checksFamily)
        let identities = adapters.map { AdapterIdentity($0.adapter, name: $0.name, sha256: $0.sha256) }
        for (number, entry) in adapters.enumerated() {
            do throws(AlpacaError) {
                try rules.checkShapes(entry.adapter)
                if checksFamily {
                    try rules.checkDescent(number, adapters, identities)
                    try rules.checkVocabulary(entry.adapter)
                }
            } catch {
                throw error.inFile(entry.name)
            }
            rules.rows = entry.adapter.vocabularySize ?? rules.rows
            rules.pieces = rules.tokens(of: entry.adapter) ?? rules.pieces
            rules.warnings += entry.adapter.warnings
        }
        try rules.checkResult(tokenizerPieces)
        return rules.warnings
    }

    /// The adapter whose tokenizer the result gets: the last that has one.
    package static func tokenizer(of adapters: [LoRAAdapter]) -> LoRAAdapter? { adapters.last { $0.tokenizer != nil } }

    private init(base: ModelConfiguration, basePieces: Int?, checksFamily: Bool) {
        self.base = base
        self.checksFamily = checksFamily
        rows = base.vocabularySize
        pieces = basePieces
    }

    // MARK: Shapes

    private func checkShapes(_ adapter: LoRAAdapter) throws(AlpacaError) {
        let width = base.embeddingLength
        // In the order of the names, so that of several faults the same is told each time.
        let changes = adapter.changes.map { (role: $0, shape: FamilyRules.shape($0, $1, adapter), change: $1) }
            .sorted { ($0.role.name(in: .huggingFace) ?? "") < ($1.role.name(in: .huggingFace) ?? "") }
        for (role, shape, _) in changes {
            guard let found = FamilyRules.width(role, shape), found != width else { continue }
            throw AlpacaError(
                .shapeMismatch,
                "the adapter is for \(AdapterIdentity.size(width: found)), the base is \(AdapterIdentity.size(width: width))")
        }
        let last = changes.compactMap { $0.role.layer }.max() ?? 0
        guard last < base.layerCount else {
            throw AlpacaError(
                .shapeMismatch, "the adapter has layers up to number \(last), the base has \(base.layerCount): it is for another model")
        }
        if let found = adapter.expertCount, found != base.expertCount {
            throw AlpacaError(
                .shapeMismatch, "the adapter is for \(found) experts a layer, the base has \(base.expertCount): it is for another model")
        }
        var changesRows = false
        if case .rows = adapter.changes[.tokenEmbedding] { changesRows = adapter.shape(.tokenEmbedding) == nil }
        // Trained rows of a matrix that is both are rows of both.
        if base.isOutputTied, !changesRows || adapter.changes[.output] != nil,
            (adapter.changes[.tokenEmbedding] == nil) != (adapter.changes[.output] == nil)
        {
            throw AlpacaError(
                .unsupported,
                "the base has one matrix for embeddings and output, of which the adapter changes only the one; it would have to become two")
        }
        let newRows = try self.newRows(adapter)
        let architecture = Architectures.make(base)
        for (role, shape, change) in changes {
            let name = role.name(in: .huggingFace) ?? "\(role)"
            // What a tied model lacks, an adapter may bring: the output.
            guard var expected = architecture.spec(of: role)?.shape ?? (role == .output ? [rows, width] : nil) else {
                let title = Architectures.family(base).names.title
                throw AlpacaError(.unsupported, "tensor \(name.quoted()): the base, of the \(title) architecture, has none")
            }
            if role == .tokenEmbedding || role == .output {
                let isReplaced = adapter.shape(role) != nil
                expected = [isReplaced ? newRows : rows, width]
            }
            guard shape != expected else { continue }
            if case .rows = change, adapter.shape(role) == nil, shape.last == expected.last, shape[0] <= expected[0] { continue }
            let what = if case .replacement = change { "it has" } else { "its update is for" }
            throw AlpacaError(
                .shapeMismatch,
                "tensor \(name.quoted()): \(what) the shape \(TensorInfo.text(shape)), the base needs \(TensorInfo.text(expected))")
        }
    }

    /// Rows of embeddings and output once the adapter is in.
    private func newRows(_ adapter: LoRAAdapter) throws(AlpacaError) -> Int {
        let embedding = adapter.shape(.tokenEmbedding)?.first, output = adapter.shape(.output)?.first
        if let embedding, let output, embedding != output {
            throw AlpacaError(
                .shapeMismatch,
                "its embeddings have \(embedding) rows, its output matrix (lm_head) has \(output): the two have to be the same")
        }
        let found = embedding ?? output ?? rows
        guard found == rows || (embedding != nil && output != nil) else {
            throw AlpacaError(
                .shapeMismatch,
                "it brings \(embedding == nil ? "an output matrix (lm_head)" : "embeddings") of \(found) rows, but not the "
                    + "\(embedding == nil ? "embeddings" : "output matrix") that belong to them; those of the base have \(rows)")
        }
        return found
    }

    static func shape(_ role: TensorRole, _ change: LoRAAdapter.Change, _ adapter: LoRAAdapter) -> [Int] {
        switch change {
        case .replacement(let index): adapter.weights.tensors[index].shape
        case .lowRank(let update): [update.rows, update.columns]
        // The matrix that they are rows of, where it is stored with them; else as many rows as have to be there.
        case .rows(let rows): adapter.shape(role) ?? [(rows.ids.max() ?? 0) + 1, adapter.weights.tensors[rows.index].columns]
        }
    }

    /// The width of the model that a tensor of that shape is from.
    static func width(_ role: TensorRole, _ shape: [Int]) -> Int? {
        guard let axis = Architectures.table[role.kind]?.widthAxis, shape.indices.contains(axis) else { return nil }
        return shape[axis]
    }

    // MARK: Vocabulary

    private func checkVocabulary(_ adapter: LoRAAdapter) throws(AlpacaError) {
        let newRows = adapter.vocabularySize ?? rows
        guard newRows >= rows else {
            throw AlpacaError(
                .shapeMismatch,
                "it brings \(FamilyRules.count(newRows, "rows")) of embeddings, the model before it has \(FamilyRules.count(rows, "rows")): a "
                    + "vocabulary only grows along a chain (are the adapters in the wrong order, or was this one merged already?)"
                    + FamilyRules.hint)
        }
        guard let found = tokens(of: adapter, rows: newRows) else { return }
        if let pieces, found < pieces {
            throw AlpacaError(
                .shapeMismatch,
                "its tokenizer has \(FamilyRules.count(found, "pieces")), the one before it \(FamilyRules.count(pieces, "pieces")): this is not "
                    + "the intended use; check the order of the adapters" + FamilyRules.hint)
        }
        guard adapter.vocabularySize != nil, found != newRows, !FamilyRules.isPadding(from: found, to: newRows) else { return }
        var advice = "take the tokenizer.model that was released with the adapter"
        if found == AdapterIdentity.llamaRows, newRows == AdapterIdentity.alpacaRows {
            advice = "you gave the LLaMA tokenizer to an Alpaca adapter; the Alpaca tokenizer has the piece [PAD] at its end"
        } else if found == AdapterIdentity.alpacaRows, newRows == AdapterIdentity.llamaRows {
            advice = "you gave the Alpaca tokenizer to a LLaMA adapter; the LLaMA tokenizer has no piece [PAD] at its end"
        }
        let published = PublishedFile.all.first { file in
            file.file == "tokenizer.model" && file.model == AdapterIdentity.vocabulary(newRows)
        }
        if let published { advice += " (its SHA-256 is \(published.sha256))" }
        throw AlpacaError(
            .shapeMismatch,
            "its tokenizer has \(FamilyRules.count(found, "pieces")), its embeddings have \(FamilyRules.count(newRows, "rows")): \(advice)"
                + FamilyRules.hint)
    }

    /// Tokens of an adapter's own tokenizer, those that were added to it too; or of the one before with those that the adapter adds. Nil where
    /// it has nothing to say.
    private func tokens(of adapter: LoRAAdapter, rows given: Int? = nil) -> Int? {
        let rows = given ?? rows
        guard let count = adapter.tokenizer?.pieces.count ?? (adapter.addedTokens.tokens.isEmpty ? nil : pieces) else { return nil }
        return count + adapter.addedTokens.listed(in: count..<max(count, rows)).count
    }

    /// Whether rows that no token has may be there to fill up a multiple, or for a few new tokens, as training tools do.
    ///
    /// - Parameter isGiven: whether a tokenizer was given with the rows: then one row alone is a token that is missing in it.
    private static func isPadding(from pieces: Int, to rows: Int, isGiven: Bool = true) -> Bool {
        guard rows > pieces, AdapterIdentity.vocabulary(rows) == nil || rows == AdapterIdentity.originalRows else { return false }
        return ((isGiven ? 2 : 1)..<64).contains(rows - pieces) || rows % 64 == 0 && rows - pieces <= 256
    }

    /// The tokenizer that the result gets, against the rows that it has.
    private func checkResult(_ tokenizerPieces: Int?) throws(AlpacaError) {
        guard let pieces = tokenizerPieces ?? pieces, pieces != rows else { return }
        if pieces > rows {
            throw AlpacaError(
                .shapeMismatch,
                "the tokenizer has \(FamilyRules.count(pieces, "pieces")), the model has \(FamilyRules.count(rows, "rows")) of embeddings: "
                    + "the last pieces have none")
        }
        // A base that has more rows than pieces is none of the adapters' doing.
        let isGiven = tokenizerPieces != nil
        guard checksFamily, rows != base.vocabularySize || isGiven,
            !FamilyRules.isPadding(from: pieces, to: rows, isGiven: isGiven)
        else { return }
        throw AlpacaError(
            .shapeMismatch,
            "the model has \(FamilyRules.count(rows, "rows")) of embeddings, its tokenizer \(FamilyRules.count(pieces, "pieces")): the "
                + "tokenizer.model that was released with the adapter is missing" + FamilyRules.hint)
    }

    static let hint = " (`--no-check` goes on nevertheless)"

    /// "49953 rows, as Chinese-LLaMA"
    private static func count(_ number: Int, _ what: String) -> String {
        AdapterIdentity.vocabulary(number).map { "\(number) \(what) (as \($0))" } ?? "\(number) \(what)"
    }

    // MARK: Descent

    private mutating func checkDescent(_ number: Int, _ all: [Entry], _ identities: [AdapterIdentity]) throws(AlpacaError) {
        let (adapter, _, hash) = all[number]
        let identity = identities[number]
        for i in 0..<number where all[i].adapter.path == adapter.path || (hash != nil && all[i].sha256 == hash) {
            throw AlpacaError(.invalidArgument, "the same adapter is number \(i + 1) and \(number + 1)" + FamilyRules.hint)
        }
        for i in 0..<number where identities[i].family == .alpaca && identity.family == .llama && identity.generation == 1 {
            throw AlpacaError(
                .invalidArgument,
                "a LLaMA adapter comes after an Alpaca adapter (\(all[i].name)): LLaMA-Plus comes first, then Alpaca"
                    + FamilyRules.hint)
        }
        if identity.generation == 2, number > 0, identities[number - 1].generation == 2 {
            warnings.append(
                "\(all[number].name): adapters of Chinese-LLaMA-2 and Chinese-Alpaca-2 belong on Llama 2 directly, one at a time")
        }
        let isOriginal = rows == AdapterIdentity.originalRows || (adapter.vocabularySize ?? 0) > rows + 1
        if needsPlus(adapter, identity) {
            try checkPlus(number, all, identities, isOriginal: isOriginal)
        } else if number == 0 {
            checkOriginal(all[0], identity)
        }
    }

    private func needsPlus(_ adapter: LoRAAdapter, _ identity: AdapterIdentity) -> Bool {
        if identity.family == .alpaca, identity.isPlus { return true }
        // A user's own, trained on a merged Plus model.
        guard !identity.isCertain, identity.generation == 1, let model = adapter.configuration.baseModel?.split(separator: "/").last else {
            return false
        }
        let words = model.lowercased().split { !$0.isLetter && !$0.isNumber }
        return words.contains("chinese") && (words.contains("plus") || words.contains("pro"))
    }

    private func checkPlus(_ number: Int, _ all: [Entry], _ identities: [AdapterIdentity], isOriginal: Bool) throws(AlpacaError) {
        let need = "it builds on LLaMA with the Chinese-LLaMA-Plus adapter of the same size, which has to come first"
        guard number > 0 else {
            guard isOriginal else { return }
            throw AlpacaError(
                .invalidArgument,
                "\(need) (`--adapter LLAMA-PLUS --adapter \(all[0].name.split(separator: "/").last ?? "...")`)"
                    + FamilyRules.hint)
        }
        let before = identities[number - 1]
        guard before.family == .llama, !before.isPlus, before.isNamed else { return }
        throw AlpacaError(.invalidArgument, "\(need); \(all[number - 1].name) is Chinese-LLaMA without Plus" + FamilyRules.hint)
    }

    /// For adapters that belong on the model as Meta released it.
    private mutating func checkOriginal(_ entry: Entry, _ identity: AdapterIdentity) {
        let newRows = entry.adapter.vocabularySize
        guard let newRows, AdapterIdentity.vocabulary(newRows) != nil else { return }
        if rows != AdapterIdentity.originalRows {
            warnings.append(
                "\(entry.name): the adapter belongs on the model as it was released, with 32000 tokens; this base has "
                    + "\(FamilyRules.count(rows, "tokens")), so adapters seem to be merged into it already, and the result will be worse, not better"
            )
        } else if newRows == AdapterIdentity.alpacaRows, entry.adapter.configuration.rank >= 64, !identity.isCertain {
            warnings.append(
                "\(entry.name): an Alpaca adapter of rank \(entry.adapter.configuration.rank), as Chinese-Alpaca-Plus and -Pro are: those need "
                    + "the Chinese-LLaMA-Plus adapter before them")
        }
    }
}

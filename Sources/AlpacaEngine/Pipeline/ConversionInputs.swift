/// What a conversion reads, opened: the base, the adapters in their order, the tokenizer.
struct ConversionInputs {
    let options: ConversionOptions
    let base: ModelSource
    let adapters: [(adapter: LoRAAdapter, scale: Double)]
    let givenTokenizer: ChosenTokenizer?

    init(_ given: ConversionOptions) throws(AlpacaError) {
        let options = try given.resolved()
        self.options = options
        base = try ModelSource(path: options.base)
        do throws(AlpacaError) {
            try base.weights.check(try base.configuration())
        } catch {
            throw error.inFile(base.path)
        }
        var adapters: [(adapter: LoRAAdapter, scale: Double)] = []
        for reference in options.adapters {
            guard reference.scale.isFinite else {
                throw AlpacaError(
                    .invalidArgument, "adapter \(reference.path.quoted()): found the scale \(reference.scale), expected a number")
            }
            adapters.append((try LoRAAdapter(path: reference.path), reference.scale))
        }
        self.adapters = adapters
        givenTokenizer = try options.tokenizer.map { (path) throws(AlpacaError) in
            let slash = path.lastIndex(of: "/")
            let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            return ChosenTokenizer(
                path: path, model: try SentencePieceModel(InputFile(path: path)), added: try AddedTokens(FolderFiles(path: folder)),
                settings: TokenizerSettings(try FolderFiles(path: folder)))
        }
    }

    /// All files that are read, each once.
    var files: [InputFile] {
        var files: [InputFile] = []
        for file in base.weights.inputs + adapters.flatMap({ $0.adapter.inputs }) where !files.contains(where: { $0 === file }) {
            files.append(file)
        }
        return files
    }

    // MARK: Rules

    /// Throws when the parts do not belong together; gives what is merely unusual.
    func check(_ hashes: [String: String]) throws(AlpacaError) -> [String] {
        guard !adapters.isEmpty else { return [] }
        let rows = try base.configuration().vocabularySize
        var pieces = base.tokenizer?.pieces.count
        if pieces == nil { pieces = (try? base.metadata.stringsIfPresent(GGUFKey.tokens))?.count }
        // Tokens that were added to a tokenizer count as its pieces.
        if let count = pieces { pieces = count + (base.folder?.addedTokens.listed(in: count..<max(count, rows)).count ?? 0) }
        return try FamilyRules.check(
            base: try base.configuration(), basePieces: pieces,
            adapters: adapters.map { adapter, _ in
                FamilyRules.Entry(
                    adapter: adapter, name: PathName.of(adapter.path), sha256: adapter.inputs.first.flatMap { hashes[$0.path] })
            },
            tokenizerPieces: givenTokenizer.map { $0.tokenCount(rows: Int.max) }, checksFamily: options.checksFamily)
    }

    // MARK: The result

    /// The base's sizes with the vocabulary of the last adapter that has one.
    func resultConfiguration() throws(AlpacaError) -> ModelConfiguration {
        let model = try base.configuration()
        var rows = model.vocabularySize
        var isTied = model.isOutputTied
        for (adapter, _) in adapters {
            rows = adapter.vocabularySize ?? rows
            if adapter.changes[.output] != nil { isTied = false }
        }
        return try model.resized(vocabularySize: rows, isOutputTied: isTied)
    }

    /// The result's tensors under GGUF's names, in the base's order.
    func mergedTensors(_ model: ModelConfiguration) throws(AlpacaError) -> [MergedTensor] {
        var result: [MergedTensor] = []
        let architecture = Architectures.make(model), weights = base.weights
        for i in weights.tensors.indices {
            guard let spec = weights.role(of: i).flatMap({ architecture.spec(of: $0) }) else { continue }
            result.append(try mergedTensor(spec, model, MergedTensor.Part(source: weights, index: i)))
        }
        if weights.index(of: .output) == nil, let output = architecture.spec(of: .output), let tied = weights.index(of: .tokenEmbedding) {
            // The base uses its embeddings as the output too; an adapter parts them.
            result.append(try mergedTensor(output, model, MergedTensor.Part(source: weights, index: tied)))
        }
        return result
    }

    private func mergedTensor(
        _ spec: TensorSpec, _ model: ModelConfiguration, _ base: MergedTensor.Part
    ) throws(AlpacaError) -> MergedTensor {
        var origin = base
        var updates: [LowRankUpdate] = []
        var rows: [RowUpdate] = []
        for (adapter, userScale) in adapters {
            guard let change = adapter.changes[spec.role] else { continue }
            func part(_ index: Int) -> MergedTensor.Part { MergedTensor.Part(source: adapter.weights, index: index) }
            // A whole tensor of an adapter has the rows of heads in Hugging Face's order, as all that PEFT writes.
            func whole(_ index: Int) -> MergedTensor.Part {
                MergedTensor.Part(source: adapter.weights, index: index, headDimension: spec.hasHeadOrder ? model.headDimension : nil)
            }
            switch change {
            case .replacement(let index):
                // What adapters before have added to the old tensor goes with it.
                origin = whole(index)
                updates = []
                rows = []
            case .rows(let change):
                if let base = change.base {
                    origin = whole(base)
                    updates = []
                    rows = []
                }
                rows.append(RowUpdate(part: part(change.index), ids: change.ids))
            case .lowRank(let update):
                if let base = update.base {
                    origin = whole(base)
                    updates = []
                    rows = []
                }
                guard rows.isEmpty else {
                    throw AlpacaError(
                        .unsupported, path: adapter.path,
                        "it adds to \(spec.names.gguf.quoted()), of which the adapter before it brings single rows: merge the first by itself, "
                            + "then this one")
                }
                guard Float(update.scale * userScale).isFinite else {
                    throw AlpacaError(
                        .invalidArgument, path: adapter.path,
                        "the scale \(userScale), times the adapter's own of \(update.scale), is out of range")
                }
                updates.append(
                    LowRankUpdate(
                        left: .init(part: part(update.left), isTransposed: update.isTransposed),
                        right: .init(part: part(update.right), isTransposed: update.isTransposed), rank: update.rank,
                        scale: Float(update.scale * userScale), magnitude: update.magnitude.map(part),
                        isRounded: update.isTransposed || adapter.isOfParameter(spec.role),
                        headDimension: spec.hasHeadOrder ? model.headDimension : nil))
            }
        }
        let expected = spec.shape
        guard origin.info.shape == expected else {
            throw AlpacaError(
                .shapeMismatch, path: origin.source.inputs.first?.path ?? "",
                "tensor \(origin.info.name.quoted()): found shape \(origin.info.shapeText), "
                    + "expected \(TensorInfo.text(expected))")
        }
        return MergedTensor(
            origin: origin, info: try TensorInfo(name: spec.names.gguf, type: base.info.type, shape: expected), updates: updates, rows: rows
        )
    }

    /// What was added to the base's tokenizer, and by the adapters.
    var addedTokens: AddedTokens {
        adapters.reduce(base.folder?.addedTokens ?? AddedTokens()) { $0.merged(with: $1.adapter.addedTokens) }
    }

    /// What the adapters say of tokens with a task, the last word last.
    var adapterSettings: TokenizerSettings { adapters.reduce(TokenizerSettings()) { $0.merged(with: $1.adapter.tokenizerSettings) } }

    /// The same after what the base says.
    private func settings() throws(AlpacaError) -> TokenizerSettings {
        if let folder = base.folder { return folder.tokenizerSettings.merged(with: adapterSettings) }
        return try TokenizerSettings(base.metadata).merged(with: adapterSettings)
    }

    /// The tokenizer that was asked for, else that of the last adapter that has one, else the base's.
    func tokenizer(_ model: ModelConfiguration) throws(AlpacaError) -> ChosenTokenizer? {
        guard !options.omitsTokenizer else { return nil }
        var chosen = givenTokenizer
        if chosen == nil {
            if let adapter = FamilyRules.tokenizer(of: adapters.map(\.adapter)), let tokenizer = adapter.tokenizer {
                chosen = ChosenTokenizer(
                    path: adapter.tokenizerFile?.name ?? adapter.path, model: tokenizer, added: addedTokens, settings: try settings())
            }
        }
        if chosen == nil, let tokenizer = base.tokenizer, let file = base.tokenizerFile {
            chosen = ChosenTokenizer(path: file.name, model: tokenizer, added: addedTokens, settings: try settings())
        }
        guard let chosen else {
            // Byte-level ones have files of their own (``ByteLevelFiles``).
            if options.format.isFolder, base.metadata[GGUFKey.tokens] != nil, !base.hasByteLevelTokenizer {
                let (tokenizer, added) = try SentencePieceModel.divided(base.metadata)
                // What no reader would take is not written either: scores that are no numbers.
                do throws(AlpacaError) { _ = try Tokenizer(base.metadata) } catch { throw error.inFile(base.path) }
                return ChosenTokenizer(
                    path: base.path, model: tokenizer, added: added.merged(with: addedTokens), settings: try settings())
            }
            return nil
        }
        do throws(AlpacaError) {
            try chosen.model.checkScores()
            _ = try Tokenizer(chosen.model)
        } catch {
            // One of another kind is fine where it is only copied.
            if error.code != .unsupported || !options.format.isFolder { throw error.inFile(chosen.path) }
        }
        guard chosen.model.pieces.count <= model.vocabularySize else {
            throw AlpacaError(
                .shapeMismatch, path: chosen.path,
                "the tokenizer has \(chosen.model.pieces.count) pieces, the result's embeddings have \(model.vocabularySize) rows, so that the "
                    + "last pieces have none: name the tokenizer.model that belongs to the last adapter, or to \(base.path)")
        }
        return chosen
    }

    // MARK: Provenance

    func provenance(_ hashes: [String: String], _ template: ResultTemplate) -> Provenance {
        // A plan has no hashes yet, but the room that they will take.
        let none = String(repeating: "0", count: 64)
        func hashed(_ files: [InputFile]) -> [(file: String, sha256: String)] {
            files.map { (PathName.last($0.path), hashes[$0.path] ?? none) }
        }
        return Provenance(
            base: .init(name: PathName.of(base.path), hashes: options.verifiesBase ? hashed(base.weights.inputs) : []),
            adapters: adapters.map {
                .init(name: PathName.of($0.adapter.path), scale: $0.scale, hashes: hashed($0.adapter.inputs))
            },
            rounding: adapters.isEmpty ? nil : options.effectiveRounding, template: template.name)
    }
}

// A LoRA adapter as PEFT saves it: what it changes in a model, tensor by tensor. Everything in the files is understood or refused by name: a
// part of an adapter that is passed over in silence gives a model that almost works.

/// An adapter, opened: a folder or an archive with adapter_config.json and adapter_model.safetensors or .bin.
package final class LoRAAdapter: Sendable {
    /// The folder or archive.
    package let path: String
    /// The archive, opened; nil for a folder.
    private let archive: InputFile?
    package let configuration: AdapterConfiguration
    package let weights: any TensorSource
    /// Experts of a layer, where the files have them together; else nil.
    package let expertCount: Int?
    /// The weights' file.
    package let weightsFile: FileRegion
    package let changes: [TensorRole: Change]
    package let tokenizer: SentencePieceModel?
    /// tokenizer.model, where there is one.
    package let tokenizerFile: FileRegion?
    /// Tokens that the adapter's own rows of embeddings are for; none where it leaves the vocabulary alone.
    package let addedTokens: AddedTokens
    /// Tokens that its files tell of, with or without rows.
    package let toldTokens: AddedTokens
    /// What its files say of tokens with a task.
    package let tokenizerSettings: TokenizerSettings
    /// The chat templates that were saved with it.
    package let templates: TemplateTexts
    package let warnings: [String]

    package enum Change: Sendable, Equatable {
        case lowRank(LowRank)
        /// The tensor of that number takes the base's place.
        case replacement(Int)
        /// Rows take the place of the base's.
        case rows(Rows)
    }

    /// Rows of a matrix that were trained alone, tokens of embeddings.
    package struct Rows: Sendable, Equatable {
        /// The tensor that has them, by number.
        package var index: Int
        /// Which row of the matrix each of its rows is.
        package var ids: [Int]
        /// What the rows belong to in place of the base's: the whole matrix, stored with them.
        package var base: Int?
    }

    /// `scale * left * right` is added. Tensors are numbers in ``weights``.
    package struct LowRank: Sendable, Equatable {
        /// (rows, rank), or its transpose.
        package var left: Int
        /// (rank, columns), or its transpose.
        package var right: Int
        /// Of embeddings, whose update is (B A)^T.
        package var isTransposed: Bool
        package var rank: Int
        package var scale: Double
        /// The lengths of the rows (DoRA): a number each.
        package var magnitude: Int?
        /// What it is added to in place of the base's: PEFT stores embeddings with their update.
        package var base: Int?
        /// Of the tensor that is changed.
        package var rows: Int
        package var columns: Int
    }

    /// The files that are read and can be found again: what was unpacked is told of by its archive.
    package var inputs: [InputFile] { archive.map { [$0] } ?? weights.inputs }

    package static let weightNames = ["adapter_model.safetensors", "adapter_model.bin", "pytorch_model.bin"]
    private static let configurationName = "adapter_config.json"

    package init(_ files: some FileCollection) throws(AlpacaError) {
        path = files.path
        archive = files.archive
        guard let region = try files.open(LoRAAdapter.configurationName) else { throw LoRAAdapter.missing(files) }
        configuration = try AdapterConfiguration(region)
        let found = LoRAAdapter.weightNames.filter { files.names.contains($0) }
        guard let name = found.first, let file = try files.open(name) else {
            throw AlpacaError(
                .missing, path: files.path, "the adapter's weights are missing: adapter_model.safetensors or adapter_model.bin")
        }
        weightsFile = file
        let reader = try CheckpointReader.open(file)
        let experts: FusedExperts?
        do throws(AlpacaError) {
            experts = try FusedExperts(reader, configuration)
        } catch {
            throw error.inFile(file.name)
        }
        expertCount = experts?.expertCount
        weights = experts ?? reader
        let notes: [String]
        do throws(AlpacaError) {
            if let other = weights.others.first { throw other.refusal }
            guard !weights.tensors.isEmpty else {
                throw AlpacaError(
                    .missing,
                    "the adapter is empty: \(file.count) bytes without a tensor (known from training scripts that saved the wrong state; a "
                        + "real one has megabytes)")
            }
            let work = try AdapterChanges(weights, configuration)
            changes = try work.changes()
            notes = try work.notes(on: changes)
        } catch {
            throw error.inFile(file.name)
        }
        let growsVocabulary = changes[.tokenEmbedding] != nil || changes[.output] != nil
        var warnings = configuration.warnings
        var told = AddedTokens()
        do throws(AlpacaError) {
            told = try AddedTokens(files)
        } catch {
            guard !growsVocabulary, error.code != .outOfMemory else { throw error }
            warnings.append("\(error.message): what was added to the tokenizer is not known")
        }
        toldTokens = told
        addedTokens = growsVocabulary ? told : AddedTokens()
        tokenizerSettings = TokenizerSettings(files)
        tokenizerFile = try files.open("tokenizer.model")
        tokenizer = try tokenizerFile.map { (region) throws(AlpacaError) in try SentencePieceModel(region) }
        templates = TemplateTexts(files)
        warnings += notes.map { "\(files.path): \($0)" } + templates.warnings.map { "\(files.path): \($0)" }
        if templates.problem == nil { warnings += tokenizerSettings.warnings }
        if found.count > 1, found[1] != "pytorch_model.bin" {
            warnings.append("\(files.path): there are \(found[0]) and \(found[1]): the first is used, as PEFT does")
        }
        self.warnings = warnings
    }

    /// Whether a folder or archive is an adapter, or was meant to be one.
    package static func isAdapter(_ files: some FileCollection) -> Bool {
        files.names.contains { $0 == configurationName || $0.hasPrefix("adapter_model.") }
    }

    /// Whether PEFT has the tensor as a bare parameter: a router, or one of experts that are together.
    package func isOfParameter(_ role: TensorRole) -> Bool {
        !configuration.targetParameters.isEmpty && (role.expert != nil || role.kind == .router)
    }

    /// Rows of the embeddings that the adapter brings; nil when it leaves the vocabulary alone.
    package var vocabularySize: Int? { rows(.tokenEmbedding) ?? rows(.output) }

    /// The shape of a tensor that the adapter replaces, or stores with its update; nil where it does neither.
    package func shape(_ role: TensorRole) -> [Int]? {
        switch changes[role] {
        case .replacement(let index): weights.tensors[index].shape
        case .lowRank(let update): update.base.map { weights.tensors[$0].shape }
        case .rows(let rows): rows.base.map { weights.tensors[$0].shape }
        case nil: nil
        }
    }

    private func rows(_ role: TensorRole) -> Int? { shape(role)?.first }

    private static func missing(_ files: some FileCollection) -> AlpacaError {
        if ModelFolder.isModel(files), !files.names.contains(where: { $0.hasPrefix("adapter_model.") }) {
            return AlpacaError(
                .unsupported, path: files.path,
                "this is a model, not an adapter: \(configurationName) is missing (a merged model needs no adapter)")
        }
        return AlpacaError(.missing, path: files.path, "\(configurationName) is missing: it has the rank and scale of the adapter")
    }
}

/// One GGUF file.
enum GGUFOutput {
    static func make(_ request: OutputRequest) throws(AlpacaError) -> Output {
        let options = request.options
        var output = Output()
        let source = request.source
        var importance: [String: [Float]] = [:]
        if let path = options.importanceMatrix {
            importance = try ImportanceMatrix(path: path).columns
        }
        let stacks = TensorStack.stacks(source.tensors)
        let overrides = try OverrideRules(options.overrides, stacks.map(\.info))
        output.warnings += overrides.warnings
        let (choices, fileType) = try choose(request, stacks, overrides.rules)
        let targets = choices.map(\.info)
        var metadata = try metadata(request)
        metadata[GGUFKey.fileType] = .uint32(fileType.rawValue)
        // Version 2 of the K types' layouts: what ggml has written since 2023-05-19.
        if targets.contains(where: \.type.isQuantized) { metadata[GGUFKey.quantizationVersion] = .uint32(2) }
        let factors = try ropeFactors(request)
        let layout: FileLayout
        do throws(AlpacaError) {
            layout = try GGUFLayout.make(metadata, targets + (factors.map { [$0.info] } ?? []))
        } catch {
            throw error.inFile(options.output)
        }
        output.files = [Output.File(name: "", layout: layout)]
        if let factors { output.constants.append(Output.Constant(file: 0, part: targets.count, bytes: factors.bytes)) }
        for (i, (target, stack)) in zip(targets, stacks).enumerated() {
            let weights = try Self.importance(importance, target, stack, source)
            for (number, member) in stack.members.enumerated() {
                let info = try TensorInfo(name: source.tensors[member].name, type: target.type, shape: source.tensors[member].shape)
                let piece = OutputTensor.Piece(
                    file: 0, part: i, rows: 0..<info.rows, columns: 0..<info.columns, before: number * info.rows)
                output.tensors.append(OutputTensor(source: member, info: info, importance: weights[number], pieces: [piece]))
            }
        }
        if options.importanceMatrix != nil { output.warnings += warnings(importance, stacks, targets) }
        if let warning = SourceTypes.requantized(request.base.weights, source, targets) { output.warnings.append(warning) }
        if options.quantization == nil, let warning = SourceTypes.mixed(request.base.weights.tensors, keeps: true) {
            output.warnings.append(warning)
        }
        if case .dynamic = request.configuration.ropeScaling {
            output.warnings.append(
                "GGUF files have no form for dynamic NTK: the key \(GGUFKey.alpacaRopeDynamic) tells this library of it, other programs will not "
                    + "know of it, and write nonsense beyond \(request.configuration.contextLength) positions")
        }
        output.quantization = fileType.description
        let unfit = choices.compactMap(\.warning)
        if let first = unfit.first {
            output.warnings.append(unfit.count == 1 ? first : "\(first); \(unfit.count - 1) more tensors likewise")
        }
        return output
    }

    /// Llama 3's scaling of frequencies, which GGUF files have as a tensor of divisors: one a pair, for all layers.
    private static func ropeFactors(_ request: OutputRequest) throws(AlpacaError) -> (info: TensorInfo, bytes: [UInt8])? {
        let model = request.configuration
        guard case .llama3 = model.ropeScaling, let name = TensorRole.ropeFactors.name(in: .gguf) else { return nil }
        let divisors = RopeFactors.divisors(model, model.ropeScaling)
        var bytes: [UInt8] = []
        for divisor in divisors {
            let bits = divisor.bitPattern
            for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
        }
        return (try TensorInfo(name: name, type: .f32, shape: [divisors.count]), bytes)
    }

    /// What each tensor becomes, and the name of it all.
    private static func choose(
        _ request: OutputRequest, _ stacks: [TensorStack], _ overrides: [OverrideRules.Rule]
    ) throws(AlpacaError) -> ([QuantizationMix.Choice], GGUFFileType) {
        let options = request.options
        if let name = options.quantization {
            var mix = try QuantizationMix(named: name, pure: options.isPure)
            mix.overrides = overrides
            mix.hasImportance = options.importanceMatrix != nil
            return (try mix.choices(for: stacks.map(\.info)), mix.fileType)
        }
        // Nothing asked for: what the base has. A merged tensor of a quantized base goes back to the base's type.
        let known = Dictionary(request.base.weights.listed.map { ($0.name, $0.type) }, uniquingKeysWith: { first, _ in first })
        let before = try stacks.map { (stack) throws(AlpacaError) in
            try TensorInfo(name: stack.info.name, type: known[stack.info.name] ?? stack.info.type, shape: stack.info.shape)
        }
        for (info, now) in zip(before, stacks.map(\.info)) where info.type != now.type {
            do throws(AlpacaError) {
                try info.type.checkWritable()
            } catch {
                throw error.inContext("tensor \(info.name.quoted()), which is changed and was \(info.type); ask for a type")
            }
        }
        let declared = request.base.metadata[GGUFKey.fileType]?.integer.flatMap { UInt32(exactly: $0) }
        let fileType = declared.flatMap { GGUFFileType(rawValue: $0) } ?? .f16
        var mix = QuantizationMix(fileType)
        mix.overrides = overrides
        return (try mix.choices(keeping: before), fileType)
    }

    /// What an importance matrix does not do that somebody may think it does.
    private static func warnings(_ importance: [String: [Float]], _ stacks: [TensorStack], _ targets: [TensorInfo]) -> [String] {
        let names = Set(stacks.map(\.info.name))
        // Matrices of the time when each expert had a tensor have their names.
        let unknown = importance.keys.filter { name in
            !names.contains(name)
                && !(TensorRole(name, in: .gguf).flatMap { $0.expert == nil ? nil : Architectures.table.stackName(of: $0) }
                    .map(names.contains) ?? false)
        }.sorted()
        if let first = unknown.first, unknown.count == importance.count {
            return [
                "the importance matrix has no effect: the model has none of its tensors, such as \(first.quoted()); was it made for it?"
            ]
        }
        var warnings: [String] = []
        if let first = unknown.first {
            warnings.append(
                "the importance matrix has \(unknown.count) tensors that the model lacks, such as \(first.quoted()): was it made for it?")
        }
        let changed = targets.enumerated().filter { $1.type.facts.heedsImportance && stacks[$0].info.type != $1.type }.map(\.element)
        guard changed.contains(where: { importance[$0.name] != nil }) else {
            return warnings + ["the importance matrix has no effect: no tensor that it weighs is quantized to a type that heeds it"]
        }
        // Embeddings and output are in no such file, unless they were asked for.
        let missing = changed.filter { importance[$0.name] == nil && TensorRole($0.name, in: .gguf)?.layer != nil }
        if let first = missing.first {
            warnings.append(
                "the importance matrix lacks \(FactTable.count(missing.count, "tensor")) that \(missing.count == 1 ? "is" : "are") quantized, "
                    + "such as \(first.name.quoted())")
        }
        return warnings
    }

    /// For each tensor that the target is made of: how much each column counts; nil where nothing says.
    private static func importance(
        _ importance: [String: [Float]], _ target: TensorInfo, _ stack: TensorStack, _ source: MergedSource
    ) throws(AlpacaError) -> [[Float]?] {
        let count = stack.members.count
        guard let all = importance[target.name] else {
            return try stack.members.map { (member) throws(AlpacaError) in
                let info = source.tensors[member]
                guard count > 1, let own = importance[info.name] else { return nil }
                try check(own, info, info.columns)
                return own
            }
        }
        // Those of all experts, one after the other; or the same for all.
        guard count == 1 || all.count != target.columns else {
            try check(all, target, target.columns)
            return Array(repeating: all, count: count)
        }
        try check(all, target, target.columns * count)
        return (0..<count).map { Array(all[$0 * target.columns..<($0 + 1) * target.columns]) }
    }

    private static func check(_ importance: [Float], _ info: TensorInfo, _ count: Int) throws(AlpacaError) {
        guard importance.count == count, importance.allSatisfy({ $0 >= 0 && $0 < .infinity }) else {
            throw AlpacaError(
                .shapeMismatch,
                "importance of tensor \(info.name.quoted()): found \(importance.count) numbers, expected \(count), all finite, 0 or more "
                    + "(was it made for another model?)")
        }
    }

    /// Throws when no reader would take the vocabulary that the base has. Other kinds than those of the family are carried on as they are.
    private static func checkVocabulary(_ metadata: GGUFMetadata) throws(AlpacaError) {
        do throws(AlpacaError) {
            _ = try Tokenizer(metadata)
            return
        } catch {
            guard error.code == .unsupported, try metadata.string(GGUFKey.tokenizerModel) == "gpt2" else { throw error }
        }
        try metadata.checkBytePairs()
    }

    private static func metadata(_ request: OutputRequest) throws(AlpacaError) -> GGUFMetadata {
        var metadata = request.base.metadata
        let model = request.configuration
        if let name = request.options.modelName ?? request.provenance.resultName { metadata[GGUFKey.name] = .string(name) }
        metadata[GGUFKey.vocabularySize(model.architecture)] = .uint32(UInt32(clamping: model.vocabularySize))
        if request.options.omitsTokenizer {
            for key in metadata.keys where key.hasPrefix("tokenizer.") { metadata[key] = nil }
        } else if let tokenizer = request.tokenizer {
            // A tokenizer of our own making: what the base said of another one is no longer true.
            for key in [GGUFKey.merges, GGUFKey.eomToken, GGUFKey.addSpacePrefix] { metadata[key] = nil }
            try metadata.setTokenizer(tokenizer.model, added: tokenizer.added, tasks: request.tasks, vocabularySize: model.vocabularySize)
        } else if metadata[GGUFKey.tokens] == nil {
            throw request.base.tokenizerProblem
                ?? AlpacaError(.missing, path: request.base.path, "there is no tokenizer.model, which a GGUF file needs: name one")
        } else {
            do throws(AlpacaError) {
                try checkVocabulary(metadata)
                try metadata.extendVocabulary(to: model.vocabularySize, by: request.added)
                if !request.settings.isEmpty {
                    let settings = try TokenizerSettings(metadata).merged(with: request.settings)
                    let count = try metadata.strings(GGUFKey.tokens).count
                    metadata.setTasks(TaskTokens(settings, try .init(metadata)), count: count)
                }
            } catch {
                throw error.inFile(request.base.path)
            }
        }
        if !request.options.omitsTokenizer {
            request.template.texts.set(in: &metadata)
            metadata[GGUFKey.alpacaTemplate] = request.template.name.map { .string(Array($0.utf8)) }
        }
        request.provenance.add(to: &metadata)
        return metadata
    }
}

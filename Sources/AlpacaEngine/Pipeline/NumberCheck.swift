// Looks at every number that a conversion writes. The look is one pass over a chunk that lies in the cache; only when it finds something are
// the inputs read again, to say which file and tensor brought it.

/// What of a conversion's output is no number, found while it is written.
final class NumberCheck: Sendable {
    private let source: any TensorSource
    private let outputs: [OutputTensor]
    private let allowsNonfinite: Bool
    /// By the output's tensors, where numbers that aren't may be written.
    private let found = Lock<[Int: StoredNumbers]>([:])

    init(_ source: any TensorSource, _ outputs: [OutputTensor], allowsNonfinite: Bool) {
        self.source = source
        self.outputs = outputs
        self.allowsNonfinite = allowsNonfinite
    }

    /// Looks at rows that are about to be written.
    ///
    /// - Parameters:
    ///   - number: of the output's tensor.
    ///   - bytes: the rows, in the output's type.
    ///   - input: what they were made of, in the source's type.
    /// - Throws: what is wrong, and whose fault it is.
    @unsafe func check(
        _ number: Int, _ bytes: UnsafeRawBufferPointer, from input: UnsafeRawBufferPointer, _ scratch: ScratchArena
    ) throws(AlpacaError) {
        let output = outputs[number]
        var stored = unsafe StoredNumbers(output.info.type, bytes)
        if stored.contains(.fullScale) {
            let type = source.tensors[output.source].type
            // Blocks that are copied have the scales that they had.
            var isCut = false
            if type != output.info.type { isCut = try unsafe NumberCheck.isCut(output.info.type, bytes, type, input, scratch) }
            if !isCut { stored.remove(.fullScale) }
        }
        guard !stored.isEmpty else { return }
        guard allowsNonfinite, !(stored.contains(.notFinite) && output.info.type.isQuantized) else {
            throw try fault(number, stored, scratch)
        }
        found.withLock { $0[number, default: []].formUnion(stored) }
    }

    /// Rows whose type has no infinities and no NaN have some.
    func refusal(_ number: Int) throws(AlpacaError) -> AlpacaError { try fault(number, .notFinite, ScratchArena()) }

    /// What was written all the same, a sentence a tensor.
    func warnings() throws(AlpacaError) -> [String] {
        var warnings: [String] = []
        let scratch = ScratchArena()
        for (number, stored) in found.withLock({ $0.sorted { $0.key < $1.key } }) {
            warnings.append("written as it is: \(try fault(number, stored, scratch, advises: false).message)")
        }
        return warnings
    }

    /// Whether numbers that binary16 lacks were to be stored in a block with the greatest scale. Others may have it of right.
    @unsafe private static func isCut(
        _ type: TensorType, _ bytes: UnsafeRawBufferPointer, _ inputType: TensorType, _ input: UnsafeRawBufferPointer,
        _ scratch: ScratchArena
    ) throws(AlpacaError) -> Bool {
        let size = type.bytesPerBlock, weights = type.elementsPerBlock
        for block in 0..<bytes.count / size {
            // Bounds: blocks of the bytes, and the weights of the input that they were made of; both are whole rows of the same weights.
            let stored = unsafe UnsafeRawBufferPointer(rebasing: bytes[block * size..<(block + 1) * size])
            guard unsafe StoredNumbers(type, stored).contains(.fullScale) else { continue }
            guard weights % inputType.elementsPerBlock == 0 else { return true }
            let width = weights / inputType.elementsPerBlock * inputType.bytesPerBlock
            let given = unsafe UnsafeRawBufferPointer(rebasing: input[block * width..<(block + 1) * width])
            if try unsafe NumberSurvey(given, of: inputType, scratch).greatest >= 65_520 { return true }
        }
        return false
    }

    // MARK: Whose fault it is

    private func fault(
        _ number: Int, _ stored: StoredNumbers, _ scratch: ScratchArena, advises: Bool = true
    ) throws(AlpacaError) -> AlpacaError {
        let output = outputs[number], type = output.info.type
        let parts = (source as? MergedSource)?.origins(ofParts: output.source) ?? [source.origins(of: output.source)]
        var brought: [(origin: TensorOrigin, survey: NumberSurvey)] = []
        for origin in parts.flatMap({ $0 }) {
            let survey = try NumberSurvey(origin, scratch)
            if survey.strange > 0 { brought.append((origin, survey)) }
        }
        guard let first = brought.first else { return try overflow(output, parts, scratch, advises: advises) }
        var text = "tensor \(first.origin.info.name.quoted()): \(NumberCheck.count(first.survey))"
        for (origin, survey) in brought.dropFirst() {
            text += "; tensor \(origin.info.name.quoted()) of \(origin.file): \(NumberCheck.count(survey))"
        }
        if advises {
            text += "; the file is damaged, or the training that made it failed"
            text +=
                type.isQuantized
                ? ". \(type) can't store them; F16, BF16 and F32 can, with `--allow-nonfinite`" : NumberCheck.hint
        }
        return AlpacaError(.badFormat, path: first.origin.file, text)
    }

    /// Each number that was read is one, but the result is none, or too great for its type.
    private func overflow(
        _ output: OutputTensor, _ parts: [[TensorOrigin]], _ scratch: ScratchArena, advises: Bool
    ) throws(AlpacaError) -> AlpacaError {
        let merged = source.tensors[output.source].type, type = output.info.type
        // What is merged in F16 has overflowed before it is written.
        let limit = merged == .f16 ? merged : type
        let what = limit.isQuantized ? "the scales of \(limit), which go" : limit == .f16 ? "F16, which goes" : nil
        let bound = what.map { "\($0) up to 65504" } ?? "\(limit)"
        guard let base = parts.first?.first, parts.count > 1 else {
            guard let base = parts.first?.first else {
                return AlpacaError(.internalError, "tensor \(output.info.name.quoted()) has no source")
            }
            var greatest: Float = 0
            for origin in parts.flatMap({ $0 }) { greatest = max(greatest, try NumberSurvey(origin, scratch).greatest) }
            return AlpacaError(
                .badFormat, path: base.file,
                "tensor \(base.info.name.quoted()): the greatest number is \(greatest), out of the range of \(bound)"
                    + (advises ? ": write BF16 or F32 (`--type bf16`)" + NumberCheck.hint : ""))
        }
        var names: [String] = []
        for origin in parts.dropFirst().flatMap({ $0 }) where !names.contains(origin.file) { names.append(origin.file) }
        let update = parts.dropFirst().first?.first
        var text = "the sum of tensor \(base.info.name.quoted()) of \(base.file) and of the update by \(names.joined(separator: " and "))"
        if let update { text += " (\(update.info.name.quoted()))" }
        text += " is out of the range of \(bound): a scale, or the training, that went wrong?"
        if advises {
            text += " Merging in F32 (`--precision f32`) and writing BF16 or F32 has the range"
            if !type.isQuantized { text += NumberCheck.hint }
        }
        return AlpacaError(.badFormat, path: names.first ?? base.file, text)
    }

    private static let hint = " (`--allow-nonfinite` writes them nevertheless)"

    /// "3 of 1,024 numbers are infinite or NaN"
    private static func count(_ survey: NumberSurvey) -> String {
        let isOne = survey.strange == 1
        return "\(FactTable.grouped(survey.strange)) of \(FactTable.grouped(survey.count)) numbers \(isOne ? "is" : "are") infinite or NaN"
    }
}

extension MergedSource {
    /// What a tensor is made of: the tensor that is kept or takes its place, then for each update its small matrices.
    func origins(ofParts index: Int) -> [[TensorOrigin]] {
        let part = parts[index]
        func origins(_ part: MergedTensor.Part) -> [TensorOrigin] { part.source.origins(of: part.index) }
        return [origins(part.origin)]
            + part.updates.map { update in
                origins(update.right.part) + origins(update.left.part) + (update.magnitude.map(origins) ?? [])
            } + part.rows.map { origins($0.part) }
    }
}

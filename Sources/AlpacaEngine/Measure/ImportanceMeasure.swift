// Importance matrices are made as llama-imatrix makes them: the text's tokens, with the one that begins a text in front where the model wants
// it, are cut into chunks, the rest is dropped, each chunk's first token is replaced by the one that begins a text, and each chunk is read by
// itself. What each matrix is multiplied with is squared and added up.

extension Session {
    /// Measures how much each column of the model's matrices counts for `text`, and writes the file. What the session held before is forgotten.
    ///
    /// The file has the same bytes for any number of threads and any batch size.
    ///
    /// - Parameter progress: called several times a second where a step allows it, `done` and `total` in tokens; false stops.
    /// - Throws: `invalidArgument` for a text of fewer tokens than a chunk; `shapeMismatch` for inputs of another model; `badFormat` for a model
    ///   that computes numbers which are none; `cancelled`, `busy`.
    public func measureImportance(
        of text: String, _ options: ImportanceOptions, progress: ProgressHandler? = nil
    ) throws(AlpacaError) -> ImportanceReport {
        try options.validate()
        guard options.chunkSize <= contextLength else {
            throw AlpacaError(.invalidArgument, "n_ctx: found \(options.chunkSize), expected 4 to \(contextLength), the session's")
        }
        return try exclusively { () throws(AlpacaError) -> ImportanceReport in
            try ImportanceMeasure(self, options, progress).run(text)
        }
    }
}

/// A measurement under way, in a call that holds the session.
private final class ImportanceMeasure {
    private let session: Session
    private let options: ImportanceOptions
    private let progress: ProgressHandler?
    private let squares: InputSquares
    private let backend: Executor.Computer
    private let start = Clock.now()
    private let inputs: [InputFile]
    /// What the inputs say; without them nothing.
    private let before: ImportanceMatrix
    private var sums = Perplexity.Sums()
    private var state = Progress(stage: "imatrix", done: 0, total: 0)
    private var due: UInt64 = 0
    private var hasWritten = false

    init(_ session: Session, _ options: ImportanceOptions, _ progress: ProgressHandler?) throws(AlpacaError) {
        self.session = session
        self.options = options
        self.progress = progress
        (before, inputs) = try ImportanceFiles.read(options)
        squares = InputSquares(includesHead: options.includesOutput)
        backend = try session.model.runnable.makeObserver(
            batchSize: min(session.batchSize, options.chunkSize), threadCount: session.threadCount, squares)
        try ImportanceFiles.checkOutput(options, inputs)
        try check(before)
    }

    func run(_ text: String) throws(AlpacaError) -> ImportanceReport {
        let ids = try ids(of: text)
        let size = options.chunkSize
        let there = ids.count / size - options.firstChunk
        guard there > 0 else {
            let wanted = options.firstChunk == 0 ? "" : " and \(options.firstChunk) before it (first_chunk)"
            throw AlpacaError(
                .invalidArgument, "the text has \(ids.count) tokens, expected at least the \(size) of a chunk (n_ctx)\(wanted)")
        }
        let count = min(there, options.chunkCount ?? there)
        state.total = UInt64(clamping: count * size)
        squares.goesOn = { [unowned self] in self.goesOn() }
        defer { squares.goesOn = nil }
        try session.model.runnable.executor.settle(session.ticket)
        for chunk in 0..<count {
            let first = (options.firstChunk + chunk) * size
            var window = Array(ids[first..<first + size])
            if session.model.tokenizer.addsBOS, let bos = session.model.tokenizer.bos { window[0] = bos }
            try read(window)
            if options.measuresPerplexity {
                let value = sums.result(tokenCount: 0, windowCount: 0).value
                state.item = "perplexity \(Decimal.text(value, digits: 4))"
            }
            due = 0
            guard goesOn() else { throw Session.cancelled }
            if options.saveInterval > 0, (chunk + 1) % options.saveInterval == 0, chunk + 1 < count { _ = try write(chunk + 1) }
        }
        let matrix = try write(count)
        return ImportanceReport(
            output: options.output, format: options.format, datasets: matrix.datasets, chunkCount: count, chunkSize: size,
            tokenCount: count * size, matrixCount: matrix.entries.count,
            perplexity: options.measuresPerplexity ? sums.result(tokenCount: ids.count, windowCount: count) : nil,
            seconds: Clock.seconds(since: start), warnings: ImportanceFiles.warnings(matrix))
    }

    private func ids(of text: String) throws(AlpacaError) -> [TokenID] {
        let tokenizer = session.model.tokenizer
        try LargeMemory.ask(text.utf8.count, for: "text")
        let ids = try tokenizer.ids(
            of: Array(text.utf8), addBOS: tokenizer.addsBOS, parseSpecial: options.parsesSpecial, stop: session.cancelFlag)
        try session.checkCancelled()
        try session.checkIDs(ids)
        return ids
    }

    /// Reads one chunk after nothing.
    private func read(_ window: [TokenID]) throws(AlpacaError) {
        session.forget(from: 0)
        _ = try session.sequence.prepare(for: window[...], shared: 0)
        var done = 0
        while done < window.count {
            let part = window[done..<min(window.count, done + backend.batchSize)]
            try session.model.runnable.executor.checkFiles()
            session.sequence.hasLogits = false
            let isRead = unsafe part.withUnsafeBufferPointer { part in
                backend.beginBatch(threads: session.threadCount)
                unsafe _ = backend.add(part, at: session.sequence.count, of: session.sequence.view)
                backend.heed(session.cancelFlag, caller: 0)
                guard backend.run(leavingFor: nil) == .done else { return false }
                RuntimeLock.withLock { unsafe session.sequence.append(part) }
                return true
            }
            guard isRead else { throw Session.cancelled }
            try score(window, done..<done + part.count)
            done += part.count
            state.done += UInt64(part.count)
            guard goesOn() else { throw Session.cancelled }
        }
    }

    /// Computes the logits of the positions that are wanted among those that were just read, and what the model gave to the tokens after them.
    private func score(_ window: [TokenID], _ positions: Range<Int>) throws(AlpacaError) {
        // Position i foresees token i + 1.
        let scored = options.measuresPerplexity ? window.count / 2..<window.count - 1 : 0..<0
        let wanted = options.includesOutput ? positions : positions.clamped(to: scored)
        let size = session.model.configuration.vocabularySize
        var position = wanted.lowerBound
        while position < wanted.upperBound {
            let rows = position..<min(wanted.upperBound, position + backend.mostScoredRows)
            let first = rows.lowerBound - positions.lowerBound
            guard let logits = unsafe backend.logits(first..<first + rows.count) else { throw Session.cancelled }
            for i in 0..<rows.count where scored.contains(rows.lowerBound + i) {
                // Bound: i < rows.count, each of `size` floats.
                let row = unsafe Span(_unsafeStart: logits + i * size, count: size)
                let token = window[rows.lowerBound + i + 1]
                guard let loss = Session.negativeLogLikelihood(of: token, row, unused: session.sampler.unused) else {
                    throw session.noNumbers
                }
                sums.add(loss)
            }
            position = rows.upperBound
        }
    }

    /// Tells of progress; false when the caller wants no more.
    private func goesOn() -> Bool {
        guard !session.cancelFlag.isSet else { return false }
        guard let progress else { return true }
        let now = Clock.now()
        guard now >= due else { return true }
        due = now &+ 50_000_000
        return progress(state)
    }

    // MARK: The file

    private func write(_ chunks: Int) throws(AlpacaError) -> ImportanceMatrix {
        var entries: [String: ImportanceMatrix.Entry] = [:]
        for input in squares.inputs {
            let (sums, counts) = squares.values(of: input)
            let entry = ImportanceMatrix.Entry(sums: sums, counts: counts)
            for name in input.names {
                guard sums.allSatisfy({ $0.isFinite && $0 < Double(Float.greatestFiniteMagnitude) }) else {
                    throw AlpacaError(
                        .badFormat, path: session.model.path,
                        "\(name.quoted()) is multiplied with numbers that are infinite or NaN: the file is damaged or its numbers overflow")
                }
                entries[name] = entry
            }
        }
        let new = ImportanceMatrix(
            entries: entries, datasets: options.dataset.isEmpty ? [] : [options.dataset], chunkCount: chunks, chunkSize: options.chunkSize)
        var matrix = before
        try matrix.add(new, chunkSize: options.chunkSize)
        try matrix.write(to: options.output, as: options.format, overwrite: options.overwrites || hasWritten, inputs: inputs)
        hasWritten = true
        return matrix
    }

    /// Throws when the inputs can't be of this model.
    private func check(_ matrix: ImportanceMatrix) throws(AlpacaError) {
        var unknown = Set(matrix.entries.keys)
        for role in [TensorRole.output, .tokenEmbedding] { unknown.remove(role.name(in: .gguf) ?? "") }
        for input in squares.inputs {
            for name in input.names {
                guard let entry = matrix.entries[name] else { continue }
                unknown.remove(name)
                let expected = input.experts * input.columns
                guard entry.sums.count == expected, [1, input.experts].contains(entry.counts.count) else {
                    throw AlpacaError(
                        .shapeMismatch, path: options.inputs.first,
                        "\(name.quoted()): found \(entry.sums.count) numbers, expected \(expected) (was it made for another model?)")
                }
            }
        }
        if let first = unknown.min() {
            let others = unknown.count > 1 ? ", and \(unknown.count - 1) more" : ""
            throw AlpacaError(
                .shapeMismatch, path: options.inputs.first,
                "found \(first.quoted())\(others), which the model does not have (was it made for another model?)")
        }
    }
}

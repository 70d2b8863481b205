/// How well a model foresees a text: the exponential of the mean negative logarithm of the probabilities that it gave to the text's tokens.
public struct Perplexity: Sendable, Equatable {
    /// Tokens of the text, the one that begins it included.
    public var tokenCount = 0
    /// Windows that were read, and tokens in them that were scored.
    public var windowCount = 0
    public var scoredCount = 0
    /// Mean of -ln p over the scored tokens.
    public var meanNegativeLogLikelihood = 0.0
    /// exp of the mean; infinite where the model gave a token no chance, or a logit that is no number.
    public var value = 0.0
    /// Standard error of ``value``: that of the mean times the value, tokens taken as independent (as llama-perplexity does).
    public var standardError = 0.0

    /// Sums of -ln p and of their squares, in the text's order.
    struct Sums {
        private(set) var count = 0
        private var sum = 0.0
        private var squares = 0.0

        mutating func add(_ negativeLogLikelihood: Double) {
            count += 1
            sum += negativeLogLikelihood
            squares += negativeLogLikelihood * negativeLogLikelihood
        }

        func result(tokenCount: Int, windowCount: Int) -> Perplexity {
            var result = Perplexity()
            result.tokenCount = tokenCount
            result.windowCount = windowCount
            result.scoredCount = count
            guard count > 0 else { return result }
            let mean = sum / Double(count)
            result.meanNegativeLogLikelihood = mean
            result.value = Numerics.exponential(mean)
            if !result.value.isFinite {
                result.standardError = .infinity
            } else if count > 1 {
                let variance = max(0, squares / Double(count) - mean * mean)
                result.standardError = (variance / Double(count - 1)).squareRoot() * result.value
            }
            return result
        }
    }
}

extension Session {
    /// Measures the perplexity of `text`. What the session held before is forgotten.
    ///
    /// By default as llama-perplexity: the text's ids, with the token that begins a text in front, are cut into windows of `windowLength`, the
    /// rest is dropped, each window's first id is replaced by the one that begins a text, and the second half of each window is scored. With a
    /// `stride` the windows overlap and begin that many tokens apart, and each token is scored once, with all that its window has before it.
    ///
    /// - Parameters:
    ///   - windowLength: positions of a window (`n_ctx`), 4 ... ``contextLength``; 0 for ``contextLength``.
    ///   - stride: 1 ..< windowLength, or 0.
    /// - Throws: `invalidArgument` when the text has no more tokens than a window; `badFormat` when the model
    ///   computes logits of which none is a number; `cancelled`, `busy`.
    public func perplexity(
        of text: String, windowLength: Int = 0, stride: Int = 0, progress: ((Progress) -> Bool)? = nil
    ) throws(AlpacaError) -> Perplexity {
        let length = windowLength == 0 ? contextLength : windowLength
        guard (4...contextLength).contains(length) else {
            throw AlpacaError(.invalidArgument, "n_ctx: found \(length), expected 4 to \(contextLength), the session's")
        }
        guard (0..<length).contains(stride) else {
            throw AlpacaError(.invalidArgument, "stride: found \(stride), expected 0 to \(length - 1)")
        }
        return try exclusively { () throws(AlpacaError) -> Perplexity in
            // As the files want it, in llama-perplexity too: byte-level models were mostly trained without.
            let bos = model.tokenizer.addsBOS ? model.tokenizer.bos : nil
            let ids = try model.tokenizer.ids(of: text, addBOS: bos != nil, stop: cancelFlag)
            try checkCancelled()
            guard ids.count > length else {
                throw AlpacaError(
                    .invalidArgument, "the text has \(ids.count) tokens, expected more than the \(length) of a window (n_ctx)")
            }
            var sums = Perplexity.Sums()
            var windowCount = 0
            var start = 0
            while start + length <= ids.count {
                var window = Array(ids[start..<start + length])
                if stride == 0, let bos { window[0] = bos }
                // Position i foresees token i + 1.
                let first = stride == 0 ? length / 2 : start == 0 ? 0 : length - stride - 1
                forget(from: 0)
                try score(window, from: first) { (position, logits) throws(AlpacaError) in
                    guard position + 1 < window.count else { return }
                    guard let loss = Session.negativeLogLikelihood(of: window[position + 1], logits, unused: sampler.unused) else {
                        throw noNumbers
                    }
                    sums.add(loss)
                }
                windowCount += 1
                start += stride == 0 ? length : stride
                try checkCancelled()
                let report = Progress(stage: "perplexity", done: UInt64(min(start, ids.count)), total: UInt64(ids.count))
                if let progress, !progress(report) { throw Session.cancelled }
            }
            return sums.result(tokenCount: ids.count, windowCount: windowCount)
        }
    }

    /// -ln of the softmax of `logits` at `token`, in double precision: infinite where a token has a logit that is no number, nil where all have.
    ///
    /// - Parameter unused: rows that are no tokens, which may hold anything.
    static func negativeLogLikelihood(of token: TokenID, _ logits: Span<Float>, unused: [TokenID] = []) -> Double? {
        var top = -Float.infinity
        for i in logits.indices { top = max(top, logits[i]) }
        var sum = 0.0
        for i in logits.indices { sum += Numerics.exponential(Double(logits[i]) - Double(top)) }
        let own = Int(token)
        guard own >= 0, own < logits.count else { return .infinity }
        if !sum.isFinite {
            guard logits.indices.contains(where: { logits[$0].isFinite }) else { return nil }
            let strange = logits.indices.count { logits[$0].isNaN }
            let idle = unused.count { $0 >= 0 && Int($0) < logits.count && logits[Int($0)].isNaN }
            guard top.isFinite, strange == idle else { return .infinity }
            sum = 0
            for i in logits.indices where !logits[i].isNaN { sum += Numerics.exponential(Double(logits[i]) - Double(top)) }
        }
        guard sum > 0 else { return .infinity }
        return Numerics.logarithm(sum) - (Double(logits[own]) - Double(top))
    }
}

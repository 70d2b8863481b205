/// What the writing of one text knows: a machine that makes a token of logits, one at a time. It runs no model and waits for nobody, so any
/// loop can drive it:
///
/// 1. ``next(_:recent:position:sampler:)`` draws from the logits of the last position and says whether that is a token or the end;
/// 2. ``event`` is what a reader may see of the token, and ``goesOn(_:)`` says whether another is to follow;
/// 3. who drives it reads the token, or says with ``end(_:)`` that it can't, and begins again; at the end ``flush()``.
struct GenerationState {
    enum Step: Equatable {
        case token(TokenID)
        case finished(FinishReason)
    }

    /// Set as soon as it is known that no token follows.
    private(set) var finishReason: FinishReason?
    /// Tokens written, the one that ends the answer not counted.
    private(set) var count = 0

    private let parameters: GenerationParameters
    private let tokenizer: Tokenizer
    private let endings: [TokenID]
    private var text: AnswerText
    /// Draws of a text without a seed.
    private var random: RandomSource
    /// Positions that made room for others (``shifted(by:)``).
    private var shiftedAway = 0
    private var last: (id: TokenID, logprob: Float, candidates: [Candidate]) = (0, .nan, [])

    /// - Parameters:
    ///   - parameters: valid ones.
    ///   - ends: what the template that the prompt was put in says of an answer's end; nil for a prompt without one.
    ///   - random: draws where `parameters` have no seed.
    init(_ parameters: GenerationParameters, _ tokenizer: Tokenizer, ends: TemplateEnds?, random: RandomSource) {
        self.parameters = parameters
        self.tokenizer = tokenizer
        self.random = random
        endings = tokenizer.endings + (ends?.tokens ?? [])
        // The blank that sentencepiece puts before a text; an answer that goes on needs it.
        let stripsSpace = ends != nil && tokenizer.addsSpacePrefix && !parameters.templateInput.continuesFinalMessage
        text = AnswerText(
            stops: parameters.stop + (ends?.texts ?? []), stripsSpace: stripsSpace, showsSpecial: parameters.showsSpecialTokens)
    }

    /// The stop text that was met.
    var stopString: String? { text.metStop }

    /// Draws the next token. After the end it only tells the end again.
    ///
    /// - Parameters:
    ///   - logits: those of the last position.
    ///   - recent: the tokens so far.
    ///   - position: how many of them there are: where the token will stand.
    mutating func next(_ logits: Span<Float>, recent: Span<TokenID>, position: Int, sampler: Sampler) -> Step {
        if let finishReason { return .finished(finishReason) }
        let id: TokenID
        if let seed = parameters.sampling.seed {
            // A position that comes again after a shift is another draw.
            var draw = RandomSource(seed: seed, position: position + shiftedAway)
            id = sampler.sample(logits, recent: recent, parameters.sampling, &draw)
        } else {
            id = sampler.sample(logits, recent: recent, parameters.sampling, &random)
        }
        last = (id, .nan, [])
        if parameters.candidateCount > 0 {
            (last.logprob, last.candidates) = sampler.candidates(logits, chosen: id, count: parameters.candidateCount)
        }
        if !parameters.ignoresEndOfSequence, endings.contains(id) {
            finishReason = .endOfSequence
            return .finished(.endOfSequence)
        }
        count += 1
        if text.add(id, tokenizer) { finishReason = .stopString }
        return .token(id)
    }

    /// What a reader sees of the token that ``next(_:recent:position:sampler:)`` gave last, or of what ``flush()`` has left.
    var event: TokenEvent {
        @_lifetime(borrow self)
        borrowing get {
            TokenEvent(id: last.id, index: count - 1, text: text.ready.span, logprob: last.logprob, candidates: last.candidates)
        }
    }

    /// Whether another token is to follow, which needs the last one to be read.
    ///
    /// - Parameter isWanted: what the reader says.
    mutating func goesOn(_ isWanted: Bool) -> Bool {
        if finishReason == nil {
            if !isWanted {
                finishReason = .callback
            } else if parameters.maxNewTokens > 0, count >= parameters.maxNewTokens {
                finishReason = .length
            }
        }
        return finishReason == nil
    }

    /// Ends the text for a reason of its surroundings: the context is full, or the call is cancelled. An earlier end stays.
    mutating func end(_ reason: FinishReason) { finishReason = finishReason ?? reason }

    /// Tokens before the last have been forgotten to make room: positions begin that many lower from here on.
    mutating func shifted(by positions: Int) { shiftedAway += positions }

    /// After the end: makes what was held back the text of ``event``. It is text after all, unless a stop text ended it; and a reader who wants
    /// no more isn't asked again.
    ///
    /// - Returns: whether there is any.
    mutating func flush() -> Bool {
        guard count > 0, finishReason != .callback, text.flush() else { return false }
        last.logprob = .nan
        last.candidates = []
        return true
    }
}

/// Text as it comes out of tokens: whole characters, and no part of a stop text.
struct AnswerText {
    /// What the last token added that can be shown.
    private(set) var ready: [UInt8] = []
    /// The stop text that ended it.
    private(set) var metStop: String?

    private let stops: [String]
    private var matcher: StopMatcher
    private var assembler = UTF8Assembler()
    private var bytes: [UInt8] = []
    private var characters: [UInt8] = []
    private var stripsSpace: Bool
    private let showsSpecial: Bool

    /// - Parameters:
    ///   - stripsSpace: the blank that the first piece of a text begins with is not shown, as sentencepiece's decoding has it.
    ///   - showsSpecial: whether names of special tokens are text, too.
    init(stops: [String], stripsSpace: Bool, showsSpecial: Bool = false) {
        self.showsSpecial = showsSpecial
        self.stops = stops.filter { !$0.isEmpty }
        self.stripsSpace = stripsSpace
        matcher = StopMatcher(self.stops)
        bytes.reserveCapacity(256)
        characters.reserveCapacity(256)
        ready.reserveCapacity(1024)
    }

    /// Adds a token; whether it completed a stop text.
    mutating func add(_ id: TokenID, _ tokenizer: Tokenizer) -> Bool {
        bytes.removeAll(keepingCapacity: true)
        characters.removeAll(keepingCapacity: true)
        ready.removeAll(keepingCapacity: true)
        tokenizer.appendBytes(of: id, to: &bytes)
        if showsSpecial, tokenizer.kind(id) == .control { bytes += (tokenizer.piece(id) ?? "").utf8 }
        var first = 0
        if stripsSpace, !bytes.isEmpty {
            stripsSpace = false
            if bytes[0] == 0x20 { first = 1 }
        }
        for byte in bytes[first...] { assembler.append(byte, to: &characters) }
        guard let stop = matcher.append(characters, to: &ready) else { return false }
        metStop = stops[stop]
        return true
    }

    /// The text ends: what was held back can be shown. Whether there is any.
    mutating func flush() -> Bool {
        guard metStop == nil else { return false }
        characters.removeAll(keepingCapacity: true)
        ready.removeAll(keepingCapacity: true)
        assembler.flush(to: &characters)
        if matcher.append(characters, to: &ready) == nil { matcher.flush(to: &ready) }
        return !ready.isEmpty
    }
}

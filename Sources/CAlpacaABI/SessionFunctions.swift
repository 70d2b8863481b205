import AlpacaEngine
public import CAlpaca

@c @implementation
public func alpaca_session_params_init(_ params: UnsafeMutablePointer<alpaca_session_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in try unsafe GrowingStruct.initialize(params, size, alpaca_session_params.defaults, "params") }
}

extension alpaca_session_params {
    static var defaults: alpaca_session_params {
        let swift = Session.Options()
        var params = alpaca_session_params()
        params.struct_size = MemoryLayout<alpaca_session_params>.size
        params.n_batch = Int32(clamping: swift.batchSize)
        params.type_k = swift.keyType.rawValue
        params.type_v = swift.valueType.rawValue
        return params
    }

    func options() throws(AlpacaError) -> Session.Options {
        try Arguments.reserved(reserved, "params.reserved")
        try Arguments.reserved(reserved2, "params.reserved2")
        var options = Session.Options()
        options.contextLength = Int(n_ctx)
        options.batchSize = Int(n_batch)
        options.threadCount = Int(n_threads)
        options.keyType = try Arguments.cacheType(type_k, "type_k")
        options.valueType = try Arguments.cacheType(type_v, "type_v")
        options.ropeTheta = rope_theta == 0 ? nil : rope_theta
        options.ropeScale = rope_scale == 0 ? nil : rope_scale
        options.growsOnDemand = try Arguments.flag(grow_on_demand, "grow_on_demand")
        options.ropeScaling = try Arguments.ropeScaling(rope_scaling)
        // A negative number is as wrong as one that is too large.
        options.ropeOriginalContext = rope_original_ctx == 0 ? nil : Int(rope_original_ctx)
        options.ropeAlpha = rope_alpha == 0 ? nil : rope_alpha
        options.yarnAttentionFactor = yarn_attn_factor == 0 ? nil : yarn_attn_factor
        options.yarnBetaFast = yarn_beta_fast == 0 ? nil : yarn_beta_fast
        options.yarnBetaSlow = yarn_beta_slow == 0 ? nil : yarn_beta_slow
        return options
    }
}

@c @implementation
public func alpaca_session_create(
    _ model: OpaquePointer?, _ params: UnsafePointer<alpaca_session_params>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(out, "out")
        unsafe out.pointee = nil
        let model = try unsafe Handles.get(model, .model, as: ModelObject.self).model
        let params = try unsafe GrowingStruct.read(params, alpaca_session_params.defaults, "params")
        let options = try params.options()
        var warnings: [String] = []
        unsafe out.pointee = try Handles.make(.session) { (word) throws(AlpacaError) in
            let session = try unsafe Session(model, options, cancelFlag: CancelFlag(at: word))
            warnings = session.warnings
            return session
        }
        Log.warn(warnings)
    }
}

@c @implementation
public func alpaca_session_free(_ session: OpaquePointer?) {
    // A call that is using the session holds it too; it is told to end.
    if let object = unsafe Handles.release(session, .session) as? Session { object.close() }
}

@c @implementation
public func alpaca_generation_params_init(_ params: UnsafeMutablePointer<alpaca_generation_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        try unsafe GrowingStruct.initialize(params, size, alpaca_generation_params.defaults, "params")
    }
}

extension alpaca_generation_params {
    static var defaults: alpaca_generation_params {
        let swift = GenerationParameters()
        var params = unsafe alpaca_generation_params()
        unsafe params.struct_size = MemoryLayout<alpaca_generation_params>.size
        unsafe params.max_new_tokens = Int32(clamping: swift.maxNewTokens)
        unsafe params.top_k = Int32(clamping: swift.sampling.topK)
        unsafe params.temperature = swift.sampling.temperature
        unsafe params.top_p = swift.sampling.topP
        unsafe params.min_p = swift.sampling.minP
        unsafe params.repetition_penalty = swift.sampling.repetitionPenalty
        unsafe params.repeat_last_n = Int32(clamping: swift.sampling.repeatLastN)
        unsafe params.n_keep = Int32(clamping: swift.keepTokens)
        return unsafe params
    }

    /// The pointers in the struct are the caller's and are read here, once.
    func swiftValue() throws(AlpacaError) -> GenerationParameters {
        var p = GenerationParameters()
        p.maxNewTokens = unsafe Int(max_new_tokens)
        p.sampling.topK = unsafe Int(top_k)
        p.sampling.temperature = unsafe temperature
        p.sampling.topP = unsafe top_p
        p.sampling.minP = unsafe min_p
        p.sampling.repetitionPenalty = unsafe repetition_penalty
        p.sampling.repeatLastN = unsafe Int(repeat_last_n)
        p.sampling.presencePenalty = unsafe presence_penalty
        p.sampling.frequencyPenalty = unsafe frequency_penalty
        p.sampling.seed = try unsafe Arguments.flag(use_seed, "use_seed") ? seed : nil
        guard unsafe (0...64).contains(n_stop) else {
            throw AlpacaError(.invalidArgument, "n_stop: found \(unsafe UInt(bitPattern: n_stop)), expected 0 to 64")
        }
        for i in unsafe 0..<n_stop {
            guard let stop = unsafe stop else { throw AlpacaError(.invalidArgument, "stop: found NULL, expected n_stop texts") }
            // Bound: i < n_stop.
            p.stop.append(try unsafe Arguments.text(stop[i], "stop[\(i)]"))
        }
        guard unsafe (0...1 << 20).contains(n_logit_bias) else {
            throw AlpacaError(.invalidArgument, "n_logit_bias: found \(unsafe UInt(bitPattern: n_logit_bias)), expected 0 to \(1 << 20)")
        }
        for i in unsafe 0..<n_logit_bias {
            guard let bias = unsafe logit_bias else {
                throw AlpacaError(.invalidArgument, "logit_bias: found NULL, expected n_logit_bias of them")
            }
            // Bound: i < n_logit_bias.
            unsafe p.sampling.logitBias[bias[i].id] = bias[i].bias
        }
        p.template = try unsafe Arguments.template(template_name, template_text)
        p.templateInput = try unsafe Arguments.templateInput(tools, documents, variables, template_time, continue_final_message)
        p.showsSpecialTokens = try unsafe Arguments.flag(show_special, "show_special")
        if unsafe system != nil { p.systemPrompt = try unsafe Arguments.text(system, "system") }
        p.candidateCount = unsafe Int(n_probs)
        p.contextShift = try unsafe Arguments.flag(context_shift, "context_shift")
        p.keepTokens = unsafe Int(n_keep)
        p.ignoresEndOfSequence = try unsafe Arguments.flag(ignore_eos, "ignore_eos")
        return p
    }
}

/// A C callback for tokens.
@safe private struct TokenReport {
    let callback: (@convention(c) (UnsafePointer<alpaca_token_event>?, UnsafeMutableRawPointer?) -> Int32)?
    let userData: UnsafeMutableRawPointer?

    func call(_ event: borrowing TokenEvent) -> Bool {
        guard let callback = unsafe callback else { return true }
        let candidates = event.candidates.map { alpaca_candidate(id: $0.id, logprob: $0.logprob) }
        return unsafe event.text.withUnsafeBytes { text in
            unsafe candidates.withUnsafeBufferPointer { candidates in
                var report = unsafe alpaca_token_event(
                    struct_size: MemoryLayout<alpaca_token_event>.size, id: event.id, index: Int32(clamping: event.index),
                    // An empty text still has an address, so that callers may print it without a look.
                    text: text.baseAddress.map { unsafe $0.assumingMemoryBound(to: CChar.self) } ?? StaticText.empty,
                    text_length: text.count, logprob: event.logprob, reserved: 0,
                    candidates: candidates.isEmpty ? nil : candidates.baseAddress, n_candidates: candidates.count)
                return FloatState.hosts { unsafe callback(&report, userData) } == 0
            }
        }
    }
}

extension alpaca_generation_result {
    init(_ result: GenerationResult) {
        self.init()
        finish_reason = result.finishReason.rawValue
        n_prompt = UInt64(clamping: result.promptTokens)
        n_cached = UInt64(clamping: result.cachedTokens)
        n_generated = UInt64(clamping: result.generatedTokens)
        prompt_ns = result.promptNanoseconds
        generation_ns = result.generationNanoseconds
        n_left_out = UInt64(clamping: result.leftOutMessages)
    }
}

@c @implementation
public func alpaca_session_generate(
    _ session: OpaquePointer?, _ prompt: UnsafePointer<CChar>?, _ length: Int, _ params: UnsafePointer<alpaca_generation_params>?,
    _ callback: (@convention(c) (UnsafePointer<alpaca_token_event>?, UnsafeMutableRawPointer?) -> Int32)?,
    _ userData: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<alpaca_generation_result>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        let prompt = try unsafe Arguments.text(prompt, length, "prompt")
        try unsafe write(params, callback, userData, result) { (parameters, report) throws(AlpacaError) in
            try session.generate(prompt, parameters) { event in report.call(event) }
        }
    }
}

@c @implementation
public func alpaca_session_chat(
    _ session: OpaquePointer?, _ messages: UnsafePointer<alpaca_message>?, _ n: Int, _ params: UnsafePointer<alpaca_generation_params>?,
    _ callback: (@convention(c) (UnsafePointer<alpaca_token_event>?, UnsafeMutableRawPointer?) -> Int32)?,
    _ userData: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<alpaca_generation_result>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        guard (1...1 << 20).contains(n), let messages = unsafe messages else {
            throw AlpacaError(.invalidArgument, "messages: found \(UInt(bitPattern: n)) of them, expected 1 to \(1 << 20) and not NULL")
        }
        var conversation: [ChatMessage] = []
        for i in 0..<n {
            // Bound: i < n.
            let message = unsafe messages[i]
            try unsafe Arguments.reserved(message.reserved, "messages[\(i)].reserved")
            let role: ChatMessage.Role
            switch unsafe UInt32(bitPattern: message.role) {
            case ALPACA_ROLE_SYSTEM.rawValue: role = .system
            case ALPACA_ROLE_USER.rawValue: role = .user
            case ALPACA_ROLE_ASSISTANT.rawValue: role = .assistant
            case ALPACA_ROLE_TOOL.rawValue: role = .tool
            default:
                throw AlpacaError(.invalidArgument, "messages[\(i)].role: found \(unsafe message.role), expected an alpaca_role, 0 to 3")
            }
            conversation.append(
                ChatMessage(role: role, content: try unsafe Arguments.text(message.content, message.length, "messages[\(i)].content")))
        }
        try unsafe write(params, callback, userData, result) { (parameters, report) throws(AlpacaError) in
            try session.chat(conversation, parameters) { event in report.call(event) }
        }
    }
}

@c @implementation
public func alpaca_session_chat_json(
    _ session: OpaquePointer?, _ messages: UnsafePointer<CChar>?, _ length: Int, _ params: UnsafePointer<alpaca_generation_params>?,
    _ callback: (@convention(c) (UnsafePointer<alpaca_token_event>?, UnsafeMutableRawPointer?) -> Int32)?,
    _ userData: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<alpaca_generation_result>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        let conversation = try ChatMessage.list(json: unsafe Arguments.text(messages, length, "messages"))
        try unsafe write(params, callback, userData, result) { (parameters, report) throws(AlpacaError) in
            try session.chat(conversation, parameters) { event in report.call(event) }
        }
    }
}

/// What all ways of writing share: reads the parameters, runs `body`, fills in the result.
private func write(
    _ params: UnsafePointer<alpaca_generation_params>?,
    _ callback: (@convention(c) (UnsafePointer<alpaca_token_event>?, UnsafeMutableRawPointer?) -> Int32)?,
    _ userData: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<alpaca_generation_result>?,
    _ body: (GenerationParameters, TokenReport) throws(AlpacaError) -> GenerationResult
) throws(AlpacaError) {
    if let result = unsafe result { _ = try unsafe GrowingStruct.checkedSize(UnsafePointer(result), "result") }
    let parameters = try unsafe GrowingStruct.read(params, alpaca_generation_params.defaults, "params").swiftValue()
    let outcome = try unsafe body(parameters, TokenReport(callback: callback, userData: userData))
    if let result = unsafe result { try unsafe GrowingStruct.write(alpaca_generation_result(outcome), to: result, "result") }
}

@c @implementation
public func alpaca_session_append(_ session: OpaquePointer?, _ ids: UnsafePointer<Int32>?, _ n: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        try session.append(try unsafe Arguments.ids(ids, n, "ids"))
    }
}

@c @implementation
public func alpaca_session_logits(
    _ session: OpaquePointer?, _ logits: UnsafeMutablePointer<UnsafePointer<Float>?>?, _ n: UnsafeMutablePointer<Int>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        let out = try unsafe Arguments.out(logits, "logits")
        let count = try unsafe Arguments.out(n, "n")
        try session.withLogits { values in
            // They lie in the session's workspace, which stays where it is until the session goes.
            unsafe values.withUnsafeBufferPointer { unsafe out.pointee = $0.baseAddress }
            unsafe count.pointee = values.count
        }
    }
}

@c @implementation
public func alpaca_session_sample(
    _ session: OpaquePointer?, _ params: UnsafePointer<alpaca_generation_params>?, _ id: UnsafeMutablePointer<Int32>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        let out = try unsafe Arguments.out(id, "id")
        let parameters = try unsafe GrowingStruct.read(params, alpaca_generation_params.defaults, "params").swiftValue()
        unsafe out.pointee = try session.sample(parameters.sampling)
    }
}

@c @implementation
public func alpaca_session_truncate(_ session: OpaquePointer?, _ length: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        // size_t: what is negative here is larger than any session.
        try session.truncate(to: length < 0 ? Int.max : length)
    }
}

@c @implementation
public func alpaca_session_position(_ session: OpaquePointer?) -> Int {
    unsafe Handles.find(session, .session, as: Session.self)?.position ?? 0
}

@c @implementation
public func alpaca_session_tokens(
    _ session: OpaquePointer?, _ ids: UnsafeMutablePointer<Int32>?, _ capacity: Int, _ n: UnsafeMutablePointer<Int>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        try unsafe Arguments.copy(try session.tokens(), to: ids, capacity, n)
    }
}

@c @implementation
public func alpaca_session_context_length(_ session: OpaquePointer?) -> Int {
    unsafe Handles.find(session, .session, as: Session.self)?.contextLength ?? 0
}

@c @implementation
public func alpaca_session_thread_count(_ session: OpaquePointer?) -> Int {
    unsafe Handles.find(session, .session, as: Session.self)?.threadCount ?? 0
}

@c @implementation
public func alpaca_session_cancel(_ session: OpaquePointer?) {
    unsafe Handles.cancel(session)
}

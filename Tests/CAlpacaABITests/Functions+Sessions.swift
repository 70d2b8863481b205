import CAlpaca

extension Functions {
    static var sessions: [Function] {
        [
            Function(
                "alpaca_session_params_init", alpaca_session_params_init,
                [.pointer("params", \.sessionParams), .number("size", \.sessionParamsSize, structSizes)]),
            Function(
                "alpaca_session_create", alpaca_session_create,
                [.handle("model", \.model), .pointer("params", \.sessionParams, null: ok), .out("out")],
                [
                    .when(ALPACA_OUT_OF_MEMORY) { ($0.sessionParams.pointee.n_ctx, $0.sessionParams.pointee.type_k) = (1 << 22, 0) },
                    .when(ALPACA_OUT_OF_MEMORY) {
                        $0.leaveNoRoom()
                        $0.sessionParams.pointee.grow_on_demand = 0
                    },
                    .when(ALPACA_INVALID_ARGUMENT) { $0.sessionParams.pointee.grow_on_demand = 2 },
                    .when(ALPACA_UNSUPPORTED) { $0.sessionParams.pointee.reserved = 1 },
                    .when(ALPACA_UNSUPPORTED) { $0.sessionParams.pointee.reserved2 = 1 },
                ]),
            Function("alpaca_session_free", alpaca_session_free, [.freed("session", \.session)]),
            Function(
                "alpaca_generation_params_init", alpaca_generation_params_init,
                [.pointer("params", \.generationParams), .number("size", \.generationParamsSize, structSizes)]),
            Function(
                "alpaca_session_generate",
                {
                    (
                        session: OpaquePointer?, prompt: UnsafePointer<CChar>?, length: Int,
                        params: UnsafePointer<alpaca_generation_params>?,
                        callback: UnsafeMutableRawPointer?, data: UnsafeMutableRawPointer?,
                        result: UnsafeMutablePointer<alpaca_generation_result>?
                    ) in
                    alpaca_session_generate(
                        session, prompt, length, params, unsafeBitCast(callback, to: alpaca_token_callback?.self), data, result)
                },
                [.handle("session", \.session), .text("prompt", \.text), .number("length", \.terminated, [ok, invalid, ok, invalid])]
                    + writing, writingCases),
            Function(
                "alpaca_session_chat",
                {
                    (
                        session: OpaquePointer?, messages: UnsafePointer<alpaca_message>?, n: Int,
                        params: UnsafePointer<alpaca_generation_params>?, callback: UnsafeMutableRawPointer?,
                        data: UnsafeMutableRawPointer?,
                        result: UnsafeMutablePointer<alpaca_generation_result>?
                    ) in
                    alpaca_session_chat(
                        session, messages, n, params, unsafeBitCast(callback, to: alpaca_token_callback?.self), data, result)
                },
                [.handle("session", \.session), .pointer("messages", \.message), .number("n", \.one, [invalid, ok, invalid, invalid])]
                    + writing, writingCases),
            Function(
                "alpaca_session_chat_json",
                {
                    (
                        session: OpaquePointer?, messages: UnsafePointer<CChar>?, length: Int,
                        params: UnsafePointer<alpaca_generation_params>?, callback: UnsafeMutableRawPointer?,
                        data: UnsafeMutableRawPointer?,
                        result: UnsafeMutablePointer<alpaca_generation_result>?
                    ) in
                    alpaca_session_chat_json(
                        session, messages, length, params, unsafeBitCast(callback, to: alpaca_token_callback?.self), data, result)
                },
                [
                    .handle("session", \.session), .text("messages", \.messages),
                    .number("length", \.terminated, [invalid, invalid, ok, invalid]),
                ] + writing, writingCases),
            Function(
                "alpaca_session_append", alpaca_session_append,
                [.handle("session", \.session), .pointer("ids", \.ids), .number("n", \.one, [ok, ok, invalid, invalid])],
                [
                    .when(ALPACA_CONTEXT_FULL) { ($0.sizeOfSession, $0.one) = (32, 64) }, .busy,
                    .elsewhere(ALPACA_CANCELLED, "it takes a second thread: ThreadTests.cancelledPrefill"), .noMemory, noRoom,
                ]),
            Function(
                "alpaca_sessions_step", alpaca_sessions_step,
                [.pointer("inputs", \.stepInput), .number("n", \.one, [invalid, ok, invalid, invalid])],
                [
                    .when(ALPACA_CONTEXT_FULL) { ($0.sizeOfSession, $0.stepInput.pointee.n_ids) = (32, 64) }, .busy,
                    .when(ALPACA_UNSUPPORTED) { $0.stepInput.pointee.reserved = 1 },
                    .elsewhere(ALPACA_CANCELLED, "it takes a second thread: StepTests.stopped"), .noMemory, noRoom,
                ]),
            Function(
                "alpaca_session_logits", alpaca_session_logits,
                [.handle("session", \.session), .pointer("logits", \.logits), .pointer("n", \.needed)],
                [.elsewhere(ALPACA_BUSY, "in a callback they can be had; from another thread: ThreadTests.otherThreads")]),
            Function(
                "alpaca_session_sample", alpaca_session_sample,
                [.handle("session", \.session), .pointer("params", \.generationParams, null: ok), .pointer("id", \.id)],
                [.busy, .when(ALPACA_UNSUPPORTED) { $0.addTail() }, damaged]),
            Function(
                "alpaca_session_truncate", alpaca_session_truncate,
                [.handle("session", \.session), .number("n_tokens", \.one, [ok, ok, ok, ok])], [.busy]),
            Function("alpaca_session_position", alpaca_session_position, [.freed("session", \.session)]),
            Function(
                "alpaca_session_tokens", alpaca_session_tokens,
                [
                    .handle("session", \.session), .pointer("ids", \.ids),
                    .number("capacity", \.capacity, [ALPACA_BUFFER_TOO_SMALL, ALPACA_BUFFER_TOO_SMALL, ok, ok]), .pointer("n", \.needed),
                ],
                [tooSmall, .elsewhere(ALPACA_BUSY, "in a callback they can be had; from another thread: ThreadTests.otherThreads")]),
            Function("alpaca_session_context_length", alpaca_session_context_length, [.freed("session", \.session)]),
            Function("alpaca_session_thread_count", alpaca_session_thread_count, [.freed("session", \.session)]),
            Function("alpaca_session_cancel", alpaca_session_cancel, [.freed("session", \.session)]),
        ]
    }

    /// The session grows on demand, and the model's cache_bytes are used up.
    static var noRoom: Case { .when(ALPACA_OUT_OF_MEMORY) { $0.leaveNoRoom() } }

    /// The parameters that both ways of writing have.
    static var writing: [Parameter] {
        [
            .pointer("params", \.generationParams, null: ok), .callback("callback", \.tokenCallback), .callback("user_data", \.userData),
            .pointer("result", \.generationResult, null: ok),
        ]
    }

    static var writingCases: [Case] {
        [
            .when(ALPACA_CONTEXT_FULL) { $0.sizeOfSession = 8 }, .busy, .noMemory, noRoom,
            .when(ALPACA_UNSUPPORTED) { $0.generationParams.pointee.template_name = $0.c("alpaca-3") }, damaged,
        ]
    }

    /// A model whose logits are not numbers.
    static var damaged: Case { .elsewhere(ALPACA_BAD_FORMAT, "models with NaN: LostNumbersTests") }

    static var measures: [Function] {
        [
            Function(
                "alpaca_perplexity_params_init", alpaca_perplexity_params_init,
                [.pointer("params", \.perplexityParams), .number("size", \.perplexityParamsSize, structSizes)]),
            Function(
                "alpaca_perplexity", alpaca_perplexity,
                [
                    .handle("session", \.session), .text("text", \.longText),
                    .number("length", \.terminated, [invalid, invalid, ok, invalid]),
                    // Without parameters a window is the session's: longer than this text.
                    .pointer("params", \.perplexityParams, null: invalid), .pointer("result", \.perplexityResult),
                ],
                [
                    .when(ALPACA_CANCELLED) { $0.perplexityParams.pointee.progress = World.cancels }, .busy, .noMemory, noRoom,
                    .when(ALPACA_UNSUPPORTED) { $0.addTail() }, damaged,
                ]),
            Function(
                "alpaca_imatrix_params_init", alpaca_imatrix_params_init,
                [.pointer("params", \.imatrixParams), .number("size", \.imatrixParamsSize, structSizes)]),
            Function(
                "alpaca_imatrix", alpaca_imatrix,
                [
                    .handle("session", \.session), .text("text", \.longText),
                    .number("length", \.terminated, [invalid, invalid, ok, invalid]), .pointer("params", \.imatrixParams), .out("json"),
                ],
                [
                    .when(ALPACA_CANCELLED) { $0.imatrixParams.pointee.progress = World.cancels }, .busy, .noMemory, noRoom,
                    .when(ALPACA_UNSUPPORTED) { $0.addTail() }, .when(ALPACA_UNSUPPORTED) { $0.imatrixParams.pointee.reserved = 1 },
                    .when(ALPACA_SHAPE_MISMATCH) {
                        ($0.imatrixParams.pointee.inputs, $0.imatrixParams.pointee.n_inputs) = (UnsafePointer($0.imatrixInput), 1)
                    },
                    .when(ALPACA_NOT_FOUND) {
                        $0.imatrixInput.pointee = $0.c("/nonexistent")
                        ($0.imatrixParams.pointee.inputs, $0.imatrixParams.pointee.n_inputs) = (UnsafePointer($0.imatrixInput), 1)
                    },
                    .when(ALPACA_BAD_FORMAT) {
                        $0.imatrixInput.pointee = $0.c($0.files.text)
                        ($0.imatrixParams.pointee.inputs, $0.imatrixParams.pointee.n_inputs) = (UnsafePointer($0.imatrixInput), 1)
                    },
                    .when(ALPACA_IO) { $0.imatrixParams.pointee.output = $0.c("/dev/full") },
                ]),
            Function(
                "alpaca_imatrix_combine", alpaca_imatrix_combine, [.pointer("params", \.combineParams), .out("json")],
                [
                    .when(ALPACA_UNSUPPORTED) { $0.combineParams.pointee.reserved = 1 }, .noMemory,
                    .when(ALPACA_NOT_FOUND) { $0.imatrixInput.pointee = $0.c("/nonexistent") },
                    .when(ALPACA_BAD_FORMAT) { $0.imatrixInput.pointee = $0.c($0.files.text) },
                    .when(ALPACA_IO) { $0.combineParams.pointee.output = $0.c("/dev/full") },
                    .elsewhere(ALPACA_SHAPE_MISMATCH, "two matrices of other models: ImportanceMatrixTests"),
                ]),
            Function(
                "alpaca_bench_params_init", alpaca_bench_params_init,
                [.pointer("params", \.benchParams), .number("size", \.benchParamsSize, structSizes)]),
            Function(
                "alpaca_bench", alpaca_bench,
                [.handle("model", \.model), .pointer("params", \.benchParams, null: ok), .out("json")],
                [
                    .when(ALPACA_CANCELLED) { $0.benchParams.pointee.progress = World.cancels },
                    .when(ALPACA_UNSUPPORTED) { $0.benchParams.pointee.reserved = 1 }, .noMemory,
                ]),
        ]
    }
}

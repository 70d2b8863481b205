import CAlpaca

/// Every function of the header. A new one gets its entry here (or in the file of its subject): the function, its parameters with what each
/// gives at the hostile values of its type (CTypes.swift), and for each status that the header names a case that brings it about.
enum Functions {
    static var all: [Function] { system + models + templates + tokenizers + sessions + measures + files }
    /// For test arguments.
    static let names = all.map(\.name)

    static let ok = ALPACA_OK
    static let invalid = ALPACA_INVALID_ARGUMENT
    /// size_t of a struct at 0, 1, SIZE_MAX, negative.
    static let structSizes = [invalid, invalid, invalid, invalid]

    static var system: [Function] {
        [
            Function("alpaca_status_name", alpaca_status_name, [.number("status", \.one)]),
            Function("alpaca_last_error", alpaca_last_error),
            Function("alpaca_version", alpaca_version),
            Function("alpaca_abi_version", alpaca_abi_version),
            Function("alpaca_build_info", alpaca_build_info),
            Function("alpaca_string_data", alpaca_string_data, [.freed("string", \.string)]),
            Function("alpaca_string_size", alpaca_string_size, [.freed("string", \.string)]),
            Function("alpaca_string_free", alpaca_string_free, [.freed("string", \.string)]),
            Function(
                "alpaca_set_log_callback",
                { (callback: UnsafeMutableRawPointer?, data: UnsafeMutableRawPointer?) in
                    alpaca_set_log_callback(unsafeBitCast(callback, to: alpaca_log_callback?.self), data)
                    alpaca_set_log_callback(nil, nil)
                }, [.callback("callback", \.logCallback), .callback("user_data", \.userData)]),
        ]
    }

    static var models: [Function] {
        [
            Function(
                "alpaca_model_params_init", alpaca_model_params_init,
                [.pointer("params", \.modelParams), .number("size", \.modelParamsSize, structSizes)]),
            Function(
                "alpaca_model_open", alpaca_model_open, [.text("path", \.path), .pointer("params", \.modelParams, null: ok), .out("out")],
                badModels + [
                    .when(ALPACA_UNSUPPORTED) { $0.modelParams.pointee.reserved = 1 },
                    .when(ALPACA_CANCELLED) { ($0.modelParams.pointee.use_mmap, $0.modelParams.pointee.progress) = (0, World.cancels) },
                ]),
            Function("alpaca_model_retain", alpaca_model_retain, [.freed("model", \.model)]),
            Function("alpaca_model_free", alpaca_model_free, [.freed("model", \.model)]),
            Function("alpaca_model_get_info", alpaca_model_get_info, [.handle("model", \.model), .pointer("info", \.info)]),
            Function(
                "alpaca_model_metadata", alpaca_model_metadata,
                [.handle("model", \.model), .text("key", \.key)] + text,
                [.when(ALPACA_NOT_FOUND) { $0.key = "no.such" }, tooSmall]),
            Function("alpaca_model_describe", alpaca_model_describe, [.handle("model", \.model), .out("json")]),
            Function(
                "alpaca_inspect", alpaca_inspect, [.text("path", \.path), .out("json")],
                [
                    .when(ALPACA_NOT_FOUND) { $0.path = "/nonexistent" },
                    .when(ALPACA_IO) { $0.path = "/dev/null" },
                    .when(ALPACA_BAD_FORMAT) { $0.path = $0.files.text },
                    .when(ALPACA_UNSUPPORTED) { $0.path = $0.files.future },
                    .when(ALPACA_TRUNCATED) { $0.path = $0.files.cut },
                    .when(ALPACA_MISSING) { $0.path = $0.files.empty },
                    .when(ALPACA_UNSAFE) { $0.path = $0.files.leading },
                    .noMemory,
                ]),
            Function("alpaca_model_tokenizer", alpaca_model_tokenizer, [.freed("model", \.model)]),
        ]
    }

    /// What is wrong with files, for who opens models.
    static var badModels: [Case] {
        [
            .when(ALPACA_NOT_FOUND) { $0.path = "/nonexistent" },
            .when(ALPACA_IO) { $0.path = "/dev/null" },
            .when(ALPACA_BAD_FORMAT) { $0.path = $0.files.text },
            .when(ALPACA_UNSUPPORTED) { $0.path = $0.files.future },
            .when(ALPACA_TRUNCATED) { $0.path = $0.files.cut },
            .when(ALPACA_SHAPE_MISMATCH) { $0.path = $0.files.reshaped },
            .when(ALPACA_MISSING) { $0.path = $0.files.keyless },
            .when(ALPACA_UNSAFE) { $0.path = $0.files.leading },
            .noMemory,
        ]
    }

    /// A buffer for text.
    static var text: [Parameter] {
        [
            .pointer("buffer", \.buffer),
            .number("capacity", \.capacity, [ALPACA_BUFFER_TOO_SMALL, ALPACA_BUFFER_TOO_SMALL, ok, ok]),
            .pointer("needed", \.needed, null: ok),
        ]
    }
    static var tooSmall: Case { Case.when(ALPACA_BUFFER_TOO_SMALL) { $0.capacity = 1 } }

    static var tokenizers: [Function] {
        [
            Function(
                "alpaca_tokenizer_open", alpaca_tokenizer_open, [.text("path", \.tokenizerPath), .out("out")],
                [
                    .when(ALPACA_NOT_FOUND) { $0.tokenizerPath = "/nonexistent" },
                    .when(ALPACA_IO) { $0.tokenizerPath = "/dev/null" },
                    .when(ALPACA_BAD_FORMAT) { $0.tokenizerPath = $0.files.text },
                    .when(ALPACA_UNSUPPORTED) { $0.tokenizerPath = $0.files.future },
                    .when(ALPACA_TRUNCATED) { $0.tokenizerPath = $0.files.cut },
                    .when(ALPACA_MISSING) { $0.tokenizerPath = $0.files.wordless },
                    .noMemory,
                ]),
            Function("alpaca_tokenizer_free", alpaca_tokenizer_free, [.freed("tokenizer", \.tokenizer)]),
            Function("alpaca_tokenizer_size", alpaca_tokenizer_size, [.freed("tokenizer", \.tokenizer)]),
            Function(
                "alpaca_tokenize", alpaca_tokenize,
                [
                    .handle("tokenizer", \.tokenizer), .text("text", \.text),
                    .number("length", \.terminated, [ok, ok, ok, invalid]), .number("flags", \.zero, [ok, ok, invalid]),
                    .pointer("ids", \.ids), .number("capacity", \.capacity, [ALPACA_BUFFER_TOO_SMALL, ALPACA_BUFFER_TOO_SMALL, ok, ok]),
                    .pointer("n", \.needed),
                ], [tooSmall, .noMemory]),
            Function(
                "alpaca_detokenize", alpaca_detokenize,
                [.handle("tokenizer", \.tokenizer), .pointer("ids", \.ids), .number("n", \.one, [ok, ok, invalid, invalid])] + text,
                [tooSmall]),
            Function(
                "alpaca_token_piece", alpaca_token_piece,
                [.handle("tokenizer", \.tokenizer), .number("id", \.one, [ok, ok, invalid, invalid, invalid])] + text, [tooSmall]),
            Function(
                "alpaca_token_special", alpaca_token_special,
                [.handle("tokenizer", \.tokenizer), .number("which", \.zero, [ok, ok, invalid, invalid, invalid]), .pointer("id", \.id)],
                [.when(ALPACA_NOT_FOUND) { $0.zero = Int(ALPACA_TOKEN_EOT.rawValue) }]),
            Function(
                "alpaca_tokenizer_merge", alpaca_tokenizer_merge, [.handle("base", \.tokenizer), .text("extra", \.extra), .out("out")],
                [
                    .when(ALPACA_NOT_FOUND) { $0.extra = "/nonexistent" }, .when(ALPACA_IO) { $0.extra = "/dev/null" },
                    .when(ALPACA_BAD_FORMAT) { $0.extra = $0.files.text }, .when(ALPACA_UNSUPPORTED) { $0.useModelsTokenizer() },
                ]),
            Function(
                "alpaca_tokenizer_add_piece", alpaca_tokenizer_add_piece,
                [
                    .handle("base", \.tokenizer), .text("piece", \.piece),
                    .number("length", \.terminated, [invalid, invalid, ok, invalid]),
                    .float("score", 0, [ok, ok, ok, invalid, invalid]),
                    .number("kind", \.zero, [ok, ok, invalid, invalid, invalid]), .out("out"),
                ],
                [
                    .when(ALPACA_UNSUPPORTED) { $0.useModelsTokenizer() },
                    .when(ALPACA_BAD_FORMAT) { ($0.piece, $0.zero) = ("<0xZZ>", Int(ALPACA_PIECE_BYTE.rawValue)) },
                ]),
            Function(
                "alpaca_tokenizer_save", alpaca_tokenizer_save,
                [
                    .handle("tokenizer", \.tokenizer), .text("path", \.target),
                    .number("overwrite", \.zero, [ok, ok, invalid, invalid, invalid]),
                ],
                [
                    .when(ALPACA_IO) { $0.target = $0.files.empty }, .when(ALPACA_NOT_FOUND) { $0.target = "/nonexistent/x" },
                    .when(ALPACA_UNSUPPORTED) { $0.useModelsTokenizer() },
                ]),
        ]
    }
}

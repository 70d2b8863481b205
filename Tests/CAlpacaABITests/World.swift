import CAlpaca
import Glibc
import Testing

/// Good arguments for every function. Tests change what they want to be otherwise; ``reset()`` makes all good again.
final class World {
    // Handles.
    var model: OpaquePointer?
    /// Of a tokenizer.model, so that it can be extended and saved.
    var tokenizer: OpaquePointer?
    var session: OpaquePointer?
    var string: OpaquePointer?

    // Texts and numbers.
    var path = Fixture.q8
    var tokenizerPath = World.goldens + "mini_llama.model"
    var extra = World.goldens + "mini_chinese_sp.model"
    var target = ""
    var key = "general.architecture"
    var text = "山"
    var messages = World.messages
    static let messages = #"[{"role": "user", "content": "山"}]"#
    var templateName = "alpaca-2"
    var piece = "[PAD]"
    var terminated = Int(bitPattern: ALPACA_NUL_TERMINATED)
    var zero = 0
    var one = 1
    var capacity = 64
    let longText = String(repeating: "山高水长，", count: 4)
    var modelParamsSize = MemoryLayout<alpaca_model_params>.size
    var sessionParamsSize = MemoryLayout<alpaca_session_params>.size
    var generationParamsSize = MemoryLayout<alpaca_generation_params>.size
    var perplexityParamsSize = MemoryLayout<alpaca_perplexity_params>.size
    var imatrixParamsSize = MemoryLayout<alpaca_imatrix_params>.size
    var benchParamsSize = MemoryLayout<alpaca_bench_params>.size
    var renderParamsSize = MemoryLayout<alpaca_render_params>.size
    var verifyParamsSize = MemoryLayout<alpaca_verify_params>.size
    var convertParamsSize = MemoryLayout<alpaca_convert_params>.size
    /// Whether the call writes a handle although it fails.
    var givesHandleOnFailure = false

    // Memory of the caller's.
    let made = World.place(OpaquePointer?.none)
    let buffer = World.place(CChar(0), 64)
    let needed = World.place(0)
    let ids = World.place(Int32(300), 64)
    /// Room for a prompt.
    let manyIDs = World.place(Int32(300), 1024)
    var manyIDsCapacity = 1024
    let id = World.place(Int32(0))
    let logits = World.place(UnsafePointer<Float>?.none)
    let paths = World.place(UnsafePointer<CChar>?.none)
    let message = World.place(alpaca_message())
    let modelParams = World.place(alpaca_model_params())
    let sessionParams = World.place(alpaca_session_params())
    let generationParams = World.place(alpaca_generation_params())
    let perplexityParams = World.place(alpaca_perplexity_params())
    let imatrixParams = World.place(alpaca_imatrix_params())
    /// The same with an input, for a combination.
    let combineParams = World.place(alpaca_imatrix_params())
    let imatrixInput = World.place(UnsafePointer<CChar>?.none)
    let stepInput = World.place(alpaca_step_input())
    let benchParams = World.place(alpaca_bench_params())
    let benchTest = World.place(alpaca_bench_test())
    let renderParams = World.place(alpaca_render_params())
    let verifyParams = World.place(alpaca_verify_params())
    let convertParams = World.place(alpaca_convert_params())
    let info = World.place(alpaca_model_info())
    let generationResult = World.place(alpaca_generation_result())
    let perplexityResult = World.place(alpaca_perplexity_result())
    let convertResult = World.place(alpaca_convert_result())
    var tokenCallback: UnsafeMutableRawPointer? = unsafeBitCast(
        { _, _ in 0 } as @convention(c) (UnsafePointer<alpaca_token_event>?, UnsafeMutableRawPointer?) -> Int32,
        to: UnsafeMutableRawPointer.self)
    var logCallback: UnsafeMutableRawPointer? = unsafeBitCast(
        { _, _ in } as @convention(c) (UnsafePointer<alpaca_log_entry>?, UnsafeMutableRawPointer?) -> Void,
        to: UnsafeMutableRawPointer.self)
    var userData: UnsafeMutableRawPointer?

    let files: BadFiles
    private let written: String
    private var texts: [UnsafeMutablePointer<CChar>] = []
    static let goldens = Fixture.repository + "/Tests/Goldens/tokenizers/"

    init() throws {
        files = try BadFiles.shared.get()
        written = files.ownPath()
        try reset()
    }

    deinit {
        free()
        unlink(written)
    }

    /// A zero-terminated text that lives until the next reset.
    func c(_ text: String) -> UnsafePointer<CChar> {
        let copy = strdup(text)!
        texts.append(copy)
        return UnsafePointer(copy)
    }

    /// A session that holds so many tokens, and none yet.
    var sizeOfSession: Int {
        get { alpaca_session_context_length(session) }
        set {
            alpaca_session_free(session)
            sessionParams.pointee.n_ctx = Int32(newValue)
            _ = alpaca_session_create(model, sessionParams, &session)
            stepInput.pointee.session = session
        }
    }

    /// A model whose sessions have no room for a page, and a session that finds that out when it reads.
    func leaveNoRoom() {
        alpaca_session_free(session)
        alpaca_model_free(model)
        modelParams.pointee.cache_bytes = 1
        _ = alpaca_model_open(path, modelParams, &model)
        sessionParams.pointee.grow_on_demand = 1
        _ = alpaca_session_create(model, sessionParams, &session)
        stepInput.pointee.session = session
    }

    /// A tokenizer that belongs to a model.
    func useModelsTokenizer() {
        alpaca_tokenizer_free(tokenizer)
        tokenizer = alpaca_model_tokenizer(model)
    }

    /// Parameters of a later version that ask for something: a byte is set behind what this library knows.
    func addTail() {
        func add<T>(_ params: UnsafeMutablePointer<T>) {
            let raw = UnsafeMutableRawPointer(params)
            raw.storeBytes(of: MemoryLayout<T>.size + 8, as: Int.self)
            raw.storeBytes(of: 1, toByteOffset: MemoryLayout<T>.size, as: UInt8.self)
        }
        add(generationParams)
        add(perplexityParams)
        add(verifyParams)
        add(imatrixParams)
        add(combineParams)
    }

    /// A progress callback that cancels.
    static let cancels: alpaca_progress_callback = { _, _ in 1 }

    func reset() throws {
        free()
        (path, tokenizerPath, target) = (Fixture.q8, World.goldens + "mini_llama.model", written)
        (messages, templateName, manyIDsCapacity) = (World.messages, "alpaca-2", 1024)
        (extra, key, text, piece) = (World.goldens + "mini_chinese_sp.model", "general.architecture", "山", "[PAD]")
        (terminated, zero, one, capacity, givesHandleOnFailure) = (Int(bitPattern: ALPACA_NUL_TERMINATED), 0, 1, 64, false)
        unlink(target)
        model = try Fixture.model()
        try #require(alpaca_tokenizer_open(tokenizerPath, &tokenizer) == ALPACA_OK)
        try #require(alpaca_session_params_init(sessionParams, MemoryLayout<alpaca_session_params>.size) == ALPACA_OK)
        (sessionParams.pointee.n_ctx, sessionParams.pointee.n_threads) = (128, 1)
        try #require(alpaca_session_create(model, sessionParams, &session) == ALPACA_OK)
        try #require(alpaca_session_append(session, [1, 300, 301], 3) == ALPACA_OK)
        try #require(alpaca_model_describe(model, &string) == ALPACA_OK)
        // Like what a caller's stack might hold: it must be NULL after a failure.
        made.pointee = OpaquePointer(bitPattern: 1)
        for i in 0..<64 { ids[i] = 300 }
        stepInput.pointee = alpaca_step_input(session: session, ids: ids, n_ids: 2, reserved: 0)
        paths.pointee = c(tokenizerPath)
        message.pointee = alpaca_message(role: Int32(ALPACA_ROLE_USER.rawValue), reserved: 0, content: c(text), length: terminated)
        _ = alpaca_model_params_init(modelParams, MemoryLayout<alpaca_model_params>.size)
        _ = alpaca_generation_params_init(generationParams, MemoryLayout<alpaca_generation_params>.size)
        generationParams.pointee.max_new_tokens = 2
        _ = alpaca_perplexity_params_init(perplexityParams, MemoryLayout<alpaca_perplexity_params>.size)
        perplexityParams.pointee.n_ctx = 4
        for params in [imatrixParams, combineParams] {
            _ = alpaca_imatrix_params_init(params, MemoryLayout<alpaca_imatrix_params>.size)
            (params.pointee.n_ctx, params.pointee.output) = (4, c("/dev/null"))
        }
        imatrixInput.pointee = c(Fixture.repository + "/Tests/Goldens/family/imatrix/llama3-tied.dat")
        (combineParams.pointee.inputs, combineParams.pointee.n_inputs) = (UnsafePointer(imatrixInput), 1)
        _ = alpaca_bench_params_init(benchParams, MemoryLayout<alpaca_bench_params>.size)
        benchTest.pointee = alpaca_bench_test(n_prompt: 4, n_gen: 0, depth: 0, n_parallel: 0, n_threads: 1, reserved: 0)
        (benchParams.pointee.tests, benchParams.pointee.n_tests) = (UnsafePointer(benchTest), 1)
        (benchParams.pointee.n_repetitions, benchParams.pointee.roofs) = (1, 0)
        _ = alpaca_render_params_init(renderParams, MemoryLayout<alpaca_render_params>.size)
        _ = alpaca_verify_params_init(verifyParams, MemoryLayout<alpaca_verify_params>.size)
        _ = alpaca_convert_params_init(convertParams, MemoryLayout<alpaca_convert_params>.size)
        convertParams.pointee.base = c(Fixture.f16)
        convertParams.pointee.output = c("/dev/null")
        info.pointee.struct_size = MemoryLayout<alpaca_model_info>.size
        generationResult.pointee.struct_size = MemoryLayout<alpaca_generation_result>.size
        perplexityResult.pointee.struct_size = MemoryLayout<alpaca_perplexity_result>.size
        convertResult.pointee.struct_size = MemoryLayout<alpaca_convert_result>.size
    }

    private func free() {
        alpaca_string_free(string)
        alpaca_session_free(session)
        alpaca_tokenizer_free(tokenizer)
        alpaca_model_free(model)
        for text in texts { Glibc.free(text) }
        texts = []
    }

    private static func place<T>(_ value: T, _ count: Int = 1) -> UnsafeMutablePointer<T> {
        // With room behind it for the fields of a later version.
        let place = UnsafeMutablePointer<T>.allocate(capacity: count + 8)
        place.initialize(repeating: value, count: count)
        return place
    }
}

import CAlpaca
import Glibc
import Testing

/// How a call ended: its status and, when it failed, this thread's message.
struct Outcome: Equatable, CustomStringConvertible {
    let status: String
    let message: String

    init(_ status: alpaca_status, _ message: String = "") {
        self.status = String(cString: alpaca_status_name(status))
        self.message = message
    }

    static let ok = Outcome(ALPACA_OK)
    static func invalid(_ message: String) -> Outcome { Outcome(ALPACA_INVALID_ARGUMENT, message) }

    var description: String { message.isEmpty ? status : "\(status) \"\(message)\"" }
}

func outcome(_ status: alpaca_status) -> Outcome {
    Outcome(status, status == ALPACA_OK ? "" : String(cString: alpaca_last_error()))
}

enum Fixture {
    static let repository = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    static let q8 = repository + "/models/mini/chinese-alpaca-mini-q8_0.gguf"
    static let f16 = repository + "/models/mini/chinese-alpaca-mini-f16.gguf"

    /// A prompt, and what transformers writes for it with temperature 0 and repetition penalty 1.1 (Tests/Goldens/mini, template-1).
    static let prompt = "写一首五言绝句，题目是《秋夜》"
    static let poem = "故国无尘土，山林下水流。\n不知何处去，不忍见花枝。"

    static func model(_ path: String = q8) throws -> OpaquePointer {
        var model: OpaquePointer?
        try #require(outcome(alpaca_model_open(path, nil, &model)) == .ok)
        return try #require(model)
    }

    static func session(_ path: String = q8, _ change: (inout alpaca_session_params) -> Void = { _ in }) throws -> OpaquePointer {
        let model = try model(path)
        // The session keeps the model alive.
        defer { alpaca_model_free(model) }
        var params = alpaca_session_params()
        try #require(alpaca_session_params_init(&params, MemoryLayout<alpaca_session_params>.size) == ALPACA_OK)
        change(&params)
        var session: OpaquePointer?
        try #require(outcome(alpaca_session_create(model, &params, &session)) == .ok)
        return try #require(session)
    }

    /// Greedy writing, with penalties as transformers' golden has them.
    static func greedy(_ change: (inout alpaca_generation_params) -> Void = { _ in }) -> alpaca_generation_params {
        var params = alpaca_generation_params()
        _ = alpaca_generation_params_init(&params, MemoryLayout<alpaca_generation_params>.size)
        params.temperature = 0
        params.repeat_last_n = -1
        change(&params)
        return params
    }

    /// A file of its own in the folder for temporary ones; `body` gets its path.
    static func withFile<R>(_ bytes: [UInt8], _ body: (String) throws -> R) throws -> R {
        var template = Array("/tmp/alpaca-abi-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        return try body(path)
    }

    static func bytes(of path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Int(lseek(descriptor, 0, SEEK_END)))
        try #require(pread(descriptor, &bytes, bytes.count, 0) == bytes.count)
        return bytes
    }
}

/// What a token callback saw, and what it is to do.
final class Recorder {
    var ids: [Int32] = []
    var texts: [String] = []
    var events: [alpaca_token_event] = []
    var candidates: [[Int32]] = []
    /// Called in the callback; its result is the callback's.
    var body: () -> Int32 = { 0 }

    var text: String { texts.joined() }
    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static let callback: alpaca_token_callback = { event, userData in
        guard let event = event?.pointee, let userData else { return 1 }
        let recorder = Unmanaged<Recorder>.fromOpaque(userData).takeUnretainedValue()
        recorder.ids.append(event.id)
        recorder.events.append(event)
        recorder.texts.append(
            String(decoding: UnsafeRawBufferPointer(start: event.text, count: event.text_length), as: UTF8.self))
        recorder.candidates.append((0..<event.n_candidates).map { event.candidates[$0].id })
        return recorder.body()
    }
}

extension alpaca_generation_result {
    static var empty: alpaca_generation_result {
        var result = alpaca_generation_result()
        result.struct_size = MemoryLayout<alpaca_generation_result>.size
        return result
    }
}

/// A text of the library, freed.
func take(_ text: OpaquePointer?) -> String {
    defer { alpaca_string_free(text) }
    guard let data = alpaca_string_data(text) else { return "NULL" }
    return String(decoding: UnsafeRawBufferPointer(start: data, count: alpaca_string_size(text)), as: UTF8.self)
}

import CAlpaca
import Glibc
import Testing

@Suite struct ModelTests {
    private func open(_ path: String, _ change: (inout alpaca_model_params) -> Void = { _ in }) -> Outcome {
        var params = alpaca_model_params()
        _ = alpaca_model_params_init(&params, MemoryLayout<alpaca_model_params>.size)
        change(&params)
        var model = OpaquePointer(bitPattern: 1)
        let result = outcome(alpaca_model_open(path, &params, &model))
        if result != .ok { #expect(model == nil, "the handle is NULL after a failure") }
        alpaca_model_free(model)
        return result
    }

    @Test func opens() {
        #expect(open(Fixture.q8) == .ok)
        #expect(open(Fixture.q8) { $0.prefetch = 1 } == .ok)
        #expect(open(Fixture.q8) { $0.use_mmap = 0 } == .ok)
        for bytes in [1, 1 << 20, UInt64(Int64.max), 1 << 63, .max] { #expect(open(Fixture.q8) { $0.cache_bytes = bytes } == .ok) }
    }

    @Test func badArguments() {
        var model: OpaquePointer?
        #expect(outcome(alpaca_model_open(nil, nil, &model)) == .invalid("path: found NULL, expected text"))
        #expect(outcome(alpaca_model_open(Fixture.q8, nil, nil)) == .invalid("out: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_model_open("\u{e9}", nil, &model)).status == "ALPACA_NOT_FOUND")
        let latin1: [CChar] = [CChar(bitPattern: 0xE9), 0]
        // A name in any bytes; the message shows them.
        let notFound = outcome(alpaca_model_open(latin1, nil, &model))
        #expect(notFound.status == "ALPACA_NOT_FOUND" && notFound.message.hasPrefix("\\xE9: "))
        for value: Int32 in [-1, 2, .max, .min] {
            #expect(
                open(Fixture.q8) { $0.use_mmap = value }
                    == (value == -1 ? .ok : .invalid("use_mmap: found \(value), expected 0 or 1")))
            #expect(open(Fixture.q8) { $0.lock_memory = value } == .invalid("lock_memory: found \(value), expected 0 or 1"))
            #expect(open(Fixture.q8) { $0.prefetch = value } == .invalid("prefetch: found \(value), expected 0 or 1"))
        }
    }

    /// Each kind of bad file has a status of its own.
    @Test func badFiles() throws {
        #expect(open("").status == "ALPACA_NOT_FOUND")
        #expect(open("/nonexistent/x.gguf") == Outcome(ALPACA_NOT_FOUND, "/nonexistent/x.gguf: cannot open: No such file or directory"))
        let tests = open(Fixture.repository + "/Tests")
        #expect(tests.status == "ALPACA_MISSING" && tests.message.contains("expected a model: model.safetensors or pytorch_model.bin"))
        #expect(open("/dev/null").status == "ALPACA_IO")
        let contents: [(String, [UInt8])] = [
            ("empty", []), ("text", Array("hello\n".utf8)), ("page", Array("<!DOCTYPE html><html></html>".utf8)),
            ("pointer", Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".utf8)),
        ]
        for (name, bytes) in contents {
            try Fixture.withFile(bytes) { path in
                let found = open(path)
                #expect(["ALPACA_BAD_FORMAT", "ALPACA_TRUNCATED"].contains(found.status), "\(name): \(found)")
                #expect(found.message.hasPrefix("\(path): "), "\(name): \(found)")
            }
        }
        let whole = try Fixture.bytes(of: Fixture.q8)
        // Cut in the header, a count does not fit; cut behind it, a tensor does not.
        let cuts = [
            (4, "ALPACA_TRUNCATED"), (5, "ALPACA_TRUNCATED"), (24, "ALPACA_BAD_FORMAT"), (1000, "ALPACA_BAD_FORMAT"),
            (whole.count / 2, "ALPACA_TRUNCATED"), (whole.count - 1, "ALPACA_TRUNCATED"),
        ]
        for (count, status) in cuts {
            try Fixture.withFile(Array(whole.prefix(count))) { path in
                let found = open(path)
                #expect(found.status == status, "\(count): \(found)")
                #expect(found.message.hasPrefix("\(path): "))
            }
        }
        // A key under another name: it is missing.
        var keyless = whole
        let key = Array("llama.block_count".utf8)
        keyless[try #require(keyless.indices.first { keyless[$0...].starts(with: key) })] = UInt8(ascii: "x")
        try Fixture.withFile(keyless) { path in #expect(open(path).status == "ALPACA_MISSING") }
        // A tensor under another name: it has no place in the model.
        var renamed = whole
        let name = Array("output_norm.weight".utf8)
        let at = try #require(renamed.indices.first { renamed[$0...].starts(with: name) })
        renamed[at] = UInt8(ascii: "x")
        try Fixture.withFile(renamed) { path in #expect(["ALPACA_MISSING", "ALPACA_UNSUPPORTED"].contains(open(path).status)) }
        // A tensor with other dimensions: the first one after its name and count of dimensions.
        var reshaped = whole
        let dimension = at + name.count + 4
        reshaped[dimension] ^= 0x40
        try Fixture.withFile(reshaped) { path in
            let found = open(path)
            #expect(["ALPACA_SHAPE_MISMATCH", "ALPACA_BAD_FORMAT"].contains(found.status), "\(found)")
        }
    }

    @Test func progress() throws {
        final class Seen {
            var stages: [String] = []
            var items: [String] = []
            var done: [UInt64] = []
            var total: UInt64 = 0
            var answer: Int32 = 0
        }
        let callback: alpaca_progress_callback = { progress, userData in
            guard let p = progress?.pointee, let userData else { return 1 }
            let seen = Unmanaged<Seen>.fromOpaque(userData).takeUnretainedValue()
            seen.stages.append(String(cString: p.stage))
            seen.items.append(String(cString: p.item))
            seen.done.append(p.done)
            seen.total = p.total
            return p.struct_size == MemoryLayout<alpaca_progress>.size ? seen.answer : 2
        }
        let seen = Seen()
        func run() -> Outcome {
            open(Fixture.q8) {
                $0.use_mmap = 0
                $0.progress = callback
                $0.user_data = Unmanaged.passUnretained(seen).toOpaque()
            }
        }
        #expect(run() == .ok)
        let size = UInt64(try Fixture.bytes(of: Fixture.q8).count)
        // Of the weights, without the header; tensor by tensor.
        #expect(seen.done.last == seen.total && seen.total < size && seen.total > size / 10 * 9)
        #expect(Set(seen.stages) == ["load"] && seen.items.contains("output.weight"))
        seen.answer = 1
        #expect(run() == Outcome(ALPACA_CANCELLED, "\(Fixture.q8): loading was cancelled"))
    }

    @Test func info() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        var info = alpaca_model_info()
        info.struct_size = MemoryLayout<alpaca_model_info>.size
        #expect(outcome(alpaca_model_get_info(model, &info)) == .ok)
        #expect(Int(info.n_vocab) == alpaca_tokenizer_size(alpaca_model_tokenizer(model)))
        #expect(info.n_ctx_train > 0 && info.n_embd > 0 && info.n_layer > 0 && info.n_head >= info.n_head_kv && info.n_head_kv > 0)
        #expect(info.n_ff > 0 && info.n_params > 0 && info.rope_theta == 10000)
        #expect(info.size_bytes == UInt64(try Fixture.bytes(of: Fixture.q8).count))
        func text<T>(_ field: T) -> String { withUnsafeBytes(of: field) { String(cString: $0.bindMemory(to: CChar.self).baseAddress!) } }
        #expect(text(info.architecture) == "llama")
        #expect(text(info.quantization).contains("Q8_0"))
        #expect(text(info.template_name) == "alpaca")
        #expect(info.n_expert == 0 && info.n_expert_used == 0 && info.n_params_active == info.n_params)
    }

    @Test func metadata() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        var needed = 0
        #expect(alpaca_model_metadata(model, "general.architecture", nil, 0, &needed) == ALPACA_BUFFER_TOO_SMALL)
        #expect(needed == 6)
        var buffer = [CChar](repeating: 0x55, count: 8)
        #expect(
            outcome(alpaca_model_metadata(model, "general.architecture", &buffer, 5, nil))
                == Outcome(ALPACA_BUFFER_TOO_SMALL, "buffer: found 5 bytes, 6 are needed"))
        #expect(buffer.allSatisfy { $0 == 0x55 }, "nothing half written")
        #expect(outcome(alpaca_model_metadata(model, "general.architecture", &buffer, 6, &needed)) == .ok)
        #expect(buffer == Array("llama".utf8CString) + [0x55, 0x55])
        #expect(
            outcome(alpaca_model_metadata(model, "no.such", &buffer, 8, &needed))
                == Outcome(ALPACA_NOT_FOUND, "\(Fixture.q8): there is no metadata key \"no.such\""))
        #expect(outcome(alpaca_model_metadata(model, nil, &buffer, 8, &needed)) == .invalid("key: found NULL, expected text"))
        #expect(
            outcome(alpaca_model_metadata(model, "general.architecture", nil, 8, &needed))
                == .invalid("buffer: found NULL, expected 8 bytes"))
        #expect(outcome(alpaca_model_metadata(model, "general.architecture", nil, -1, &needed)).status == "ALPACA_INVALID_ARGUMENT")
    }

    @Test func descriptions() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        var json: OpaquePointer?
        #expect(outcome(alpaca_model_describe(model, &json)) == .ok)
        let described = take(json)
        #expect(described.contains("\"llama\"") && described.contains("Q8_0"))
        #expect(outcome(alpaca_inspect(Fixture.q8, &json)) == .ok)
        #expect(take(json) == described)
        #expect(outcome(alpaca_model_describe(model, nil)) == .invalid("json: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_inspect(Fixture.q8, nil)) == .invalid("json: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_inspect(nil, &json)) == .invalid("path: found NULL, expected text"))
        #expect(json == nil)
        #expect(outcome(alpaca_inspect("/nonexistent", &json)).status == "ALPACA_NOT_FOUND")
    }
}

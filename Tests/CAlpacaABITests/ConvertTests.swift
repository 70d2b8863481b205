import CAlpaca
import Glibc
import Testing

@Suite struct ConvertTests {
    private func params(_ change: (inout alpaca_convert_params) -> Void = { _ in }) -> alpaca_convert_params {
        var params = alpaca_convert_params()
        _ = alpaca_convert_params_init(&params, MemoryLayout<alpaca_convert_params>.size)
        change(&params)
        return params
    }

    @Test func defaults() {
        let p = params()
        #expect(p.struct_size == MemoryLayout<alpaca_convert_params>.size)
        #expect(p.base == nil && p.adapters == nil && p.n_adapters == 0 && p.tokenizer == nil && p.output == nil)
        #expect(p.format == 0 && p.rounding == 0 && p.precision == 0 && p.n_threads == 0 && p.quantization == nil && p.overrides == nil)
        #expect(p.imatrix == nil && p.name == nil && p.shard_size == 0 && p.n_shards == 0 && p.pure == 0 && p.overwrite == 0)
        #expect(p.check == 1 && p.verify_base == 0 && p.hash_output == 0 && p.progress == nil && p.user_data == nil)
        #expect(alpaca_convert_params_init(nil, 32) == ALPACA_INVALID_ARGUMENT)
    }

    @Test func argumentsAreChecked() {
        "base".withCString { base in
            "/nonexistent/out.gguf".withCString { output in
                func told(_ change: (inout alpaca_convert_params) -> Void) -> Outcome {
                    var json: OpaquePointer?
                    var p = params {
                        $0.base = base
                        $0.output = output
                        change(&$0)
                    }
                    let planned = outcome(alpaca_convert_plan(&p, &json))
                    #expect(json == nil)
                    #expect(outcome(alpaca_convert(&p, nil, nil)) == planned)
                    return planned
                }
                #expect(told { $0.base = nil } == .invalid("params.base: found NULL, expected text"))
                #expect(told { $0.output = nil } == .invalid("params.output: found NULL, expected text"))
                #expect(told { $0.n_adapters = 1 } == .invalid("params.adapters: found NULL, expected 1 elements"))
                #expect(
                    told { $0.n_adapters = -1 } == .invalid("params.adapters: found \(UInt.max) elements, expected at most 65536"))
                #expect(told { $0.n_overrides = 2 } == .invalid("params.overrides: found NULL, expected 2 elements"))
                #expect(told { $0.format = 4 } == .invalid("format: found 4, expected an alpaca_output_format, 0 to 3"))
                #expect(told { $0.format = -1 } == .invalid("format: found -1, expected an alpaca_output_format, 0 to 3"))
                #expect(told { $0.rounding = 3 } == .invalid("rounding: found 3, expected an alpaca_merge_rounding, 0 to 2"))
                #expect(told { $0.precision = 2 } == .invalid("precision: found 2, expected an alpaca_merge_precision, 0 or 1"))
                #expect(told { $0.n_threads = -1 } == .invalid("n_threads: found -1, expected 0 to 256"))
                #expect(told { $0.check = 2 } == .invalid("check: found 2, expected 0 or 1"))
                #expect(told { $0.pure = -1 } == .invalid("pure: found -1, expected 0 or 1"))
                #expect(told { $0.overwrite = 9 } == .invalid("overwrite: found 9, expected 0 or 1"))
                #expect(told { $0.verify_base = 2 } == .invalid("verify_base: found 2, expected 0 or 1"))
                #expect(told { $0.hash_output = 2 } == .invalid("hash_output: found 2, expected 0 or 1"))
                #expect(told { $0.n_shards = -1 } == .invalid("n_shards: found -1, expected 0 or more"))
                #expect(
                    told { $0.shard_size = .max } == .invalid("shard_size: found \(UInt64.max), expected at most \(Int.max)"))
                var adapters = [alpaca_adapter_source(path: base, scale: 1), alpaca_adapter_source(path: nil, scale: 1)]
                #expect(
                    adapters.withUnsafeMutableBufferPointer { list in
                        told {
                            $0.adapters = UnsafePointer(list.baseAddress)
                            $0.n_adapters = 2
                        }
                    } == .invalid("params.adapters[1].path: found NULL, expected text"))
                var overrides = [alpaca_type_override(pattern: base, type: nil)]
                #expect(
                    overrides.withUnsafeMutableBufferPointer { list in
                        told {
                            $0.overrides = UnsafePointer(list.baseAddress)
                            $0.n_overrides = 1
                        }
                    } == .invalid("params.overrides[0].type: found NULL, expected text"))

                var json: OpaquePointer?
                var p = params {
                    $0.base = base
                    $0.output = output
                }
                #expect(outcome(alpaca_convert_plan(&p, nil)) == .invalid("json: found NULL, expected a place for the result"))
                #expect(outcome(alpaca_convert_plan(nil, &json)) == .invalid("params: found NULL, expected alpaca_convert_params"))
                #expect(outcome(alpaca_convert(nil, nil, &json)) == .invalid("params: found NULL, expected alpaca_convert_params"))
                var result = alpaca_convert_result()
                result.struct_size = 12
                #expect(
                    outcome(alpaca_convert(&p, &result, &json))
                        == .invalid("result.struct_size: found 12, expected 40 (sizeof the struct)"))
            }
        }
    }

    @Test func converts() throws {
        let out = "/tmp/alpaca-convert-\(getpid()).gguf"
        defer { unlink(out) }
        try Fixture.f16.withCString { base in
            try out.withCString { output in
                var calls = 0
                var p = params {
                    $0.base = base
                    $0.output = output
                    $0.hash_output = 1
                }
                "q8_0".withCString { type in
                    p.quantization = type
                    withUnsafeMutablePointer(to: &calls) { calls in
                        p.user_data = UnsafeMutableRawPointer(calls)
                        p.progress = { progress, user in
                            guard let progress, let user, progress.pointee.done <= progress.pointee.total else { return 1 }
                            user.assumingMemoryBound(to: Int.self).pointee += 1
                            return 0
                        }
                        var json: OpaquePointer?
                        #expect(outcome(alpaca_convert_plan(&p, &json)) == .ok)
                        let plan = take(json)
                        #expect(plan.contains("\"quantization\": \"Q8_0\"") && plan.contains("\"format\": \"gguf\""))
                        #expect(access(out, F_OK) != 0)
                        var result = alpaca_convert_result()
                        result.struct_size = MemoryLayout<alpaca_convert_result>.size
                        #expect(outcome(alpaca_convert(&p, &result, &json)) == .ok)
                        let report = take(json)
                        #expect(report.contains("\"hashes\": [\n    {\n      \"path\": \"\(out)\""))
                        #expect(result.size_bytes > 5_000_000 && result.seconds > 0 && result.n_merged == 0)
                    }
                    #expect(calls > 0)
                    // What is there stays: without permission, and when the call is cancelled.
                    let before = try? Fixture.bytes(of: out)
                    #expect(alpaca_convert(&p, nil, nil) != ALPACA_OK)
                    p.overwrite = 1
                    p.progress = { _, _ in 1 }
                    #expect(alpaca_convert(&p, nil, nil) == ALPACA_CANCELLED)
                    #expect(before != nil && (try? Fixture.bytes(of: out)) == before)
                }
                let model = try Fixture.model(out)
                alpaca_model_free(model)
            }
        }
    }
}

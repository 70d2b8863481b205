import CAlpaca
import Foundation
import Testing

@Suite struct BenchTests {
    private func params(_ change: (inout alpaca_bench_params) -> Void = { _ in }) -> alpaca_bench_params {
        var params = alpaca_bench_params()
        _ = alpaca_bench_params_init(&params, MemoryLayout<alpaca_bench_params>.size)
        params.roofs = 0
        params.n_repetitions = 1
        change(&params)
        return params
    }

    private func test(_ n_prompt: Int32, _ n_gen: Int32, depth: Int32 = 0, n_parallel: Int32 = 0, n_threads: Int32 = 1) -> alpaca_bench_test
    {
        alpaca_bench_test(n_prompt: n_prompt, n_gen: n_gen, depth: depth, n_parallel: n_parallel, n_threads: n_threads, reserved: 0)
    }

    private func bench(_ tests: [alpaca_bench_test], _ params: alpaca_bench_params, _ model: OpaquePointer?) -> (Outcome, String) {
        var json = OpaquePointer(bitPattern: 1)
        let status = tests.withUnsafeBufferPointer { list in
            var p = params
            p.tests = list.baseAddress
            p.n_tests = list.count
            return outcome(alpaca_bench(model, &p, &json))
        }
        return (status, status == .ok ? take(json) : json == nil ? "" : "not NULL")
    }

    @Test func report() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let tests = [
            test(16, 0), test(16, 0, depth: 70, n_threads: 2), test(0, 3), test(0, 3, depth: 70), test(0, 3, n_parallel: 2),
            test(0, 3, n_threads: 0),
        ]
        let (status, json) = bench(tests, params { $0.n_repetitions = 2 }, model)
        #expect(status == .ok)
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(report["model"] as? String == Fixture.q8)
        #expect(report["quantization"] as? String == "Q8_0")
        #expect(report["n_params"] as? Int == 5_427_968)
        #expect(report["n_batch"] as? Int == 512)
        #expect(report["type_k"] as? String == "f16")
        #expect((report["roofs"] as? [Any])?.isEmpty == true)
        let rows = try #require(report["rows"] as? [[String: Any]])
        #expect(rows.map { $0["test"] as? String } == ["pp16", "pp16 @ 70", "tg3", "tg3 @ 70", "tg3 x 2", "tg3"])
        #expect(rows.map { $0["n_prompt"] as? Int } == [16, 16, 0, 0, 0, 0])
        #expect(rows.map { $0["n_gen"] as? Int } == [0, 0, 3, 3, 3, 3])
        #expect(rows.map { $0["depth"] as? Int } == [0, 70, 0, 70, 0, 0])
        #expect(rows.map { $0["n_parallel"] as? Int } == [1, 1, 1, 1, 2, 1])
        #expect(rows.prefix(5).map { $0["n_threads"] as? Int } == [1, 2, 1, 1, 1])
        #expect(try #require(rows[5]["n_threads"] as? Int) >= 1)
        #expect(rows.map { $0["roof"] as? String } == ["integer", "integer", "read", "read", "read", "read"])
        for row in rows {
            let samples = try #require(row["tokens_per_second"] as? [Double])
            #expect(samples.count == 2 && samples.allSatisfy { $0 > 0 })
            let median = try #require(row["median_tokens_per_second"] as? Double)
            #expect(abs(median / ((samples[0] + samples[1]) / 2) - 1) < 1e-12)
            #expect(row["share"] is NSNull)
        }
        // The mini model (Tests/Goldens/mini): 4 layers of 4 * 256 * 256 + 3 * 256 * 768 weights; an output of 3941 * 256 for the last token.
        let layers = 4.0 * (4 * 256 * 256 + 3 * 256 * 768), output = 3941.0 * 256
        #expect(rows[0]["operations_per_token"] as? Double == 2 * (layers + output / 16))
        #expect(rows[0]["bytes_per_token"] is NSNull && rows[2]["operations_per_token"] is NSNull)
        // Q8_0: 34 bytes for 32 weights; F16 keys and values of 4 layers of 256 components; 3 tokens see 71, 72, 73 positions.
        let cache = 2.0 * 2 * 4 * 256, weights = (layers + output) / 32 * 34, embedding = 256.0 / 32 * 34
        #expect(rows[2]["bytes_per_token"] as? Double == weights + embedding + cache * 2)
        #expect(rows[3]["bytes_per_token"] as? Double == weights + embedding + cache * 72)
        #expect(rows[4]["bytes_per_token"] as? Double == weights / 2 + embedding + cache * 2)
    }

    @Test func roofs() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let (status, json) = bench([test(0, 2, n_threads: 2)], params { $0.roofs = 1 }, model)
        #expect(status == .ok)
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        let roofs = try #require(report["roofs"] as? [[String: Any]])
        #expect(roofs.map { $0["n_threads"] as? Int } == [1, 2])
        for roof in roofs {
            for (best, samples) in [("read_bytes_per_second", "read_samples"), ("integer_ops_per_second", "integer_samples")] {
                let all = try #require(roof[samples] as? [Double])
                #expect(all.count == 1 && all[0] > 0)
                #expect(roof[best] as? Double == all.max())
            }
        }
        let row = try #require((report["rows"] as? [[String: Any]])?.first)
        let read = try #require(roofs[1]["read_bytes_per_second"] as? Double)
        let speed = try #require(row["median_tokens_per_second"] as? Double), bytes = try #require(row["bytes_per_token"] as? Double)
        #expect(abs(try #require(row["share"] as? Double) / (speed * bytes / read) - 1) < 1e-12)
    }

    /// Prompts of models whose matrices are multiplied as floats have no integer peak.
    @Test func floatModel() throws {
        let model = try Fixture.model(Fixture.f16)
        defer { alpaca_model_free(model) }
        let (status, json) = bench([test(16, 0)], params(), model)
        #expect(status == .ok)
        #expect(json.contains("\"roof\": null") && json.contains("\"operations_per_token\": null") && json.contains("\"share\": null"))
    }

    @Test func defaults() throws {
        var p = alpaca_bench_params()
        #expect(alpaca_bench_params_init(&p, MemoryLayout<alpaca_bench_params>.size) == ALPACA_OK)
        #expect(p.struct_size == MemoryLayout<alpaca_bench_params>.size)
        #expect(p.tests == nil && p.n_tests == 0 && p.n_repetitions == 5 && p.n_batch == 512 && p.roofs == 1 && p.reserved == 0)
        #expect(p.type_k == Int32(ALPACA_CACHE_F16.rawValue) && p.type_v == Int32(ALPACA_CACHE_F16.rawValue))
        #expect(p.progress == nil && p.user_data == nil)
        #expect(alpaca_bench_params_init(nil, 64) == ALPACA_INVALID_ARGUMENT)
        #expect(alpaca_bench_params_init(&p, 7) == ALPACA_INVALID_ARGUMENT)
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let (status, json) = bench([], params(), model)
        #expect(status == .ok && json.contains("\"test\": \"pp512\"") && json.contains("\"test\": \"tg32\""))
        // An older client without the last fields, whatever stands behind its struct.
        var old = params { $0.progress = { _, _ in 1 } }
        old.struct_size = MemoryLayout<alpaca_bench_params>.offset(of: \alpaca_bench_params.progress) ?? 0
        #expect(bench([test(1, 0)], old, model).0 == .ok)
    }

    @Test func argumentsAreChecked() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        var json = OpaquePointer(bitPattern: 1)
        #expect(outcome(alpaca_bench(nil, nil, &json)) == .invalid("model: found NULL, expected a live alpaca_model"))
        #expect(json == nil)
        #expect(outcome(alpaca_bench(model, nil, nil)) == .invalid("json: found NULL, expected a place for the result"))
        var p = params { $0.n_tests = 1 }
        #expect(outcome(alpaca_bench(model, &p, &json)) == .invalid("params.tests: found NULL, expected 1 elements"))
        p.n_tests = -1
        #expect(
            outcome(alpaca_bench(model, &p, &json)) == .invalid("params.tests: found \(UInt.max) elements, expected at most 1024"))
        p.struct_size = 3
        #expect(outcome(alpaca_bench(model, &p, &json)) == .invalid("params.struct_size: found 3, expected 64 (sizeof the struct)"))

        for (tests, message) in [
            ([test(0, 0)], "params.tests[0]: found n_prompt 0 and n_gen 0, expected one of them to be 0, not both"),
            ([test(1, 0), test(1, 1)], "params.tests[1]: found n_prompt 1 and n_gen 1, expected one of them to be 0, not both"),
            ([test(1, 0, n_parallel: 2)], "params.tests[0]: n_parallel: found 2, expected 0 or 1 with n_prompt"),
            ([test(-1, 0)], "tests[0]: length: found -1, expected 1 ... 1048576"),
            ([test(0, 1 << 20 + 1)], "tests[0]: length: found 1048577, expected 1 ... 1048576"),
            ([test(1, 0), test(1, 0, depth: -1)], "tests[1]: depth: found -1, expected 0 ... 1048576"),
            ([test(0, 1, n_parallel: -1)], "tests[0]: sequences: found -1, expected 1 ... 256"),
            ([test(0, 1, n_parallel: .max)], "tests[0]: sequences: found 2147483647, expected 1 ... 256"),
            ([test(0, 1, n_threads: 257)], "tests[0]: n_threads: found 257, expected 0 ... 256"),
            ([alpaca_bench_test](repeating: test(1, 0), count: 1025), "params.tests: found 1025 elements, expected at most 1024"),
        ] {
            #expect(bench(tests, params(), model) == (.invalid(message), ""))
        }
        for (change, message) in [
            ({ $0.n_repetitions = 0 }, "repetitions: found 0, expected 1 ... 1000"),
            ({ $0.n_repetitions = 1001 }, "repetitions: found 1001, expected 1 ... 1000"),
            ({ $0.n_batch = 0 }, "n_batch: found 0, expected 1 ... 4096"), ({ $0.n_batch = -5 }, "n_batch: found -5, expected 1 ... 4096"),
            ({ $0.type_k = 7 }, "type_k: found 7, expected an alpaca_cache_type, 0, 1 or 8"),
            ({ $0.type_v = -1 }, "type_v: found -1, expected an alpaca_cache_type, 0, 1 or 8"),
            ({ $0.roofs = 2 }, "roofs: found 2, expected 0 or 1"),
        ] as [((inout alpaca_bench_params) -> Void, String)] {
            #expect(bench([test(1, 0)], params(change), model) == (.invalid(message), ""))
        }
        let unsupported = Outcome(ALPACA_UNSUPPORTED, "params.reserved: found 7, expected 0; this library (1.1.0) gives it no meaning")
        #expect(bench([test(1, 0)], params { $0.reserved = 7 }, model) == (unsupported, ""))
        var reserved = test(1, 0)
        reserved.reserved = 7
        #expect(bench([reserved], params(), model).0.status == "ALPACA_UNSUPPORTED")
        // A million positions of the mini model take four gigabytes in each session.
        let (status, _) = bench([test(0, 1, depth: 1 << 20, n_parallel: 256)], params(), model)
        #expect(
            status.status == "ALPACA_OUT_OF_MEMORY" && status.message.hasPrefix("key and value caches of the benchmark: needs 1048577 MB"))
    }

    @Test func progressCancels() throws {
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        struct Seen {
            var calls = 0
            var last: UInt64 = 0
            var wrong = 0
            var most = Int.max
        }
        var seen = Seen()
        var p = params {
            $0.n_repetitions = 3
            $0.progress = { progress, user in
                guard let progress, let user else { return 1 }
                let seen = user.assumingMemoryBound(to: Seen.self)
                let stage = String(cString: progress.pointee.stage), item = String(cString: progress.pointee.item)
                let isKnown = ["warm-up", "measure"].contains(stage) && ["pp8", "tg2"].contains(item)
                if !isKnown || progress.pointee.done < seen.pointee.last || progress.pointee.total != 8 { seen.pointee.wrong += 1 }
                seen.pointee.last = progress.pointee.done
                seen.pointee.calls += 1
                return seen.pointee.calls < seen.pointee.most ? 0 : 1
            }
        }
        withUnsafeMutablePointer(to: &seen) { seen in
            p.user_data = UnsafeMutableRawPointer(seen)
            #expect(bench([test(8, 0), test(0, 2)], p, model).0 == .ok)
            #expect(seen.pointee.last == 8 && seen.pointee.calls >= 9 && seen.pointee.wrong == 0)
            seen.pointee = Seen()
            seen.pointee.most = 3
            #expect(bench([test(8, 0), test(0, 2)], p, model) == (Outcome(ALPACA_CANCELLED, "the benchmark was stopped"), ""))
            #expect(seen.pointee.calls == 3)
        }
    }
}

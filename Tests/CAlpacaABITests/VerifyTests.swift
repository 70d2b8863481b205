import CAlpaca
import Glibc
import Testing

@Suite struct VerifyTests {
    private let mini = Fixture.repository + "/Tests/Goldens/tokenizers/mini_llama.model"

    private func params(_ change: (inout alpaca_verify_params) -> Void = { _ in }) -> alpaca_verify_params {
        var params = alpaca_verify_params()
        _ = alpaca_verify_params_init(&params, MemoryLayout<alpaca_verify_params>.size)
        change(&params)
        return params
    }

    private func verify(_ paths: [String], _ params: UnsafePointer<alpaca_verify_params>? = nil) -> (Outcome, String) {
        var json: OpaquePointer?
        let pointers = paths.map { UnsafePointer(strdup($0)) }
        defer { for pointer in pointers { free(UnsafeMutablePointer(mutating: pointer)) } }
        let status = outcome(alpaca_verify(pointers, pointers.count, params, &json))
        return (status, take(json))
    }

    @Test func report() {
        let (status, json) = verify([mini, Fixture.q8])
        #expect(status == .ok)
        #expect(json.hasPrefix("{\n  \"ok\": true,\n  \"files\": [\n    {\n      \"path\": \"\(mini)\",\n      \"size\": "))
        #expect(json.contains("\"status\": \"unknown\",\n      \"identity\": null,\n      \"expected\": null,\n"))
        #expect(json.contains("\"verdict\": \"\(mini): unknown, not in the published list\""))
        #expect(json.contains("\"path\": \"\(Fixture.q8)\""))
    }

    @Test func difference() throws {
        let folder = "/tmp/alpaca-verify-\(getpid())"
        let inner = folder + "/chinese-alpaca-plus-lora-13b"
        mkdir(folder, 0o700)
        mkdir(inner, 0o700)
        let file = inner + "/adapter_model.bin"
        let descriptor = open(file, O_WRONLY | O_CREAT, 0o600)
        #expect(write(descriptor, "damaged", 7) == 7)
        close(descriptor)
        defer {
            unlink(file)
            rmdir(inner)
            rmdir(folder)
        }
        let (status, json) = verify([folder])
        #expect(status == .ok)
        #expect(json.contains("\"ok\": false") && json.contains("\"status\": \"differs\""))
        // The report is given with the error too.
        var strict = params { $0.fail_on_difference = 1 }
        let (failure, same) = verify([folder], &strict)
        let name = "Chinese-Alpaca-Plus-13B adapter, adapter_model.bin"
        #expect(
            failure
                == Outcome(
                    ALPACA_VERIFICATION_FAILED, "\(file): DAMAGED: has the name of \(name), and another hash; fetch it again"))
        #expect(same == json)
    }

    @Test func argumentsAreChecked() {
        var json = OpaquePointer(bitPattern: 1)
        #expect(outcome(alpaca_verify(nil, 1, nil, &json)) == .invalid("paths: found NULL, expected 1 elements"))
        #expect(json == nil)
        #expect(outcome(alpaca_verify(nil, 0, nil, &json)) == .invalid("n: found 0, expected at least one path"))
        #expect(outcome(alpaca_verify(nil, 0, nil, nil)) == .invalid("json: found NULL, expected a place for the result"))
        #expect(
            outcome(alpaca_verify(nil, -1, nil, &json)) == .invalid("paths: found \(UInt.max) elements, expected at most 65536"))
        let nothing: [UnsafePointer<CChar>?] = [nil]
        #expect(outcome(alpaca_verify(nothing, 1, nil, &json)) == .invalid("paths[0]: found NULL, expected text"))
        #expect(verify(["/none"]).0 == Outcome(ALPACA_NOT_FOUND, "/none: cannot open: No such file or directory"))
        #expect(verify(["owner/no-such-model"]).0.message.contains("hf download owner/no-such-model"))
        var wrong = params { $0.n_threads = 257 }
        #expect(verify([mini], &wrong).0 == .invalid("n_threads: found 257, expected 0 to 256"))
        wrong = params { $0.fail_on_difference = 2 }
        #expect(verify([mini], &wrong).0 == .invalid("fail_on_difference: found 2, expected 0 or 1"))
        #expect(alpaca_verify_params_init(nil, 32) == ALPACA_INVALID_ARGUMENT)
    }

    @Test func progressCancels() {
        var calls = 0
        withUnsafeMutablePointer(to: &calls) { calls in
            var p = params {
                $0.progress = { progress, user in
                    guard let progress, let user else { return 1 }
                    user.assumingMemoryBound(to: Int.self).pointee += 1
                    return strcmp(progress.pointee.stage, "hash") == 0 && progress.pointee.done <= progress.pointee.total ? 0 : 1
                }
                $0.user_data = UnsafeMutableRawPointer(calls)
            }
            #expect(verify([mini, Fixture.q8], &p).0 == .ok)
            p.progress = { _, _ in 1 }
            #expect(verify([mini], &p).0 == Outcome(ALPACA_CANCELLED, "verification was stopped"))
        }
        #expect(calls > 0)
    }
}

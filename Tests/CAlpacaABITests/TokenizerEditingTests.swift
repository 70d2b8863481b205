import CAlpaca
import Glibc
import Testing

@Suite struct TokenizerEditingTests {
    private func mini(_ name: String) -> String { Fixture.repository + "/Tests/Goldens/tokenizers/mini_\(name).model" }
    private let terminated = Int(bitPattern: ALPACA_NUL_TERMINATED)

    private func open(_ path: String) throws -> OpaquePointer {
        var tokenizer: OpaquePointer?
        try #require(outcome(alpaca_tokenizer_open(path, &tokenizer)) == .ok)
        return try #require(tokenizer)
    }

    @Test func theFamilysTokenizers() throws {
        let llama = try open(mini("llama"))
        var merged: OpaquePointer?
        var padded: OpaquePointer?
        #expect(outcome(alpaca_tokenizer_merge(llama, mini("chinese_sp"), &merged)) == .ok)
        alpaca_tokenizer_free(llama)
        #expect(
            outcome(alpaca_tokenizer_add_piece(merged, "[PAD]", terminated, 0, Int32(ALPACA_PIECE_DEFAULT.rawValue), &padded)) == .ok)
        #expect(alpaca_tokenizer_size(padded) == alpaca_tokenizer_size(merged) + 1)
        defer {
            alpaca_tokenizer_free(merged)
            alpaca_tokenizer_free(padded)
        }
        let path = "/tmp/alpaca-tokenizer-\(getpid()).model"
        defer { unlink(path) }
        #expect(outcome(alpaca_tokenizer_save(merged, path, 0)) == .ok)
        #expect(try Fixture.bytes(of: path) == Fixture.bytes(of: mini("chinese_llama")))
        #expect(alpaca_tokenizer_save(padded, path, 0) != ALPACA_OK)
        #expect(outcome(alpaca_tokenizer_save(padded, path, 1)) == .ok)
        #expect(try Fixture.bytes(of: path) == Fixture.bytes(of: mini("chinese_alpaca")))
    }

    @Test func pieces() throws {
        let llama = try open(mini("llama"))
        defer { alpaca_tokenizer_free(llama) }
        var made: OpaquePointer?
        // A length ends the piece, wherever its zero is.
        #expect(outcome(alpaca_tokenizer_add_piece(llama, "<turn>x", 6, -1.5, Int32(ALPACA_PIECE_CONTROL.rawValue), &made)) == .ok)
        var ids = [Int32](repeating: 0, count: 8)
        var n = 0
        #expect(
            outcome(alpaca_tokenize(made, "<turn>", terminated, UInt32(ALPACA_PARSE_SPECIAL.rawValue), &ids, 8, &n)) == .ok)
        #expect(n == 1 && Int(ids[0]) == alpaca_tokenizer_size(llama))
        alpaca_tokenizer_free(made)
        for (piece, score, kind, message) in [
            ("", 0, 0, "piece: found no text"), ("</s>", 0, 0, "piece: found \"</s>\", which is in the vocabulary already, as token 2"),
            ("x y", .infinity, 0, "score: found inf, expected a finite number"),
            ("x y", 0, 7, "kind: found 7, expected an alpaca_piece_kind, 0 to 6"),
            ("x y", 0, -1, "kind: found -1, expected an alpaca_piece_kind, 0 to 6"),
        ] as [(String, Float, Int32, String)] {
            made = OpaquePointer(bitPattern: 1)
            #expect(outcome(alpaca_tokenizer_add_piece(llama, piece, terminated, score, kind, &made)) == .invalid(message))
            #expect(made == nil)
        }
    }

    @Test func argumentsAreChecked() throws {
        let llama = try open(mini("llama"))
        defer { alpaca_tokenizer_free(llama) }
        let model = try Fixture.model()
        defer { alpaca_model_free(model) }
        let borrowed = alpaca_model_tokenizer(model)
        var out: OpaquePointer?
        #expect(
            outcome(alpaca_tokenizer_merge(nil, "x", &out)) == .invalid("tokenizer: found NULL, expected a live alpaca_tokenizer"))
        #expect(outcome(alpaca_tokenizer_merge(llama, nil, &out)) == .invalid("extra: found NULL, expected text"))
        #expect(outcome(alpaca_tokenizer_merge(llama, "x", nil)) == .invalid("out: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_tokenizer_merge(llama, "/none", &out)).status == "ALPACA_NOT_FOUND")
        #expect(outcome(alpaca_tokenizer_merge(borrowed, mini("llama"), &out)).status == "ALPACA_UNSUPPORTED")
        #expect(
            outcome(alpaca_tokenizer_add_piece(borrowed, "x", 1, 0, 0, &out))
                == Outcome(
                    ALPACA_UNSUPPORTED,
                    "this tokenizer is a model's, which does not hold its tokenizer.model; "
                        + "only one that was opened from such a file can be extended"))
        #expect(outcome(alpaca_tokenizer_add_piece(llama, nil, 1, 0, 0, &out)) == .invalid("piece: found NULL, expected text"))
        #expect(outcome(alpaca_tokenizer_save(borrowed, "/tmp/x", 0)).status == "ALPACA_UNSUPPORTED")
        #expect(outcome(alpaca_tokenizer_save(llama, nil, 0)) == .invalid("path: found NULL, expected text"))
        #expect(outcome(alpaca_tokenizer_save(llama, "/tmp/x", 2)) == .invalid("overwrite: found 2, expected 0 or 1"))
        #expect(outcome(alpaca_tokenizer_save(llama, "/nonexistent/x", 0)).status == "ALPACA_NOT_FOUND")
    }
}

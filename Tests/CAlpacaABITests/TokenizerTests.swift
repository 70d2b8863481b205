import CAlpaca
import Testing

@Suite struct TokenizerTests {
    private func withTokenizer(_ body: (OpaquePointer) throws -> Void) throws {
        var tokenizer: OpaquePointer?
        try #require(outcome(alpaca_tokenizer_open(Fixture.q8, &tokenizer)) == .ok)
        defer { alpaca_tokenizer_free(tokenizer) }
        try body(try #require(tokenizer))
    }

    private let terminated = Int(bitPattern: ALPACA_NUL_TERMINATED)

    @Test func opens() throws {
        var tokenizer = OpaquePointer(bitPattern: 1)
        #expect(outcome(alpaca_tokenizer_open(nil, &tokenizer)) == .invalid("path: found NULL, expected text"))
        #expect(tokenizer == nil)
        #expect(outcome(alpaca_tokenizer_open(Fixture.q8, nil)) == .invalid("out: found NULL, expected a place for the result"))
        #expect(outcome(alpaca_tokenizer_open("/nonexistent", &tokenizer)).status == "ALPACA_NOT_FOUND")
        try Fixture.withFile(Array("no tokenizer".utf8)) { path in
            #expect(outcome(alpaca_tokenizer_open(path, &tokenizer)).status == "ALPACA_BAD_FORMAT")
        }
        try withTokenizer { own in
            let model = try Fixture.model()
            #expect(alpaca_tokenizer_size(own) == alpaca_tokenizer_size(alpaca_model_tokenizer(model)))
            alpaca_model_free(model)
        }
    }

    @Test func roundTrip() throws {
        try withTokenizer { tokenizer in
            let text = "白日依山尽，黄河入海流。 hello  wörld 🦙"
            var n = 0
            #expect(alpaca_tokenize(tokenizer, text, terminated, 0, nil, 0, &n) == ALPACA_BUFFER_TOO_SMALL)
            #expect(n > 0)
            var ids = [Int32](repeating: -7, count: n + 1)
            #expect(
                outcome(alpaca_tokenize(tokenizer, text, terminated, 0, &ids, n - 1, &n))
                    == Outcome(ALPACA_BUFFER_TOO_SMALL, "ids: found room for \(n - 1) ids, \(n) are needed"))
            #expect(ids.allSatisfy { $0 == -7 }, "nothing half written")
            #expect(outcome(alpaca_tokenize(tokenizer, text, text.utf8.count, 0, &ids, n, &n)) == .ok)
            #expect(ids[n] == -7)

            var needed = 0
            #expect(alpaca_detokenize(tokenizer, ids, n, nil, 0, &needed) == ALPACA_BUFFER_TOO_SMALL)
            #expect(needed == text.utf8.count + 1)
            var buffer = [CChar](repeating: 0x55, count: needed + 1)
            #expect(outcome(alpaca_detokenize(tokenizer, ids, n, &buffer, needed, &needed)) == .ok)
            #expect(buffer == Array(text.utf8CString) + [0x55])

            // A length ends the text, wherever its zero is.
            var fewer = 0
            #expect(outcome(alpaca_tokenize(tokenizer, "白日", 3, 0, &ids, ids.count, &fewer)) == .ok)
            var buffer2 = [CChar](repeating: 0, count: 16)
            #expect(outcome(alpaca_detokenize(tokenizer, ids, fewer, &buffer2, 16, nil)) == .ok)
            #expect(buffer2.starts(with: Array("白".utf8CString)))
        }
    }

    @Test func flags() throws {
        try withTokenizer { tokenizer in
            func ids(_ text: String, _ flags: UInt32) throws -> [Int32] {
                var ids = [Int32](repeating: 0, count: 64)
                var n = 0
                try #require(outcome(alpaca_tokenize(tokenizer, text, terminated, flags, &ids, 64, &n)) == .ok)
                return Array(ids.prefix(n))
            }
            let plain = try ids("</s>", 0)
            #expect(plain.count > 1)
            #expect(try ids("</s>", ALPACA_ADD_BOS.rawValue) == [1] + plain)
            #expect(try ids("</s>", ALPACA_ADD_EOS.rawValue) == plain + [2])
            #expect(try ids("</s>", ALPACA_ADD_BOS.rawValue | ALPACA_ADD_EOS.rawValue) == [1] + plain + [2])
            #expect(try ids("</s>", ALPACA_PARSE_SPECIAL.rawValue).contains(2))
            #expect(try ids("", 0) == [])
            #expect(try ids("", 3) == [1, 2])
            for flags: UInt32 in [8, 255, .max] {
                var n = 0
                #expect(
                    outcome(alpaca_tokenize(tokenizer, "a", 1, flags, nil, 0, &n))
                        == .invalid("flags: found \(flags), expected values of alpaca_tokenize_flag"))
            }
        }
    }

    @Test func badArguments() throws {
        try withTokenizer { tokenizer in
            var n = 0
            #expect(
                outcome(alpaca_tokenize(tokenizer, "a", 1, 0, nil, 0, nil)) == .invalid("n: found NULL, expected a place for the result"))
            #expect(outcome(alpaca_tokenize(tokenizer, nil, 1, 0, nil, 0, &n)) == .invalid("text: found NULL, expected text"))
            #expect(outcome(alpaca_tokenize(tokenizer, nil, terminated, 0, nil, 0, &n)) == .invalid("text: found NULL, expected text"))
            #expect(outcome(alpaca_tokenize(tokenizer, nil, 0, 0, nil, 0, &n)) == .ok)
            #expect(n == 0)
            for length in [Int.max, Int.min, -2, 1 << 31] {
                #expect(
                    outcome(alpaca_tokenize(tokenizer, "a", length, 0, nil, 0, &n))
                        == .invalid("text: found a length of \(UInt(bitPattern: length)) bytes, expected at most \(1 << 30)"))
            }
            #expect(
                outcome(alpaca_tokenize(tokenizer, "a", 1, 0, nil, 8, &n)).message.hasPrefix("ids: found NULL, expected room for "))
            #expect(outcome(alpaca_tokenize(tokenizer, "a", 1, 0, nil, -1, &n)).status == "ALPACA_INVALID_ARGUMENT")
            // Bytes that are not UTF-8 are text all the same.
            let bad: [CChar] = [CChar(bitPattern: 0xFF), CChar(bitPattern: 0xC0), 0]
            var ids = [Int32](repeating: 0, count: 64)
            #expect(outcome(alpaca_tokenize(tokenizer, bad, terminated, 0, &ids, 64, &n)) == .ok)
            #expect(n > 0)

            let size = alpaca_tokenizer_size(tokenizer)
            var needed = 0
            for id in [-1, Int32(size), .max, .min] {
                var pair: [Int32] = [0, id]
                #expect(
                    outcome(alpaca_detokenize(tokenizer, &pair, 2, nil, 0, &needed))
                        == .invalid("token id at index 1: found \(id), expected 0 to \(size - 1)"))
                #expect(
                    outcome(alpaca_token_piece(tokenizer, id, nil, 0, &needed)) == .invalid("id: found \(id), expected 0 to \(size - 1)"))
            }
            #expect(outcome(alpaca_detokenize(tokenizer, nil, 3, nil, 0, &needed)) == .invalid("ids: found NULL, expected 3 ids"))
            for count in [-1, Int.min, Int.max] {
                #expect(
                    outcome(alpaca_detokenize(tokenizer, nil, count, nil, 0, &needed))
                        == .invalid("ids: found \(UInt(bitPattern: count)) ids, expected at most \(1 << 28)"))
            }
            var one: [CChar] = [0x55]
            #expect(outcome(alpaca_detokenize(tokenizer, nil, 0, &one, 1, &needed)) == .ok)
            #expect(one == [0] && needed == 1)
        }
    }

    @Test func pieces() throws {
        try withTokenizer { tokenizer in
            for id in 0..<Int32(alpaca_tokenizer_size(tokenizer)) {
                var needed = 0
                #expect(alpaca_token_piece(tokenizer, id, nil, 0, &needed) == ALPACA_BUFFER_TOO_SMALL)
                var buffer = [CChar](repeating: 0, count: needed)
                #expect(alpaca_token_piece(tokenizer, id, &buffer, needed, nil) == ALPACA_OK)
            }
            var buffer = [CChar](repeating: 0, count: 8)
            #expect(outcome(alpaca_token_piece(tokenizer, 2, &buffer, 8, nil)) == .ok)
            #expect(buffer.starts(with: "</s>".utf8CString))
        }
    }

    @Test func specialTokens() throws {
        try withTokenizer { tokenizer in
            for (which, expected) in [(ALPACA_TOKEN_BOS, 1), (ALPACA_TOKEN_EOS, 2), (ALPACA_TOKEN_UNK, 0)]
                as [(alpaca_special_token, Int32)]
            {
                var id: Int32 = -1
                #expect(outcome(alpaca_token_special(tokenizer, Int32(which.rawValue), &id)) == .ok)
                #expect(id == expected)
            }
            var id: Int32 = -1
            #expect(
                outcome(alpaca_token_special(tokenizer, Int32(ALPACA_TOKEN_EOT.rawValue), &id))
                    == Outcome(ALPACA_NOT_FOUND, "the vocabulary has no such token"))
            #expect(id == -1)
            for which: Int32 in [-1, 5, .max, .min] {
                #expect(
                    outcome(alpaca_token_special(tokenizer, which, &id))
                        == .invalid("which: found \(which), expected an alpaca_special_token, 0 to 4"))
            }
            #expect(outcome(alpaca_token_special(tokenizer, 0, nil)) == .invalid("id: found NULL, expected a place for the result"))
        }
    }
}

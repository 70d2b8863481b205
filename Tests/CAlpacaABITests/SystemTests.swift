import AlpacaEngine
import CAlpaca
import Glibc
import Testing

@Suite struct SystemTests {
    @Test func versions() {
        #expect(String(cString: alpaca_version()) == "\(ALPACA_VERSION_MAJOR).\(ALPACA_VERSION_MINOR).\(ALPACA_VERSION_PATCH)")
        #expect(alpaca_abi_version() == ALPACA_ABI_VERSION)
        let info = String(cString: alpaca_build_info())
        #expect(info.hasPrefix(#"{"version":"1.1.0","abi_version":2,"cpu_path":""#))
        #expect(info.hasSuffix("}"))
        #expect(alpaca_build_info() == alpaca_build_info())
    }

    @Test func statusNamesAreTheEngineS() {
        #expect(String(cString: alpaca_status_name(ALPACA_OK)) == "ALPACA_OK")
        for code in AlpacaError.Code.allCases {
            // invalidArgument -> ALPACA_INVALID_ARGUMENT
            var words = ""
            for character in "\(code)" { words += character.isUppercase ? "_\(character)" : character.uppercased() }
            let expected = ["INTERNAL_ERROR": "INTERNAL", "IO": "IO"][words] ?? words
            #expect(String(cString: alpaca_status_name(alpaca_status(rawValue: UInt32(code.rawValue)))) == "ALPACA_\(expected)")
        }
        for number: UInt32 in [17, 1000, .max] {
            #expect(String(cString: alpaca_status_name(alpaca_status(rawValue: number))) == "ALPACA_UNKNOWN")
        }
    }

    /// A thread sees its own failures only, and a success changes nothing.
    @Test func eachThreadHasItsMessage() {
        #expect(outcome(alpaca_model_open(nil, nil, nil)) == .invalid("out: found NULL, expected a place for the result"))
        let seen = onThread { String(cString: alpaca_last_error()) }
        #expect(seen == "")
        let other = onThread { () -> String in
            var model: OpaquePointer?
            _ = alpaca_model_open(nil, nil, &model)
            return String(cString: alpaca_last_error())
        }
        #expect(other == "path: found NULL, expected text")
        var params = alpaca_model_params()
        #expect(alpaca_model_params_init(&params, MemoryLayout<alpaca_model_params>.size) == ALPACA_OK)
        #expect(String(cString: alpaca_last_error()) == "out: found NULL, expected a place for the result")
    }

    @Test func strings() throws {
        var text: OpaquePointer?
        #expect(outcome(alpaca_inspect(Fixture.q8, &text)) == .ok)
        let data = try #require(alpaca_string_data(text))
        #expect(alpaca_string_size(text) == strlen(data))
        #expect(data[0] == CChar(bitPattern: UInt8(ascii: "{")))
        alpaca_string_free(text)
        #expect(alpaca_string_data(text) == nil)
        #expect(alpaca_string_size(text) == 0)
        alpaca_string_free(text)
        alpaca_string_free(nil)
        #expect(alpaca_string_data(nil) == nil)
        #expect(alpaca_string_size(nil) == 0)
    }
}

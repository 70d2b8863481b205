import Testing

@testable import AlpacaEngine

/// Expected texts: Python 3.11's `json.dumps(json.loads(text), indent=2)`.
@Suite struct PythonJSONTests {
    static func text(_ json: String, _ changes: [PythonJSON.Change] = []) throws -> String {
        PythonJSON.text(of: try JSONDocument(Array(json.utf8), name: "test"), changing: changes)
    }

    @Test func `values and layout`() throws {
        let json = #"{"b":[],"a":{},"c":[1,[2.0,-3],{"d":null}],"e":true,"f":false,"g":"中\"\\\n\u0001\u007f😀/","h":1e-06,"i":0.0001}"#
        #expect(
            try PythonJSONTests.text(json) == #"""
                {
                  "b": [],
                  "a": {},
                  "c": [
                    1,
                    [
                      2.0,
                      -3
                    ],
                    {
                      "d": null
                    }
                  ],
                  "e": true,
                  "f": false,
                  "g": "\u4e2d\"\\\n\u0001\u007f\ud83d\ude00/",
                  "h": 1e-06,
                  "i": 0.0001
                }
                """#)
        #expect(try PythonJSONTests.text("3") == "3")
    }

    @Test(arguments: [
        (1e15, "1000000000000000.0"), (1e16, "1e+16"), (1.2e16, "1.2e+16"), (18014398509481982, "1.8014398509481982e+16"),
        (-1.25e16, "-1.25e+16"), (1e22, "1e+22"), (5e-324, "5e-324"), (0.00001, "1e-05"), (123456.789, "123456.789"), (0.02, "0.02"),
        (-0.0, "-0.0"), (1.5e300, "1.5e+300"),
    ]) func `numbers`(value: Double, text: String) {
        #expect(PythonJSON.number(value) == text)
    }

    @Test func `changes`() throws {
        let json = #"{"metadata":{"total_size":1,"x":2},"total_size":3,"list":[{"total_size":4}]}"#
        let changes = [
            PythonJSON.Change(["metadata", "total_size"], 10), PythonJSON.Change(["vocab_size"], 20), PythonJSON.Change(["no", "a"], 30),
        ]
        #expect(
            try PythonJSONTests.text(json, changes) == """
                {
                  "metadata": {
                    "total_size": 10,
                    "x": 2
                  },
                  "total_size": 3,
                  "list": [
                    {
                      "total_size": 4
                    }
                  ],
                  "vocab_size": 20
                }
                """)
        #expect(try PythonJSONTests.text(#"{"a":{}}"#, [PythonJSON.Change(["a", "b"], 1)]) == "{\n  \"a\": {\n    \"b\": 1\n  }\n}")
    }
}

import AlpacaEngine
import Foundation
import Testing

@Suite struct JSONWriterTests {
    static func sample(indent: Int) -> String {
        var json = JSONWriter(indent: indent)
        json.beginObject()
        json.member("text", "山\"\\\n\u{1}/")
        json.member("n", 3)
        json.member("eps", 1e-6)
        json.member("eps32", Float(1e-6))
        json.member("nan", Double.nan)
        json.member("none", String?.none)
        json.member("on", true)
        json.beginArray("list")
        json.value(1)
        json.beginObject()
        json.end()
        json.beginArray()
        json.end()
        json.value("x")
        json.value(UInt64.max)
        json.end()
        json.end()
        return json.text
    }

    @Test func lines() {
        #expect(
            Self.sample(indent: 1) == """
                {
                 "text": "山\\"\\\\\\n\\u0001/",
                 "n": 3,
                 "eps": 1e-06,
                 "eps32": 1e-06,
                 "nan": null,
                 "none": null,
                 "on": true,
                 "list": [
                  1,
                  {},
                  [],
                  "x",
                  18446744073709551615
                 ]
                }
                """)
    }

    @Test func oneLine() {
        #expect(
            Self.sample(indent: 0)
                == "{\"text\": \"山\\\"\\\\\\n\\u0001/\", \"n\": 3, \"eps\": 1e-06, \"eps32\": 1e-06, \"nan\": null, \"none\": null, "
                + "\"on\": true, \"list\": [1, {}, [], \"x\", 18446744073709551615]}")
    }

    @Test func whatIsWrittenIsRead() throws {
        let text = Self.sample(indent: 2)
        let reference = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(reference["text"] as? String == "山\"\\\n\u{1}/")
        #expect(reference["eps"] as? Double == 1e-6)
        try JSONDocumentTests.compare(JSONDocument(Array(text.utf8), name: "x").root, reference)
    }
}

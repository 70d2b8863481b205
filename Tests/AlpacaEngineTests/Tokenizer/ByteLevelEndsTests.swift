import Foundation
import Testing

@testable import AlpacaEngine

/// The tokens with a task of byte-level tokenizers, as the small files beside tokenizer.json name them.
@Suite struct ByteLevelEndsTests {
    /// A tokenizer.json of 256 bytes and three added tokens, 256 to 258.
    static func json() throws -> String {
        var vocabulary: [String] = []
        // As in GPT-2: printable bytes stand for themselves, the others are letters from U+0100 on.
        var next: UInt32 = 256
        for byte in UInt32(0)...255 {
            let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
            let scalar = isPrintable ? byte : next
            if !isPrintable { next += 1 }
            let letter = String(Character(try #require(UnicodeScalar(scalar))))
            let spelled = letter == "\"" || letter == "\\" ? "\\" + letter : letter
            vocabulary.append("\"\(spelled)\": \(byte)")
        }
        let added = ["<a>", "<b>", "<c>"].enumerated().map {
            "{\"id\": \(256 + $0), \"content\": \"\($1)\", \"special\": true, \"lstrip\": false, \"rstrip\": false, \"single_word\": false, \"normalized\": false}"
        }
        return """
            {"added_tokens": [\(added.joined(separator: ","))], "normalizer": null,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
             "post_processor": null, "decoder": {"type": "ByteLevel"},
             "model": {"type": "BPE", "vocab": {\(vocabulary.joined(separator: ","))}, "merges": []}}
            """
    }

    struct Case: Sendable {
        let files: [String: String]
        let eos: TokenID
        let ends: [TokenID]
    }

    static let cases: [Case] = [
        Case(files: ["generation_config.json": "{\"eos_token_id\": [256, 257, 258]}"], eos: 256, ends: [257, 258]),
        Case(
            files: [
                "generation_config.json": "{\"eos_token_id\": [256, 257]}", "tokenizer_config.json": "{\"eos_token\": \"<b>\"}",
                "config.json": "{\"eos_token_id\": 258}",
            ], eos: 257, ends: [256]),
        Case(files: ["config.json": "{\"eos_token_id\": [256, 258]}"], eos: 256, ends: [258]),
        Case(files: ["generation_config.json": "{\"eos_token_id\": [256, 65]}"], eos: 256, ends: [65]),
        Case(files: ["config.json": "{\"eos_token_id\": [256, 65]}"], eos: 256, ends: []),
        Case(files: ["generation_config.json": "{\"eos_token_id\": [256, 9999]}"], eos: 256, ends: []),
    ]

    @Test(arguments: cases.indices) func `a list of ends`(index: Int) throws {
        let (files, eos, ends) = (Self.cases[index].files, Self.cases[index].eos, Self.cases[index].ends)
        try Fixtures.withFolder { work in
            for (name, text) in files.merging(["tokenizer.json": try Self.json()], uniquingKeysWith: { $1 }) {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(work)/\(name)"))
            }
            let parts = try #require(try ByteLevelTokenizer.Parts(FolderFiles(path: work)))
            var metadata = GGUFMetadata()
            try metadata.setTokenizer(parts)
            for tokenizer in [Tokenizer(try ByteLevelTokenizer(parts)), try Tokenizer(metadata)] {
                #expect(tokenizer.eos == eos && tokenizer.eot == ends.first && Set(tokenizer.endings) == Set([eos] + ends))
            }
            #expect(parts.strangers == (files.values.contains { $0.contains("9999") } ? [9999] : []))
        }
    }
}

/// Steps of a tokenizer.json that this version does not know are refused with their names, not passed over.
@Suite struct ByteLevelStepsTests {
    private static func message(_ old: String, _ new: String) throws -> String? {
        let text = try ByteLevelEndsTests.json()
        #expect(text.contains(old))
        let changed = Array(text.replacing(old, with: new).utf8)
        return alpacaError { _ = try ByteLevelTokenizer.Parts(tokenizerJSON: JSONDocument(changed, name: "x").root) }?.message
    }

    @Test func unknownSteps() throws {
        #expect(try Self.message("\"normalizer\": null", "\"normalizer\": null") == nil)
        #expect(try Self.message("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFKC\"}")?.contains("\"NFKC\"") == true)
        #expect(
            try Self.message("\"post_processor\": null", "\"post_processor\": {\"type\": \"RobertaProcessing\"}")?.contains(
                "RobertaProcessing")
                == true)
        #expect(
            try Self.message("\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"Metaspace\"}")?.contains("Metaspace")
                == true)
        let split =
            "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a+b\"}, \"behavior\": \"Isolated\"}, "
        let old = "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}"
        let byteLevel = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}"
        #expect(try Self.message(old, "\"pre_tokenizer\": " + split + byteLevel)?.contains("a+b") == true)
        #expect(try Self.message(old, old.replacing("\"add_prefix_space\": false", with: "\"add_prefix_space\": true")) != nil)
    }

    @Test func addedTokensAndTheVocabulary() throws {
        #expect(try Self.message("\"id\": 256, \"content\": \"<a>\"", "\"id\": 255, \"content\": \"<a>\"")?.contains("255") == true)
        #expect(try Self.message("\"id\": 256, \"content\": \"<a>\"", "\"id\": 300, \"content\": \"!\"")?.contains("expected 33") == true)
        #expect(try Self.message("\"content\": \"<a>\"", "\"content\": \"\"") != nil)
        let unknown =
            "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<x>\"}}, {\"Sequence\": {\"id\": \"A\"}}]}"
        #expect(try Self.message("\"post_processor\": null", "\"post_processor\": " + unknown)?.contains("<x>") == true)
        #expect(try Self.message("\"post_processor\": null", "\"post_processor\": " + unknown.replacing("<x>", with: "<b>")) == nil)
    }
}

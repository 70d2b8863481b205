import Foundation
import Testing

@testable import AlpacaEngine

/// A tokenizer.json alone: used where it is sentencepiece's model in other words, refused by name where it is something else.
@Suite struct TokenizerJSONConversionTests {
    /// The file that transformers makes of a list of pieces: for each piece every pair that gives it.
    static func file(_ list: PieceList, change: (inout [String: Any]) -> Void = { _ in }) throws -> String {
        var vocabulary: [String: Int] = [:]
        for id in list.pieces.indices { vocabulary[list.pieces.text(id)] = id }
        var merges: [String] = []
        for id in list.pieces.indices where list.kinds[id] == .normal {
            let scalars = list.pieces.text(id).unicodeScalars
            for cut in scalars.indices.dropFirst() {
                let (a, b) = (String(scalars[..<cut]), String(scalars[cut...]))
                if let x = vocabulary[a], let y = vocabulary[b], list.kinds[x] == .normal, list.kinds[y] == .normal {
                    merges.append("\(a) \(b)")
                }
            }
        }
        let model: [String: Any] = [
            "type": "BPE", "byte_fallback": true, "fuse_unk": true, "unk_token": "<unk>", "vocab": vocabulary, "merges": merges,
        ]
        var root: [String: Any] = [
            "version": "1.0", "model": model,
            "added_tokens": (0..<3).map { ["id": $0, "content": list.pieces.text($0), "special": true] as [String: Any] },
            "normalizer": [
                "type": "Sequence",
                "normalizers": [
                    ["type": "Prepend", "prepend": "\u{2581}"],
                    ["type": "Replace", "pattern": ["String": " "], "content": "\u{2581}"],
                ] as [[String: Any]],
            ] as [String: Any],
        ]
        change(&root)
        return String(decoding: try JSONSerialization.data(withJSONObject: root, options: [.sortedKeys]), as: UTF8.self)
    }

    /// Pieces in the order of their scores, as sentencepiece's training leaves them.
    static let list: PieceList = {
        var list = PieceList()
        for id in 0..<259 {
            list.pieces.append(TinyModel.pieces.pieces[id])
            list.kinds.append(TinyModel.pieces.kinds[id])
        }
        for text in ["\u{2581}t", "he", "in", "\u{2581}the", "th", "er", "the"] + "\u{2581}abcdefghinorst".map({ String($0) }) {
            list.pieces.append(text.utf8)
            list.kinds.append(.normal)
        }
        list.scores = list.pieces.indices.map { $0 < 259 ? 0 : -Float($0 - 259) }
        return list
    }()

    private static func set(_ key: String, _ value: Any?) -> (inout [String: Any]) -> Void {
        { root in
            var model = root["model"] as? [String: Any] ?? [:]
            model[key] = value
            root["model"] = model
        }
    }

    @Test func `it is what it was made of`() throws {
        let expected = try Tokenizer(TinyModel.tokenizer(Self.list))
        let metaspace: (inout [String: Any]) -> Void = { root in
            root["normalizer"] = NSNull()
            root["pre_tokenizer"] =
                ["type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "first", "split": false] as [String: Any]
        }
        let pairs: (inout [String: Any]) -> Void = { root in
            var model = root["model"] as? [String: Any] ?? [:]
            model["merges"] = (model["merges"] as? [String])?.map { $0.split(separator: " ").map(String.init) }
            root["model"] = model
        }
        for change in [{ _ in }, metaspace, pairs] {
            try Fixtures.withFolder { work in
                var model = TinyModel()
                model.pieces = Self.list
                model.files = ["tokenizer.json": try Self.file(Self.list, change: change)]
                try model.write(to: work + "/base")
                try FileManager.default.removeItem(atPath: work + "/base/tokenizer.model")
                let tokenizer = try Model(path: work + "/base").tokenizer
                for text in ["the other tennis", "  thin   the", "über 山水", "", "inherit</s>"] {
                    #expect(tokenizer.encode(text, addBOS: true) == expected.encode(text, addBOS: true), "\(text)")
                    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
                }
                #expect((tokenizer.bos, tokenizer.eos, tokenizer.unknown) == (1, 2, 0))
                for id in 0..<TokenID(tokenizer.count) {
                    #expect(tokenizer.kind(id) == expected.kind(id) && tokenizer.score(id) == expected.score(id), "\(id)")
                }
                #expect(try Inspection(path: work + "/base").problem == nil)
                #expect(try Tokenizer(file: work + "/base").encode("the") == expected.encode("the"))
                #expect(try Tokenizer(file: work + "/base/tokenizer.json").encode("the") == expected.encode("the"))
                for format in OutputFormat.allCases {
                    var options = ConversionOptions(base: work + "/base", output: "\(work)/\(format)")
                    options.format = format
                    _ = try Converter.convert(options)
                    #expect(try Model(path: options.output).tokenizer.encode("the other") == expected.encode("the other"))
                }
            }
        }
    }

    static var others: [(word: String, change: (inout [String: Any]) -> Void)] {
        [
            ("merges", set("merges", ["t h", "i n"])), ("byte_fallback", set("byte_fallback", false)),
            ("ignore_merges", set("ignore_merges", true)),
            ("model.type", set("type", "Unigram")), ("end_of_word_suffix", set("end_of_word_suffix", "</w>")),
            (
                "merges",
                { root in
                    var model = root["model"] as? [String: Any] ?? [:]
                    model["merges"] = (model["merges"] as? [String])?.reversed() as [String]?
                    root["model"] = model
                }
            ),
            ("normalizer", { $0["normalizer"] = ["type": "NFC"] }), ("normalizer", { $0["normalizer"] = NSNull() }),
            ("pre_tokenizer", { $0["pre_tokenizer"] = ["type": "ByteLevel", "add_prefix_space": false] as [String: Any] }),
            ("pre_tokenizer", { $0["pre_tokenizer"] = ["type": "Metaspace", "split": true] as [String: Any] }),
        ]
    }

    @Test(arguments: others.indices) func `others are refused by what they are`(index: Int) throws {
        let (word, change) = Self.others[index]
        try Fixtures.withFolder { work in
            var model = TinyModel()
            model.pieces = Self.list
            model.files = ["tokenizer.json": try Self.file(Self.list, change: change)]
            try model.write(to: work + "/base")
            try FileManager.default.removeItem(atPath: work + "/base/tokenizer.model")
            let errors = [
                alpacaError { _ = try Model(path: work + "/base") },
                alpacaError { _ = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/m.gguf")) },
                alpacaError { _ = try Tokenizer(file: work + "/base") },
            ]
            for error in errors {
                #expect(
                    error?.path == work + "/base/tokenizer.json" && error?.message.contains(word) == true, "\(error?.message ?? "none")")
            }
            #expect(try Inspection(path: work + "/base").problem?.contains(word) == true)
        }
    }
}

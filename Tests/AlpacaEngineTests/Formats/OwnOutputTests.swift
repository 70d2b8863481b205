import Foundation
import Testing

@testable import AlpacaEngine

/// What `--overwrite` replaces, and what it leaves.
@Suite struct OwnOutputTests {
    static func put(_ text: String, _ path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }

    static func options(_ output: String, _ format: OutputFormat) -> ConversionOptions {
        var options = ConversionOptions(base: MiniFamily.shared("mini-llama"), output: output)
        options.format = format
        options.overwrites = true
        return options
    }

    /// Everything below a folder with its bytes.
    static func contents(_ folder: String) throws -> [String: Data] {
        var result: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            result[path] = FileManager.default.contents(atPath: folder + "/" + path) ?? Data()
        }
        return result
    }

    /// Nothing changes, and the message has the words.
    static func refuses(_ options: ConversionOptions, in work: String, _ words: String..., location: SourceLocation = #_sourceLocation)
        throws
    {
        let before = try contents(work)
        let error = alpacaError { _ = try Converter.convert(options) }
        #expect(error?.code == .invalidArgument, "\(error?.message ?? "no error")", sourceLocation: location)
        for word in words { #expect(error?.message.contains(word) == true, "\(error?.message ?? "")", sourceLocation: location) }
        #expect(try contents(work) == before, sourceLocation: location)
    }

    @Test func `a folder is replaced when all of it is an output`() throws {
        try Fixtures.withFolder { work in
            // Each format over each other.
            for format in OutputFormat.allCases where format.isFolder {
                for over in OutputFormat.allCases where over.isFolder {
                    _ = try Converter.convert(Self.options(work + "/out", format))
                    _ = try Converter.convert(Self.options(work + "/out", over))
                }
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: work) == ["out"])
        }
    }

    @Test func `what somebody put into an output stays`() throws {
        try Fixtures.withFolder { work in
            let out = work + "/out"
            _ = try Converter.convert(Self.options(out, .huggingFace))
            // Names that a model's folder may have, and others.
            let names = ["thesis.txt", "README.md", "model-q4.gguf", "model-00001-of-00002.safetensors", "adapter_config.json", ".hidden"]
            for name in names {
                try Self.put("mine", out + "/" + name)
                try Self.refuses(Self.options(out, .huggingFace), in: work, "\"\(name)\", which no output wrote", "not replaced")
                try FileManager.default.removeItem(atPath: out + "/" + name)
            }
            // A file of the output that somebody changed is not the output's any more.
            let config = try Data(contentsOf: URL(fileURLWithPath: out + "/config.json"))
            try Self.put("{\"mine\": true}", out + "/config.json")
            try Self.refuses(Self.options(out, .huggingFace), in: work, "\"config.json\", which changed since an output wrote it")
            try config.write(to: URL(fileURLWithPath: out + "/config.json"))
            try FileManager.default.createDirectory(atPath: out + "/model.safetensors.old", withIntermediateDirectories: false)
            try Self.refuses(Self.options(out, .huggingFace), in: work, "model.safetensors.old")
            try FileManager.default.removeItem(atPath: out + "/model.safetensors.old")
            _ = try Converter.convert(Self.options(out, .meta))
        }
    }

    /// Same name, same size, same kind: the content tells.
    @Test func `a file of the same size that somebody changed stays`() throws {
        try Fixtures.withFolder { work in
            for format in OutputFormat.allCases where format.isFolder {
                let out = "\(work)/\(format)"
                _ = try Converter.convert(Self.options(out, format))
                for name in try FileManager.default.contentsOfDirectory(atPath: out) where name != OwnOutput.mark {
                    let url = URL(fileURLWithPath: out + "/" + name)
                    let before = try Data(contentsOf: url)
                    // A letter of text, and the last of the weights' bytes that stand behind no other.
                    let place =
                        name.hasSuffix(".json")
                        ? try #require(before.firstIndex(of: 0x65)) : name.hasSuffix(".model") ? 20 : before.count - 1
                    var changed = before
                    changed[place] ^= 1
                    try changed.write(to: url)
                    try Self.refuses(Self.options(out, format), in: work, "\"\(name)\", which changed since an output wrote it")
                    try before.write(to: url)
                }
                // Outputs of before have no marks, and go by sizes.
                var json = try #require(
                    try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: out + "/alpaca.json"))) as? [String: Any])
                let marks = try #require(json["marks"] as? [String: String])
                let files = try #require(json["files"] as? [String: Int])
                #expect(Set(marks.keys) == Set(files.keys) && marks.values.allSatisfy { $0.count == 8 && $0 != ContentMark.placeholder })
                json["marks"] = nil
                try JSONSerialization.data(withJSONObject: json).write(to: URL(fileURLWithPath: out + "/alpaca.json"))
                _ = try Converter.convert(Self.options(out, format))
                _ = try Converter.convert(Self.options(out, format))
            }
        }
    }

    @Test func `a mark is of the beginning and the end`() throws {
        var bytes = [UInt8](repeating: 7, count: 200_000)
        let before = ContentMark.of(bytes)
        let read = try Fixtures.withFile(bytes) { try ContentMark.of(InputFile(path: $0)) }
        #expect(read == before)
        for place in [0, 65_535, 200_000 - 65_536, 199_999] {
            bytes[place] = 8
            #expect(ContentMark.of(bytes) != before)
            let again = try Fixtures.withFile(bytes) { try ContentMark.of(InputFile(path: $0)) }
            #expect(again == ContentMark.of(bytes))
            bytes[place] = 7
        }
        #expect(ContentMark.of([]) == "00000000" && ContentMark.of(Array("123456789".utf8)) == "cbf43926")
    }

    /// Outputs of before alpaca.json listed them.
    @Test func `an output without a list goes by names and kinds`() throws {
        try Fixtures.withFolder { work in
            let out = work + "/out"
            _ = try Converter.convert(Self.options(out, .huggingFace))
            try Self.put(
                "{\"alpaca_version\": \"1.1.0\", \"base\": {\"name\": \"mini-llama\", \"sha256\": {}}, \"adapters\": []}",
                out + "/alpaca.json")
            try Self.put("mine", out + "/model-1-of-mine.safetensors")
            try Self.refuses(Self.options(out, .huggingFace), in: work, "\"model-1-of-mine.safetensors\"")
            try FileManager.default.removeItem(atPath: out + "/model-1-of-mine.safetensors")
            try Self.put("years of work", out + "/model-00002-of-00002.safetensors")
            try Self.refuses(Self.options(out, .huggingFace), in: work, "\"model-00002-of-00002.safetensors\", which changed")
            try FileManager.default.removeItem(atPath: out + "/model-00002-of-00002.safetensors")
            _ = try Converter.convert(Self.options(out, .huggingFace))
        }
    }

    @Test func `models and folders of others are not replaced`() throws {
        try Fixtures.withFolder { work in
            try ConversionFailureTests.copy("mini-chinese-llama-lora", to: work + "/adapter")
            try ConversionFailureTests.copy("mini-llama", to: work + "/downloaded")
            // All that is left are names that outputs have too.
            for name in try FileManager.default.contentsOfDirectory(atPath: work + "/downloaded") where name.contains("log") {
                try FileManager.default.removeItem(atPath: work + "/downloaded/" + name)
            }
            try FileManager.default.createDirectory(atPath: work + "/notes", withIntermediateDirectories: false)
            for name in ["thesis.txt", "notes.md", "other-model.gguf", "data.json", "tokenizer.model.bin"] {
                try Self.put("years of work\n", work + "/notes/" + name)
            }
            // Whatever format is written; base and target are different folders.
            for format in OutputFormat.allCases where format.isFolder {
                try Self.refuses(
                    Self.options(work + "/notes", format), in: work, "\"data.json\", \"notes.md\", \"other-model.gguf\", \"thesis.txt\"")
                try Self.refuses(Self.options(work + "/adapter", format), in: work, "adapter_config.json")
                try Self.refuses(Self.options(work + "/downloaded", format), in: work, "\"config.json\"", "another program wrote it")
            }
        }
    }

    @Test func `a file is replaced when it is a GGUF file of ours`() throws {
        try Fixtures.withFolder { work in
            let out = work + "/out.gguf"
            try Self.put("years of work\n", out)
            try Self.refuses(Self.options(out, .gguf), in: work, "not replaced", "it is not a GGUF file that alpaca wrote")
            try Self.put("{\"mine\": 1}", out)
            try Self.refuses(Self.options(out, .gguf), in: work, "not replaced", "it is a JSON file")
            try FileManager.default.removeItem(atPath: out)
            try FileManager.default.copyItem(atPath: MiniFamily.q8_0, toPath: out)
            try Self.refuses(Self.options(out, .gguf), in: work, "a GGUF file that another program wrote")
            try FileManager.default.createSymbolicLink(atPath: work + "/link.gguf", withDestinationPath: out)
            try Self.refuses(Self.options(work + "/link.gguf", .gguf), in: work, "not replaced")
            // Nothing is lost of an empty one.
            try Data().write(to: URL(fileURLWithPath: out))
            for _ in 0..<2 { _ = try Converter.convert(Self.options(out, .gguf)) }
            #expect(try GGUFReader(InputFile(path: out)).metadata["alpaca.version"] != nil)
        }
    }

    @Test func `a tokenizer is written over a tokenizer only`() throws {
        try Fixtures.withFolder { work in
            let tokenizer = try Tokenizer(path: MiniFamily.shared("mini-llama/tokenizer.model"))
            try Self.put("years of work\n", work + "/thesis.txt")
            let error = alpacaError { try tokenizer.save(to: work + "/thesis.txt", overwrite: true) }
            #expect(error?.code == .invalidArgument && error?.message.contains("not replaced") == true, "\(error?.message ?? "")")
            #expect(try String(contentsOfFile: work + "/thesis.txt", encoding: .utf8) == "years of work\n")
            for _ in 0..<2 { try tokenizer.save(to: work + "/tokenizer.model", overwrite: true) }
        }
    }

    /// What a tokenizer was made of is not replaced by it, whatever leads there.
    @Test func `a tokenizer's inputs stay`() throws {
        try Fixtures.withFolder { work in
            let base = work + "/base.model", extra = work + "/extra.model"
            try FileManager.default.copyItem(atPath: MiniFamily.shared("mini-llama/tokenizer.model"), toPath: base)
            try Tokenizer(path: base).adding(piece: "[EXTRA]").save(to: extra)
            try FileManager.default.linkItem(atPath: base, toPath: work + "/hard.model")
            try FileManager.default.createSymbolicLink(atPath: work + "/soft.model", withDestinationPath: extra)
            let before = try Self.contents(work)
            let plain = try Tokenizer(path: base)
            let merged = try plain.merging(piecesOf: extra), both = try merged.adding(piece: "[MORE]")
            for (tokenizer, paths) in [
                (plain, [base, work + "/hard.model"]), (merged, [base, extra]), (both, [base, extra, work + "/soft.model"]),
            ] {
                for path in paths {
                    let error = alpacaError { try tokenizer.save(to: path, overwrite: true) }
                    #expect(error?.code == .invalidArgument && error?.path == path, "\(error?.message ?? "no error")")
                    #expect(error?.message.contains("the output is one of the inputs") == true, "\(error?.message ?? "")")
                }
            }
            #expect(try Self.contents(work) == before)
            // What is no input is replaced, also a copy of one.
            try FileManager.default.copyItem(atPath: base, toPath: work + "/copy.model")
            try both.save(to: work + "/copy.model", overwrite: true)
        }
    }

    /// Somebody puts a file under the output's name while it is being written.
    @Test(arguments: [OutputFormat.gguf, .huggingFace]) func `what appears under the name meanwhile stays`(format: OutputFormat) throws {
        try Fixtures.withFolder { work in
            let out = work + "/out"
            for isThere in [false, true] {
                if isThere { _ = try Converter.convert(Self.options(out, format)) }
                var isDone = false
                let error = alpacaError {
                    _ = try Converter.convert(Self.options(out, format)) { _ in
                        guard !isDone else { return true }
                        isDone = true
                        if format.isFolder {
                            try? FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
                            try? Self.put("mine", out + "/thesis.txt")
                        } else {
                            try? FileManager.default.removeItem(atPath: out)
                            try? Self.put("mine", out)
                        }
                        return true
                    }
                }
                #expect(isDone && error?.code == .invalidArgument, "\(error?.message ?? "no error")")
                let kept = try String(contentsOfFile: format.isFolder ? out + "/thesis.txt" : out, encoding: .utf8)
                #expect(kept == "mine")
                #expect(try FileManager.default.contentsOfDirectory(atPath: work) == ["out"])
                try FileManager.default.removeItem(atPath: out)
            }
        }
    }

    @Test func `leftovers are known by what is in them too`() throws {
        try Fixtures.withFolder { work in
            let zeros = String(repeating: "\0", count: 40)
            let files = [
                ".out.gguf.1.2f.alpaca-tmp": "mine", ".out.gguf.1.3f.alpaca-tmp": "GGUF\u{3}", ".out.gguf.1.4f.alpaca-tmp": zeros,
                ".out.gguf.1.5f.alpaca-tmp": "",
            ]
            for (name, text) in files { try Self.put(text, work + "/" + name) }
            _ = try Converter.convert(Self.options(work + "/out.gguf", .gguf))
            let left = try FileManager.default.contentsOfDirectory(atPath: work).sorted()
            #expect(left == [".out.gguf.1.2f.alpaca-tmp", "out.gguf"])
            // A folder goes with all that is in it, or stays so.
            for (number, names) in [["config.json", "model.safetensors"], ["config.json", "thesis.txt"]].enumerated() {
                let folder = "\(work)/.out.1.\(number).alpaca-tmp"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
                for name in names { try Self.put(name == "config.json" ? "{" : name == "thesis.txt" ? "mine" : zeros, folder + "/" + name) }
            }
            _ = try Converter.convert(Self.options(work + "/out", .huggingFace))
            let after = try FileManager.default.contentsOfDirectory(atPath: work).sorted()
            #expect(after == [".out.1.1.alpaca-tmp", ".out.gguf.1.2f.alpaca-tmp", "out", "out.gguf"])
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: work + "/.out.1.1.alpaca-tmp").sorted() == [
                    "config.json", "thesis.txt",
                ])
        }
    }
}

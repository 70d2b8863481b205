import Foundation
import Testing

@testable import AlpacaEngine

/// What can't be done is said before the work, and what was there stays as it was. (Kills, interrupts and failing disks: Tests/faults.)
@Suite struct ConversionFailureTests {
    static func names(_ folder: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }

    /// All files below a folder, with their hashes.
    static func contents(_ folder: String) throws -> [String: String] {
        var result: [String: String] = [:]
        for path in try FolderListing.files(below: folder) { result[path] = try ConverterTests.fileHash(path) }
        return result
    }

    /// A copy of something of the mini family.
    static func copy(_ name: String, to path: String) throws {
        try FileManager.default.copyItem(atPath: MiniFamily.shared(name), toPath: path)
        // Fixtures may be read-only.
        for inside in try FolderListing.files(below: path) {
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: inside)
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    static func write(_ text: String, _ path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }

    /// Converts, and expects an error, no progress (so nothing was read or written), and all files as they were.
    static func refuses(
        _ options: ConversionOptions, in work: String, _ code: AlpacaError.Code, _ words: String...,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let before = try contents(work)
        var stages: Set<String> = []
        let error = alpacaError {
            _ = try Converter.convert(options) {
                stages.insert($0.stage); return true
            }
        }
        #expect(error?.code == code, "\(error?.message ?? "no error")", sourceLocation: location)
        for word in words { #expect(error?.message.contains(word) == true, "\(error?.message ?? "")", sourceLocation: location) }
        #expect(stages == [], sourceLocation: location)
        #expect(try contents(work) == before, sourceLocation: location)
    }

    // MARK: Places

    @Test func `an output on top of an input`() throws {
        try Fixtures.withFolder { work in
            try Self.copy("mini-llama", to: work + "/base")
            try Self.copy("mini-chinese-llama-lora", to: work + "/lora")
            let manager = FileManager.default
            try manager.createSymbolicLink(atPath: work + "/link.gguf", withDestinationPath: work + "/base/model.safetensors")
            try manager.linkItem(atPath: work + "/lora/adapter_model.safetensors", toPath: work + "/hard.gguf")
            try manager.createSymbolicLink(atPath: work + "/folder", withDestinationPath: work + "/base")
            func options(_ output: String, _ format: OutputFormat = .gguf) -> ConversionOptions {
                var options = ConversionOptions(base: work + "/base", output: "\(work)/\(output)")
                options.adapters = [.init(path: work + "/lora")]
                options.format = format
                options.overwrites = true
                return options
            }
            let files = [
                "base/model.safetensors", "base/config.json", "base/tokenizer.model", "lora/adapter_model.safetensors",
                "lora/adapter_config.json", "lora/tokenizer.model", "link.gguf", "hard.gguf", "base/../lora/../base/config.json",
            ]
            for file in files { try Self.refuses(options(file), in: work, .invalidArgument, "the output is one of the inputs", file) }
            for folder in ["base", "base/", "lora", "folder"] {
                for format in OutputFormat.allCases where format.isFolder {
                    try Self.refuses(options(folder, format), in: work, .invalidArgument, "holds one of the inputs")
                }
            }
            var tokenizer = options("tokenizer.model")
            try manager.copyItem(atPath: work + "/lora/tokenizer.model", toPath: work + "/tokenizer.model")
            tokenizer.tokenizer = work + "/tokenizer.model"
            try Self.refuses(tokenizer, in: work, .invalidArgument, "the output is one of the inputs")
            // A GGUF file that was made of the folder earlier may be made again, and is an input itself when it is the base.
            _ = try Converter.convert(options("base/model.gguf"))
            _ = try Converter.convert(options("base/model.gguf"))
            var again = ConversionOptions(base: work + "/base/model.gguf", output: work + "/base/model.gguf")
            again.quantization = "q8_0"
            again.overwrites = true
            try Self.refuses(again, in: work, .invalidArgument, "the output is one of the inputs")
        }
    }

    @Test func `places that take no output`() throws {
        try Fixtures.withFolder { work in
            func options(_ output: String, _ format: OutputFormat = .gguf, overwrites: Bool = true) -> ConversionOptions {
                var options = ConverterTests.options("mini-llama", 1, format, "\(work)/\(output)")
                options.overwrites = overwrites
                return options
            }
            try FileManager.default.createDirectory(atPath: work + "/folder", withIntermediateDirectories: false)
            try Self.write("old", work + "/folder/config.json")
            try Self.write("old", work + "/file")
            try Self.refuses(options("folder"), in: work, .io, "found a folder, expected a file or nothing")
            try Self.refuses(options("file", overwrites: false), in: work, .invalidArgument, "there is a file of that name already")
            try Self.refuses(options("none/out"), in: work, .notFound, "No such file or directory")
            try Self.refuses(options("file/out"), in: work, .notFound, "Not a directory")
            for format in OutputFormat.allCases where format.isFolder {
                try Self.refuses(options("file", format), in: work, .io, "found a file, expected a folder or nothing")
                try Self.refuses(options("folder", format, overwrites: false), in: work, .invalidArgument, "there is a folder of that name")
                try Self.refuses(options("none/out", format), in: work, .notFound, "No such file or directory")
            }
            try Self.refuses(options("file"), in: work, .invalidArgument, "not replaced")
            try Self.write("mine", work + "/folder/diary.doc")
            try Self.refuses(options("folder", .huggingFace), in: work, .invalidArgument, "\"diary.doc\"", "not replaced")
            // A plan says the same, and is a plan.
            let plan = try Converter.plan(options("folder", .huggingFace))
            #expect(plan.warnings.contains { $0.contains("\"diary.doc\"") } && plan.byteCount > 10_000_000)
            #expect(try Converter.plan(options("new", .huggingFace)).warnings == [])
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere; Tests/faults tries it as somebody else"))
    func `a read-only folder`() throws {
        try Fixtures.withFolder { work in
            try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: work)
            defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: work) }
            for format in OutputFormat.allCases {
                try Self.refuses(ConverterTests.options("mini-llama", 1, format, work + "/out"), in: work, .io, "Permission denied")
            }
        }
    }

    @Test(arguments: OutputFormat.allCases) func `stopped at any moment`(format: OutputFormat) throws {
        try Fixtures.withFolder { work in
            let path = work + "/out"
            // Another model's output is there.
            _ = try Converter.convert(ConverterTests.options("mini-llama", 0, format, path))
            let before = try Self.contents(work)
            var stop = 1
            while true {
                var options = ConverterTests.options("mini-llama", 1, format, path)
                options.overwrites = true
                var count = 0
                var finished = false
                let error = alpacaError {
                    _ = try Converter.convert(options) { _ in
                        count += 1
                        return count < stop
                    }
                    finished = true
                }
                guard !finished else { break }
                #expect(error == AlpacaError(.cancelled, error?.message ?? ""))
                #expect(try Self.contents(work) == before)
                #expect(try Self.names(work) == ["out"])
                stop += 1
            }
            #expect(stop > 3)
            #expect(try Self.contents(work) != before)
            #expect(try Self.names(work) == ["out"])
        }
    }

    // MARK: Inputs

    /// A folder of two `.bin` files, or of one `.pth`.
    private static func make(_ format: OutputFormat, of base: String, at path: String) throws {
        var options = ConversionOptions(base: MiniFamily.shared(base), output: path)
        options.format = format
        if format == .meta { options.shardCount = 1 } else { options.maximumShardByteCount = 5_000_000 }
        _ = try Converter.convert(options)
    }

    @Test func `shards that are missing, cut, or of another model`() throws {
        try Fixtures.withFolder { work in
            let manager = FileManager.default
            try Self.copy("mini-llama-meta", to: work + "/meta")
            try Self.make(.huggingFaceBin, of: "mini-llama", at: work + "/bin")
            try Self.make(.meta, of: "merged-chinese-alpaca-hf", at: work + "/other")
            func meta() -> ConversionOptions { ConversionOptions(base: work + "/meta", output: work + "/out.gguf") }
            func bin() -> ConversionOptions { ConversionOptions(base: work + "/bin", output: work + "/out.gguf") }
            func changed(_ path: String, _ change: (inout Data) -> Void, _ body: () throws -> Void) throws {
                let old = try Data(contentsOf: URL(fileURLWithPath: path))
                var new = old
                change(&new)
                try new.write(to: URL(fileURLWithPath: path))
                try body()
                try old.write(to: URL(fileURLWithPath: path))
            }
            func missing(_ path: String, _ body: () throws -> Void) throws {
                try manager.moveItem(atPath: path, toPath: path + ".away")
                try body()
                try manager.moveItem(atPath: path + ".away", toPath: path)
            }
            try missing(work + "/meta/consolidated.00.pth") {
                try Self.refuses(meta(), in: work, .missing, "consolidated.00.pth is missing")
            }
            try missing(work + "/meta/consolidated.01.pth") {
                try Self.refuses(meta(), in: work, .missing, "consolidated.01.pth is missing")
            }
            try missing(work + "/meta/params.json") { try Self.refuses(meta(), in: work, .missing, "params.json is missing") }
            try missing(work + "/meta/tokenizer.model") { try Self.refuses(meta(), in: work, .missing, "tokenizer.model") }
            try missing(work + "/bin/pytorch_model-00002-of-00002.bin") {
                try Self.refuses(bin(), in: work, .missing, "pytorch_model-00002-of-00002.bin")
            }
            try missing(work + "/bin/config.json") { try Self.refuses(bin(), in: work, .missing, "config.json is missing") }
            for cut in [1, 1000, 100_000] {
                try changed(work + "/meta/consolidated.01.pth", { $0.removeLast(cut) }) {
                    try Self.refuses(meta(), in: work, .truncated, "consolidated.01.pth")
                }
                try changed(work + "/bin/pytorch_model-00001-of-00002.bin", { $0.removeLast(cut) }) {
                    try Self.refuses(bin(), in: work, .truncated, "pytorch_model-00001-of-00002.bin")
                }
            }
            // A pickle that would run a program: nothing is run. (More of them: HostileCorpusTests.)
            let program: [UInt8] = [0x80, 2] + Array("cposix\nsystem\nX".utf8) + [2, 0, 0, 0] + Array("id".utf8) + [0x85, 0x52, 0x2e]
            try changed(work + "/meta/consolidated.00.pth", { $0 = Data(program) }) {
                try Self.refuses(meta(), in: work, .unsupported, "not one that `torch.save` writes")
            }
            // Another model's shard, of another width.
            try changed(
                work + "/meta/consolidated.01.pth",
                { $0 = (try? Data(contentsOf: URL(fileURLWithPath: work + "/other/consolidated.00.pth"))) ?? $0 }
            ) { try Self.refuses(meta(), in: work, .shapeMismatch, "consolidated.01.pth") }
        }
    }

    @Test func `adapters that don't fit`() throws {
        try Fixtures.withFolder { work in
            func adapter(_ adapter: AdapterFolder, _ code: AlpacaError.Code, _ words: String...) throws {
                try? FileManager.default.removeItem(atPath: work + "/lora")
                try adapter.write(to: work + "/lora")
                var options = ConversionOptions(base: MiniFamily.shared("mini-llama"), output: work + "/out.gguf")
                options.adapters = [.init(path: work + "/lora")]
                let before = try Self.contents(work)
                let error = alpacaError { _ = try Converter.convert(options) }
                #expect(error?.code == code, "\(error?.message ?? "no error")")
                for word in words { #expect(error?.message.contains(word) == true, "\(error?.message ?? "")") }
                #expect(try Self.contents(work) == before)
            }
            // Trained on a model of width 32.
            try adapter(AdapterFolder(), .shapeMismatch, "the adapter is for models of width 32, the base is models of width 256")
            try adapter(AdapterFolder(fields: ["r": "0"]), .badFormat, "\"r\"")
            try adapter(AdapterFolder(fields: ["r": "-4"]), .badFormat, "\"r\"")
            try adapter(AdapterFolder(fields: ["r": nil]), .missing, "\"r\"")
            try adapter(AdapterFolder(fields: ["r": "8"]), .shapeMismatch)
            try adapter(AdapterFolder(fields: ["peft_type": "\"PREFIX_TUNING\""]), .unsupported, "PREFIX_TUNING")
            try adapter(AdapterFolder(tensors: []), .missing)

            func refuses(_ base: String, _ adapters: [String], _ code: AlpacaError.Code, _ words: String...) throws {
                var options = ConversionOptions(base: MiniFamily.shared(base), output: work + "/out.gguf")
                options.adapters = adapters.map { .init(path: MiniFamily.shared($0)) }
                let before = try Self.contents(work)
                let error = alpacaError { _ = try Converter.convert(options) }
                #expect(error?.code == code, "\(error?.message ?? "no error")")
                for word in words { #expect(error?.message.contains(word) == true, "\(error?.message ?? "")") }
                #expect(try Self.contents(work) == before)
            }
            try refuses("mini-chinese-llama-lora", [], .unsupported, "this is a LoRA adapter, not a model")
            try refuses("mini-llama", ["mini-llama"], .unsupported, "this is a model, not an adapter", "adapter_config.json")
            try refuses("mini-llama", ["mini-llama/model.safetensors"], .unsupported, "expected an adapter")
            try refuses("mini-llama", ["nothing"], .notFound, "nothing")
            try refuses("nothing", [], .notFound, "nothing")
        }
    }

    @Test func `a tokenizer of another size`() throws {
        try Fixtures.withFolder { work in
            var options = ConverterTests.options("mini-llama", 1, .gguf, work + "/out.gguf")
            options.tokenizer = MiniFamily.shared("mini-llama/tokenizer.model")
            let error = alpacaError { _ = try Converter.convert(options) }
            #expect(error != nil && error?.message.contains("tokenizer") == true, "\(error?.message ?? "no error")")
            options = ConverterTests.options("mini-llama", 0, .gguf, work + "/out.gguf")
            options.tokenizer = MiniFamily.shared("mini-chinese-alpaca-lora/tokenizer.model")
            let other = alpacaError { _ = try Converter.convert(options) }
            #expect(other != nil && other?.message.contains("tokenizer") == true, "\(other?.message ?? "no error")")
            let left = try Self.names(work)
            #expect(left == [])
        }
    }
}

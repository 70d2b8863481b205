import Foundation
import Testing

@testable import AlpacaEngine

/// What PEFT, the project's official script and llama.cpp's converter made of the mini family, made again from each kind of base.
@Suite(.enabled(if: MiniFamily.isShared, MiniFamily.missing)) struct ConverterTests {
    /// Shapes and hashes of a merged model's tensors, with PEFT's rounding and with that of the official script.
    struct Merged: Decodable {
        struct Tensor: Decodable { let shape: [Int], sha256: String, sha256_low_mem: String }
        let tensors: [String: Tensor]
    }

    struct OfficialFile: Decodable { let sha256: String, bytes: Int }

    static let bases = ["mini-llama", "mini-llama-meta", "official/base-hf-bin"]
    static let adapters = ["mini-chinese-llama-lora", "mini-chinese-alpaca-lora"]

    static func golden<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
        try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: MiniFamily.shared(name))))
    }

    static func options(_ base: String, _ count: Int, _ format: OutputFormat, _ output: String) -> ConversionOptions {
        var options = ConversionOptions(base: MiniFamily.shared(base), output: output)
        options.adapters = adapters.prefix(count).map { ConversionOptions.Adapter(path: MiniFamily.shared($0)) }
        options.format = format
        return options
    }

    static func sha256(_ bytes: [UInt8]) -> String {
        var sha = SHA256()
        sha.update(bytes)
        return sha.hexDigest()
    }

    static func fileHash(_ path: String) throws -> String { sha256(Array(try Data(contentsOf: URL(fileURLWithPath: path)))) }

    @Test(arguments: bases, [1, 2])
    func `merged tensors are PEFT's, or the official script's`(base: String, count: Int) throws {
        let golden = try Self.golden(
            count == 1 ? "merged_chinese_llama.tensors.json" : "merged_chinese_alpaca.tensors.json", as: Merged.self)
        for rounding in MergeRounding.allCases {
            try Fixtures.withFolder { work in
                var options = Self.options(base, count, .huggingFace, work + "/out")
                options.rounding = rounding
                let report = try Converter.convert(options)
                #expect(report.mergedTensorCount == 30 && report.warnings == [])
                let result = try CheckpointReader.open(work + "/out/model.safetensors")
                #expect(Set(result.tensors.map(\.name)) == Set(golden.tensors.keys))
                for (name, expected) in golden.tensors {
                    let (info, bytes) = try ModelSourceTests.bytes(result, name)
                    #expect(info.shape == expected.shape && info.type == .f16)
                    let hash = rounding == .each ? expected.sha256 : expected.sha256_low_mem
                    #expect(Self.sha256(bytes) == hash, "\(name) \(rounding)")
                }
            }
        }
    }

    /// The hashes by which users know that their model is right.
    @Test(arguments: [
        ("llama+alpaca, pth, 1 shard", 2, 1, OutputFormat.meta), ("llama+alpaca, pth, 2 shards", 2, 2, .meta),
        ("llama only, pth, 1 shard", 1, 1, .meta), ("llama+alpaca, huggingface", 2, 0, .huggingFaceBin),
        ("llama only, huggingface", 1, 0, .huggingFaceBin),
    ])
    func `files are the official script's to the bit`(name: String, count: Int, shards: Int, format: OutputFormat) throws {
        let golden = try #require(try Self.golden("official/sha256.json", as: [String: [String: OfficialFile]].self)[name])
        for base in Self.bases {
            // From other bases the files are divided by size, which a model of 11 MB is not; json files follow the base's.
            if format == .huggingFaceBin, !base.hasSuffix("bin") { continue }
            try Fixtures.withFolder { work in
                var options = Self.options(base, count, format, work + "/out")
                if shards > 0 { options.shardCount = shards }
                let report = try Converter.convert(options)
                for (file, expected) in golden {
                    #expect(try Self.fileHash("\(work)/out/\(file)") == expected.sha256, "\(base) \(file)")
                    #expect(report.plan.files.contains { $0.name == file && $0.byteCount == expected.bytes })
                }
                #expect(report.plan.files.count == golden.count + 4, "tokenizer.model, two settings of it, alpaca.json")
            }
        }
    }

    @Test(arguments: bases)
    func `a GGUF file is llama.cpp's, and runs`(base: String) throws {
        try Fixtures.withFolder { work in
            let path = work + "/out.gguf"
            _ = try Converter.convert(Self.options(base, 2, .gguf, path))
            let result = try GGUFReader(InputFile(path: path)), expected = try GGUFReader(InputFile(path: MiniFamily.f16))
            #expect(Set(result.tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
            for info in expected.tensors {
                let (found, bytes) = try ModelSourceTests.bytes(result, info.name)
                #expect(try found == info && bytes == ModelSourceTests.bytes(expected, info.name).1, "\(info.name)")
            }
            for key in expected.metadata.keys where !["general.name", "llama.context_length"].contains(key) {
                #expect(result.metadata[key] == expected.metadata[key], "\(key)")
            }
            #expect(result.metadata["alpaca.adapter.names"] == .array(.string(GGUFStrings(Self.adapters))))
            #expect(result.metadata["alpaca.merge_rounding"] == .string("each"))
            let model = try Model(path: path)
            #expect(model.tokenizer.count == 3941 && model.template?.name == "alpaca")
        }
    }

    /// One pass: merged, converted and quantized without a file in between.
    @Test(arguments: ["Q8_0", "Q4_0", "Q4_K_M"])
    func `quantized in the same pass`(type: String) throws {
        try Fixtures.withFolder { work in
            var options = Self.options("mini-llama", 2, .gguf, work + "/a.gguf")
            options.quantization = type
            _ = try Converter.convert(options)
            _ = try Converter.convert(QuantizeTests.options(MiniFamily.f16, work + "/b.gguf", type))
            let a = try GGUFReader(InputFile(path: work + "/a.gguf")), b = try GGUFReader(InputFile(path: work + "/b.gguf"))
            for info in a.tensors {
                let (x, data) = try ModelSourceTests.bytes(a, info.name), (y, other) = try ModelSourceTests.bytes(b, info.name)
                #expect(x == y && data == other, "\(info.name)")
            }
        }
    }

    @Test func `there and back through every format`() throws {
        try Fixtures.withFolder { work in
            var before = MiniFamily.shared("merged-chinese-alpaca-hf")
            for (i, format) in [OutputFormat.meta, .huggingFaceBin, .gguf, .huggingFace].enumerated() {
                var options = ConversionOptions(base: before, output: "\(work)/\(i)\(format == .gguf ? ".gguf" : "")")
                options.format = format
                if format == .meta { options.shardCount = 4 }
                if format == .huggingFaceBin || format == .huggingFace { options.maximumShardByteCount = 3_000_000 }
                let report = try Converter.convert(options)
                if format != .gguf { #expect(report.plan.files.count > 7, "\(format)") }
                before = options.output
            }
            let first = try ModelSource(path: MiniFamily.shared("merged-chinese-alpaca-hf")).weights
            let last = try ModelSource(path: before).weights
            for info in first.tensors {
                #expect(try ModelSourceTests.bytes(first, info.name).1 == ModelSourceTests.bytes(last, info.name).1, "\(info.name)")
            }
            // From a GGUF file the tokenizer is made anew: other bytes, the same tokens.
            let a = try Tokenizer(path: MiniFamily.shared("merged-chinese-alpaca-hf/tokenizer.model"))
            let b = try Tokenizer(path: before + "/tokenizer.model")
            for prompt in MiniFamily.generation.prompts { #expect(a.encode(prompt.prompt) == b.encode(prompt.prompt)) }
        }
    }

    @Test func `a scale, F32 and a quantized base`() throws {
        try Fixtures.withFolder { work in
            func merged(_ base: String, _ scale: Double, _ precision: MergePrecision, _ type: String?) throws -> [Float] {
                var options = Self.options(base, 1, .gguf, work + "/out.gguf")
                if base.hasSuffix(".gguf") { options.base = base }
                options.adapters[0].scale = scale
                options.precision = precision
                options.quantization = type
                options.overwrites = true
                _ = try Converter.convert(options)
                let result = try GGUFReader(InputFile(path: work + "/out.gguf"))
                return try QuantizeTests.floats(result, try #require(result.index(of: "blk.1.ffn_up.weight")))
            }
            let base = try merged("mini-llama", 0, .f32, "F32"), once = try merged("mini-llama", 1, .f32, "F32")
            let half = try merged("mini-llama", 0.5, .f32, "F32"), rounded = try merged("mini-llama", 1, .base, nil)
            var farthest: Float = 0, difference: Float = 0
            for i in base.indices {
                // What is added is the adapter's, exactly: half of it for half the scale.
                farthest = max(farthest, abs((once[i] - base[i]) - 2 * (half[i] - base[i])))
                // F16 has 11 bits: two roundings of each part.
                difference = max(difference, abs(once[i] - rounded[i]) / (abs(base[i]) + abs(once[i] - base[i]) + 1e-4))
            }
            #expect(farthest < 1e-6 && base != once && difference > 0 && difference < 1.0 / 1024)
            // A quantized base goes back into its types.
            var options = ConversionOptions(base: MiniFamily.shared("mini-llama"), output: work + "/base.gguf")
            options.quantization = "Q8_0"
            _ = try Converter.convert(options)
            let again = try merged(work + "/base.gguf", 1, .base, nil)
            let error = zip(again, once).map { abs($0 - $1) }.max() ?? 1
            #expect(error > 0 && error < 0.01)
        }
    }

    @Test func `an adapter in a packed archive, on a base of another type`() throws {
        let lora = MiniFamily.shared(Self.adapters[0]).debugDescription
        let script = """
            with zipfile.ZipFile("lora.zip", "w", zipfile.ZIP_DEFLATED) as z:
                for name in os.listdir(\(lora)): z.write(os.path.join(\(lora), name), "lora/" + name)
            """
        try ZipArchiveTests.withPython(script) { work in
            var options = Self.options("mini-llama", 0, .huggingFace, work + "/base")
            options.quantization = "BF16"
            _ = try Converter.convert(options)
            options = Self.options("mini-llama", 1, .huggingFace, work + "/out")
            options.base = work + "/base"
            options.adapters[0].path = work + "/lora.zip"
            _ = try Converter.convert(options)
            // Embeddings and output came as F16 and are what the base is, as PEFT leaves them.
            let result = try CheckpointReader.open(work + "/out/model.safetensors")
            #expect(result.tensors.allSatisfy { $0.type == .bf16 })
        }
    }

    @Test func `a plan writes nothing and knows everything`() throws {
        try Fixtures.withFolder { work in
            var options = Self.options("mini-llama-meta", 2, .gguf, work + "/out.gguf")
            options.quantization = "q4_k_m"
            let plan = try Converter.plan(options)
            #expect(try FileManager.default.contentsOfDirectory(atPath: work) == [])
            let report = try Converter.convert(options)
            #expect(plan.byteCount == report.byteCount && plan.quantization == "Q4_K_M" && plan.configuration.vocabularySize == 3941)
            let size = try FileManager.default.attributesOfItem(atPath: options.output)[.size] as? Int
            #expect(size == plan.byteCount)
            #expect(plan.tokenizer?.pieceCount == 3941 && plan.mergedTensorCount == 30 && plan.memoryByteCount < 1 << 30)
            // What stays the base's own is told too.
            options = ConversionOptions(base: FamilyFixtures.model("qwen2"), output: work + "/qwen2.gguf")
            var kept = try #require(try Converter.plan(options).tokenizer)
            #expect(kept.path == options.base + "/tokenizer.json" && kept.pieceCount == 508)
            _ = try Converter.convert(options)
            options = ConversionOptions(base: options.output, output: work + "/again.gguf")
            kept = try #require(try Converter.plan(options).tokenizer)
            #expect(kept.path == options.base && kept.pieceCount == 512)
        }
    }
}

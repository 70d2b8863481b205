import Foundation
import Testing

@testable import AlpacaEngine

/// What a conversion says of what was asked for, and of its inputs.
@Suite struct ConversionWarningTests {
    static func plan(
        _ base: String, _ format: OutputFormat = .gguf, _ change: (inout ConversionOptions) -> Void = { _ in }
    ) throws -> ConversionPlan {
        try Fixtures.withFolder { work in
            var options = ConversionOptions(base: base, output: work + "/out")
            options.format = format
            change(&options)
            return try Converter.plan(options)
        }
    }

    static var base: String { MiniFamily.shared("mini-llama") }

    // MARK: Options

    @Test func `options without an effect are told`() throws {
        func check(_ format: OutputFormat, _ words: String, _ change: (inout ConversionOptions) -> Void) throws {
            let warnings = try Self.plan(Self.base, format, change).warnings
            #expect(warnings.count == 1 && warnings.first?.hasPrefix(words) == true, "\(format): \(warnings)")
        }
        for format in OutputFormat.allCases {
            if format != .meta { try check(format, "the number of shards has no effect: it is for pth folders") { $0.shardCount = 2 } }
            if format == .gguf || format == .meta {
                try check(format, "the size of shards has no effect: it is for Hugging Face folders") { $0.maximumShardByteCount = 1 << 30 }
            }
            try check(format, "pure has no effect") { $0.isPure = true }
            try check(format, "pure has no effect") {
                $0.isPure = true
                $0.quantization = "f16"
            }
            for rounding in MergeRounding.allCases {
                try check(format, "the rounding of merges has no effect: there is no adapter") { $0.rounding = rounding }
            }
            try check(format, "the precision of merges has no effect: there is no adapter") { $0.precision = .f32 }
            if format != .gguf { try check(format, "the model's name has no effect") { $0.modelName = "x" } }
        }
        // With an adapter.
        func merged(_ change: (inout ConversionOptions) -> Void) throws -> [String] {
            try Self.plan(Self.base) {
                $0.adapters = [.init(path: MiniFamily.shared("mini-chinese-llama-lora"))]
                change(&$0)
            }.warnings
        }
        #expect(try merged { $0.rounding = .once } == [] && merged { $0.precision = .f32 } == [])
        let both = try merged {
            $0.rounding = .once
            $0.precision = .f32
        }
        #expect(both.count == 1 && both[0].hasPrefix("the rounding of merges has no effect: with the precision f32"), "\(both)")
        let zero = try merged { $0.adapters[0].scale = 0 }
        #expect(zero.count == 1 && zero[0].hasSuffix("has no effect: its scale is 0; only tensors that it replaces are taken"), "\(zero)")
        // Where they have one nothing is said.
        let plain = try Self.plan(Self.base) {
            $0.modelName = "x"
            $0.isPure = true
            $0.quantization = "q4_0"
        }
        #expect(plain.warnings == [])
        #expect(try Self.plan(Self.base, .meta) { $0.shardCount = 2 }.warnings == [])
        #expect(try Self.plan(Self.base, .huggingFace) { $0.maximumShardByteCount = 1 << 30 }.warnings == [])
        for count in [-1, 257] {
            #expect(
                alpacaError { _ = try Self.plan(Self.base) { $0.threadCount = count } }
                    == AlpacaError(.invalidArgument, "threads: found \(count), expected 0 to 256"))
        }
    }

    @Test func `a pattern that matches nothing is an error`() throws {
        func message(_ overrides: [(pattern: String, type: String)]) -> String {
            alpacaError { _ = try Self.plan(Self.base) { $0.overrides = overrides } }?.message ?? "no error"
        }
        #expect(
            message([("outptu.weight", "q8_0")])
                == "override \"outptu.weight\": no tensor has such a name; expected a name, or a pattern of names, such as "
                + "\"token_embd.weight\" and \"blk.0.attn_q.weight\"")
        #expect(message([("*", "q8_0"), ("model.layers.0.self_attn.q_proj.weight", "q8_0")]).contains("no tensor has such a name"))
        #expect(message([("", "q8_0")]).hasPrefix("override \"\": no tensor has such a name"))
        #expect(message([("*_norm.weight", "q8_0")]).contains("it matches only vectors such as \"blk.0.attn_norm.weight\", which stay F32"))
        #expect(message([("*", "q9_0")]).contains("found the type \"q9_0\""))
        // Behind one that takes all.
        let plan = try Self.plan(Self.base) {
            $0.overrides = [("blk.*", "q8_0"), ("blk.0.*", "q4_0"), ("output.weight", "q5_0")]
        }
        #expect(
            plan.warnings
                == ["override \"blk.0.*\"=Q4_0 has no effect: the overrides before it take all the tensors that it matches"])
        #expect(try Self.plan(Self.base) { $0.overrides = [("blk.0.attn_q.weight", "q4_0"), ("blk.*", "q8_0")] }.warnings == [])
    }

    @Test func `an importance matrix without an effect`() throws {
        try Fixtures.withFile(ImportanceMatrixTests.legacy([("blk.99.attn_q.weight", 1, [1])])) { path in
            let plan = try Self.plan(Self.base) {
                $0.quantization = "q4_0"
                $0.importanceMatrix = path
            }
            #expect(
                plan.warnings
                    == [
                        "the importance matrix has no effect: the model has none of its tensors, such as \"blk.99.attn_q.weight\"; was it made for it?"
                    ])
        }
        try Fixtures.withFile(ImportanceMatrixTests.legacy([("blk.0.attn_q.weight", 1, [Float](repeating: 1, count: 256))])) { path in
            for type in [nil, "f16", "q8_0"] {
                let plan = try Self.plan(Self.base) {
                    $0.quantization = type
                    $0.importanceMatrix = path
                }
                #expect(
                    plan.warnings == ["the importance matrix has no effect: no tensor that it weighs is quantized to a type that heeds it"],
                    "\(type ?? "")")
            }
            let plan = try Self.plan(Self.base) {
                $0.quantization = "q4_0"
                $0.importanceMatrix = path
            }
            #expect(
                plan.warnings.count == 1 && plan.warnings[0].hasPrefix("the importance matrix lacks 27 tensors that are quantized"),
                "\(plan.warnings)")
        }
    }

    // MARK: Inputs

    @Test func `what is quantized is quantized again`() throws {
        let again = try Self.plan(MiniFamily.q8_0) { $0.quantization = "q4_0" }
        #expect(
            again.warnings.count == 1 && again.warnings[0].contains("quantized already (Q8_0) and quantized again (Q4_0, Q6_K)"),
            "\(again.warnings)")
        // As it is, or back to floats: nothing is lost by that.
        for type in [nil, "q8_0", "f16", "f32"] {
            #expect(try Self.plan(MiniFamily.q8_0) { $0.quantization = type }.warnings == [], "\(type ?? "")")
        }
        for format in OutputFormat.allCases where format.isFolder { #expect(try Self.plan(MiniFamily.q8_0, format).warnings == []) }
        #expect(try Self.plan(MiniFamily.f16) { $0.quantization = "q4_0" }.warnings == [])
        // One override does it.
        let one = try Self.plan(MiniFamily.q8_0) { $0.overrides = [("output.weight", "q4_0")] }
        #expect(one.warnings.count == 1 && one.warnings[0].hasPrefix("1 tensor of the base is quantized already (Q8_0)"), "\(one.warnings)")
        // After a merge too, also into the same type.
        try Fixtures.withFolder { work in
            var options = ConversionOptions(base: Self.base, output: work + "/q8.gguf")
            options.quantization = "q8_0"
            _ = try Converter.convert(options)
            let merged = try Self.plan(options.output) {
                $0.adapters = [.init(path: MiniFamily.shared("mini-chinese-llama-lora"))]
            }
            #expect(
                merged.warnings.count == 1 && merged.warnings[0].contains("quantized already (Q8_0) and quantized again (Q8_0)"),
                "\(merged.warnings)")
        }
    }

    /// A folder with some tensors in another type.
    static func mixed(_ work: String, _ change: (String) -> TensorType?) throws -> String {
        let folder = work + "/mixed"
        try ConversionFailureTests.copy("mini-llama", to: folder)
        let source = try CheckpointReader.open(folder + "/model.safetensors")
        let infos = try source.tensors.map { try TensorInfo(name: $0.name, type: change($0.name) ?? $0.type, shape: $0.shape) }
        let bytes = try source.tensors.enumerated().map { index, info -> [UInt8] in
            let data = try ModelSourceTests.bytes(source, info.name).1
            guard infos[index].type == .f32, info.type == .f16 else { return data }
            let floats = stride(from: 0, to: data.count, by: 2).map {
                Float(Float16(bitPattern: UInt16(data[$0]) | UInt16(data[$0 + 1]) << 8))
            }
            return floats.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
        }
        try LayoutFile.write(SafetensorsLayout.make(infos), bytes, to: folder + "/model.safetensors")
        return folder
    }

    static func types(_ path: String) throws -> [String: TensorType] {
        let source = try ModelSource(path: path)
        return Dictionary(uniqueKeysWithValues: source.weights.tensors.map { ($0.name, $0.type) })
    }

    @Test func `one tensor in another type changes no other`() throws {
        try Fixtures.withFolder { work in
            let base = try Self.mixed(work, { $0.contains("embed_tokens") ? .f32 : nil })
            #expect(try ModelDescription(path: base).quantization == "F16")
            for format in OutputFormat.allCases {
                var options = ConversionOptions(base: base, output: "\(work)/\(format)")
                options.format = format
                let report = try Converter.convert(options)
                #expect(report.plan.quantization == "F16")
                let keeps = format == .gguf || format == .huggingFace
                #expect(
                    report.warnings
                        == [
                            "most weights of the base are F16, but 1 tensor such as \"token_embd.weight\" F32: "
                                + (keeps ? "kept so; name a type to have them alike" : "stored as F16")
                        ])
                for (name, type) in try Self.types(options.output) {
                    let isVector = name.contains("norm")
                    let expected: TensorType = name == "token_embd.weight" && keeps || format == .gguf && isVector ? .f32 : .f16
                    #expect(type == expected, "\(format) \(name)")
                }
                // With a type that is named, all are of it.
                options.quantization = "f16"
                options.overwrites = true
                #expect(try Converter.convert(options).warnings == [])
                for (name, type) in try Self.types(options.output) where !name.contains("norm") {
                    #expect(type == .f16, "\(format) \(name)")
                }
            }
            // There and back the vectors are of the model's type again.
            var back = ConversionOptions(base: work + "/gguf", output: work + "/back")
            back.format = .huggingFace
            _ = try Converter.convert(back)
            #expect(try Self.types(work + "/back").allSatisfy { $1 == .f16 })
        }
    }

    @Test func `a tokenizer from elsewhere, and none`() throws {
        try Fixtures.withFolder { work in
            try ConversionFailureTests.copy("mini-llama", to: work + "/base")
            try FileManager.default.moveItem(atPath: work + "/base/tokenizer.model", toPath: work + "/tokenizer.model")
            let beside =
                "\(work)/base: there is no tokenizer.model; the one beside the folder is taken for its own, \"\(work)/base/../tokenizer.model\""
            #expect(try Self.plan(work + "/base").warnings == [beside])
            #expect(try Model(path: work + "/base").description.warnings == [beside])
            #expect(try Self.plan(work + "/base") { $0.tokenizer = work + "/tokenizer.model" }.warnings == [beside])
            try FileManager.default.removeItem(atPath: work + "/tokenizer.model")
            #expect(alpacaError { _ = try Self.plan(work + "/base") }?.code == .missing)
            for format in OutputFormat.allCases where format.isFolder {
                let plan = try Self.plan(work + "/base", format)
                #expect(
                    plan.warnings == [
                        "\(work)/base: there is no tokenizer.model, and so none in the output: without one no text can be read or written"
                    ])
            }
        }
    }
}

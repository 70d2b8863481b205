import Foundation
import Testing

@testable import AlpacaEngine

/// Numbers that aren't: found in whatever is written, with the file and tensor that brought them.
@Suite struct NumberCheckTests {
    static let outputs: [(format: OutputFormat, type: String?)] = [
        (.gguf, nil), (.gguf, "f32"), (.gguf, "f16"), (.gguf, "bf16"), (.gguf, "q8_0"), (.gguf, "q4_0"), (.gguf, "q5_1"), (.gguf, "q4_k_m"),
        (.gguf, "iq4_nl"), (.gguf, "mxfp4"), (.huggingFace, nil), (.huggingFaceBin, nil), (.meta, nil),
    ]

    static func convert(
        _ base: String, _ output: (format: OutputFormat, type: String?), adapter: String? = nil, to work: String, allows: Bool = false
    ) throws -> ConversionReport {
        var options = ConversionOptions(base: base, output: "\(work)/out\(UUID().uuidString)")
        options.format = output.format
        options.quantization = output.type
        options.adapters = adapter.map { [.init(path: $0)] } ?? []
        options.allowsNonfinite = allows
        options.threadCount = 2
        return try Converter.convert(options)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity], [TensorType.f16, .bf16, .f32])
    func `the base's are named`(value: Float, type: TensorType) throws {
        let places = ["model.layers.0.self_attn.k_proj.weight", "model.layers.0.mlp.down_proj.weight", "model.norm.weight"]
        for place in places {
            try Fixtures.withFolder { work in
                try TinyModel(type: type, numbers: [place: [0, value]]).write(to: work + "/base")
                for output in value.isNaN && type == .f16 ? Self.outputs : [(.gguf, "f32"), (.gguf, "q8_0"), (.meta, nil)] {
                    let error = alpacaError { _ = try Self.convert(work + "/base", output, to: work) }
                    #expect(error?.code == .badFormat, "\(output)")
                    #expect(error?.path == work + "/base/model.safetensors", "\(output)")
                    #expect(error?.message.contains(place) == true, "\(error?.message ?? "")")
                    #expect(error?.message.contains("1 of ") == true && error?.message.contains("infinite or NaN") == true)
                    let isQuantized = output.type.map { !["f32", "f16", "bf16"].contains($0) } ?? false && place != "model.norm.weight"
                    #expect(error?.message.contains("`--allow-nonfinite` writes") == !isQuantized, "\(error?.message ?? "")")
                }
            }
        }
    }

    @Test func `an adapter's are not put down to the base`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            try TinyModel.adapter(work + "/nan", a: [.nan])
            try TinyModel.adapter(work + "/inf", b: [0, .infinity])
            try TinyModel.adapter(
                work + "/saved", extra: [("base_model.model.model.norm.weight", [32], [.nan] + [Float](repeating: 1, count: 31))])
            for (name, tensor) in [("nan", "lora_A"), ("inf", "lora_B"), ("saved", "model.norm.weight")] {
                for output in Self.outputs {
                    let error = alpacaError { _ = try Self.convert(work + "/base", output, adapter: "\(work)/\(name)", to: work) }
                    #expect(error?.path == "\(work)/\(name)/adapter_model.safetensors", "\(name) \(output)")
                    #expect(error?.message.contains(tensor) == true, "\(error?.message ?? "")")
                    #expect(error?.message.contains("/base/") == false)
                }
            }
        }
    }

    @Test func `a merge that overflows names both`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            try TinyModel.adapter(work + "/huge", scale: 60_000)
            for output in Self.outputs {
                let error = alpacaError { _ = try Self.convert(work + "/base", output, adapter: work + "/huge", to: work) }
                for word in ["base/model.safetensors", "q_proj", "huge/adapter_model.safetensors", "65504"] {
                    #expect(error?.message.contains(word) == true, "\(output): \(error?.message ?? "no error")")
                }
            }
            // With the range of F32 there is nothing wrong.
            var options = ConversionOptions(base: work + "/base", output: work + "/wide.gguf")
            options.adapters = [.init(path: work + "/huge")]
            options.precision = .f32
            options.quantization = "f32"
            #expect(try Converter.convert(options).warnings == [])
        }
    }

    @Test func `numbers that the output's type has no room for`() throws {
        try Fixtures.withFolder { work in
            let name = "model.layers.0.mlp.up_proj.weight"
            try TinyModel(type: .f32, numbers: [name: [70_000]]).write(to: work + "/f16")
            try TinyModel(type: .bf16, numbers: [name: [1e30]]).write(to: work + "/scale")
            for (base, type) in [
                ("f16", "f16"), ("scale", "f16"), ("scale", "q8_0"), ("scale", "q4_0"), ("scale", "q4_1"), ("scale", "iq4_nl"),
            ] {
                let error = alpacaError { _ = try Self.convert("\(work)/\(base)", (.gguf, type), to: work) }
                #expect(error?.path == "\(work)/\(base)/model.safetensors", "\(base) \(type)")
                for word in [name, "up to 65504", "--type bf16"] {
                    #expect(error?.message.contains(word) == true, "\(base) \(type): \(error?.message ?? "no error")")
                }
            }
            for (base, type) in [("f16", "bf16"), ("f16", "f32"), ("f16", "q8_0"), ("scale", "bf16")] {
                #expect(try Self.convert("\(work)/\(base)", (.gguf, type), to: work).warnings == [], "\(base) \(type)")
            }
            // Where the minimum alone is cut, and where the span of a block is beyond F32.
            let wide = (0..<64).map { Float($0 % 2 == 0 ? 1 : -1) * 1e6 }
            try TinyModel(type: .f32, numbers: [name: wide]).write(to: work + "/wide")
            try TinyModel(type: .f32, numbers: [name: [3.4e38]]).write(to: work + "/most")
            for (base, type) in [
                ("wide", "q5_1"), ("wide", "q4_1"), ("most", "q2_k"), ("most", "q6_k"), ("most", "q8_0"), ("most", "bf16"),
            ] {
                let error = alpacaError { _ = try Self.convert("\(work)/\(base)", (.gguf, type), to: work) }
                #expect(error?.message.contains("the greatest number is") == true, "\(base) \(type): \(error?.message ?? "no error")")
            }
            // A minimum of exactly what binary16 ends with is no fault.
            try TinyModel(type: .f16, numbers: [name: [-65_504]]).write(to: work + "/edge")
            #expect(try Self.convert(work + "/edge", (.gguf, "q4_1"), to: work).warnings.allSatisfy { !$0.contains("65504") })
        }
    }

    @Test func `on request they are written, with a warning`() throws {
        try Fixtures.withFolder { work in
            let name = "model.layers.0.mlp.up_proj.weight"
            try TinyModel(numbers: [name: [.nan, 1, -.infinity]]).write(to: work + "/base")
            for output in Self.outputs where output.type.map({ ["f32", "f16", "bf16"].contains($0) }) ?? true {
                let report = try Self.convert(work + "/base", output, to: work, allows: true)
                #expect(report.warnings.count == 1, "\(output)")
                for word in ["base/model.safetensors", name, "2 of 2,048 numbers are infinite or NaN"] {
                    #expect(report.warnings.first?.contains(word) == true, "\(report.warnings)")
                }
            }
            let error = alpacaError { _ = try Self.convert(work + "/base", (.gguf, "q8_0"), to: work, allows: true) }
            #expect(error?.message.contains("Q8_0 can't store them") == true, "\(error?.message ?? "")")
            try TinyModel(type: .f32, numbers: [name: [1e30]]).write(to: work + "/scale")
            let report = try Self.convert(work + "/scale", (.gguf, "q8_0"), to: work, allows: true)
            #expect(report.warnings.first?.contains("the scales of Q8_0") == true, "\(report.warnings)")
        }
    }

    /// Quantized files have them in the scales of their blocks; a copy is looked at too.
    @Test func `scales that are no numbers`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            var options = ConversionOptions(base: work + "/base", output: work + "/m.gguf")
            options.quantization = "q8_0"
            _ = try Converter.convert(options)
            let reader = try GGUFReader(InputFile(path: work + "/m.gguf"))
            let place = try #require(reader.index(of: "blk.0.ffn_up.weight").flatMap { reader.place(of: $0) })
            var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: work + "/m.gguf")))
            bytes.replaceSubrange(place.start..<place.start + 2, with: [0x00, 0x7E])
            try Data(bytes).write(to: URL(fileURLWithPath: work + "/nan.gguf"))
            for type in [nil, "f16", "q4_0"] {
                let error = alpacaError { _ = try Self.convert(work + "/nan.gguf", (.gguf, type), to: work) }
                #expect(error?.path == work + "/nan.gguf", "\(type ?? "")")
                #expect(error?.message.contains("blk.0.ffn_up.weight") == true, "\(error?.message ?? "")")
            }
        }
    }

    @Test(arguments: ["NaN", "-Infinity", "0", "-1e-6", "1e999", "\"nan\""])
    func `numbers of configurations`(text: String) throws {
        for key in ["rms_norm_eps", "rope_theta"] {
            try Fixtures.withFolder { work in
                try TinyModel(fields: [key: text]).write(to: work + "/base")
                let error = alpacaError { _ = try Model(path: work + "/base") }
                #expect(error?.path?.hasSuffix("config.json") == true, "\(error?.message ?? "no error")")
                #expect(error?.message.contains(text == "1e999" ? "out of range" : "expected") == true, "\(error?.message ?? "")")
            }
        }
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            try TinyModel.adapter(work + "/lora", fields: ["lora_alpha": text])
            let error = alpacaError { _ = try LoRAAdapter(path: work + "/lora") }
            #expect((error == nil) == ["0", "-1e-6"].contains(text), "\(error?.message ?? "")")
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func `scores of pieces`(value: Float) throws {
        try Fixtures.withFolder { work in
            var model = TinyModel()
            model.pieces.scores[TinyModel.count - 1] = value
            try model.write(to: work + "/base")
            let errors = [
                alpacaError { _ = try Model(path: work + "/base") },
                alpacaError { _ = try Tokenizer(file: work + "/base/tokenizer.model") },
                alpacaError { _ = try Self.convert(work + "/base", (.gguf, nil), to: work) },
                alpacaError { _ = try Self.convert(work + "/base", (.huggingFace, nil), to: work) },
            ]
            for error in errors {
                #expect(error?.path == work + "/base/tokenizer.model", "\(error?.message ?? "no error")")
                #expect(error?.message.contains("score of piece \(TinyModel.count - 1)") == true)
            }
        }
    }

    /// Those of a GGUF file, in every format; those of tokenizers that are only copied; also with `allow_nonfinite`, which is for weights.
    @Test(arguments: [Float.nan, .infinity]) func `scores of pieces go nowhere`(value: Float) throws {
        try Fixtures.withFolder { work in
            var model = TinyModel()
            try model.write(to: work + "/base")
            _ = try Self.convert(work + "/base", (.gguf, nil), to: work + "/base")
            let name = try #require(FileManager.default.contentsOfDirectory(atPath: work + "/base").first { $0.hasPrefix("out") })
            let reader = try GGUFReader(InputFile(path: work + "/base/" + name))
            var metadata = reader.metadata
            model.pieces.scores[TinyModel.count - 1] = value
            metadata[GGUFKey.scores] = .array(.float32(model.pieces.scores))
            let data = try reader.tensors.map { try ModelSourceTests.bytes(reader, $0.name).1 }
            try LayoutFile.write(GGUFLayout.make(metadata, reader.tensors), data, to: work + "/s.gguf")
            for format in OutputFormat.allCases {
                for allows in [false, true] {
                    let error = alpacaError { _ = try Self.convert(work + "/s.gguf", (format, nil), to: work, allows: allows) }
                    #expect(error?.code == .badFormat && error?.path == work + "/s.gguf", "\(format): \(error?.message ?? "no error")")
                    #expect(error?.message.contains("score of piece \(TinyModel.count - 1)") == true, "\(error?.message ?? "")")
                }
            }
            // A tokenizer of a kind that can't be used here, which folders get as it is.
            var bytes = try TinyModel.tokenizer(model.pieces).source
            bytes += [0x12, 2, 0x18, 1]
            try Data(bytes).write(to: URL(fileURLWithPath: work + "/unigram.model"))
            var options = ConversionOptions(base: work + "/base", output: work + "/out")
            options.tokenizer = work + "/unigram.model"
            options.format = .huggingFace
            let error = alpacaError { _ = try Converter.convert(options) }
            #expect(
                error?.message.contains("score of piece") == true && error?.path == options.tokenizer, "\(error?.message ?? "no error")")
        }
    }

    @Test func `scales out of range`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            try TinyModel.adapter(work + "/lora")
            for scale in [Double.nan, .infinity, 1e300] {
                var options = ConversionOptions(base: work + "/base", output: work + "/out.gguf")
                options.adapters = [.init(path: work + "/lora", scale: scale)]
                #expect(alpacaError { _ = try Converter.convert(options) }?.code == .invalidArgument, "\(scale)")
            }
        }
    }
}

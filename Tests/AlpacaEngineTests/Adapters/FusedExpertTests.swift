import Foundation
import Testing

@testable import AlpacaEngine

/// Adapters that PEFT made with transformers 5, where a layer's experts are one parameter.
@Suite(
    .enabled(if: Fixtures.isShared("fixtures/family/lora/mixtral/adapter_config.json"), "the family's adapters are not in ALPACA_SHARED"))
struct FusedExpertTests {
    typealias Tensor = (info: TensorInfo, bytes: [UInt8])
    static let folder = Shared.path("family/lora/mixtral")

    /// The adapter of the fixtures as PEFT turns it when it loads it: gates and ups share their ranks, first the gates', then the ups'.
    static func fused() throws -> [Tensor] {
        let reader = try CheckpointReader.open(folder + "/adapter_model.safetensors")
        var result: [Tensor] = []
        for info in reader.tensors where !info.name.contains("block_sparse_moe") {
            result.append(try ModelSourceTests.bytes(reader, info.name))
        }
        let start = "base_model.model.model.layers."
        for layer in 0..<2 {
            func old(_ name: String, _ part: String) throws -> [UInt8] {
                try ModelSourceTests.bytes(reader, "\(start)\(layer).block_sparse_moe.\(name).lora_\(part).weight").1
            }
            func add(_ name: String, _ shape: [Int], _ bytes: [UInt8]) throws {
                result.append((try TensorInfo(name: "\(start)\(layer).mlp.\(name).weight", type: .bf16, shape: shape), bytes))
            }
            try add("gate.lora_A", [4, 64], old("gate", "A"))
            try add("gate.lora_B", [8, 4], old("gate", "B"))
            var a: [UInt8] = [], downA: [UInt8] = []
            // Rows of bytes, to be filled a column at a time: column k * 8 + e is rank k of expert e.
            var b = [UInt8](repeating: 0, count: 192 * 64 * 2), downB = [UInt8](repeating: 0, count: 64 * 32 * 2)
            for expert in 0..<8 {
                let name = "experts.\(expert)"
                a += try old("\(name).w1", "A") + old("\(name).w3", "A")
                downA += try old("\(name).w2", "A")
                let gate = try old("\(name).w1", "B"), up = try old("\(name).w3", "B"), down = try old("\(name).w2", "B")
                for row in 0..<96 {
                    for k in 0..<4 {
                        for byte in 0..<2 {
                            b[(row * 64 + k * 8 + expert) * 2 + byte] = gate[(row * 4 + k) * 2 + byte]
                            b[((96 + row) * 64 + (4 + k) * 8 + expert) * 2 + byte] = up[(row * 4 + k) * 2 + byte]
                            if row < 64 { downB[(row * 32 + k * 8 + expert) * 2 + byte] = down[(row * 4 + k) * 2 + byte] }
                        }
                    }
                }
            }
            try add("experts.base_layer.lora_A", [64, 64], a)
            try add("experts.base_layer.lora_B", [192, 64], b)
            try add("experts.lora_A", [32, 96], downA)
            try add("experts.lora_B", [64, 32], downB)
        }
        return result
    }

    static func write(_ tensors: [Tensor], to folder: String, fields: [String: String] = [:]) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var all = [
            "peft_type": "\"LORA\"", "r": "4", "lora_alpha": "8", "bias": "\"none\"",
            "target_modules": "[\"q_proj\", \"k_proj\", \"v_proj\", \"o_proj\"]",
            "target_parameters": "[\"gate.weight\", \"gate_up_proj\", \"down_proj\"]",
            "rank_pattern": "{\".*\\\\.gate_up_proj\": 8}", "alpha_pattern": "{\".*\\\\.gate_up_proj\": 16}",
        ]
        for (key, value) in fields { all[key] = value }
        let text = all.map { "\"\($0)\": \($1)" }.sorted().joined(separator: ", ")
        try Data("{\(text)}".utf8).write(to: URL(fileURLWithPath: folder + "/adapter_config.json"))
        try LayoutFile.write(SafetensorsLayout.make(tensors.map(\.info)), tensors.map(\.bytes), to: folder + "/adapter_model.safetensors")
    }

    @Test func `a fused adapter is merged as the one with a module for each matrix`() throws {
        try Fixtures.withFolder { work in
            try Self.write(Self.fused(), to: work + "/fused")
            func merge(_ adapter: String, _ name: String) throws -> GGUFReader {
                var options = ConversionOptions(base: Shared.path("family/models/mixtral"), output: "\(work)/\(name).gguf")
                options.adapters = [ConversionOptions.Adapter(path: adapter)]
                options.quantization = "F32"
                options.precision = .f32
                #expect(try Converter.convert(options).warnings == [])
                return try GGUFReader(InputFile(path: options.output))
            }
            try FamilyFixtures.expectEqual(merge(work + "/fused", "a"), merge(Self.folder, "b"))
            let description = try AdapterDescription(LoRAAdapter(path: work + "/fused"))
            #expect(description.warnings == [] && description.width == 64 && description.layerCount == 2)
            let text = try Inspection(path: work + "/fused").text()
            #expect(text.contains("w1 [96, 64] of experts 0-7 in layers 0-1: rank 8, times 2"), "\(text)")
            #expect(text.contains("w2 [64, 96] of experts 0-7 in layers 0-1: rank 4, times 2"), "\(text)")
        }
    }

    @Test func `what doesn't fit is refused`() throws {
        let all = try Self.fused()
        func error(_ tensors: [Tensor], fields: [String: String] = [:], merging: Bool = false) throws -> String {
            try Fixtures.withFolder { work in
                try Self.write(tensors, to: work + "/a", fields: fields)
                let error = alpacaError {
                    guard merging else { return _ = try LoRAAdapter(path: work + "/a") }
                    var options = ConversionOptions(base: Shared.path("family/models/mixtral"), output: work + "/m.gguf")
                    options.adapters = [ConversionOptions.Adapter(path: work + "/a")]
                    _ = try Converter.convert(options)
                }
                return error?.message ?? "no error"
            }
        }
        #expect(try error(all) == "no error")
        let missing = try error(all.filter { !$0.info.name.hasSuffix("layers.1.mlp.experts.lora_B.weight") })
        #expect(missing.contains("layers.1.mlp.experts.lora_A.weight\": its other half, lora_B, is missing"), "\(missing)")
        let rank = try error(all, fields: ["r": "5"])
        #expect(rank.contains("expected 5 rows and columns for each expert"), "\(rank)")
        // Half the experts of twice the rank: the shapes alone don't tell.
        let patterns = ["r": "8", "rank_pattern": "{\".*\\\\.gate_up_proj\": 16, \"q_proj|k_proj|v_proj|o_proj|gate\": 4}"]
        let half = try error(all, fields: patterns, merging: true)
        #expect(half.contains("the adapter is for 4 experts a layer, the base has 8"), "\(half)")
        // Gates and ups alone.
        let gates = all.filter { !$0.info.name.contains("mlp.experts.lora") }
        let named = ["target_parameters": "[\"mlp.experts.gate_up_proj\", \"gate.weight\"]"]
        #expect(try error(gates, fields: named, merging: true) == "no error")
        #expect(try error(gates).contains("are not those of gate_up_proj and down_proj"))
        // The other way round, as PEFT once had them.
        let turned = try all.map { tensor -> Tensor in
            guard tensor.info.name.contains("experts.base_layer.lora_A") else { return tensor }
            return (try TensorInfo(name: tensor.info.name, type: .bf16, shape: [32, 128]), tensor.bytes)
        }
        #expect(try error(turned).contains("are not those of gate_up_proj and down_proj"))
    }
}

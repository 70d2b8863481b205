import Foundation
import Testing

@testable import AlpacaEngine

/// Mixes, importance and adapters of models with experts.
@Suite struct ExpertQuantizationTests {
    /// Mixtral's tensors as a GGUF file has them.
    static func mixtral(layers: Int = 32, experts: Int = 8) throws -> [TensorInfo] {
        var list = [
            try TensorInfo(name: "token_embd.weight", type: .f16, shape: [32_000, 256]),
            try TensorInfo(name: "output.weight", type: .f16, shape: [32_000, 256]),
        ]
        for layer in 0..<layers {
            let shapes: [(String, [Int])] = [
                ("attn_q", [256, 256]), ("attn_k", [64, 256]), ("attn_v", [64, 256]), ("attn_output", [256, 256]),
                ("ffn_gate_exps", [experts, 512, 256]), ("ffn_up_exps", [experts, 512, 256]), ("ffn_down_exps", [experts, 256, 512]),
            ]
            for (name, shape) in shapes { list.append(try TensorInfo(name: "blk.\(layer).\(name).weight", type: .f16, shape: shape)) }
            list.append(try TensorInfo(name: "blk.\(layer).ffn_gate_inp.weight", type: .f32, shape: [experts, 256]))
            list.append(try TensorInfo(name: "blk.\(layer).attn_norm.weight", type: .f32, shape: [256]))
        }
        return list
    }

    /// What llama-quantize gives a model of 32 layers, part by part: a type, or layers by type ("0-3,6").
    @Test(.enabled(if: Fixtures.isShared("fixtures/family/quants/mixes.json"), "mixes.json is not in ALPACA_SHARED"))
    func `mixes of eight experts are llama-quantize's`() throws {
        let all = try FamilyFixtures.json(Shared.path("family/quants/mixes.json")).member("llama, 8 experts (Mixtral)")
        let tensors = try Self.mixtral()
        let names = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L"]
        for name in names + ["Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K", "IQ4_NL"] {
            for hasImportance in [false, true] {
                var known = try all.member(name + (hasImportance ? " +imatrix" : ""))
                // "same" as without a matrix.
                if known.isString { known = try all.member(name) }
                var mix = try QuantizationMix(named: name)
                mix.hasImportance = hasImportance
                var found: [String: [String]] = [:]
                for info in try mix.choices(for: tensors).map(\.info) {
                    let part = info.name.split(separator: ".").dropLast().last.map(String.init) ?? ""
                    if info.name.contains("ffn_gate_inp") { #expect(info.type == .f32) }
                    found[part, default: []].append(info.type.description)
                }
                for part in ["attn_k", "attn_output", "attn_q", "attn_v", "ffn_down_exps", "ffn_gate_exps", "ffn_up_exps"] {
                    #expect(found[part] == (try Self.types(known.member(part))), "\(name), importance \(hasImportance): \(part)")
                }
                for part in ["output", "token_embd"] { #expect(found[part] == [try known.string(part)], "\(name): \(part)") }
            }
        }
    }

    private static func types(_ value: JSONValue) throws -> [String] {
        guard value.isObject else { return [String](repeating: try value.string(), count: 32) }
        var result = [String](repeating: "", count: 32)
        for member in value.members {
            for range in try member.string().split(separator: ",") {
                let ends = range.split(separator: "-").compactMap { Int($0) }
                for layer in ends[0]...ends[ends.count - 1] { result[layer] = member.key }
            }
        }
        return result
    }

    @Test func `other counts of experts have no such rule`() throws {
        let choices = try QuantizationMix(named: "Q4_K_S").choices(for: Self.mixtral(layers: 1, experts: 16)).map(\.info)
        #expect(choices.first { $0.name == "blk.0.attn_k.weight" }?.type == .q4_K)
        // One override for all experts of a layer.
        var mix = try QuantizationMix(named: "Q4_K_S")
        mix.overrides = [("*ffn_down_exps*", .q8_0)]
        #expect(try mix.choices(for: Self.mixtral(layers: 1)).map(\.info).first { $0.name.contains("ffn_down_exps") }?.type == .q8_0)
    }

    /// Each expert's columns have numbers of their own.
    @Test(.enabled(if: Fixtures.isShared("fixtures/family/imatrix/mixtral.gguf"), "the family's matrices are not in ALPACA_SHARED"))
    func `importance of experts`() throws {
        let new = try ImportanceMatrix(path: Shared.path("family/imatrix/mixtral.gguf")).columns
        let old = try ImportanceMatrix(path: Shared.path("family/imatrix/mixtral.dat")).columns
        #expect(Set(new.keys) == Set(old.keys))
        #expect(new["blk.0.ffn_gate_exps.weight"]?.count == 8 * 64 && new["blk.1.ffn_down_exps.weight"]?.count == 8 * 96)
        for (name, values) in new {
            for (a, b) in zip(values, try #require(old[name])) { #expect(abs(a - b) <= 2e-6 * max(abs(a), abs(b)), "\(name)") }
        }
        let folder = Shared.path("family/models/mixtral")
        try Fixtures.withFolder { work in
            var options = ConversionOptions(base: folder, output: work + "/m.gguf")
            options.quantization = "Q4_0"
            options.isPure = true
            _ = try Converter.convert(options)
            options.output = work + "/i.gguf"
            options.importanceMatrix = Shared.path("family/imatrix/mixtral.gguf")
            #expect(try Converter.convert(options).warnings.filter { $0.contains("importance") } == [])
            let plain = try FamilyFixtures.tensors(GGUFReader(InputFile(path: work + "/m.gguf")))
            let weighted = try FamilyFixtures.tensors(GGUFReader(InputFile(path: work + "/i.gguf")))
            let exact = try ModelSource(path: folder).weights
            for layer in 0..<2 {
                let name = "blk.\(layer).ffn_up_exps.weight"
                let importance = try #require(new[name])
                for expert in 0..<8 {
                    let truth = try #require(exact.index(of: "blk.\(layer).ffn_up.\(expert).weight").map { exact.tensors[$0] })
                    let columns = Array(importance[expert * 64..<(expert + 1) * 64])
                    let w = try Self.floats(ModelSourceTests.bytes(exact, truth.name).1, .bf16, 64)
                    func error(_ tensor: [UInt8]) throws -> Double {
                        let size = tensor.count / 8
                        let x = try Self.floats(Array(tensor[expert * size..<(expert + 1) * size]), .q4_0, 64)
                        var sum = 0.0
                        for (i, pair) in zip(x, w).enumerated() {
                            let difference = Double(pair.0 - pair.1)
                            sum += Double(columns[i % 64]) * difference * difference
                        }
                        return sum
                    }
                    let a = try error(try #require(plain[name]).bytes), b = try error(try #require(weighted[name]).bytes)
                    // Experts that no token took have the same number for all columns.
                    #expect(b < a || Set(columns).count == 1 && b <= a * 1.05, "\(name), expert \(expert): \(b), without importance \(a)")
                }
            }
            // Of another shape.
            try Self.write(work + "/wrong.gguf", "blk.0.ffn_up_exps.weight", 64, 7)
            options.importanceMatrix = work + "/wrong.gguf"
            options.output = work + "/w.gguf"
            let error = alpacaError { _ = try Converter.convert(options) }
            let text = "importance of tensor \"blk.0.ffn_up_exps.weight\": found 448 numbers, expected 512"
            #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
        }
    }

    private static func floats(_ bytes: [UInt8], _ type: TensorType, _ columns: Int) throws -> [Float] {
        let rows = bytes.count / (try type.bytesPerRow(columns: columns))
        let info = try TensorInfo(name: "t", type: type, shape: [rows, columns])
        var result = [Float](repeating: 0, count: rows * columns)
        try bytes.withUnsafeBytes { raw in
            try result.withUnsafeMutableBufferPointer { try Kernels.decode(info, raw, into: $0.baseAddress!) }
        }
        return result
    }

    private static func write(_ path: String, _ name: String, _ columns: Int, _ experts: Int) throws {
        let infos = [
            try TensorInfo(name: name + ".in_sum2", type: .f32, shape: [experts, columns]),
            try TensorInfo(name: name + ".counts", type: .f32, shape: [experts, 1]),
        ]
        let one: [UInt8] = [0, 0, 0x80, 0x3F]
        try LayoutFile.write(
            GGUFLayout.make(GGUFMetadata(), infos), infos.map { info in (0..<info.elementCount).flatMap { _ in one } }, to: path)
    }

    /// PEFT's own logits, unmerged: an adapter of attention, the router and all matrices of all experts.
    @Test(.enabled(if: Fixtures.isShared("fixtures/family/lora/mixtral.npz"), "the family's adapters are not in ALPACA_SHARED"))
    func `an adapter of experts and routers`() throws {
        let arrays = try NumPyArchive(path: Shared.path("family/lora/mixtral.npz"))
        let bases = ["models/mixtral", "gguf/mixtral.gguf", "gguf/mixtral-old-experts.gguf"].map { Shared.path("family/\($0)") }
        for (number, base) in bases.enumerated() {
            try Fixtures.withFolder { work in
                var options = ConversionOptions(base: base, output: work + "/m.gguf")
                options.quantization = "F32"
                options.precision = .f32
                options.adapters = [ConversionOptions.Adapter(path: Shared.path("family/lora/mixtral"))]
                _ = try Converter.convert(options)
                let model = try RawSession.model(path: work + "/m.gguf")
                var worst: Float = 0
                for k in 0..<2 {
                    let ids = try arrays.numbers("ids\(k)", as: TokenID.self), positions = try arrays.numbers("at\(k)", as: Int32.self)
                    let expected = try arrays.numbers("a.\(k)", as: Float.self)
                    let session = try RawSession(model)
                    var done = 0
                    for (row, position) in positions.enumerated() {
                        try session.append(Array(ids[done...Int(position)]))
                        done = Int(position) + 1
                        for (i, logit) in session.logits.enumerated() { worst = max(worst, abs(logit - expected[row * 1000 + i])) }
                    }
                }
                print("Mixtral with an adapter, base \(number): largest difference to PEFT \(worst)")
                #expect(worst <= 5e-4)
            }
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// Mixtral in all kinds of files: what transformers and llama.cpp make of it, and of what is damaged. Its logits: FamilyLogitsTests.
@Suite struct ExpertModelTests {
    static let folder = FamilyFixtures.model("mixtral")

    static func convert(
        _ base: String, _ output: String, _ format: OutputFormat = .gguf, type: String? = nil, adapter: String? = nil,
        change: (inout ConversionOptions) -> Void = { _ in }
    ) throws {
        var options = ConversionOptions(base: base, output: output)
        options.format = format
        options.quantization = type
        options.adapters = adapter.map { [ConversionOptions.Adapter(path: $0)] } ?? []
        change(&options)
        _ = try Converter.convert(options)
    }

    /// Logits of the last position of a sequence of the goldens.
    static func logits(_ path: String, batch: Int = 64, threads: Int = 2, count: Int = 65) throws -> [Float] {
        let session = try RawSession(RawSession.model(path: path), batch: batch, threads: threads)
        var ids: [TokenID] = [1]
        while ids.count < count { ids.append(TokenID(3 + ids.count * 37 % 990)) }
        try session.append(ids)
        return session.logits
    }

    /// Rewrites a GGUF file.
    static func rewrite(
        _ path: String, to output: String, tensors: (inout [(info: TensorInfo, bytes: [UInt8])]) throws -> Void
    ) throws {
        let reader = try GGUFReader(InputFile(path: path))
        let metadata = reader.metadata
        var list = try reader.tensors.map { try ModelSourceTests.bytes(reader, $0.name) }.map { (info: $0.0, bytes: $0.1) }
        try tensors(&list)
        try LayoutFile.write(GGUFLayout.make(metadata, list.map(\.info)), list.map(\.bytes), to: output)
    }

    /// The old form: a tensor an expert.
    static func oldForm(_ tensors: inout [(info: TensorInfo, bytes: [UInt8])]) throws {
        tensors = try tensors.flatMap { tensor -> [(info: TensorInfo, bytes: [UInt8])] in
            guard tensor.info.name.contains("_exps") else { return [tensor] }
            let count = tensor.info.shape[0], size = tensor.bytes.count / count
            return try (0..<count).map { expert in
                let name = tensor.info.name.replacing("_exps.", with: ".\(expert).")
                return (
                    try TensorInfo(name: name, type: tensor.info.type, shape: Array(tensor.info.shape.dropFirst())),
                    Array(tensor.bytes[expert * size..<(expert + 1) * size])
                )
            }
        }
    }

    @Test func `folder, file and folder again`() throws {
        try Fixtures.withFolder { work in
            try Self.convert(Self.folder, work + "/m.gguf")
            let source = try ModelSource(path: work + "/m.gguf")
            let model = try source.runnableConfiguration()
            #expect(model.experts == ModelConfiguration.Experts(count: 8, usedCount: 2, feedForwardLength: 96))
            #expect(model.architecture == "llama" && model.modelType == "mixtral")
            #expect(try model == ModelSource(path: Self.folder).runnableConfiguration())
            #expect(source.metadata["llama.expert_count"] == .uint32(8) && source.metadata["llama.expert_used_count"] == .uint32(2))
            let stacked = try GGUFReader(InputFile(path: work + "/m.gguf")).tensors
            #expect(stacked.count == 23)
            #expect(stacked.first { $0.name == "blk.1.ffn_down_exps.weight" }?.shape == [8, 64, 96])
            #expect(stacked.first { $0.name == "blk.1.ffn_gate_inp.weight" }?.type == .f32)

            try Self.convert(work + "/m.gguf", work + "/hf", .huggingFace)
            try FamilyFixtures.expectEqual(
                try CheckpointReader.open(work + "/hf/model.safetensors"), try CheckpointReader.open(Self.folder + "/model.safetensors"))
            let config = try FamilyFixtures.json(work + "/hf/config.json")
            #expect(try config.int("num_local_experts") == 8 && config.int("num_experts_per_tok") == 2)
            #expect(try config.string("model_type") == "mixtral")
            #expect(try ModelSource(path: work + "/hf").configuration() == model)
            // Shards.
            try Self.convert(work + "/m.gguf", work + "/shards", .huggingFace) { $0.maximumShardByteCount = 200_000 }
            #expect(try FileManager.default.contentsOfDirectory(atPath: work + "/shards").count { $0.hasSuffix(".safetensors") } > 3)
            #expect(try Self.logits(work + "/shards") == Self.logits(Self.folder))
            #expect(try Self.logits(work + "/m.gguf") == Self.logits(Self.folder))
        }
    }

    @Test func `the old form of GGUF files is the same model`() throws {
        try Fixtures.withFolder { work in
            try Self.convert(Self.folder, work + "/m.gguf")
            try Self.rewrite(work + "/m.gguf", to: work + "/old.gguf", tensors: Self.oldForm)
            #expect(try GGUFReader(InputFile(path: work + "/old.gguf")).tensors.count == 65)
            #expect(try Self.logits(work + "/old.gguf") == Self.logits(work + "/m.gguf"))
            try Self.convert(work + "/old.gguf", work + "/new.gguf")
            try FamilyFixtures.expectEqual(
                GGUFReader(InputFile(path: work + "/new.gguf")), GGUFReader(InputFile(path: work + "/m.gguf")))
        }
    }

    /// Old files of mixed types: a quantizer of that time chose by the number of the tensor.
    @Test func `experts of several types`() throws {
        try Fixtures.withFolder { work in
            try Self.convert(Self.folder, work + "/m.gguf")
            func part(_ type: TensorType, _ info: TensorInfo, _ bytes: [UInt8]) throws -> (info: TensorInfo, bytes: [UInt8]) {
                let encoder = try RowEncoder(from: info.type, to: type, columns: info.columns)
                var result = [UInt8](repeating: 0, count: try type.bytesPerRow(columns: info.columns) * info.rows)
                try bytes.withUnsafeBytes { from in
                    try result.withUnsafeMutableBytes { to in
                        _ = try encoder.encode(rows: info.rows, from: from.baseAddress!, to: to.baseAddress!, scratch: ScratchArena())
                    }
                }
                return (try TensorInfo(name: info.name, type: type, shape: info.shape), result)
            }
            try Self.rewrite(work + "/m.gguf", to: work + "/old.gguf") { tensors in
                try Self.oldForm(&tensors)
                for (i, tensor) in tensors.enumerated() {
                    guard let role = TensorRole(tensor.info.name, in: .gguf), let expert = role.expert, expert % 3 > 0 else { continue }
                    tensors[i] = try part(expert % 3 == 1 ? .q8_0 : .f16, tensor.info, tensor.bytes)
                }
            }
            let first = try Self.logits(work + "/old.gguf", batch: 1, threads: 1)
            for (batch, threads) in [(64, 2), (7, 2), (512, 1)] {
                #expect(try Self.logits(work + "/old.gguf", batch: batch, threads: threads) == first)
            }
            let exact = try Self.logits(work + "/m.gguf")
            #expect(zip(first, exact).allSatisfy { abs($0 - $1) < 0.2 })
            // Together they are of one type.
            try Self.convert(work + "/old.gguf", work + "/new.gguf")
            let infos = try GGUFReader(InputFile(path: work + "/new.gguf")).tensors.filter { $0.name.contains("_exps") }
            #expect(infos.count == 6 && infos.allSatisfy { $0.type == .bf16 || $0.type == .f16 })
            let again = try Self.logits(work + "/new.gguf")
            #expect(zip(again, exact).allSatisfy { abs($0 - $1) < 0.2 })
        }
    }

    /// As transformers 5 has them in memory.
    @Test func `a folder whose experts are together`() throws {
        try Fixtures.withFolder { work in
            let reader = try CheckpointReader.open(Self.folder + "/model.safetensors")
            var list: [(info: TensorInfo, bytes: [UInt8])] = []
            for info in reader.tensors where !info.name.contains("block_sparse_moe") {
                list.append(try ModelSourceTests.bytes(reader, info.name))
            }
            for layer in 0..<2 {
                let start = "model.layers.\(layer)."
                func bytes(_ name: String) throws -> [UInt8] { try ModelSourceTests.bytes(reader, start + "block_sparse_moe." + name).1 }
                func add(_ name: String, _ shape: [Int], _ bytes: [UInt8]) throws {
                    list.append((try TensorInfo(name: start + name, type: .bf16, shape: shape), bytes))
                }
                try add("mlp.gate.weight", [8, 64], bytes("gate.weight"))
                try add(
                    "mlp.experts.gate_up_proj", [8, 192, 64],
                    (0..<8).flatMap { try bytes("experts.\($0).w1.weight") + bytes("experts.\($0).w3.weight") })
                try add("mlp.experts.down_proj", [8, 64, 96], (0..<8).flatMap { try bytes("experts.\($0).w2.weight") })
            }
            try FileManager.default.createDirectory(atPath: work + "/m", withIntermediateDirectories: true)
            try LayoutFile.write(SafetensorsLayout.make(list.map(\.info)), list.map(\.bytes), to: work + "/m/model.safetensors")
            for name in ["config.json", "tokenizer.model"] {
                try FileManager.default.copyItem(atPath: "\(Self.folder)/\(name)", toPath: "\(work)/m/\(name)")
            }
            #expect(try Self.logits(work + "/m") == Self.logits(Self.folder))
            try Self.convert(work + "/m", work + "/a.gguf")
            try Self.convert(Self.folder, work + "/b.gguf")
            try FamilyFixtures.expectEqual(GGUFReader(InputFile(path: work + "/a.gguf")), GGUFReader(InputFile(path: work + "/b.gguf")))
        }
    }

    /// In files of some converters queries, keys and values are one tensor, and so are gates and ups.
    @Test func `fused tensors of GGUF files`() throws {
        try Fixtures.withFolder { work in
            try Self.convert(Self.folder, work + "/m.gguf")
            try Self.rewrite(work + "/m.gguf", to: work + "/fused.gguf") { tensors in
                for layer in 0..<2 {
                    func take(_ name: String) throws -> [UInt8] {
                        let index = try #require(tensors.firstIndex { $0.info.name == "blk.\(layer).\(name).weight" })
                        return tensors.remove(at: index).bytes
                    }
                    let qkv = try take("attn_q") + take("attn_k") + take("attn_v")
                    tensors.append((try TensorInfo(name: "blk.\(layer).attn_qkv.weight", type: .bf16, shape: [128, 64]), qkv))
                    let gate = try take("ffn_gate_exps"), up = try take("ffn_up_exps"), size = gate.count / 8
                    var both: [UInt8] = []
                    for expert in 0..<8 {
                        both += gate[expert * size..<(expert + 1) * size]
                        both += up[expert * size..<(expert + 1) * size]
                    }
                    tensors.append((try TensorInfo(name: "blk.\(layer).ffn_gate_up_exps.weight", type: .bf16, shape: [8, 192, 64]), both))
                }
            }
            #expect(try Self.logits(work + "/fused.gguf") == Self.logits(work + "/m.gguf"))
            try Self.convert(work + "/fused.gguf", work + "/hf", .huggingFace)
            try FamilyFixtures.expectEqual(
                try CheckpointReader.open(work + "/hf/model.safetensors"), try CheckpointReader.open(Self.folder + "/model.safetensors"))
        }
    }

    /// Inputs of quantized matrices are packed an expert at a time.
    @Test(arguments: ["Q8_0", "Q4_0", "Q5_1"]) func `quantized experts give the same bits however the work is cut`(type: String) throws {
        try Fixtures.withFolder { work in
            try Self.convert(Self.folder, work + "/m.gguf", type: type)
            let tensors = try GGUFReader(InputFile(path: work + "/m.gguf")).tensors
            let name = type.lowercased()
            for info in tensors where info.name.contains("_exps") { #expect(info.type.description.lowercased() == name, "\(info)") }
            #expect(tensors.filter { $0.name.contains("ffn_gate_inp") }.allSatisfy { $0.type == .f32 })
            let first = try Self.logits(work + "/m.gguf", batch: 1, threads: 1, count: 200)
            for (batch, threads) in [(512, 1), (512, 3), (64, 2), (17, 2), (7, 2), (2, 1)] {
                #expect(try Self.logits(work + "/m.gguf", batch: batch, threads: threads, count: 200) == first, "\(batch), \(threads)")
            }
            if type == "Q8_0" {
                let exact = try Self.logits(Self.folder, count: 200)
                #expect(zip(first, exact).allSatisfy { abs($0 - $1) < 0.3 })
            }
        }
    }

    /// Qwen3 MoE may have layers with one feed-forward part, as wide as the configuration says.
    @Test(.enabled(if: Fixtures.isShared("fixtures/family/models/qwen3-moe/config.json"), "the family's models are not in ALPACA_SHARED"))
    func `layers without experts`() throws {
        let folder = Shared.path("family/models/qwen3-moe")
        try Fixtures.withFolder { work in
            let reader = try CheckpointReader.open(folder + "/model.safetensors")
            var list: [(info: TensorInfo, bytes: [UInt8])] = []
            for info in reader.tensors where !info.name.hasPrefix("model.layers.0.mlp.") {
                list.append(try ModelSourceTests.bytes(reader, info.name))
            }
            for (number, (name, shape)) in [("gate", [160, 64]), ("up", [160, 64]), ("down", [64, 160])].enumerated() {
                let info = try TensorInfo(name: "model.layers.0.mlp.\(name)_proj.weight", type: .bf16, shape: shape)
                list.append((info, try TinyModel.bytes(TinyModel.values(info.elementCount, number), .bf16)))
            }
            try FileManager.default.createDirectory(atPath: work + "/m", withIntermediateDirectories: true)
            try LayoutFile.write(SafetensorsLayout.make(list.map(\.info)), list.map(\.bytes), to: work + "/m/model.safetensors")
            let config = try String(contentsOfFile: folder + "/config.json", encoding: .utf8)
            func write(_ config: String) throws { try Data(config.utf8).write(to: URL(fileURLWithPath: work + "/m/config.json")) }
            let listed = config.replacing("\"mlp_only_layers\": []", with: "\"mlp_only_layers\": [0]")
            #expect(listed != config)
            try write(listed)
            let model = try ModelSource(path: work + "/m").runnableConfiguration()
            #expect(model.experts?.denseLayers == [0] && !model.hasExperts(0) && model.hasExperts(1))
            // Every second layer is another way to say it.
            try write(config.replacing("\"decoder_sparse_step\": 1", with: "\"decoder_sparse_step\": 2"))
            #expect(try ModelSource(path: work + "/m").runnableConfiguration() == model)
            func logits(_ path: String, batch: Int = 64) throws -> [Float] {
                let session = try RawSession(RawSession.model(path: path), batch: batch)
                try session.append((1..<40).map { TokenID($0 * 11) })
                return session.logits
            }
            try FamilyFixtures.convert(work + "/m", to: work + "/m.gguf", .gguf)
            #expect(try ModelSource(path: work + "/m.gguf").runnableConfiguration() == model)
            #expect(try logits(work + "/m.gguf") == logits(work + "/m") && logits(work + "/m", batch: 1) == logits(work + "/m"))
            try FamilyFixtures.convert(work + "/m.gguf", to: work + "/hf", .huggingFace)
            #expect(try ModelSource(path: work + "/hf").configuration() == model)
            try FamilyFixtures.expectEqual(
                try CheckpointReader.open(work + "/hf/model.safetensors"), try CheckpointReader.open(work + "/m/model.safetensors"))
            #expect(try ModelDescription(path: work + "/m").description.contains("feed-forward 48, in 1 of the layers"))
            // Without the word, the layer has to have experts.
            try write(config)
            let error = alpacaError { _ = try ModelSource(path: work + "/m").runnableConfiguration() }
            let text = "tensor \"model.layers.0.mlp.gate_proj.weight\" has no place in this model"
            #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `a description tells of experts`() throws {
        let description = try ModelDescription(path: Self.folder)
        #expect(description.problem == nil)
        #expect(description.description.contains("experts       8 a layer, 2 a token, feed-forward 96\n"), "\(description.description)")
        #expect(description.json().contains("\"n_expert\": 8,") && description.json().contains("\"n_expert_used\": 2,"))
        // Embeddings and output 1000 * 64 each, a layer's attention 12,288 and norms, 8 experts of 3 * 96 * 64, routers.
        #expect(description.parameterCount == 2 * 64_000 + 2 * (12_288 + 128 + 512 + 8 * 18_432) + 64)
        #expect(description.activeParameterCount == 2 * 64_000 + 2 * (12_288 + 128 + 512 + 2 * 18_432) + 64)
    }
}

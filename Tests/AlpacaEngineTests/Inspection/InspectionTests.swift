import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct InspectionTests {
    static func json(_ inspection: Inspection, listsTensors: Bool = false) throws -> [String: Any] {
        let text = inspection.json(listsTensors: listsTensors)
        return try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    // MARK: Models

    @Test(.enabled(if: MiniFamily.isShared, MiniFamily.missing))
    func `models of every format, with the same parameters`() throws {
        let cases: [(path: String, format: String, types: [String], files: [Int])] = [
            (MiniFamily.shared("merged-chinese-alpaca-hf"), "Hugging Face folder (safetensors, 1 file)", ["F16"], [39]),
            (MiniFamily.shared("gguf/mini-chinese-alpaca-f16.gguf"), "GGUF version 3", ["F16", "F32"], [39]),
            (MiniFamily.shared("official/merged-meta-1"), "Meta folder (PyTorch, 1 file)", ["F16"], [39]),
        ]
        for (path, format, types, files) in cases {
            let inspection = try Inspection(path: path)
            let json = try Self.json(inspection, listsTensors: true)
            #expect(json["kind"] as? String == "model")
            #expect(json["format"] as? String == format)
            #expect(json["n_params"] as? Int == 5_427_968, "\(path)")
            #expect((json["tensor_types"] as? [[String: Any]])?.compactMap { $0["type"] as? String } == types)
            #expect((json["files"] as? [[String: Any]])?.compactMap { $0["n_tensors"] as? Int } == files)
            #expect((json["tensors"] as? [Any])?.count == 39)
            // The folder of the official merge has no tokenizer of its own.
            #expect((inspection.problem == nil) == !path.hasSuffix("merged-meta-1"), "\(inspection.problem ?? "")")
            let sizes = try #require(json["hyperparameters"] as? [String: Any])
            #expect(sizes["n_layer"] as? Int == 4)
            #expect(sizes["tied_output"] as? Bool == false)
        }
    }

    @Test(.enabled(if: MiniFamily.isShared, MiniFamily.missing))
    func `shards are told one by one`() throws {
        let meta = try Inspection(path: MiniFamily.shared("mini-llama-meta"))
        #expect(meta.files.map(\.name) == ["consolidated.00.pth", "consolidated.01.pth"])
        #expect(meta.text().contains("\n  files         consolidated.00.pth: "))
        // A matrix of [768, 256] is cut by its rows.
        let gate = "layers.0.feed_forward.w1.weight"
        let parts = meta.files.map { file in file.tensors.first { $0.name == gate }?.shape ?? [] }
        let whole = try ModelSource(path: MiniFamily.shared("mini-llama-meta")).weights.tensors.first { $0.name == "blk.0.ffn_gate.weight" }
        #expect(parts.map { $0.first ?? 0 }.reduce(0, +) == whole?.rows)
        let hub = try Inspection(path: MiniFamily.shared("official/base-hf-bin"))
        #expect(hub.files.map(\.name) == ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"])
        #expect(hub.files.reduce(0) { $0 + $1.tensors.count } >= 39)
        // A file stands for the model that it belongs to.
        let file = try Inspection(path: MiniFamily.shared("official/base-hf-bin/pytorch_model-00002-of-00002.bin"))
        #expect(file.kind == "model")
        #expect(file.files == hub.files)
    }

    @Test func `a model's file`() throws {
        let inspection = try Inspection(path: MiniFamily.q8_0)
        #expect(inspection.kind == "model")
        #expect(inspection.problem == nil)
        #expect(inspection.json() == (try Model.inspect(path: MiniFamily.q8_0).json()))
        #expect(inspection.text() == (try Model.inspect(path: MiniFamily.q8_0).description))
        let all = inspection.text(listsTensors: true)
        #expect(all.contains("\ntensors of \(MiniFamily.q8_0)\n  \""))
        #expect(all.contains("\n  \"blk.0.attn_q.weight\"       Q8_0  [256, 256]\n"))
    }

    @Test func `where a model comes from`() throws {
        var metadata = GGUFMetadata()
        metadata["alpaca.base.name"] = .string("llama-7b")
        metadata["alpaca.adapter.names"] = .array(.string(GGUFStrings(["a", "b"])))
        metadata["alpaca.adapter.scales"] = .array(.float32([1, 0.5]))
        #expect(ModelOrigin(metadata)?.text == "\"llama-7b\", \"a\", \"b\" times 0.5")
        #expect(ModelOrigin(GGUFMetadata()) == nil)
        let json = Provenance(base: .init(name: "llama-7b"), adapters: [.init(name: "a", scale: 1), .init(name: "b", scale: 0.5)]).json(
            [], marks: [:])
        #expect(ModelOrigin(try JSONDocument(json, name: "alpaca.json")) == ModelOrigin(metadata))
    }

    // MARK: Weights, importance

    @Test func `weights without a configuration`() throws {
        try Fixtures.withFolder { folder in
            let copy = folder + "/model.safetensors"
            try FileManager.default.copyItem(atPath: MiniFamily.shared("merged-chinese-alpaca-hf/model.safetensors"), toPath: copy)
            let weights = try Inspection(path: copy)
            #expect(weights.kind == "weights")
            #expect(weights.problem == "weights alone are no model: config.json (or params.json) is missing beside them")
            #expect(weights.text().contains("\n  names    Hugging Face's, of the layers 0-3\n"))
            #expect(try Self.json(weights)["n_params"] as? Int == 5_427_968)
            // The folder says the same as an error: it is named for a model.
            #expect(
                alpacaError { _ = try Inspection(path: folder) }
                    == AlpacaError(.missing, "\(folder): config.json is missing, which tells the model's sizes"))
        }
    }

    @Test func `importance matrices`() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/imatrix.gguf"
            _ = try ImportanceMatrixTests.write(path, sums: [2, 0, 8], count: 4)
            let inspection = try Inspection(path: path)
            #expect(inspection.kind == "importance_matrix")
            let json = try Self.json(inspection)
            let matrices = try #require(json["matrices"] as? [[String: Any]])
            #expect(matrices.map { $0["name"] as? String } == ["blk.0.ffn_up.weight"])
            #expect(matrices.map { $0["n_columns"] as? Int } == [3])
            #expect(inspection.text().contains("\n  weighs  the columns of 1 matrix\n"))
        }
    }

    // MARK: What is none of them

    @Test func `other files are errors`() throws {
        try Fixtures.withFolder { folder in
            #expect(alpacaError { _ = try Inspection(path: folder) }?.code == .missing)
            let path = folder + "/config.json"
            try Data("{\"a\": 1}".utf8).write(to: URL(fileURLWithPath: path))
            #expect(
                alpacaError { _ = try Inspection(path: path) }
                    == AlpacaError(.badFormat, "\(path): this is a JSON file, not a model; it begins with \"{\\\"a\\\": 1}\""))
            #expect(alpacaError { _ = try Inspection(path: folder + "/none") }?.code == .notFound)
        }
    }
}

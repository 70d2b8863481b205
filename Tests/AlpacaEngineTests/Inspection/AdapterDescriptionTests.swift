import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct AdapterDescriptionTests {
    @Test func text() throws {
        try Fixtures.withFolder { folder in
            let path = folder + "/chinese-alpaca-lora-7b"
            try AdapterFolder(
                fields: ["base_model_name_or_path": "\"llama\""], tensors: AdapterFolder.plain + AdapterFolder.vocabulary(49954),
                pieces: 300
            ).write(to: path)
            let inspection = try Inspection(path: path)
            let size = FactTable.size(try #require(inspection.files.first).byteCount)
            #expect(
                inspection.description == """
                    \(path)
                      format      LoRA adapter (folder, safetensors), \(size)
                      published   its name is that of Chinese-Alpaca-7B adapter; `alpaca verify` says whether it is that one
                      trained on  "llama"
                      rank        4, alpha 8
                      changes     q_proj [32, 32] in layer 0: rank 4, times 2
                                  up_proj [96, 32] in layer 0: rank 4, times 2
                      replaces    embed_tokens [49954, 32] F16
                                  lm_head [49954, 32] F16
                      vocabulary  49954 tokens, as Chinese-Alpaca
                      fits        models of width 32, 1 layer
                      tokenizer   300 pieces (unigram)
                      tensors     6 F16, 6.0 MiB (6,395,648 bytes)
                      files       adapter_model.safetensors: 6 tensors, \(size), F16
                      problem     tokenizer: found a sentencepiece model of kind unigram, supported is bpe
                    """)
        }
    }

    @Test
    func `the mini family's adapters, as folders and packed`() throws {
        for name in ["mini-chinese-alpaca-lora", "mini-chinese-llama-lora"] {
            let folder = MiniFamily.shared(name)
            let inspection = try Inspection(path: folder)
            guard case .adapter(let adapter) = inspection else {
                Issue.record("\(name) is \(inspection.kind)")
                continue
            }
            #expect(adapter.ranks == [32])
            #expect(adapter.targets.map(\.module) == ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
            #expect(adapter.targets.allSatisfy { $0.layers == Array(0..<4) && $0.count == 4 && $0.scales == [2] })
            #expect(adapter.replaced.map(\.module) == ["embed_tokens", "lm_head"])
            #expect(adapter.width == 256)
            #expect(adapter.layerCount == 4)
            #expect(adapter.vocabularySize == adapter.tokenizer?.count)
            #expect(adapter.tokenizer?.problem == nil)
            try Fixtures.withFolder { temporary in
                let archive = temporary + "/\(name).zip"
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                process.arguments = ["python3", "-c", "import shutil,sys; shutil.make_archive(sys.argv[1], 'zip', sys.argv[2])"]
                process.arguments? += [temporary + "/" + name, folder]
                try process.run()
                process.waitUntilExit()
                try #require(process.terminationStatus == 0, "no archive was made")
                guard case .adapter(let packed) = try Inspection(path: archive) else {
                    Issue.record("\(archive) is no adapter")
                    return
                }
                #expect(packed.format.hasPrefix("LoRA adapter (zip archive, "))
                #expect(packed.targets == adapter.targets)
                #expect(packed.replaced == adapter.replaced)
                #expect(packed.file.tensors == adapter.file.tensors)
                #expect(packed.tokenizer?.sha256 == adapter.tokenizer?.sha256)
            }
        }
        // The weights stand for their folder.
        let file = MiniFamily.shared("mini-chinese-alpaca-lora/adapter_model.bin")
        #expect(try Inspection(path: file).kind == "adapter")
    }

    @Test func json() throws {
        try Fixtures.withFolder { folder in
            try AdapterFolder(fields: ["use_rslora": "true"]).write(to: folder)
            let json = try InspectionTests.json(Inspection(path: folder), listsTensors: true)
            #expect(json["kind"] as? String == "adapter")
            #expect(json["ranks"] as? [Int] == [4])
            #expect(json["lora_alpha"] as? Int == 8)
            #expect(json["use_rslora"] as? Bool == true)
            let targets = try #require(json["targets"] as? [[String: Any]])
            #expect(targets.map { $0["module"] as? String } == ["q_proj", "up_proj"])
            #expect(targets.map { $0["scales"] as? [Double] } == [[4], [4]])
            #expect(targets.map { $0["layers"] as? String } == ["0", "0"])
            #expect(json["n_vocab"] is NSNull)
            #expect((json["fits"] as? [String: Any])?["n_embd"] as? Int == 32)
            #expect((json["tensors"] as? [[String: Any]])?.first?["shape"] as? [Int] == [4, 32])
        }
    }

    @Test func `what can't be applied is an error`() throws {
        try Fixtures.withFolder { folder in
            try AdapterFolder(fields: ["r": "0"]).write(to: folder)
            #expect(alpacaError { _ = try Inspection(path: folder) }?.message.contains("\"r\"") == true)
        }
    }
}

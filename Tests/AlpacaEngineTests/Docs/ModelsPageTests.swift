import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct ModelsPageTests {
    /// With ALPACA_WRITE_DOCS the page is written instead (`make models-page`).
    @Test func `docs models is what the list says`() throws {
        let text = try ModelsPage.text()
        if ProcessInfo.processInfo.environment["ALPACA_WRITE_DOCS"] != nil {
            try Data(text.utf8).write(to: ModelsPage.path)
        }
        let page = try String(contentsOf: ModelsPage.path, encoding: .utf8)
        #expect(page == text, "docs/models.md is not up to date: `make models-page`")
    }

    @Test func `the list is whole, and its names lead somewhere`() throws {
        let all = PublishedModel.all
        #expect(all.count == PublishedModel.lineCount && all.count == Set(all.map(\.name)).count)
        let hub = all.flatMap { [$0.whole, $0.adapter, $0.gguf].compactMap { $0 } }
        #expect(hub.count == Set(hub).count)
        for model in all {
            for name in model.needs { #expect(PublishedModel.named(name) != nil, "\(model.name) needs \(name)") }
            #expect((model.adapter == nil) == (model.base == nil), "\(model.name)")
            if let base = model.base.flatMap({ PublishedModel.named($0) }) { #expect(base.isOriginal && base.shape == model.shape) }
            #expect(model.template == "none" || model.template == "Mixtral-Instruct" || KnownTemplate(rawValue: model.template) != nil)
            #expect(model.isOriginal || !ModelsPage.commands(model).isEmpty)
            // Each name that it has leads back to it.
            for name in [model.name, model.whole, model.adapter, model.gguf].compactMap({ $0 }) {
                #expect(PublishedModel.at(name)?.name == model.name, "\(name)")
                let owner = name.contains("/") ? name : "hfl/" + name
                let cached = "/c/models--" + owner.replacing("/", with: "--") + "/snapshots/0123abcd"
                #expect(PublishedModel.at(cached)?.name == model.name, "\(cached)")
            }
        }
        // All published hashes of whole models and adapters are of models of the list.
        let strangers = PublishedFile.all.filter {
            PublishedModel.of($0) == nil && $0.file != "tokenizer.model" && $0.file != "chinese_sp.model"
        }
        #expect(Set(strangers.map(\.model)) == [])
    }

    @Test func `names are spelled in many ways`() {
        for (path, name) in [
            ("llama/7B", "LLaMA-7B"), ("/models/llama-30b-hf", "LLaMA-33B"), ("chinese-alpaca-2-7b.Q4_K_M.gguf", "Chinese-Alpaca-2-7B"),
            ("x/Chinese-Alpaca-2-LoRA-13B-16K", "Chinese-Alpaca-2-13B-16K"), ("ziqingyang/chinese-alpaca-lora-7b", "Chinese-Alpaca-7B"),
            ("llama-3-chinese-8b-instruct-v3-iq4_xs.gguf", "Llama-3-Chinese-8B-Instruct-v3"),
            ("./chinese_alpaca_plus_lora_7b/", "Chinese-Alpaca-Plus-7B"),
        ] { #expect(PublishedModel.at(path)?.name == name, "\(path)") }
        for path in ["open_llama_7b", "my-chinese-alpaca-lora-7b", "", "/", "7B", "chinese-alpaca-2", "vicuna/7B"] {
            #expect(PublishedModel.at(path) == nil, "\(path)")
        }
    }

    /// The sizes are those that were published: within what a vocabulary and a header take.
    @Test func `sizes are those of published files`() throws {
        for (name, type, published) in [
            ("Chinese-Alpaca-Plus-7B", "F16", 13.77e9), ("Chinese-Alpaca-Plus-13B", "F16", 26.4e9),
            ("Chinese-LLaMA-2-7B", "F16", 12.91 * 0x1p30), ("Chinese-LLaMA-2-7B", "Q4_0", 3.69 * 0x1p30),
            ("Llama-3-Chinese-8B", "F16", 14.97 * 0x1p30), ("Llama-3-Chinese-8B", "Q4_K_M", 4.58 * 0x1p30),
            ("Chinese-Mixtral", "F16", 93.5e9), ("Chinese-Mixtral", "Q8_0", 49.6e9), ("Llama-3-Chinese-8B", "Q8_0", 7.95 * 0x1p30),
            ("Llama-3-Chinese-8B", "Q2_K", 2.96 * 0x1p30),
        ] {
            let model = try #require(PublishedModel.named(name))
            let configuration = try ModelsPage.configuration(model)
            let bytes = Double(try ModelsPage.byteCount(configuration, type))
            #expect(abs(bytes / published - 1) < 0.005, "\(name) \(type): \(bytes), published \(published)")
        }
    }

    @Test func `known sizes are told`() throws {
        for (name, like) in [
            ("Chinese-Alpaca-Plus-7B", nil), ("LLaMA-7B", "LLaMA-7B"), ("Llama-2-7B", "Llama-2-7B"), ("Meta-Llama-3-8B", "Meta-Llama-3-8B"),
            ("Mixtral-8x7B-v0.1", "Mixtral-8x7B-v0.1"),
        ] {
            let model = try #require(PublishedModel.named(name))
            let configuration = try ModelsPage.configuration(model)
            #expect(PublishedModel.original(like: configuration)?.name == like)
        }
    }

    /// Plans name what they are given, and say when it does not belong together.
    @Test(.enabled(if: MiniFamily.isShared, MiniFamily.missing)) func `plans know the models`() throws {
        try Fixtures.withFolder { folder in
            func plan(_ base: String, _ kind: String, _ adapters: [String] = []) throws -> ConversionPlan {
                func link(_ name: String, _ target: String) throws -> String {
                    let path = folder + "/" + name
                    try? FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
                    return path
                }
                var options = ConversionOptions(base: try link(base, kind), output: folder + "/out.gguf")
                options.adapters = try adapters.map { .init(path: try link($0, MiniFamily.shared("mini-chinese-llama-lora"))) }
                options.quantization = "q8_0"
                return try Converter.plan(options)
            }
            let whole = try plan("chinese-alpaca-2-7b.gguf", MiniFamily.f16)
            #expect(whole.models.map(\.name) == ["Chinese-Alpaca-2-7B", "Chinese-Alpaca-2-7B"])
            #expect(whole.models.first?.text.contains("going by its name: it has width ") == true)
            #expect(whole.models.last?.text.contains("55296 tokens, context 4096, template alpaca-2") == true)
            #expect(whole.models.last?.text.contains("; going by its name: it has width ") == true)
            #expect(whole.description.contains("(hfl/chinese-alpaca-2-7b)"))
            #expect(whole.json().contains("\"hub\": \"hfl/chinese-alpaca-2-7b\""))
            #expect(try plan("mine.gguf", MiniFamily.f16).models == [])
            let merged = try plan("llama-7b-hf", MiniFamily.shared("mini-llama"), ["chinese-llama-plus-lora-7b"])
            #expect(merged.models.map(\.name) == ["LLaMA-7B", "Chinese-LLaMA-Plus-7B", "Chinese-LLaMA-Plus-7B"])
            #expect(merged.models[1].needs == ["LLaMA-7B"])
            #expect(!merged.warnings.contains { $0.contains("belongs on LLaMA-7B") })
            let wrong = try plan("Llama-2-7b-hf", MiniFamily.shared("mini-llama"), ["chinese-llama-plus-lora-7b"])
            #expect(wrong.models.map(\.name) == ["Llama-2-7B", "Chinese-LLaMA-Plus-7B"])
            let warning =
                "chinese-llama-plus-lora-7b: the adapter of Chinese-LLaMA-Plus-7B belongs on LLaMA-7B, and this base is Llama-2-7B: the result "
                + "will be another model than the one that was published"
            #expect(wrong.warnings.contains(warning), "\(wrong.warnings)")
        }
    }

    @Test func `verifying tells the model and what an adapter needs`() throws {
        try Fixtures.withFolder { folder in
            func verify(_ name: String) throws -> (file: VerifiedFile, json: String) {
                let path = folder + "/" + name
                try FileManager.default.createDirectory(
                    atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
                try Data("x".utf8).write(to: URL(fileURLWithPath: path))
                let report = try Verifier.verify(paths: [path])
                return (try #require(report.files.first), report.json())
            }
            let adapter = try verify("chinese-alpaca-plus-lora-7b/adapter_model.bin")
            #expect(adapter.file.status == .differs && adapter.file.model == "Chinese-Alpaca-Plus-7B")
            #expect(adapter.file.needs == ["LLaMA-7B", "Chinese-LLaMA-Plus-7B"])
            #expect(adapter.json.contains("\"model\": \"Chinese-Alpaca-Plus-7B\""))
            let whole = try verify("chinese-alpaca-2-13b-16k/model.safetensors")
            #expect(whole.file.verdict.hasSuffix("unknown, not in the published list, which has no files of Chinese-Alpaca-2-13B-16K"))
            #expect(whole.file.needs == [])
            let other = try verify("mine/model.safetensors")
            #expect(other.file.model == nil && other.file.verdict.hasSuffix("unknown, not in the published list"))
            #expect(!other.json.contains("\"needs\""))
        }
    }
}

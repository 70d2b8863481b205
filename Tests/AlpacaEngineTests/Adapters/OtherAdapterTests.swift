import Foundation
import Testing

@testable import AlpacaEngine

/// Adapters as other versions and tools of PEFT's world save them.
@Suite struct OtherAdapterTests {
    /// The result's embeddings and first query matrix, as F32.
    static func merged(_ work: String, _ adapters: [String], base: String = "base") throws -> [String: [Float]] {
        let output = "\(work)/\(UUID().uuidString).gguf"
        var options = ConversionOptions(base: "\(work)/\(base)", output: output)
        options.adapters = adapters.map { .init(path: "\(work)/\($0)") }
        options.quantization = "f32"
        options.precision = .f32
        _ = try Converter.convert(options)
        let reader = try GGUFReader(InputFile(path: output))
        var result: [String: [Float]] = [:]
        for name in ["token_embd.weight", "blk.0.attn_q.weight", "output.weight"] where reader.index(of: name) != nil {
            let bytes = try ModelSourceTests.bytes(reader, name).1
            result[name] = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        }
        return result
    }

    @Test(arguments: ["_orig_mod.", "module.", "module._orig_mod.", "base_model.model."], ["", ".default", ".mine"])
    func `names of wrappers mean nothing`(prefix: String, infix: String) throws {
        try Fixtures.withFolder { work in
            try TinyModel(type: .f32).write(to: work + "/base")
            try TinyModel.adapter(work + "/plain")
            try TinyModel.adapter(work + "/other")
            let source = try SafetensorsReader(FileRegion(InputFile(path: work + "/plain/adapter_model.safetensors")))
            let tensors = try source.tensors.map { info in
                let bytes = try ModelSourceTests.bytes(source, info.name).1
                let name = prefix + info.name.replacing(".weight", with: "\(infix).weight")
                return (name: name, shape: info.shape, values: bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) })
            }
            try TinyModel.write(tensors, .f32, to: work + "/other/adapter_model.safetensors")
            #expect(try Self.merged(work, ["other"]) == Self.merged(work, ["plain"]))
            #expect(try Self.merged(work, ["other"]) != Self.merged(work, []))
        }
    }

    @Test func `a file with several adapters is refused`() throws {
        let start = AdapterFolder.start + "self_attn.q_proj.lora_"
        let adapter = AdapterFolder(tensors: [("\(start)A.one.weight", [4, 32]), ("\(start)B.two.weight", [32, 4])])
        let error = alpacaError { _ = try adapter.opened() }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("\"one\"") == true && error?.message.contains("\"two\"") == true)
    }

    /// PEFT's `index_copy`: trained rows take the place of the base's.
    @Test(arguments: [false, true]) func `rows that were trained alone`(isTied: Bool) throws {
        try Fixtures.withFolder { work in
            try TinyModel(isTied: isTied, type: .f32).write(to: work + "/base")
            let rows = TinyModel.values(2 * 32, 55, scale: 3)
            func delta(_ module: String) -> (name: String, shape: [Int], values: [Float]) {
                ("base_model.model.\(module).token_adapter.trainable_tokens_delta", [2, 32], rows)
            }
            let lists = ["[7, 3]", "{\"embed_tokens\": [7, 3]}"]
            for (number, list) in lists.enumerated() {
                try TinyModel.adapter(
                    "\(work)/\(number)", extra: [delta("model.embed_tokens")], fields: ["trainable_token_indices": list])
                let before = try Self.merged(work, []), after = try Self.merged(work, ["\(number)"])
                var expected = try #require(before["token_embd.weight"])
                expected.replaceSubrange(7 * 32..<8 * 32, with: rows[..<32])
                expected.replaceSubrange(3 * 32..<4 * 32, with: rows[32...])
                #expect(after["token_embd.weight"] == expected)
                #expect(after["output.weight"] == before["output.weight"] && after["blk.0.attn_q.weight"] != before["blk.0.attn_q.weight"])
            }
            #expect(try Inspection(path: work + "/0").text().contains("embed_tokens"))
            let wrong =
                [
                    ("count", "[7]", 1), ("none", nil, 1), ("beyond", "[7, 30000]", 1), ("missing", "[7, 3]", 0),
                ] as [(String, String?, Int)]
            for (name, list, count) in wrong {
                try TinyModel.adapter(
                    "\(work)/\(name)", extra: count == 0 ? [] : [delta("model.embed_tokens")], fields: ["trainable_token_indices": list])
                #expect(alpacaError { _ = try Self.merged(work, [name]) } != nil, "\(name)")
            }
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// GGUF files that are no models say what they are, wherever they are named.
@Suite struct GGUFKindTests {
    static let kinds: [([String: String], String)] = [
        (["general.type": "adapter", "adapter.type": "lora", "general.architecture": "llama"], "a LoRA adapter in a GGUF file"),
        (["adapter.type": "lora"], "a LoRA adapter in a GGUF file"), (["general.type": "adapter"], "an adapter in a GGUF file"),
        (["general.type": "adapter", "adapter.type": "other"], "an adapter (\"other\")"),
        (["general.type": "mmproj", "general.architecture": "clip"], "reads images"),
        (["general.architecture": "controlvector"], "a control vector"),
    ]

    static func write(_ keys: [String: String], to path: String) throws {
        var metadata = GGUFMetadata()
        for (key, value) in keys { metadata[key] = .string(Array(value.utf8)) }
        let infos = try ["a", "b"].map { try TensorInfo(name: "blk.0.attn_q.weight.lora_\($0)", type: .f32, shape: [4, 32]) }
        try LayoutFile.write(GGUFLayout.make(metadata, infos), infos.map { [UInt8](repeating: 1, count: $0.byteCount) }, to: path)
    }

    @Test(arguments: kinds) func `what it is and what to do`(_ keys: [String: String], _ words: String) throws {
        try Fixtures.withFolder { work in
            let path = work + "/other.gguf"
            try Self.write(keys, to: path)
            try TinyModel().write(to: work + "/base")
            var merge = ConversionOptions(base: work + "/base", output: work + "/out.gguf")
            merge.adapters = [.init(path: path)]
            let errors = [
                alpacaError { _ = try Model(path: path) },
                alpacaError { _ = try Converter.convert(ConversionOptions(base: path, output: work + "/out.gguf")) },
                alpacaError { _ = try Converter.convert(merge) },
            ]
            for error in errors {
                #expect(error?.code == .unsupported && error?.path == path, "\(error?.message ?? "no error")")
                #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
            }
            let found = try Inspection(path: path)
            #expect(found.kind == "weights" && found.problem == errors[0]?.message)
        }
    }

    @Test func `a model is no adapter`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            var merge = ConversionOptions(base: work + "/base", output: work + "/out.gguf")
            merge.adapters = [.init(path: MiniFamily.q8_0)]
            #expect(alpacaError { _ = try Converter.convert(merge) }?.message.contains("this is a GGUF model, not an adapter") == true)
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// Merges that PEFT made of a small base (Tests/reference/make_merge_goldens.py). `make test-reference` does the same with PEFT itself, on
/// larger shapes and with more options.
@Suite struct PEFTMergeTests {
    static let folder = Fixtures.golden("peft").path

    /// `adapter.most`: of 10,000 values, how many may be neighbours of PEFT's. DoRA's norms are sums of squares, which torch adds in an order of
    /// its own.
    @Test(arguments: [("dora", 2), ("embeddings", 0), ("rslora", 0), ("patterns", 0)], MergeRounding.allCases)
    func merged(_ adapter: (name: String, most: Int), rounding: MergeRounding) throws {
        let golden = try CheckpointReader.open("\(Self.folder)/\(adapter.name).\(rounding == .each ? "each" : "once").safetensors")
        #expect(golden.tensors.count >= 14)
        try Fixtures.withFolder { work in
            var options = ConversionOptions(base: Self.folder + "/base", output: work + "/out")
            options.adapters = [ConversionOptions.Adapter(path: "\(Self.folder)/\(adapter.name)")]
            options.format = .huggingFace
            options.rounding = rounding
            _ = try Converter.convert(options)
            let result = try CheckpointReader.open(work + "/out/model.safetensors")
            var count = 0, near = 0
            for info in golden.tensors {
                let expected = try ModelSourceTests.bytes(golden, info.name).1, found = try ModelSourceTests.bytes(result, info.name)
                #expect(found.0.shape == info.shape && found.0.type == .f16 && found.1.count == expected.count)
                for at in stride(from: 0, to: min(expected.count, found.1.count) - 1, by: 2) {
                    let distance = abs(Self.number(expected, at) - Self.number(found.1, at))
                    count += 1
                    if distance == 1 { near += 1 }
                    if distance > 1 { Issue.record("\(info.name), value \(at / 2): \(distance) units off") }
                }
            }
            #expect(near * 10_000 <= adapter.most * count, "\(near) of \(count)")
        }
    }

    /// Whole matrices of queries and keys take the base's place with their rows in the result's order: the base's own change nothing.
    @Test func wholeMatricesOfHeads() throws {
        try Fixtures.withFolder { work in
            let base = try CheckpointReader.open(Self.folder + "/base/model.safetensors")
            let names = ["q_proj", "k_proj"].map { "model.layers.0.self_attn.\($0).weight" }
            var infos: [TensorInfo] = [], bytes: [[UInt8]] = []
            for name in names {
                let (info, data) = try ModelSourceTests.bytes(base, name)
                infos.append(try TensorInfo(name: "base_model.model.\(name)", type: info.type, shape: info.shape))
                bytes.append(data)
            }
            // An adapter needs a low-rank update; this one is zero.
            let up = try ModelSourceTests.bytes(base, "model.layers.0.mlp.up_proj.weight").0
            for (half, shape) in [("lora_A", [4, up.columns]), ("lora_B", [up.rows, 4])] {
                let info = try TensorInfo(name: "\(AdapterFolder.start)mlp.up_proj.\(half).weight", type: up.type, shape: shape)
                infos.append(info)
                bytes.append([UInt8](repeating: 0, count: info.byteCount))
            }
            let adapter = work + "/adapter"
            try AdapterFolder(fields: ["modules_to_save": "[\"q_proj\",\"k_proj\"]", "target_modules": "[\"up_proj\"]"]).write(to: adapter)
            try LayoutFile.write(SafetensorsLayout.make(infos), bytes, to: adapter + "/adapter_model.safetensors")
            var options = ConversionOptions(base: Self.folder + "/base", output: work + "/out")
            options.adapters = [ConversionOptions.Adapter(path: adapter)]
            options.format = .huggingFace
            _ = try Converter.convert(options)
            let result = try CheckpointReader.open(work + "/out/model.safetensors")
            for (name, expected) in zip(names, bytes) {
                #expect(try ModelSourceTests.bytes(result, name).1 == expected, "\(name)")
            }
        }
    }

    /// Neighbours among the numbers of 16 bits are 1 apart.
    private static func number(_ bytes: [UInt8], _ at: Int) -> Int {
        let bits = Int(bytes[at]) | Int(bytes[at + 1]) << 8
        return bits & 0x8000 == 0 ? bits : 0x8000 - bits
    }
}

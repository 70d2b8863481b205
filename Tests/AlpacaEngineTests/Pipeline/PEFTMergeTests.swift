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

    /// Neighbours among the numbers of 16 bits are 1 apart.
    private static func number(_ bytes: [UInt8], _ at: Int) -> Int {
        let bits = Int(bytes[at]) | Int(bytes[at + 1]) << 8
        return bits & 0x8000 == 0 ? bits : 0x8000 - bits
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// Pickles against those of torch 2.15.0 under Python 3.11 (`torch.save`, the archive's data.pkl), which writes them as 1.13.1 did.
@Suite struct TorchLayoutTests {
    static func tensors(_ count: Int) throws -> [TensorInfo] {
        try (0..<count).map { try TensorInfo(name: "t\($0)", type: .f32, shape: [3]) }
    }

    @Test(arguments: [
        (0, "ad2598304a8af697d0c335a50a3e5a1ba06c82d9b63ef5f9d3e730b54cf9148a"),
        (1, "1e9b0a90f322ba361c13c7723e4d627489e65c335824f1aa73a290942d80e4d1"),
        (2, "9e57f07c294028d5a0302ba247a1c7f012aa60bfaf095b7a29c3e8c41e4fc9fb"),
        (999, "07d17635698da2c26fa0360b12e4bf05e994eecab9410930605d5505ecc81476"),
        // Python sets items by the thousand, and an empty thousand where the count is a multiple.
        (1000, "7537c62a979151792053f79f1e6501c6b0e5e591707af6b7519e7911ce56c9e9"),
        (1001, "cde6b25abb1318fc50e84ae7f004f7528fd65609b7480522cc20369a938b90ff"),
        (2001, "6efb7bdb72efb7b1eb8e74e7d65944689953d16c8396ecf8e7cc233ef19d421b"),
    ]) func `a dict of so many tensors`(count: Int, digest: String) throws {
        #expect(sha256(try TorchLayout.pickle(TorchLayoutTests.tensors(count))) == digest)
    }

    @Test func `shapes and types`() throws {
        let tensors = [
            try TensorInfo(name: "s", type: .f32, shape: []), try TensorInfo(name: "v", type: .bf16, shape: [70000]),
            try TensorInfo(name: "m", type: .f16, shape: [2, 300]), try TensorInfo(name: "c", type: .f32, shape: [2, 3, 4]),
            try TensorInfo(name: "d", type: .f32, shape: [1, 2, 3, 4]),
        ]
        #expect(sha256(try TorchLayout.pickle(tensors)) == "6bc3cae2ebdb98edb64682f16233190e1297c0f06fea6843f3b4eb8f6bb36f04")
    }

    @Test func `each byte of the file has one writer`() throws {
        let tensors = try TorchLayoutTests.tensors(12)
        let layout = try TorchLayout.layOut(stem: "a", tensors: tensors)
        let closing = try #require(layout.closing)
        // Too few checksums are no reason to trap.
        let patches = layout.fixed + closing([1, 2])
        var ranges = patches.map { $0.offset..<$0.offset + $0.bytes.count }
        ranges += zip(tensors, layout.dataOffsets).map { $1..<$1 + $0.byteCount }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        #expect(ranges.first?.lowerBound == 0)
        #expect(ranges.last?.upperBound == layout.byteCount)
        for (before, after) in zip(ranges, ranges.dropFirst()) { #expect(before.upperBound == after.lowerBound) }
    }

    @Test func `what such a file can't hold`() throws {
        func message(_ tensors: [TensorInfo]) -> String? {
            alpacaError { _ = try TorchLayout.layOut(stem: "a", tensors: tensors) }?.message
        }
        let quantized = try TensorInfo(name: "w", type: .q4_0, shape: [1, 32])
        #expect(message([quantized]) == "tensor \"w\": PyTorch files hold F32, F16 and BF16, found Q4_0")
        #expect(message([try TensorInfo(name: "w", type: .f16, shape: [0, 4])]) == "tensor \"w\": its shape [0, 4] has no elements")
        let twice = try TensorInfo(name: "w", type: .f16, shape: [4])
        #expect(message([twice, twice]) == "tensor \"w\" is there twice")
        let huge = try TensorInfo(name: "w", type: .f16, shape: [Int.max / 2])
        #expect(message([huge]) == "size of the file: 320 + \(Int.max - 1) is out of range")
    }

    @Test func `the stem of a name`() {
        #expect(TorchLayout.stem(of: "consolidated.00.pth") == "consolidated.00")
        #expect(TorchLayout.stem(of: "pytorch_model.bin") == "pytorch_model")
        #expect(TorchLayout.stem(of: "model") == "model")
    }
}

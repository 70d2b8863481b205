import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct SafetensorsLayoutTests {
    /// The file that a layout and the tensors of a source make.
    static func bytes(_ layout: FileLayout, _ source: any TensorSource) throws -> [UInt8] {
        var file = [UInt8](repeating: 0, count: layout.byteCount)
        for patch in layout.fixed { file.replaceSubrange(patch.offset..<patch.offset + patch.bytes.count, with: patch.bytes) }
        for (i, offset) in layout.dataOffsets.enumerated() {
            let data = try SafetensorsReaderTests.bytes(source, i)
            file.replaceSubrange(offset..<offset + data.count, with: data)
        }
        return file
    }

    /// What safetensors 0.8.0 writes for these tensors and texts.
    @Test func theHeaderIsTheLibrarys() throws {
        let tensors = try [
            TensorInfo(name: "b", type: .f16, shape: [3]), TensorInfo(name: "a", type: .bf16, shape: [1]),
            TensorInfo(name: "c", type: .f32, shape: [1]), TensorInfo(name: "g", type: .f16, shape: [0, 4]),
            TensorInfo(name: "s", type: .f32, shape: []), TensorInfo(name: "A\"é\n\u{7f}汉\u{1}", type: .f32, shape: [2]),
        ]
        let layout = try SafetensorsLayout.make(tensors, metadata: ["format": "pt", "z": "1", "a": "é\""])
        let expected = """
            {"__metadata__":{"a":"é\\"","format":"pt","z":"1"},"A\\"é\\n\u{7f}汉\\u0001":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},\
            "c":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"s":{"dtype":"F32","shape":[],"data_offsets":[12,16]},\
            "a":{"dtype":"BF16","shape":[1],"data_offsets":[16,18]},"b":{"dtype":"F16","shape":[3],"data_offsets":[18,24]},\
            "g":{"dtype":"F16","shape":[0,4],"data_offsets":[24,24]}}
            """
        let length = (expected.utf8.count + 7) / 8 * 8
        #expect(layout.fixed.count == 1)
        #expect(layout.fixed.first?.bytes.prefix(8).elementsEqual(GGUFBytes.u64(UInt64(length))) == true)
        let header = String(decoding: layout.fixed[0].bytes.dropFirst(8), as: UTF8.self)
        #expect(header.utf8.count == length)
        #expect(header.hasPrefix(expected))
        #expect(header.dropFirst(expected.count).allSatisfy { $0 == " " })
        #expect(layout.dataOffsets == [18, 16, 8, 24, 12, 0].map { 8 + length + $0 })
        #expect(layout.byteCount == 8 + length + 24)
        #expect(layout.closing == nil)
    }

    @Test func whatCanNotBeWritten() throws {
        func error(_ name: String, _ type: TensorType, twice: Bool = false) throws -> AlpacaError? {
            let tensor = try TensorInfo(name: name, type: type, shape: [32])
            return alpacaError { _ = try SafetensorsLayout.make(twice ? [tensor, tensor] : [tensor]) }
        }
        #expect(try error("a", .q4_0)?.code == .unsupported)
        #expect(try error("a", .f16, twice: true)?.code == .badFormat)
        #expect(try error("__metadata__", .f16)?.code == .badFormat)
        #expect(try error("a", .f16) == nil)
        #expect(try SafetensorsLayout.make([], metadata: [:]).byteCount == 16)
    }

    /// Files that the library wrote come out the same, byte for byte.
    @Test(
        arguments: [
            "merged-chinese-alpaca-hf/model.safetensors", "mini-llama/model.safetensors",
            "mini-chinese-llama-lora/adapter_model.safetensors",
        ])
    func filesAreRebuiltByteForByte(_ name: String) throws {
        let path = MiniFamily.shared(name)
        let reader = try SafetensorsReader(FileRegion(InputFile(path: path)))
        let layout = try SafetensorsLayout.make(reader.tensors, metadata: reader.metadata)
        let original = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try Self.bytes(layout, reader) == Array(original))
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// What is said about files that are wrong.
@Suite struct LegacyErrorTests {
    struct Case: Sendable {
        let code: AlpacaError.Code
        /// Behind the path.
        let message: String
        let change: @Sendable (inout LegacyBytes) -> Void

        init(_ code: AlpacaError.Code, _ message: String, _ change: @escaping @Sendable (inout LegacyBytes) -> Void) {
            self.code = code
            self.message = message
            self.change = change
        }
    }

    static func valid() -> LegacyBytes {
        var file = LegacyBytes(.ggjt3)
        file.tensors = [
            .init(name: "norm.weight", shape: [32], type: 0, data: [UInt8](repeating: 0, count: 128)),
            .init(name: "layers.0.feed_forward.w1.weight", shape: [96, 32], type: 1, data: [UInt8](repeating: 0, count: 6_144)),
        ]
        return file
    }

    static let cases: [Case] = [
        Case(.badFormat, "ggjt version 3: n_vocab: found 0, expected 1 or more") { $0.numbers[0] = 0 },
        Case(.badFormat, "ggjt version 3: n_vocab: found 2147483647, at most 799 tokens fit in the rest of the file") {
            $0.numbers[0] = .max
        },
        Case(.badFormat, "ggjt version 3: n_layer: found -1, expected 1 or more") { $0.numbers[4] = -1 },
        Case(.badFormat, "n_layer: found 3, but the file has only 2 tensors (is it complete?)") { $0.numbers[4] = 3 },
        Case(.badFormat, "n_head: found 3, which does not divide n_embd, 32") { $0.numbers[3] = 3 },
        Case(.badFormat, "n_rot: found 15, expected n_embd / n_head, 16") { $0.numbers[5] = 15 },
        Case(
            .shapeMismatch, "tensor \"layers.0.feed_forward.w1.weight\": found 96 rows, expected 256 (n_mult is 256)"
        ) { $0.numbers[2] = 256 },
        Case(.badFormat, "ggjt version 3: score of token 1: found nan, expected a finite number") { $0.pieces[1].score = .nan },
        Case(.badFormat, "ggjt version 3: tensor 1 at byte 224: found 3 dimensions, expected 1 or 2") {
            $0.tensors[1].shape = [1, 96, 32]
        },
        Case(.badFormat, "ggjt version 3: tensor 1 at byte 224: found a dimension of -1, expected 1 or more") {
            $0.tensors[1].shape = [96, -1]
        },
        Case(.badFormat, "ggjt version 3: tensor 1 at byte 224: found a name of 0 bytes, expected 1 to 255") { $0.tensors[1].name = "" },
        Case(.badFormat, "ggjt version 3: name of tensor 1 at byte 224: found \"wü\", expected printable ASCII characters") {
            $0.tensors[1].name = "wü"
        },
        Case(.badFormat, "ggjt version 3: tensor \"norm.weight\" is there twice") { $0.tensors[1].name = "norm.weight" },
        Case(.badFormat, "ggjt version 3: tensor \"w\": row length 33 is not a multiple of 32, the block of its type") {
            ($0.tensors[1].name, $0.tensors[1].shape, $0.tensors[1].type) = ("w", [1, 33], 2)
        },
        Case(
            .unsupported,
            "ggjt version 3: tensor \"w\": found type 4 (Q4_2), which files of this version can't have: it was removed before"
        ) { ($0.tensors[1].name, $0.tensors[1].type) = ("w", 4) },
        Case(
            .unsupported,
            "ggjt version 3: tensor \"w\": found type 9, supported are 0 to 8 and 10 to 14 (F32, F16, Q4_0, Q4_1, Q4_2, Q4_3, Q5_0, Q5_1, "
                + "Q8_0, Q2_K to Q6_K)"
        ) { ($0.tensors[1].name, $0.tensors[1].type) = ("w", 9) },
        Case(.unsupported, "ggjt version 2: tensor \"w\": found type 12 (a K type), which came with ggjt version 3") {
            ($0.kind, $0.tensors[1].name, $0.tensors[1].type) = (.ggjt2, "w", 12)
        },
        Case(.truncated, "ggjt version 3: the file ends behind the vocabulary: it has no tensors (is it complete?)") { $0.tensors = [] },
        Case(
            .truncated, "ggjt version 3: tensor \"w\": data at byte 256: needs 6144 bytes, 6143 are left (is the file complete?)"
        ) {
            $0.tensors[1].name = "w"
            $0.tensors[1].data.removeLast()
        },
        Case(
            .truncated, "ggjt version 3: n_dims of tensor 2 at byte 6432: needs 4 bytes, 3 are left (is the file complete?)"
        ) { $0.tensors[1].data += [1, 2, 3] },
        Case(
            .shapeMismatch, "tensor \"tok_embeddings.weight\": found 64 columns, expected 32 (n_embd) or a part of them"
        ) {
            $0.kind = .ggmf
            $0.tensors = [.init(name: "tok_embeddings.weight", shape: [3, 64], type: 1, data: [UInt8](repeating: 0, count: 384))]
        },
    ]

    @Test func theValidFileIsRead() throws {
        try Fixtures.withFile(Self.valid().build()) { path in
            let reader = try LegacyGGMLReader(InputFile(path: path))
            #expect(reader.tensors.map(\.shape) == [[32], [96, 32]])
            #expect(reader.place(of: 0)?.start == 96 && reader.place(of: 2) == nil)
        }
    }

    @Test(arguments: cases.indices) func errors(index: Int) throws {
        let test = Self.cases[index]
        var file = Self.valid()
        test.change(&file)
        try Fixtures.withFile(file.build()) { path in
            #expect(
                alpacaError { _ = try LegacyGGMLReader(InputFile(path: path)) } == AlpacaError(test.code, "\(path): \(test.message)"))
        }
    }

    /// A layer left out would make the model another one.
    @Test func layersBeyondTheHeader() throws {
        var file = try LegacyBytes(GGUFReader(InputFile(path: MiniFamily.q8_0)), .ggjt3)
        file.numbers[4] -= 1
        try Fixtures.withFile(file.build()) { path in
            let error = alpacaError { _ = try Model(path: path) }
            #expect(error?.code == .shapeMismatch)
            #expect(error?.message.hasPrefix("\(path): tensor \"layers.3.") == true)
            #expect(error?.message.hasSuffix("found a layer beyond those that the header tells, 3") == true)
        }
    }

    @Test(arguments: [0, 4, UInt8.max]) func versions(version: UInt8) throws {
        var bytes = Self.valid().build()
        bytes[4] = version
        try Fixtures.withFile(bytes) { path in
            #expect(
                alpacaError { _ = try LegacyGGMLReader(InputFile(path: path)) }
                    == AlpacaError(.unsupported, "\(path): ggjt: found version \(version), supported are 1, 2 and 3"))
        }
    }

    /// No cut and no flipped bit may do more than be refused.
    @Test func everyCutAndEveryBit() throws {
        let bytes = Self.valid().build()
        try Fixtures.withFolder { folder in
            let path = folder + "/cut"
            for count in 0..<400 {
                try Data(bytes.prefix(count)).write(to: URL(fileURLWithPath: path))
                // A file that ends between two tensors looks whole until the model is bound.
                let error = alpacaError { _ = try LegacyGGMLReader(InputFile(path: path)) }
                #expect((error != nil) == (count != 224), "\(count) bytes")
            }
            for bit in 0..<8 * 400 {
                var flipped = bytes
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                try Data(flipped).write(to: URL(fileURLWithPath: path))
                let error = alpacaError {
                    let reader = try LegacyGGMLReader(InputFile(path: path))
                    for i in reader.tensors.indices { try reader.withTensor(i) { _ in } }
                }
                #expect(error?.code != .internalError, "bit \(bit): \(error?.message ?? "")")
            }
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// `problem` is there exactly when the model can't be opened, and says the same.
@Suite struct ProblemTests {
    /// Opens the model, describes it, and compares what the two say.
    static func check(_ path: String, opens: Bool, location: SourceLocation = #_sourceLocation) {
        let refusal = alpacaError { _ = try Model(path: path) }
        #expect((refusal == nil) == opens, "\(path): \(refusal?.message ?? "opens")", sourceLocation: location)
        var told: String?
        do { told = try Inspection(path: path).problem } catch { told = "\(error)" }
        #expect((told == nil) == opens, "\(path): \(told ?? "no problem"), but: \(refusal?.message ?? "opens")", sourceLocation: location)
        if let told, let refusal { #expect(refusal.message.hasSuffix(told) || told.hasSuffix(refusal.message), sourceLocation: location) }
    }

    static let keys: [(key: String, value: GGUFValue?, opens: Bool)] = [
        (GGUFKey.bosToken, .uint32(5_000), false), (GGUFKey.bosToken, .string("<s>"), false), (GGUFKey.bosToken, nil, true),
        (GGUFKey.unknownToken, .uint32(UInt32.max), true), (GGUFKey.paddingToken, .uint32(4_000_000_000), false),
        (GGUFKey.scores, nil, true), (GGUFKey.tokenTypes, nil, true),
        (GGUFKey.scores, .array(.float32([1, 2, 3])), false), (GGUFKey.tokenTypes, .array(.int32([1])), false),
        (GGUFKey.scores, .array(.float32([Float](repeating: .nan, count: TinyModel.count))), false),
        (GGUFKey.tokenTypes, .array(.int32([Int32](repeating: 9, count: TinyModel.count))), false),
        (GGUFKey.tokenTypes, .array(.int32([Int32](repeating: 6, count: TinyModel.count))), false),
        (GGUFKey.tokenizerModel, .string("spm"), false), (GGUFKey.tokenizerModel, .string("no_vocab"), false),
        (GGUFKey.tokenizerModel, nil, false), (GGUFKey.tokens, nil, false), (GGUFKey.addBOS, .uint32(1), false),
        (GGUFKey.addSpacePrefix, .string("no"), false), (GGUFKey.ropeTheta("llama"), .float32(.nan), false),
        (GGUFKey.normEpsilon("llama"), .float32(0), false), (GGUFKey.headCount("llama"), .uint32(3), false),
        (GGUFKey.layerCount("llama"), .uint32(2), false), (GGUFKey.vocabularySize("llama"), .uint32(3), true),
    ]

    @Test func `files of ggml`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            _ = try Converter.convert(ConversionOptions(base: work + "/base", output: work + "/m.gguf"))
            Self.check(work + "/m.gguf", opens: true)
            let reader = try GGUFReader(InputFile(path: work + "/m.gguf"))
            for (number, (key, value, opens)) in Self.keys.enumerated() {
                var metadata = reader.metadata
                metadata[key] = value
                let path = "\(work)/\(number)-\(key).gguf"
                try GGUFFile.write(metadata, of: reader, to: path)
                Self.check(path, opens: opens)
            }
            var empty = reader.metadata
            var list = try PieceList(empty)
            list.pieces.append([])
            for kind in [TokenKind.normal, .userDefined, .control, .unused] {
                var pieces = GGUFStrings()
                for id in 0..<TinyModel.count - 1 { pieces.append(list.pieces[id]) }
                pieces.append([])
                empty[GGUFKey.tokens] = .array(.string(pieces))
                var kinds = list.kinds.map { Int32($0.rawValue) }
                kinds[TinyModel.count - 1] = Int32(kind.rawValue)
                empty[GGUFKey.tokenTypes] = .array(.int32(kinds))
                try GGUFFile.write(empty, of: reader, to: "\(work)/empty-\(kind).gguf")
                Self.check("\(work)/empty-\(kind).gguf", opens: true)
                // A tokenizer.model may have no such piece: it gets a name there.
                var options = ConversionOptions(base: "\(work)/empty-\(kind).gguf", output: "\(work)/empty-\(kind)")
                options.format = .huggingFace
                _ = try Converter.convert(options)
                Self.check("\(work)/empty-\(kind)", opens: true)
            }
        }
    }

    @Test func folders() throws {
        let unigram: [UInt8] = [0x0a, 5, 0x0a, 1, 0x61, 0x18, 2, 0x12, 2, 0x18, 1]
        try Fixtures.withFolder { work in
            for name in ["none", "empty", "sizes"] { try TinyModel().write(to: "\(work)/\(name)") }
            try TinyModel(fields: ["hidden_act": "\"gelu\""]).write(to: work + "/act")
            try TinyModel(fields: ["num_hidden_layers": "2"]).write(to: work + "/layers")
            try TinyModel(rows: 10).write(to: work + "/rows")
            try TinyModel().write(to: work + "/good")
            try TinyModel().write(to: work + "/unigram")
            try Data(unigram).write(to: URL(fileURLWithPath: work + "/unigram/tokenizer.model"))
            try FileManager.default.removeItem(atPath: work + "/none/tokenizer.model")
            try Data().write(to: URL(fileURLWithPath: work + "/empty/tokenizer.model"))
            try FileManager.default.removeItem(atPath: work + "/sizes/config.json")
            for name in ["none", "empty", "act", "layers", "rows", "sizes", "unigram"] { Self.check("\(work)/\(name)", opens: false) }
            Self.check(work + "/good", opens: true)
            Self.check(work + "/good/model.safetensors", opens: true)
            Self.check(work + "/rows/model.safetensors", opens: false)
        }
    }

    @Test func `an archive of a model`() throws {
        try Fixtures.withFolder { work in
            try TinyModel().write(to: work + "/base")
            var entries: [ZipLayout.Entry] = []
            for name in ["config.json", "model.safetensors", "tokenizer.model"] {
                entries.append(
                    .init(name: name, content: .bytes(Array(try Data(contentsOf: URL(fileURLWithPath: "\(work)/base/\(name)"))))))
            }
            try LayoutFile.write(ZipLayout.layOut(entries), [], to: work + "/base.zip")
            Self.check(work + "/base.zip", opens: false)
            #expect(try Inspection(path: work + "/base.zip").problem?.contains("unpack it") == true)
        }
    }
}

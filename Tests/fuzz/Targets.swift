// What is fuzzed: every reader of a foreign format, and what a caller's text and numbers reach.

import Foundation

@testable import AlpacaEngine

enum Targets {
    static let all: [String: @Sendable ([UInt8]) throws -> Void] = [
        "gguf": { bytes in
            let source = ModelSource(try GGUFReader(file(bytes)))
            _ = try? Tokenizer(source.metadata)
            _ = ModelDescription(source).json()
            try readSome(source)
        },
        "ggml": { bytes in
            let source = ModelSource(try LegacyGGMLReader(file(bytes)))
            _ = try? Tokenizer(source.metadata)
            try readSome(source)
        },
        "safetensors": { try readSome(SafetensorsReader(FileRegion(file($0)))) },
        "torch": { try readSome(TorchCheckpoint(FileRegion(file($0)))) },
        "zip": { bytes in
            let files = try ZipFiles(FileRegion(file(bytes)))
            for name in files.names.prefix(4) { _ = try? files.open(name)?.bytes(at: 0, count: 1) }
            _ = try? LoRAAdapter(files)
        },
        "json": { bytes in
            let document = try JSONDocument(bytes, name: "x")
            let shape: (String) -> [Int]? = { $0.contains("embed") ? [100, 32] : nil }
            _ = try? ModelConfiguration.huggingFace(document, shape: shape)
            _ = try? ModelConfiguration.meta(document, shape: shape)
            _ = try? ShardIndex(document, name: "x")
            _ = PythonJSON.text(of: document)
        },
        "adapter_config": { _ = try AdapterConfiguration(JSONDocument($0, name: "x").root) },
        "sentencepiece": { bytes in
            let model = try SentencePieceModel(bytes)
            let tokenizer = try Tokenizer(model)
            _ = tokenizer.encode(utf8: Array("白日依山尽 a<0x0A>\u{2581}".utf8), addBOS: true)
            _ = try VocabularyMerge.merge(model, adding: model)
        },
        "text": { bytes in
            for parseSpecial in [false, true] {
                let ids = tokenizer.encode(utf8: bytes, addBOS: true, parseSpecial: parseSpecial)
                var assembler = UTF8Assembler()
                var piece: [UInt8] = [], whole: [UInt8] = []
                for id in ids { tokenizer.appendBytes(of: id, to: &piece) }
                for byte in piece { assembler.append(byte, to: &whole) }
                precondition(String(validating: whole, as: UTF8.self) != nil)
                _ = tokenizer.decode(ids)
            }
        },
        "template": { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            let messages = text.split(separator: "\u{0}", omittingEmptySubsequences: false).enumerated().map { i, part in
                ChatMessage(role: part.hasPrefix("s") ? .system : i % 2 == 0 ? .user : .assistant, content: String(part))
            }
            for name in ChatTemplate.allNames { _ = try? ChatTemplate(name: name)?.render(messages) }
            var matcher = StopMatcher([String(text.prefix(5)), "### Instruction:"])
            var shown: [UInt8] = []
            for byte in bytes { if matcher.append([byte], to: &shown) != nil { break } }
        },
        "sampler": { bytes in
            guard bytes.count >= 48 else { return }
            func float(_ at: Int) -> Float { Float(bitPattern: bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }) }
            var parameters = SamplingParameters()
            parameters.temperature = float(0)
            parameters.topP = float(4)
            parameters.minP = float(8)
            parameters.repetitionPenalty = float(12)
            parameters.presencePenalty = float(16)
            parameters.frequencyPenalty = float(20)
            parameters.topK = Int(Int8(bitPattern: bytes[24]))
            parameters.repeatLastN = Int(Int8(bitPattern: bytes[25]))
            parameters.seed = UInt64(bytes[26])
            parameters.logitBias = [TokenID(Int8(bitPattern: bytes[27])): float(28)]
            guard (try? parameters.validate(vocabularySize: 16)) != nil else { return }
            let logits = (0..<16).map { float(32 + $0 % ((bytes.count - 32) / 4) * 4) }
            let sampler = try Sampler(vocabularySize: logits.count)
            var random = RandomSource(seed: 1)
            let recent: [TokenID] = bytes.suffix(8).map { TokenID($0 % 16) }
            let id = sampler.sample(logits.span, recent: recent.span, parameters, &random)
            precondition(id >= 0 && id < 16)
        },
    ]

    private static let tokenizer = try! Tokenizer(path: ProcessInfo.processInfo.environment["FUZZ_TOKENIZER"] ?? "")

    /// The bytes as a file, without a disk: one for the whole process, written anew.
    private static let descriptor: Int32 = {
        var template = Array("/dev/shm/alpaca-fuzz-XXXXXX\0".utf8).map { CChar(bitPattern: $0) }
        let descriptor = mkstemp(&template)
        unlink(template)
        return descriptor
    }()

    private static func file(_ bytes: [UInt8]) throws -> InputFile {
        ftruncate(descriptor, off_t(bytes.count))
        _ = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, bytes.count, 0) }
        return InputFile(adopting: dup(descriptor), path: "x", size: bytes.count)
    }

    /// The first and the last row of a few tensors, if they are small enough to be worth it.
    private static func readSome(_ source: some TensorSource) throws {
        let scratch = ScratchArena()
        for index in source.tensors.indices.prefix(3) + source.tensors.indices.suffix(1) {
            let info = source.tensors[index]
            guard info.rows > 0, info.rowByteCount > 0, info.rowByteCount < 1 << 16 else { continue }
            for row in [0, info.rows - 1] {
                try scratch.scope { () throws(AlpacaError) in
                    let target = try scratch.take(info.rowByteCount, for: "row")
                    try source.read(index, rows: row..<row + 1, into: target, scratch: scratch)
                }
            }
            _ = source.place(of: index)
        }
    }
}

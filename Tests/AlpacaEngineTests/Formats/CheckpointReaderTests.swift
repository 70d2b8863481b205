import AlpacaEngine
import Foundation
import Testing

@Suite struct CheckpointReaderTests {
    static func kind(_ bytes: [UInt8]) throws -> CheckpointKind {
        try Fixtures.withFile(bytes) { try CheckpointKind(InputFile(path: $0)) }
    }

    static let known: [(CheckpointKind, [UInt8])] = [
        (.gguf, Array("GGUF".utf8)),
        (.legacyGGML, Array("lmgg".utf8)), (.legacyGGML, Array("fmgg".utf8) + [1]), (.legacyGGML, Array("tjgg".utf8) + [3]),
        (.torchZip, [0x50, 0x4b, 3, 4, 0]), (.torchPickle, [0x80, 2, 0x8a, 10]),
        (.safetensors, [0x30, 0, 0, 0, 0, 0, 0, 0] + Array("{\"a\":{".utf8)),
        (.safetensors, [0, 0, 0, 0, 0, 1, 0, 0] + Array("{".utf8)),
        (.sentencePiece, [0x0a, 0x0e, 0x0a, 5] + Array("<unk>".utf8) + [0x15, 0, 0, 0, 0, 0x18, 2]),
        (.sentencePiece, [0x0a, 7, 0x0a, 5] + Array("<unk>".utf8) + [0x0a, 3]),
        (.json, Array("{}".utf8)), (.json, [0xef, 0xbb, 0xbf] + Array(" \n[1]".utf8)), (.json, Array("{\"abcde\"{".utf8)),
        (.safetensors, [0x80, 2, 0, 0, 0, 0, 0, 0] + Array("{\"a\":{".utf8)),
    ]

    @Test(arguments: known.indices)
    func knownFormats(_ index: Int) throws {
        #expect(try Self.kind(Self.known[index].1) == Self.known[index].0)
    }

    static let refused: [(AlpacaError.Code, String, [UInt8])] = [
        (.truncated, "the file is empty", []),
        (.truncated, "the file has only 3 bytes: \"GGU\" (is the download complete?)", Array("GGU".utf8)),
        (
            .badFormat, "this is a Git LFS pointer, not the file itself: run `git lfs pull` in the repository that it belongs to",
            Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n".utf8)
        ),
        (
            .badFormat,
            "this is an HTML page, not the model: the download gave a web page instead of the file (open it in a browser to see why)",
            [0xef, 0xbb, 0xbf] + Array("\r\n\n <!DOCTYPE HTML>\n<HTML>".utf8)
        ),
        (
            .badFormat,
            "this is XML or the like, not the model (the message of a server?); it begins with \"<?xml version=\\\"1.0\\\"?><Error/>\"",
            Array("<?xml version=\"1.0\"?><Error/>".utf8)
        ),
        (.badFormat, "this is a text file, not a model; it begins with \"模型在这里\\u{a}\"", Array("模型在这里\n".utf8)),
        (
            .badFormat, "this is a text file, not a model; it begins with \"\(String(repeating: "模", count: 60))...\" (1023 bytes)",
            Array(String(repeating: "模", count: 341).utf8)
        ),
        (
            .badFormat, "the file begins with 16 zero bytes (a download that reserved the space and did not finish?)",
            [UInt8](repeating: 0, count: 16)
        ),
        (
            .badFormat,
            "found the bytes ff 00 01 02 03 04 05 06, with which no supported format begins: GGUF, ggml, safetensors, PyTorch, "
                + "SentencePiece, JSON", [0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        ),
        (
            .unsupported, "this is a big-endian GGUF file, not a model: convert it with `gguf-convert-endian` of the Python package gguf",
            Array("FUGG".utf8)
        ),
        (.unsupported, "this is a file packed with gzip, not a model: unpack it with `gunzip`", [0x1f, 0x8b, 8, 0]),
        (.unsupported, "this is an empty zip archive, not a model: download it again", [0x50, 0x4b, 5, 6, 0, 0]),
        (
            .unsupported, "this is a LoRA in llama.cpp's format of 2023 (ggla), not a model: use the PEFT adapter that it was made from",
            Array("algg".utf8)
        ),
        (
            .unsupported, "this is a tar archive, not a model: unpack it with `tar -xf`",
            [UInt8](repeating: 0, count: 257) + Array("ustar".utf8) + [UInt8](repeating: 0, count: 250)
        ),
    ]

    @Test(arguments: refused.indices)
    func refusedFiles(_ index: Int) throws {
        let (code, message, bytes) = Self.refused[index]
        try Fixtures.withFile(bytes) { path in
            #expect(alpacaError { _ = try CheckpointKind(InputFile(path: path)) } == AlpacaError(code, "\(path): \(message)"))
        }
    }

    @Test func onlyWeightsAreOpened() throws {
        let tensors = try Fixtures.withFile(GGUFBytes.header()) { try CheckpointReader.open($0).tensors }
        #expect(tensors.isEmpty)
        try Fixtures.withFile("{\"error\": \"Repository not found\"}".utf8) { path in
            let message = "\(path): this is a JSON file, not a model; it begins with \"{\\\"error\\\": \\\"Repository not found\\\"}\""
            #expect(alpacaError { _ = try CheckpointReader.open(path) } == AlpacaError(.badFormat, message))
        }
        try Fixtures.withFile(Self.known[8].1) { path in
            let message = "\(path): this is a SentencePiece tokenizer, not a model: the model's own file has to be named"
            #expect(alpacaError { _ = try CheckpointReader.open(path) } == AlpacaError(.badFormat, message))
        }
        try Fixtures.withFile([0x80, 2, 0x8a, 10]) { path in
            let message =
                "\(path): this is a pickle, but not one that `torch.save` writes: load it in PyTorch and save the tensors by "
                + "`torch.save` again"
            #expect(alpacaError { _ = try CheckpointReader.open(path) } == AlpacaError(.unsupported, message))
        }
        try Fixtures.withFolder { path in
            #expect(alpacaError { _ = try CheckpointReader.open(path) } == AlpacaError(.io, "\(path): found a folder, expected a file"))
        }
    }
}

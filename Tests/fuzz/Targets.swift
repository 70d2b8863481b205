// What is fuzzed: every reader of a foreign format, and what a caller's text and numbers reach. Where an answer can be checked, it is.

@testable import AlpacaEngine

enum Targets {
    static let all: [String: @Sendable ([UInt8]) throws -> Void] = [
        "gguf": { bytes in
            let reader = try GGUFReader(Input.file(bytes))
            try? readSome(ModelSource(reader).weights)
            try show(bytes, Inspection.open(reader))
        },
        "imatrix": { bytes in
            let file = try Input.file(bytes)
            let matrix = ImportanceMatrix.isLegacy(file) ? try ImportanceMatrix(legacy: file) : try ImportanceMatrix(GGUFReader(file))
            _ = matrix.columns
            let again = try ImportanceMatrix(GGUFReader(Input.file(matrix.ggufBytes())))
            precondition(Set(again.entries.keys) == Set(matrix.entries.keys), "an importance matrix changes when it is written")
            var sum = matrix
            try sum.add(matrix, chunkSize: 4)
            _ = try sum.legacyBytes()
        },
        "ggml": { bytes in
            let reader = try LegacyGGMLReader(Input.file(bytes))
            try? readSome(ModelSource(reader).weights)
            try show(bytes, Inspection.open(reader))
        },
        "safetensors": { bytes in
            let region = try Input.region(bytes)
            try show(bytes, region, SafetensorsReader(region))
        },
        "torch": { bytes in
            let region = try Input.region(bytes)
            try show(bytes, region, TorchCheckpoint(region))
        },
        "zip": { bytes in
            let files = try ZipFiles(Input.region(bytes))
            for name in files.names.prefix(4) { _ = try? files.open(name)?.bytes(at: 0, count: 1) }
            let opened = try Inspection.open(files)
            try show(bytes, opened)
        },
        "folder": { bytes in
            let files = try InputFolder(bytes)
            if let folder = try? ModelFolder(files), let source = try? ModelSource(folder) { try? readSome(source.weights) }
            let opened = try Inspection.open(files)
            try show(bytes, opened)
        },
        "json": { bytes in
            let document = try JSONDocument(bytes, name: "x")
            let shape: (String) -> [Int]? = { $0.contains("embed") ? [100, 32] : nil }
            _ = try? ModelConfiguration.huggingFace(document, shape: shape)
            _ = try? ModelConfiguration.meta(document, shape: shape)
            _ = try? ShardIndex(document, name: "x")
            _ = try? TokenizerJSON(document.root)
            _ = ModelOrigin(document)
            let written = PythonJSON.text(of: document)
            let again = try? JSONDocument(Array(written.utf8), name: "x")
            precondition(again.map { PythonJSON.text(of: $0) } == written, "written JSON reads otherwise")
        },
        "adapter_config": { _ = try AdapterConfiguration(JSONDocument($0, name: "x").root) },
        "sentencepiece": { bytes in
            let model = try SentencePieceModel(bytes)
            let merged = try VocabularyMerge.merge(model, adding: model)
            precondition(merged == bytes, "a vocabulary changes when it is merged with itself")
            let tokenizer = try Tokenizer(model)
            _ = tokenizer.decode(tokenizer.encode(utf8: Array("白日依山尽 a<0x0A>\u{2581}".utf8), addBOS: true))
        },
        "tiktoken": { bytes in
            let parts = try TiktokenFile.parts(bytes)
            let tokenizer = Tokenizer(try ByteLevelTokenizer(parts))
            _ = tokenizer.decode(tokenizer.encode(utf8: Array("the 山 in\n 12".utf8), parseSpecial: true))
            guard let written = try TiktokenFile.bytes(of: parts) else { return }
            let again = try TiktokenFile.parts(written)
            precondition(again.pieces.bytes == parts.pieces.bytes, "a list of ranks that was written is another")
        },
        "tokenizer_json": TokenizerJSONTarget.run,
        "text": TextTarget.run,
        "bytes": ByteLevelTarget.run,
        "template": TemplateTarget.run,
        "jinja": JinjaTarget.run,
        "sampler": SamplerTarget.run,
        "blocks": BlocksTarget.run,
    ]

    /// As a thread has it that reads one tensor after the other.
    nonisolated(unsafe) private static let scratch = ScratchArena()

    /// The first and the last row of a few tensors, if they are small enough to be worth it.
    private static func readSome(_ source: some TensorSource) throws {
        for index in source.tensors.indices.prefix(3) + source.tensors.indices.dropFirst(3).suffix(1) {
            let info = source.tensors[index]
            guard info.rows > 0, info.rowByteCount > 0, info.rowByteCount < 1 << 16 else { continue }
            for row in info.rows > 1 ? [0, info.rows - 1] : [0] {
                try scratch.scope { () throws(AlpacaError) in
                    let target = try scratch.take(info.rowByteCount, for: "row")
                    try source.read(index, rows: row..<row + 1, into: target, scratch: scratch)
                }
            }
            _ = source.place(of: index)
        }
    }

    private static func show(_ bytes: [UInt8], _ region: FileRegion, _ weights: some TensorSource) throws {
        try? readSome(weights)
        try show(bytes, .weights(WeightsDescription(region, weights, problem: WeightsDescription.alone)))
    }

    /// What `alpaca inspect` prints, in one of the two forms; of every fourth input, since it takes longer than reading.
    private static func show(_ bytes: [UInt8], _ inspection: @autoclosure () throws -> Inspection) throws {
        switch bytes.count % 8 {
        case 0:
            let text = try inspection().json(listsTensors: true)
            precondition((try? JSONDocument(Array(text.utf8), name: "x")) != nil, "a description is no JSON")
        case 1: _ = try inspection().text(listsTensors: true)
        default: break
        }
    }
}

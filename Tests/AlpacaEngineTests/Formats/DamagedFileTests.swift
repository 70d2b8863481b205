// Every valid file, damaged in every place that tells how to read it: cut at each byte of its header and metadata and at 200 places of its
// data, each bit of its first 4 KB turned. Each is an error or opens, in memory in proportion to the file. A part of the places here; FULL=1
// (make test-hostile) takes all. Each kind of file has a process of its own, whose memory can be told.

import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct DamagedFileTests {
    enum Kind: String, CaseIterable, Codable, Sendable, CustomTestStringConvertible {
        case gguf, ggml, ggjt, safetensors, torch, torchOld, tokenizer, folderConfig, adapterConfig, adapterWeights, adapterTorch
        var testDescription: String { rawValue }

        var needsFamily: Bool {
            switch self {
            case .gguf, .ggml, .ggjt, .torchOld, .tokenizer: false
            default: true
            }
        }
    }

    @Test(arguments: Kind.allCases.filter { !$0.needsFamily }) func `cut and turned`(kind: Kind) async {
        await #expect(processExitsWith: .success) { [kind] in try Fixtures.withFolder { try DamagedFile(kind, $0).run() } }
    }

    @Test(arguments: Kind.allCases.filter(\.needsFamily))
    func `cut and turned, of the mini family`(kind: Kind) async {
        await #expect(processExitsWith: .success) { [kind] in try Fixtures.withFolder { try DamagedFile(kind, $0).run() } }
    }
}

private struct DamagedFile {
    private static let isFull = ProcessInfo.processInfo.environment["FULL"] != nil

    let kind: DamagedFileTests.Kind
    let folder: String
    private let path: String
    private let bytes: [UInt8]
    /// Bytes at the beginning and at the end that tell how to read the others.
    private let head: Int, tail: Int

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    func run() throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        try expect(open(), nil, "as it is")
        let before = try Self.peakMemory()
        try cut()
        try turn()
        try expect(open(), nil, "as it was")
        let taken = try Self.peakMemory() - before
        guard taken <= bytes.count + 64 << 20 else { throw Failure(description: "\(kind): \(taken) bytes of memory were taken") }
    }

    // MARK: Damage

    /// From the longest on: the file has to be made shorter only.
    private func cut() throws {
        let step = Self.isFull ? 1 : max(1, (head + tail) / 250)
        let places = Self.isFull ? 200 : 20
        var sizes = Set(stride(from: 0, to: head, by: step)).union(stride(from: bytes.count - tail, to: bytes.count, by: step))
        sizes.formUnion((0..<places).map { head + (bytes.count - tail - head) * $0 / places })
        for size in sizes.sorted(by: >) where size < bytes.count {
            guard truncate(path, off_t(size)) == 0 else { throw Failure(description: "can't cut the file") }
            // What is cut away may be what nobody reads, or the last pieces of a vocabulary.
            if let error = open() { try expect(error, error, "cut to \(size) bytes") }
        }
    }

    private func turn() throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        guard let file = FileHandle(forUpdatingAtPath: path) else { throw Failure(description: "can't write the file") }
        for at in 0..<min(4096, bytes.count) where Self.isFull || at < 64 || at % 61 == 0 {
            for bit in 0..<8 {
                try file.seek(toOffset: UInt64(at))
                try file.write(contentsOf: Data([bytes[at] ^ 1 << UInt8(bit)]))
                if let error = open() { try expect(error, error, "bit \(bit) of byte \(at) turned") }
            }
            try file.seek(toOffset: UInt64(at))
            try file.write(contentsOf: Data([bytes[at]]))
        }
        try file.close()
    }

    private func expect(_ found: AlpacaError?, _ expected: AlpacaError?, _ what: String) throws {
        let known: [AlpacaError.Code] = [.badFormat, .unsupported, .truncated, .shapeMismatch, .missing, .unsafe, .notFound, .outOfMemory]
        let isWell = found.map { known.contains($0.code) && !$0.message.isEmpty && !$0.message.contains { $0.isNewline } } ?? true
        guard found == expected, isWell else {
            throw Failure(description: "\(kind), \(what): \(found.map { "\($0.code): \($0)" } ?? "no error")")
        }
    }

    /// The most bytes of memory that the process had so far.
    private static func peakMemory() throws -> Int {
        let line = SystemFile.line(of: "/proc/self/status", startingWith: "VmHWM:") ?? ""
        guard let kilobytes = line.split(whereSeparator: \.isWhitespace).first.flatMap({ Int($0) }) else {
            throw Failure(description: "the system does not tell of memory")
        }
        return kilobytes * 1024
    }

    // MARK: Files

    init(_ kind: DamagedFileTests.Kind, _ folder: String) throws {
        self.kind = kind
        self.folder = folder
        func contents(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
        func link(_ folderName: String, _ names: String...) throws {
            for name in names {
                try FileManager.default.createSymbolicLink(
                    atPath: folder + "/" + name, withDestinationPath: MiniFamily.shared("\(folderName)/\(name)"))
            }
        }
        let name: String
        switch kind {
        case .gguf:
            name = "model.gguf"
            bytes = try contents(MiniFamily.q8_0)
            let data = bytes.count - (try GGUFReader(InputFile(path: MiniFamily.q8_0)).tensors.reduce(0) { $0 + $1.byteCount })
            (head, tail) = (data, 0)
        case .ggml, .ggjt:
            name = "model.bin"
            let gguf = try GGUFReader(InputFile(path: MiniFamily.q8_0))
            bytes = try LegacyBytes(gguf, kind == .ggml ? .ggml : .ggjt3).build()
            (head, tail) = (bytes.count - gguf.tensors.reduce(0) { $0 + $1.byteCount }, 0)
        case .safetensors, .adapterWeights:
            name = kind == .safetensors ? "model.safetensors" : "adapter_model.safetensors"
            if kind == .adapterWeights { try link("mini-chinese-llama-lora", "adapter_config.json", "tokenizer.model") }
            bytes = try contents(MiniFamily.shared("\(kind == .safetensors ? "mini-llama" : "mini-chinese-llama-lora")/\(name)"))
            (head, tail) = (8 + Int(bytes[0]) + Int(bytes[1]) << 8, 0)
        case .torch, .adapterTorch:
            // The pickle lies in front, the archive's directory at the end.
            name = kind == .torch ? "consolidated.00.pth" : "adapter_model.bin"
            if kind == .adapterTorch { try link("mini-chinese-alpaca-lora", "adapter_config.json", "tokenizer.model") }
            bytes = try contents(MiniFamily.shared("\(kind == .torch ? "mini-llama-meta" : "mini-chinese-alpaca-lora")/\(name)"))
            (head, tail) = (4096, 8192)
        case .torchOld:
            name = "views.pt"
            bytes = try contents(Fixtures.golden("torch/views-old.pt").path)
            (head, tail) = (bytes.count, 0)
        case .tokenizer:
            name = "tokenizer.model"
            bytes = try contents(Fixtures.golden("tokenizers/mini_llama.model").path)
            (head, tail) = (bytes.count, 0)
        case .folderConfig:
            name = "config.json"
            try link("mini-llama", "model.safetensors", "tokenizer.model")
            bytes = try contents(MiniFamily.shared("mini-llama/config.json"))
            (head, tail) = (bytes.count, 0)
        case .adapterConfig:
            name = "adapter_config.json"
            try link("mini-chinese-llama-lora", "adapter_model.safetensors", "tokenizer.model")
            bytes = try contents(MiniFamily.shared("mini-chinese-llama-lora/adapter_config.json"))
            (head, tail) = (bytes.count, 0)
        }
        path = folder + "/" + name
    }

    /// Opens the file, or what it belongs to, as far as it is read before work begins.
    private func open() -> AlpacaError? {
        alpacaError {
            switch kind {
            case .gguf, .ggml, .ggjt: _ = try Model(path: path)
            case .folderConfig: _ = try Model(path: folder)
            case .safetensors, .torch, .torchOld:
                let source = try CheckpointReader.open(path)
                if let last = source.tensors.indices.last { try source.withTensor(last) { _ in } }
            case .tokenizer:
                let tokenizer = try Tokenizer(path: path)
                _ = tokenizer.decode(tokenizer.encode("白日依山尽, hello"))
            case .adapterConfig, .adapterWeights, .adapterTorch: _ = try LoRAAdapter(FolderFiles(path: folder))
            }
        }
    }
}

import AlpacaEngine
import Foundation
import Testing

/// What the published list says of files by their hash and by their name; digests against `sha256sum`.
@Suite struct VerifierTests {
    private func write(_ text: String, _ path: String, in folder: String) throws -> String {
        let url = URL(fileURLWithPath: folder + "/" + path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
        return url.path
    }

    @Test func `files of the repository, against sha256sum`() throws {
        let folder = Fixtures.repository.appendingPathComponent("Tests/Goldens").path
        let report = try Verifier.verify(paths: [folder])
        #expect(report.files.count > 10)
        #expect(report.isClean)
        #expect(report.files.map(\.path) == report.files.map(\.path).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        for file in report.files {
            #expect(file.sha256 == (try Shared.sha256(file.path)), "\(file.path)")
            let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int
            #expect(file.size == size)
            #expect(file.status == .unknown)
        }
        for threads in [1, 3] { #expect(try Verifier.verify(paths: [folder], threadCount: threads).files == report.files) }
    }

    @Test(.enabled(if: Shared.hasPublishedTokenizers, Shared.noPublishedTokenizers))
    func `published tokenizers are recognized`() throws {
        let llama = Shared.path("tokenizers/llama.model"), pieces = Shared.path("tokenizers/chinese_sp.model")
        let report = try Verifier.verify(paths: [llama, pieces])
        #expect(report.files.map(\.status) == [.known, .known])
        #expect(report.files.map(\.identity) == ["LLaMA, tokenizer.model", "Chinese pieces before merging, chinese_sp.model"])
        #expect(report.files[0].verdict == "\(llama): is LLaMA, tokenizer.model")
        // The best-known mistake of these models' users: the original tokenizer beside an Alpaca adapter.
        try Fixtures.withFolder { folder in
            let path = try write("", "chinese-alpaca-plus-lora-7b/tokenizer.model", in: folder)
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: llama)
            let report = try Verifier.verify(paths: [folder])
            #expect(
                report.files.map(\.verdict) == [
                    "\(path): is LLaMA, tokenizer.model, but its name says Chinese-Alpaca, tokenizer.model"
                ])
            #expect(!report.isClean)
        }
    }

    @Test(arguments: [
        ("chinese-alpaca-plus-lora-13b/adapter_model.bin", "Chinese-Alpaca-Plus-13B adapter, adapter_model.bin"),
        ("chinese-llama-lora-33b/adapter_model.bin", "Chinese-LLaMA-33B adapter, adapter_model.bin"),
        (
            "models--ziqingyang--chinese-alpaca-pro-lora-7b/snapshots/1b5c/adapter_model.bin",
            "Chinese-Alpaca-Pro-7B adapter, adapter_model.bin"
        ),
        ("LLaMA/13B/consolidated.01.pth", "LLaMA-13B, consolidated.01.pth"),
        ("llama-30b/consolidated.03.pth", "LLaMA-33B, consolidated.03.pth"),
        ("llama-7b-hf/pytorch_model-00002-of-00002.bin", "LLaMA-7B (Hugging Face), pytorch_model-00002-of-00002.bin"),
        ("chinese-alpaca-7b/consolidated.00.pth", "Chinese-Alpaca-7B merged, consolidated.00.pth"),
        ("chinese-llama-13b/tokenizer.model", "Chinese-LLaMA, tokenizer.model"),
    ]) func `a damaged file is known by its name`(path: String, title: String) throws {
        try Fixtures.withFolder { folder in
            let file = try write("damaged", path, in: folder)
            let report = try Verifier.verify(paths: [file])
            #expect(report.files.first?.verdict == "\(file): DAMAGED: has the name of \(title), and another hash; fetch it again")
            #expect(report.files.first?.status == .differs)
            #expect(!report.isClean)
        }
    }

    @Test(arguments: [
        "7B/consolidated.00.pth", "open_llama_7b/consolidated.00.pth", "chinese-alpaca-2-7b/consolidated.00.pth", "tokenizer.model",
        "chinese-alpaca-65b/adapter_model.bin", "llama-7b/notes.txt", "tinyllama/7B/consolidated.00.pth",
        "chinese-alpaca-plus-33b/consolidated.00.pth", "code-llama/7B/consolidated.00.pth",
    ]) func `names that say nothing certain expect nothing`(path: String) throws {
        try Fixtures.withFolder { folder in
            let file = try write("another", path, in: folder)
            let report = try Verifier.verify(paths: [file])
            #expect(report.files.first?.verdict == "\(file): unknown, not in the published list")
            #expect(report.isClean)
        }
    }

    @Test func `folders are walked, links to folders are not`() throws {
        try Fixtures.withFolder { folder in
            let inner = try write("1", "b/inner", in: folder)
            let outer = try write("2", "a", in: folder)
            try FileManager.default.createSymbolicLink(atPath: folder + "/b/round", withDestinationPath: folder)
            try FileManager.default.createSymbolicLink(atPath: folder + "/broken", withDestinationPath: "nowhere")
            try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "b/inner")
            #expect(mkfifo(folder + "/fifo", 0o600) == 0)
            #expect(try Verifier.verify(paths: [folder]).files.map(\.path) == [outer, inner, folder + "/link"])
        }
    }

    @Test func `what cannot be read`() throws {
        try Fixtures.withFolder { folder in
            #expect(
                alpacaError { _ = try Verifier.verify(paths: [folder + "/none"]) }?.message
                    == "\(folder)/none: cannot open: No such file or directory")
            #expect(alpacaError { _ = try Verifier.verify(paths: [folder]) } == AlpacaError(.missing, "no files in \(folder)"))
            #expect(
                alpacaError { _ = try Verifier.verify(paths: ["a\0b"]) }
                    == AlpacaError(.invalidArgument, "a path must not contain a zero byte"))
            let file = try write("x", "f", in: folder)
            let asked = Lock(0)
            let stopped = alpacaError {
                _ = try Verifier.verify(paths: [file]) { _ in
                    asked.withLock { $0 += 1 }; return false
                }
            }
            // A file as short as this may be done before the first question; the last one is always put.
            #expect(stopped == AlpacaError(.cancelled, "verification was stopped"))
            #expect(asked.withLock { $0 } == 1)
        }
    }
}

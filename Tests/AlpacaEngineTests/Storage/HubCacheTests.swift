import AlpacaEngine
import Foundation
import Testing

/// Names of the hub against a cache laid out as huggingface_hub lays it out.
@Suite struct HubCacheTests {
    private let revision = "0123456789abcdef0123456789abcdef01234567"

    private func make(_ model: String, ref: String?, snapshots: [String], in cache: String) throws {
        let folder = URL(fileURLWithPath: "\(cache)/models--\(model.replacing("/", with: "--"))")
        for snapshot in snapshots {
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent("snapshots/\(snapshot)"), withIntermediateDirectories: true)
        }
        guard let ref else { return }
        try FileManager.default.createDirectory(at: folder.appendingPathComponent("refs"), withIntermediateDirectories: true)
        try Data(ref.utf8).write(to: folder.appendingPathComponent("refs/main"))
    }

    @Test func `a downloaded model is found`() throws {
        try Fixtures.withFolder { cache in
            try make("ziqingyang/chinese-alpaca-lora-7b", ref: revision, snapshots: [revision, "old"], in: cache)
            try make("org/Llama-3.1", ref: nil, snapshots: ["tag"], in: cache)
            try make("org/both", ref: nil, snapshots: ["a", "b"], in: cache)
            try make("org/gone", ref: revision, snapshots: [], in: cache)
            try make("org/evil", ref: "../../..", snapshots: ["a", "b"], in: cache)
            func find(_ name: String) -> String? { try? HubCache.resolve(name, cache: cache) }
            #expect(
                find("ziqingyang/chinese-alpaca-lora-7b")
                    == "\(cache)/models--ziqingyang--chinese-alpaca-lora-7b/snapshots/\(revision)")
            #expect(find("org/Llama-3.1") == "\(cache)/models--org--Llama-3.1/snapshots/tag")
            for name in ["org/both", "org/gone", "org/evil", "org/none"] { #expect(find(name) == nil, "\(name)") }
        }
    }

    @Test func `what is missing is told how to get`() {
        #expect(
            alpacaError { _ = try HubCache.resolve("ziqingyang/chinese-alpaca-lora-7b", cache: "/none") }
                == AlpacaError(
                    .notFound,
                    "ziqingyang/chinese-alpaca-lora-7b: there is no such file or folder, and no model of that name in the Hugging Face cache "
                        + "(/none); `hf download ziqingyang/chinese-alpaca-lora-7b` (or `huggingface-cli download`) fetches it, and so does "
                        + "Python with `pip install 'alpaca[hub]'`"))
    }

    @Test(arguments: [
        "model", "/model", "a/b/c", "./model", "../model", "a//b", "owner/", "/", "", "~/model", "models/model.gguf", "a/tokenizer.model",
        "owner/na me", "owner/名", "owner/-x", "owner/x.", "a\0/b",
    ]) func `what is no name stays as it is`(path: String) throws {
        #expect(try HubCache.resolve(path, cache: "/none") == path)
    }

    @Test func `what is there is taken before the cache`() throws {
        let folder = Fixtures.repository.path
        #expect(try HubCache.resolve(folder, cache: nil) == folder)
        // The tests run in some folder: a name that begins with one of its folders is a path.
        let inside = try #require(try FileManager.default.contentsOfDirectory(atPath: ".").first { $0.first?.isLetter == true })
        #expect(try HubCache.resolve("\(inside)/mistyped", cache: "/none") == "\(inside)/mistyped")
    }

    @Test func `a snapshot is called by its model`() {
        #expect(HubCache.modelName(of: "/h/hub/models--a--b--c/snapshots/0123") == "a/b--c")
        #expect(HubCache.modelName(of: "/h/hub/models--a--b/snapshots/0123/adapter_model.bin") == "a/b")
        for path in ["/h/models--a--b", "/h/models--a--b/blobs/01", "/h/models--a/snapshots/01", "/h/a/b", "", "/models--/snapshots/x"] {
            #expect(HubCache.modelName(of: path) == nil, "\(path)")
        }
    }

    @Test func `the cache's folder`() {
        func folder(_ variables: [String: String]) -> String? { HubCache.folder { variables[$0] } }
        #expect(folder([:]) == nil)
        #expect(folder(["HOME": "/h"]) == "/h/.cache/huggingface/hub")
        #expect(folder(["HOME": "/h", "XDG_CACHE_HOME": "/x"]) == "/x/huggingface/hub")
        #expect(folder(["HOME": "/h", "XDG_CACHE_HOME": "/x", "HF_HOME": "~/f"]) == "/h/f/hub")
        #expect(folder(["HF_HOME": "/f", "HF_HUB_CACHE": "/c"]) == "/c")
        #expect(folder(["HF_HOME": "/f", "HUGGINGFACE_HUB_CACHE": "/old"]) == "/old")
    }
}

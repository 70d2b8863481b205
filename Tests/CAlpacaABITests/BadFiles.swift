import Foundation
import Glibc
import Synchronization
import Testing

/// Files that are wrong in one way each, in a folder of this process; it goes when the process ends.
final class BadFiles: Sendable {
    static let shared = Result { try BadFiles() }

    let folder: String
    var text: String { folder + "/text" }
    var cut: String { folder + "/cut.gguf" }
    var keyless: String { folder + "/keyless.gguf" }
    /// Without the pieces of its vocabulary.
    var wordless: String { folder + "/wordless.gguf" }
    var reshaped: String { folder + "/reshaped.gguf" }
    /// Of a version of GGUF that there is not yet.
    var future: String { folder + "/future.gguf" }
    /// A Hugging Face folder whose index leads out of it.
    var leading: String { folder + "/leading" }
    /// A folder that says which published one it is, with other bytes.
    var damaged: String { folder + "/chinese-alpaca-plus-lora-13b" }
    /// Where a case makes a folder that has the name of the original LLaMA.
    var impostor: String { folder + "/LLaMA-7B" }
    var empty: String { folder + "/empty" }

    private let taken = Atomic<Int>(0)

    /// A place for a file that is written; the caller removes it.
    func ownPath() -> String { folder + "/written-\(taken.add(1, ordering: .relaxed).newValue)" }

    init() throws {
        var template = Array("/tmp/alpaca-abi-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        atexit { try? BadFiles.shared.get().remove() }
        let whole = try Fixture.bytes(of: Fixture.q8)
        /// Where a name of the header is.
        func place(_ name: String) throws -> Int {
            try whole.withUnsafeBytes { bytes in
                let base = try #require(bytes.baseAddress)
                return try #require((0..<bytes.count - 64).first { memcmp(base + $0, name, name.utf8.count) == 0 })
            }
        }
        func changed(_ at: Int, _ byte: UInt8) -> [UInt8] {
            var bytes = whole
            bytes[at] = byte
            return bytes
        }
        try write(Array(String(repeating: "hello\n", count: 1000).utf8), text)
        try write(Array(whole.prefix(whole.count / 2)), cut)
        try write(changed(try place("llama.block_count"), UInt8(ascii: "x")), keyless)
        try write(changed(try place("tokenizer.ggml.tokens"), UInt8(ascii: "x")), wordless)
        // The value behind the key and its type.
        let width = try place("llama.feed_forward_length") + "llama.feed_forward_length".utf8.count + 4
        try write(changed(width, whole[width] ^ 0x40), reshaped)
        try write(changed(4, 99), future)
        for name in [leading, damaged, empty] { mkdir(name, 0o700) }
        let config = """
            {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2,
             "vocab_size": 100, "max_position_embeddings": 128, "rms_norm_eps": 1e-6, "torch_dtype": "float16"}
            """
        try write(Array(config.utf8), leading + "/config.json")
        let index = #"{"metadata": {}, "weight_map": {"model.embed_tokens.weight": "../../x.safetensors"}}"#
        try write(Array(index.utf8), leading + "/model.safetensors.index.json")
        try write(Array("damaged".utf8), damaged + "/adapter_model.bin")
    }

    private func write(_ bytes: [UInt8], _ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }

    private func remove() { try? FileManager.default.removeItem(atPath: folder) }
}

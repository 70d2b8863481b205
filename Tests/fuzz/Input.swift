// The bytes of an execution as what readers take: a file, or several that belong together. No disk is touched.

import Glibc

@testable import AlpacaEngine

enum Input {
    /// What messages call the file. There is nothing beside it.
    static let path = "/dev/null/x"

    /// One file in memory for the whole process, written anew each time.
    private static let descriptor: Int32 = {
        var template = Array("/dev/shm/alpaca-fuzz-XXXXXX\0".utf8).map { CChar(bitPattern: $0) }
        let descriptor = mkstemp(&template)
        unlink(template)
        return descriptor
    }()

    static func file(_ bytes: [UInt8]) throws -> InputFile {
        ftruncate(descriptor, off_t(bytes.count))
        let written = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, bytes.count, 0) }
        guard written == bytes.count else { fatalError("no memory for the input's file") }
        return InputFile(adopting: dup(descriptor), path: path, size: bytes.count)
    }

    static func region(_ bytes: [UInt8]) throws -> FileRegion { FileRegion(try file(bytes)) }
}

/// A folder in one input. Each file is the number of its name (a byte), its length (two bytes, the lower first) and its bytes; the last
/// one's length may be too large.
struct InputFolder: FileCollection {
    /// make_seeds.py has the same list.
    private static let known = [
        "config.json", "params.json", "generation_config.json", "alpaca.json", "tokenizer.model", "model.safetensors",
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
        "pytorch_model.bin.index.json", "consolidated.00.pth", "consolidated.01.pth", "adapter_config.json", "adapter_model.safetensors",
        "adapter_model.bin",
    ]

    let path = "/dev/null"
    let names: [String]
    var archive: InputFile? { nil }
    private let regions: [String: FileRegion]

    init(_ bytes: [UInt8]) throws {
        let whole = try Input.region(bytes)
        var regions: [String: FileRegion] = [:]
        var at = 0
        while bytes.count - at > 3 {
            let name = InputFolder.known[Int(bytes[at]) % InputFolder.known.count]
            let count = min(Int(bytes[at + 1]) | Int(bytes[at + 2]) << 8, bytes.count - at - 3)
            regions[name] = try whole.region(at: at + 3, count: count, name: "\(path)/\(name)")
            at += 3 + count
        }
        self.regions = regions
        names = regions.keys.sorted()
    }

    func open(_ name: String) -> FileRegion? { regions[name] }
}

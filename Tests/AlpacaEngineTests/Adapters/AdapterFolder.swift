import Foundation

@testable import AlpacaEngine

/// Small adapters, made for a test.
struct AdapterFolder {
    /// Fields of adapter_config.json as JSON, over those of a plain adapter of rank 4; nil leaves one out.
    var fields: [String: String?] = [:]
    /// Names and shapes of the tensors.
    var tensors: [(String, [Int])] = AdapterFolder.plain
    var type = TensorType.f16
    /// What the tensors hold, byte by byte.
    var fill: UInt8 = 0x2C
    /// Of the tokenizer; nil: none.
    var pieces: Int?

    static let start = "base_model.model.model.layers.0."
    static let plain = pair("self_attn.q_proj", 32, 32) + pair("mlp.up_proj", 32, 96)

    static func pair(_ module: String, _ input: Int, _ output: Int, rank: Int = 4) -> [(String, [Int])] {
        [("\(start)\(module).lora_A.weight", [rank, input]), ("\(start)\(module).lora_B.weight", [output, rank])]
    }

    static func vocabulary(_ rows: Int, width: Int = 32) -> [(String, [Int])] {
        [("base_model.model.model.embed_tokens.weight", [rows, width]), ("base_model.model.lm_head.weight", [rows, width])]
    }

    func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var all: [String: String?] = [
            "peft_type": "\"LORA\"", "r": "4", "lora_alpha": "8", "bias": "\"none\"", "target_modules": "[\"q_proj\",\"up_proj\"]",
        ]
        for (key, value) in fields { all[key] = value }
        let text = all.compactMap { key, value in value.map { "\"\(key)\":\($0)" } }.sorted().joined(separator: ",")
        try Data("{\(text)}".utf8).write(to: URL(fileURLWithPath: folder + "/adapter_config.json"))
        let infos = try tensors.map { try TensorInfo(name: $0, type: type, shape: $1) }
        let bytes = infos.map { [UInt8](repeating: fill, count: $0.byteCount) }
        try LayoutFile.write(SafetensorsLayout.make(infos), bytes, to: folder + "/adapter_model.safetensors")
        guard let pieces else { return }
        var model: [UInt8] = []
        // Field 1, a message: field 1, a text of five digits; field 3, the type: unknown for the first piece.
        for i in 0..<pieces {
            let piece = [0x0a, 5] + Array(String(100_000 + i).utf8.dropFirst()) + (i == 0 ? [0x18, 2] : [])
            model += [0x0a, UInt8(piece.count)] + piece
        }
        // Field 2, the trainer's settings: field 3, the kind of model, is unigram.
        model += [0x12, 2, 0x18, 1]
        try Data(model).write(to: URL(fileURLWithPath: folder + "/tokenizer.model"))
    }

    func opened(named name: String = "adapter") throws -> LoRAAdapter {
        try Fixtures.withFolder { folder in
            try write(to: folder + "/" + name)
            return try LoRAAdapter(FolderFiles(path: folder + "/" + name))
        }
    }
}

import Foundation

@testable import AlpacaEngine

/// Models of some kilobytes, made for a test: Hugging Face folders with a tokenizer of all bytes and some letters.
struct TinyModel {
    static let width = 32, layers = 1, heads = 2, feedForward = 64

    /// Rows of the embeddings; nil: as many as pieces.
    var rows: Int?
    /// Rows of the output matrix; nil: as many as the embeddings have.
    var headRows: Int?
    var isTied = false
    var type = TensorType.f16
    /// Numbers to be put in the first places of tensors, by name.
    var numbers: [String: [Float]] = [:]
    /// Fields of config.json as JSON, over those of a plain model; nil leaves one out.
    var fields: [String: String?] = [:]
    /// Further files, by name.
    var files: [String: String] = [:]
    var pieces = TinyModel.pieces

    static let pieces: PieceList = {
        var list = PieceList()
        func add(_ text: String, _ score: Float, _ kind: TokenKind) {
            list.pieces.append(text.utf8)
            list.scores.append(score)
            list.kinds.append(kind)
        }
        add("<unk>", 0, .unknown)
        add("<s>", 0, .control)
        add("</s>", 0, .control)
        for byte in 0..<256 { add(String(format: "<0x%02X>", byte), 0, .byte) }
        let words = ["\u{2581}t", "he", "in", "\u{2581}the"] + "\u{2581}abcdefghinort".map { String($0) }
        for (number, word) in words.enumerated() { add(word, -Float(number), .normal) }
        return list
    }()

    static var count: Int { pieces.pieces.count }

    static func tokenizer(_ list: PieceList = pieces) throws -> SentencePieceModel {
        try SentencePieceModel(list, unknown: 0, bos: 1, eos: 2, addsDummyPrefix: true)
    }

    /// Some numbers, the same each time.
    static func values(_ count: Int, _ seed: Int, scale: Float = 0.1) -> [Float] {
        (0..<count).map { scale * Float((($0 + seed * 31) * 7_919) % 201 - 100) / 100 }
    }

    static func bytes(_ values: [Float], _ type: TensorType) throws -> [UInt8] {
        let encoder = try RowEncoder(from: .f32, to: type, columns: values.count)
        var result = [UInt8](repeating: 0, count: try type.bytesPerRow(columns: values.count))
        try values.withUnsafeBytes { from in
            try result.withUnsafeMutableBytes { to in
                _ = try encoder.encode(rows: 1, from: from.baseAddress!, to: to.baseAddress!, scratch: ScratchArena())
            }
        }
        return result
    }

    /// Writes safetensors of these tensors.
    static func write(_ tensors: [(name: String, shape: [Int], values: [Float])], _ type: TensorType, to path: String) throws {
        let infos = try tensors.map { try TensorInfo(name: $0.name, type: type, shape: $0.shape) }
        try LayoutFile.write(SafetensorsLayout.make(infos), tensors.map { try bytes($0.values, type) }, to: path)
    }

    var shapes: [(name: String, shape: [Int])] {
        let width = Self.width, rows = rows ?? pieces.pieces.count
        var all = [("model.embed_tokens.weight", [rows, width])]
        for layer in 0..<Self.layers {
            let start = "model.layers.\(layer)."
            for name in ["q", "k", "v", "o"] { all.append(("\(start)self_attn.\(name)_proj.weight", [width, width])) }
            for name in ["gate", "up"] { all.append(("\(start)mlp.\(name)_proj.weight", [Self.feedForward, width])) }
            all.append(("\(start)mlp.down_proj.weight", [width, Self.feedForward]))
            for name in ["input_layernorm", "post_attention_layernorm"] { all.append(("\(start)\(name).weight", [width])) }
        }
        all.append(("model.norm.weight", [width]))
        if !isTied { all.append(("lm_head.weight", [headRows ?? rows, width])) }
        return all.map { (name: $0.0, shape: $0.1) }
    }

    func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var tensors: [(name: String, shape: [Int], values: [Float])] = []
        for (number, (name, shape)) in shapes.enumerated() {
            let count = shape.reduce(1, *)
            var values = shape.count == 1 ? [Float](repeating: 1, count: count) : Self.values(count, number)
            for (place, value) in (numbers[name] ?? []).enumerated() { values[place] = value }
            tensors.append((name, shape, values))
        }
        try Self.write(tensors, type, to: folder + "/model.safetensors")
        var all: [String: String?] = [
            "architectures": "[\"LlamaForCausalLM\"]", "model_type": "\"llama\"", "hidden_act": "\"silu\"", "hidden_size": "\(Self.width)",
            "intermediate_size": "\(Self.feedForward)", "num_attention_heads": "\(Self.heads)", "num_hidden_layers": "\(Self.layers)",
            "max_position_embeddings": "128", "rms_norm_eps": "1e-6", "rope_theta": "10000.0", "tie_word_embeddings": "\(isTied)",
            "vocab_size": "\(rows ?? pieces.pieces.count)",
        ]
        for (key, value) in fields { all[key] = value }
        let text = all.compactMap { key, value in value.map { "\"\(key)\":\($0)" } }.sorted().joined(separator: ",")
        for (name, text) in files.merging(["config.json": "{\(text)}"], uniquingKeysWith: { $1 }) {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        try Data(Self.tokenizer(pieces).source).write(to: URL(fileURLWithPath: folder + "/tokenizer.model"))
    }

    /// An adapter of q_proj of the first layer, rank 2, with these numbers in the first places of its matrices.
    static func adapter(
        _ folder: String, a: [Float] = [], b: [Float] = [], scale: Float = 0.1, extra: [(name: String, shape: [Int], values: [Float])] = [],
        fields: [String: String?] = [:], files: [String: String] = [:]
    ) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func values(_ given: [Float], _ seed: Int) -> [Float] { given + Self.values(2 * width - given.count, seed, scale: scale) }
        let start = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
        try write(
            [("\(start)A.weight", [2, width], values(a, 91)), ("\(start)B.weight", [width, 2], values(b, 92))] + extra, .f32,
            to: folder + "/adapter_model.safetensors")
        var all: [String: String?] = [
            "peft_type": "\"LORA\"", "r": "2", "lora_alpha": "4", "bias": "\"none\"", "target_modules": "[\"q_proj\"]",
        ]
        for (key, value) in fields { all[key] = value }
        let text = all.compactMap { key, value in value.map { "\"\(key)\":\($0)" } }.sorted().joined(separator: ",")
        for (name, text) in files.merging(["adapter_config.json": "{\(text)}"], uniquingKeysWith: { $1 }) {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
    }
}

import Foundation
import Testing

@testable import AlpacaEngine

/// The mini model family and what the reference libraries say about it (see models/mini/README.md and Tests/Goldens).
enum MiniFamily {
    static let repository = Fixtures.repository
    static let f16 = repository.appendingPathComponent("models/mini/chinese-alpaca-mini-f16.gguf").path
    static let q8_0 = repository.appendingPathComponent("models/mini/chinese-alpaca-mini-q8_0.gguf").path
    static let goldens = repository.appendingPathComponent("Tests/Goldens/mini")

    /// The family's other members: base, shards, adapters, the merged model. Where the real ones are not there, the base and the adapters are
    /// others of the same form, and the merged model is made of the repository's (Tests/mini/make_family.py).
    static func shared(_ name: String) -> String { folder + "/" + name }

    private static let folder: String = {
        let script = repository.appendingPathComponent("Tests/mini/family.sh").path
        let output = try! Toolchain.run(["bash", script])
        return output.trimmingCharacters(in: .newlines)
    }()

    /// Whether the real ones are there: what references say of merges is about those.
    static let isShared = Fixtures.isShared("fixtures/mini/mini-llama/config.json")
    static let missing: Comment = "the real mini family is not in ALPACA_SHARED"

    /// The types in which tests take the merged model.
    static let variants = ["f16", "q8_0", "q4_0", "q4_k_m"]

    /// Calls `body` with the path of the merged model in that type: a file of llama.cpp's where the repository has it, else one of ours.
    static func withVariant<R>(_ type: String, _ body: (String) throws -> R) throws -> R {
        switch type {
        case "f16": try body(f16)
        case "q8_0": try body(q8_0)
        default: try withQuantized(type, body)
        }
    }

    /// Calls `body` with the path of the merged model, quantized by the engine.
    static func withQuantized<R>(_ type: String, _ body: (String) throws -> R) throws -> R {
        try Fixtures.withFolder { folder in
            var options = ConversionOptions(base: f16, output: folder + "/\(type).gguf")
            options.quantization = type
            _ = try Converter.convert(options)
            return try body(options.output)
        }
    }

    /// What transformers computed, in F32 on the F16 weights.
    struct Generation: Decodable {
        struct Greedy: Decodable {
            let ids: [TokenID]
            let text: String
            let ended_by_eos: Bool
        }
        struct Prompt: Decodable {
            let name: String
            let template: Bool
            let instruction: String?
            let prompt: String
            let prompt_ids: [TokenID]
            let mean_nll: Double
            let greedy: Greedy
            let greedy_repetition_penalty_1_1: Greedy

            enum CodingKeys: String, CodingKey {
                case name, template, instruction, prompt, prompt_ids, mean_nll, greedy
                case greedy_repetition_penalty_1_1 = "greedy_repetition_penalty_1.1"
            }
        }
        let prompts: [Prompt]
    }

    static let generation: Generation = {
        let data = try! Data(contentsOf: goldens.appendingPathComponent("generation.json"))
        return try! JSONDecoder().decode(Generation.self, from: data)
    }()

    /// Logits of every position of the prompts that have them: (positions, vocabulary), row-major.
    static let logits: [String: [Float]] = {
        struct Entry: Decodable { let name: String, positions: Int, vocabulary: Int }
        let index = try! JSONDecoder().decode(
            [Entry].self, from: Data(contentsOf: goldens.appendingPathComponent("logits.json")))
        let data = try! Data(contentsOf: goldens.appendingPathComponent("logits.bin"))
        var result: [String: [Float]] = [:]
        var at = 0
        for entry in index {
            let count = entry.positions * entry.vocabulary
            result[entry.name] = data[at..<at + 4 * count].withUnsafeBytes { bytes in
                (0..<count).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
            }
            at += 4 * count
        }
        return result
    }()
}

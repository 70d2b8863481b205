import Foundation
import Testing

@testable import AlpacaEngine

/// Every mix against what llama-quantize gave the tensors of models of 32 layers, with and without an importance matrix.
@Suite(.enabled(if: Fixtures.isShared("fixtures/family/quants/mixes.json"), "llama-quantize's mixes are not in ALPACA_SHARED"))
struct MixGoldenTests {
    /// Of a tensor in all layers: its type, or by type the layers ("0-3,6"). Of a mix that another one equals: "same".
    enum Types: Decodable {
        case one(String), byType([String: String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let type = try? container.decode(String.self) {
                self = .one(type)
            } else {
                self = try .byType(container.decode([String: String].self))
            }
        }

        func type(in layer: Int) -> String? {
            switch self {
            case .one(let type): type
            case .byType(let layers):
                layers.first { $0.value.split(separator: ",").contains { Self.range($0).contains(layer) } }?.key
            }
        }

        private static func range(_ text: Substring) -> ClosedRange<Int> {
            let ends = text.split(separator: "-").compactMap { Int($0) }
            return (ends.first ?? -1)...(ends.last ?? -1)
        }
    }

    enum Mix: Decodable {
        case types([String: Types]), same

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            self = (try? .types(container.decode([String: Types].self))) ?? .same
        }
    }

    struct Kind: CustomTestStringConvertible {
        let testDescription: String
        var heads = 8, keyHeads = 8, width = 256, experts = 0, hasOutput = true
    }

    static let kinds = [
        Kind(testDescription: "llama, heads = kv heads"),
        Kind(testDescription: "llama, 4 heads a kv head (Llama-3 8B)", keyHeads: 2),
        Kind(testDescription: "llama, 8 experts (Mixtral)", keyHeads: 2, experts: 8),
        Kind(testDescription: "llama, tied", keyHeads: 2, hasOutput: false),
        Kind(testDescription: "llama, rows of 160 (not of 256)", heads: 5, keyHeads: 5, width: 160),
    ]

    static func tensors(_ kind: Kind, aTensorForEachExpert: Bool) throws -> [TensorInfo] {
        let width = kind.width, head = width / kind.heads, inner = 2 * width
        var list: [(String, [Int])] = [("token_embd", [300, width])]
        if kind.hasOutput { list.append(("output", [300, width])) }
        for layer in 0..<32 {
            var parts = [
                ("attn_q", [width, width]), ("attn_k", [head * kind.keyHeads, width]), ("attn_v", [head * kind.keyHeads, width]),
                ("attn_output", [width, width]),
            ]
            let own = [("ffn_gate", [inner, width]), ("ffn_up", [inner, width]), ("ffn_down", [width, inner])]
            if kind.experts == 0 {
                parts += own
            } else if aTensorForEachExpert {
                for expert in 0..<kind.experts { parts += own.map { ("\($0.0).\(expert)", $0.1) } }
            } else {
                parts += own.map { ("\($0.0)_exps", [kind.experts] + $0.1) }
            }
            if kind.experts > 0 { parts.append(("ffn_gate_inp", [kind.experts, width])) }
            list += parts.map { ("blk.\(layer).\($0.0)", $0.1) }
        }
        return try list.map { try TensorInfo(name: $0.0 + ".weight", type: $0.0.contains("gate_inp") ? .f32 : .f16, shape: $0.1) }
    }

    @Test(arguments: kinds) func `every mix that can be written`(kind: Kind) throws {
        let url = URL(fileURLWithPath: Fixtures.sharedPath("fixtures/family/quants/mixes.json"))
        let all = try JSONDecoder().decode([String: [String: Mix]].self, from: Data(contentsOf: url))
        let golden = try #require(all[kind.testDescription])
        #expect(golden.count == 60)
        var refused: [String] = []
        for name in golden.keys.sorted() where !name.hasSuffix("+imatrix") {
            guard let fileType = GGUFFileType.all.first(where: { $0.description == name }) else {
                Issue.record("\(name) is not known")
                continue
            }
            guard fileType.baseType.facts.isWritable else {
                #expect(alpacaError { _ = try QuantizationMix(named: name) }?.code == .unsupported, "\(name)")
                refused.append(name)
                continue
            }
            for hasImportance in [false, true] {
                var mix = try QuantizationMix(named: name)
                mix.hasImportance = hasImportance
                for each in kind.experts == 0 ? [false] : [false, true] {
                    let tensors = try Self.tensors(kind, aTensorForEachExpert: each)
                    var expected = try #require(golden[name])
                    if hasImportance, case .types(let other) = try #require(golden[name + " +imatrix"]) { expected = .types(other) }
                    guard case .types(let types) = expected else { throw AlpacaError(.badFormat, name) }
                    if types["error"] != nil {
                        let error = alpacaError { _ = try mix.choices(for: tensors) }
                        #expect(error?.message.contains("needs an importance matrix") == true, "\(name)")
                        continue
                    }
                    for info in try mix.choices(for: tensors).map(\.info) where !info.name.contains("gate_inp") {
                        let words = info.name.split(separator: ".").map { String($0) }
                        let part = words.count > 2 ? words[2] : words[0], layer = words.count > 2 ? Int(words[1]) ?? -1 : -1
                        let wanted = (types[part] ?? types[part + "_exps"])?.type(in: layer)
                        #expect(info.type.description == wanted, "\(name), importance: \(hasImportance), \(info.name)")
                    }
                }
            }
        }
        #expect(refused == ["IQ1_M", "IQ1_S", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS"])
    }
}

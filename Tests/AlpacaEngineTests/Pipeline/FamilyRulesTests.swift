import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct FamilyRulesTests {
    typealias Folder = AdapterFolder

    static func base(_ vocabulary: Int, width: Int = 32, tied: Bool = false) throws -> ModelConfiguration {
        try ModelConfiguration(
            vocabularySize: vocabulary, contextLength: 64, embeddingLength: width, layerCount: 1, headCount: 2, keyValueHeadCount: 2,
            headDimension: width / 2, feedForwardLength: 96, normEpsilon: 1e-6, ropeTheta: 10000, ropeDimension: width / 2,
            isOutputTied: tied)
    }

    /// An adapter that brings as many rows, and its name.
    struct Given {
        var name: String
        var rows: Int?
        var pieces: Int?
        var fields: [String: String?] = [:]
        var sha256: String?
        var tensors = Folder.plain

        init(
            _ name: String, _ rows: Int? = nil, pieces: Int? = nil, fields: [String: String?] = [:], sha256: String? = nil,
            tensors: [(String, [Int])] = Folder.plain
        ) {
            (self.name, self.rows, self.pieces, self.fields, self.sha256, self.tensors) = (name, rows, pieces, fields, sha256, tensors)
        }

        func opened() throws -> FamilyRules.Entry {
            let tensors = tensors + (rows.map { Folder.vocabulary($0) } ?? [])
            let folder = Folder(fields: fields, tensors: tensors, pieces: pieces)
            return (try folder.opened(named: name), name, sha256)
        }
    }

    static func check(
        _ given: [Given], base: ModelConfiguration, pieces: Int?, tokenizer: Int? = nil, family: Bool = true
    ) throws -> [String] {
        try FamilyRules.check(
            base: base, basePieces: pieces, adapters: given.map { try $0.opened() }, tokenizerPieces: tokenizer, checksFamily: family)
    }

    static let accepted: [(Int, [Given])] = [
        (32000, [Given("chinese-llama-lora-7b", 49953, pieces: 49953)]),
        (32000, [Given("chinese-alpaca-lora-7b", 49954, pieces: 49954)]),
        (32000, [Given("chinese-llama-plus-lora-7b", 49953, pieces: 49953), Given("chinese-alpaca-plus-lora-7b", 49954, pieces: 49954)]),
        (32000, [Given("llama/x", 49953, pieces: 49953), Given("chinese-alpaca-pro-lora-7b", 49954, pieces: 49954)]),
        (49953, [Given("chinese-alpaca-plus-lora-7b", 49954, pieces: 49954)]),
        (32000, [Given("alpaca-lora-7b")]), (32000, [Given("chinese-alpaca-2-lora-7b", 55296, pieces: 55296)]),
        (300, [Given("mini-chinese-llama-lora", 400, pieces: 400), Given("mini-chinese-alpaca-lora", 401, pieces: 401)]),
        (300, []),
    ]

    @Test(arguments: accepted)
    func chainsAreAccepted(_ vocabulary: Int, _ given: [Given]) throws {
        #expect(try Self.check(given, base: Self.base(vocabulary), pieces: vocabulary) == [])
    }

    /// (vocabulary of the base, adapters, words of the message, whether it can be overruled)
    static let refused: [(Int, [Given], String, Bool)] = [
        (32000, [Given("a", 49954, pieces: 49953)], "you gave the LLaMA tokenizer to an Alpaca adapter", true),
        (32000, [Given("a", 49954, pieces: 49953)], "2d967e855b1213a439df6c8ce2791f86", true),
        (32000, [Given("a", 49953, pieces: 49954)], "you gave the Alpaca tokenizer to a LLaMA adapter", false),
        (300, [Given("a", 400, pieces: 399)], "its tokenizer has 399 pieces, its embeddings have 400 rows", true),
        (300, [Given("a", 400)], "tokenizer.model", true),
        (300, [Given("a", 400, pieces: 400), Given("b", 399, pieces: 399)], "wrong order", true),
        (300, [Given("a", 400, pieces: 400), Given("b", pieces: 300)], "its tokenizer has 300 pieces, the one before it 400", true),
        (32000, [Given("chinese-alpaca-plus-lora-7b", 49954, pieces: 49954)], "Chinese-LLaMA-Plus adapter", true),
        (32000, [Given("models--x--chinese-alpaca-pro-lora-7b/snapshots/1", 49954, pieces: 49954)], "Chinese-LLaMA-Plus", true),
        (
            32000,
            [
                Given(
                    "mine", 49954, pieces: 49954,
                    sha256: "4ee0bf805c312a9a771624d481fbdb4485e1b0a70cd2a8da9f96137f177b795d")
            ], "Chinese-LLaMA-Plus", true
        ),
        (
            32000, [Given("mine", 49954, pieces: 49954, fields: ["base_model_name_or_path": "\"/x/chinese-llama-plus-7b\""])],
            "Chinese-LLaMA-Plus", true
        ),
        (
            32000, [Given("chinese-llama-lora-7b", 49953, pieces: 49953), Given("chinese-alpaca-plus-lora-7b", 49954, pieces: 49954)],
            "without Plus", true
        ),
        (
            300, [Given("chinese-alpaca-lora", 400, pieces: 400), Given("chinese-llama-plus-lora", 400, pieces: 400)],
            "LLaMA-Plus comes first", true
        ),
        (
            300, [Given("a", sha256: "00"), Given("b", sha256: "00")], "the same adapter", true
        ),
        (300, [Given("a", tensors: Folder.pair("self_attn.q_proj", 64, 64))], "models of width 64", false),
        (300, [Given("a", tensors: Folder.pair("self_attn.q_proj", 5120, 5120))], "the adapter is for 13B (width 5120)", false),
        (300, [Given("a", tensors: Folder.pair("self_attn.q_proj", 32, 48))], "[48, 32], the base needs [32, 32]", false),
        (
            300,
            [
                Given(
                    "a",
                    tensors: Folder.plain + [
                        ("model.layers.7.mlp.up_proj.lora_A.weight", [4, 32]), ("model.layers.7.mlp.up_proj.lora_B.weight", [96, 4]),
                    ])
            ], "layers up to number 7, the base has 1", false
        ),
        (300, [Given("a", tensors: Folder.plain + [Folder.vocabulary(301)[0]])], "output matrix", false),
        (300, [Given("a", tensors: Folder.plain + [Folder.vocabulary(301)[0], Folder.vocabulary(302)[1]])], "301 rows", false),
        (300, [Given("a", pieces: 301)], "the last pieces have none", false),
        (300, [Given("a", tensors: Folder.plain + [("model.norm.weight", [32, 1])])], "the base needs [32]", false),
    ]

    @Test(arguments: refused)
    func chainsAreRefused(_ vocabulary: Int, _ given: [Given], _ text: String, _ isJudgement: Bool) throws {
        let error = try #require(alpacaError { _ = try Self.check(given, base: Self.base(vocabulary), pieces: vocabulary) })
        #expect(error.message.contains(text), "\(error)")
        let overruled = alpacaError { _ = try Self.check(given, base: Self.base(vocabulary), pieces: vocabulary, family: false) }
        #expect((overruled == nil) == isJudgement, "\(overruled?.message ?? "accepted")")
    }

    static let warned: [(Int, [Given], String)] = [
        (49953, [Given("chinese-llama-lora-7b", 49953, pieces: 49953)], "merged into it already"),
        (49954, [Given("chinese-alpaca-lora-7b", 49954, pieces: 49954)], "49954 tokens (as Chinese-Alpaca)"),
        (32000, [Given("mine", 55296, pieces: 55296), Given("yours", 55296, pieces: 55296)], "one at a time"),
        (300, [Given("a", fields: ["fan_in_fan_out": "true"])], "fan_in_fan_out"),
    ]

    @Test(arguments: warned)
    func warningsGiveReasons(_ vocabulary: Int, _ given: [Given], _ text: String) throws {
        let warnings = try Self.check(given, base: Self.base(vocabulary), pieces: vocabulary)
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains(text) == true, "\(warnings)")
    }

    @Test func tiedMatricesAreChangedTogether() throws {
        let given = [Given("a", tensors: Folder.plain + [Folder.vocabulary(300)[0]])]
        #expect(alpacaError { _ = try Self.check(given, base: Self.base(300, tied: true), pieces: 300) }?.code == .unsupported)
        #expect(try Self.check(given, base: Self.base(300), pieces: 300) == [])
    }

    @Test func aTokenizerOfTheUsersCounts() throws {
        #expect(try Self.check([Given("a", 400)], base: Self.base(300), pieces: 300, tokenizer: 400) == [])
        #expect(alpacaError { _ = try Self.check([Given("a", 400)], base: Self.base(300), pieces: 300, tokenizer: 399) } != nil)
        #expect(try Self.check([Given("a", 400)], base: Self.base(300), pieces: 300, tokenizer: 399, family: false) == [])
    }

    @Test func theLastTokenizerIsTaken() throws {
        let adapters = try [Given("a", pieces: 10), Given("b", pieces: 11), Given("c")].map { try $0.opened().adapter }
        #expect(FamilyRules.tokenizer(of: adapters) === adapters[1])
        #expect(FamilyRules.tokenizer(of: []) == nil)
    }
}

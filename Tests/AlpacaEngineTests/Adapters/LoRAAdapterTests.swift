import Foundation
import Testing

@testable import AlpacaEngine

@Suite struct LoRAAdapterTests {
    typealias Folder = AdapterFolder

    static func lowRank(_ adapter: LoRAAdapter, _ role: TensorRole) -> LoRAAdapter.LowRank? {
        if case .lowRank(let update) = adapter.changes[role] { update } else { nil }
    }

    @Test(arguments: ["mini-chinese-llama-lora", "mini-chinese-alpaca-lora"])
    func miniAdaptersAreRead(_ name: String) throws {
        let adapter = try LoRAAdapter(FolderFiles(path: MiniFamily.shared(name)))
        #expect(adapter.configuration.rank == 32)
        #expect(adapter.configuration.modulesToSave == ["embed_tokens", "lm_head"])
        #expect(adapter.warnings == [])
        let updates = adapter.changes.values.compactMap { if case .lowRank(let update) = $0 { update } else { nil } }
        #expect(updates.allSatisfy { $0.rank == 32 && $0.scale == 2 && !$0.isTransposed && $0.magnitude == nil && $0.base == nil })
        #expect(updates.count % 7 == 0)
        #expect(adapter.changes.count == updates.count + 2)
        #expect(adapter.vocabularySize == adapter.tokenizer?.pieces.count)
        let query = try #require(Self.lowRank(adapter, .query(0)))
        #expect(adapter.weights.tensors[query.left].name.hasSuffix("layers.0.self_attn.q_proj.lora_B.weight"))
        #expect(adapter.weights.tensors[query.right].shape == [32, query.columns])
    }

    // MARK: Names

    static let names: [(String, String?, AdapterKey.Part)] = [
        ("base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight", "model.layers.3.self_attn.q_proj", .loraA),
        ("base_model.model.base_model.model.model.layers.3.mlp.up_proj.lora_B.weight", "model.layers.3.mlp.up_proj", .loraB),
        ("model.layers.0.mlp.up_proj.lora_B.default.weight", "model.layers.0.mlp.up_proj", .loraB),
        ("base_model.model.layers.0.mlp.up_proj.lora_A.weight", "model.layers.0.mlp.up_proj", .loraA),
        ("base_model.model.model.embed_tokens.lora_embedding_A", "model.embed_tokens", .embeddingA),
        ("base_model.model.model.embed_tokens.lora_embedding_B.default", "model.embed_tokens", .embeddingB),
        ("base_model.model.model.embed_tokens.base_layer.weight", "model.embed_tokens", .base),
        ("base_model.model.lm_head.modules_to_save.default.weight", "lm_head", .saved),
        ("base_model.model.lm_head.modules_to_save.weight", "lm_head", .saved),
        ("base_model.model.lm_head.original_module.weight", "lm_head", .ignored),
        ("model.embed_tokens.weight", "model.embed_tokens", .saved),
        ("base_model.model.model.norm.weight", "model.norm", .saved),
        ("base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector", "model.layers.0.mlp.up_proj", .magnitude),
        ("base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector.default.weight", "model.layers.0.mlp.up_proj", .magnitude),
        ("base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector.weight", "model.layers.0.mlp.up_proj", .magnitude),
        ("base_model.model.model.layers.0.mlp.up_proj.base_layer.bias", "model.layers.0.mlp.up_proj", .bias),
        ("base_model.model.model.layers.0.mlp.up_proj.lora_B.bias", "model.layers.0.mlp.up_proj", .bias),
        ("base_model.model.model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.0.self_attn.rotary_emb.inv_freq", .ignored),
        ("base_model.model.model.layers.0.mlp.up_proj.lora_C.weight", nil, .saved),
        ("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta", "model.embed_tokens", .tokens),
        ("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta.default", "model.embed_tokens", .tokens),
        ("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_original.default", "model.embed_tokens", .ignored),
        ("base_model.model.model.embed_tokens.token_adapter.base_layer.weight", "model.embed_tokens", .base),
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.my-adapter.weight", "model.layers.0.self_attn.q_proj", .loraA),
        ("_orig_mod.base_model.model.model.layers.0.mlp.up_proj.lora_B.weight", "model.layers.0.mlp.up_proj", .loraB),
        ("base_model.model._orig_mod.model.layers.0.mlp.up_proj.lora_A.weight", "model.layers.0.mlp.up_proj", .loraA),
        ("base_model.model.model.layers.0._orig_mod.mlp.up_proj.lora_A.default.weight", "model.layers.0.mlp.up_proj", .loraA),
        ("module.base_model.model.model.layers.0.mlp.up_proj.lora_B.default.weight", "model.layers.0.mlp.up_proj", .loraB),
        ("module._orig_mod.base_model.model.lm_head.modules_to_save.default.weight", "lm_head", .saved),
        (
            "base_model.model.model.layers.0._fsdp_wrapped_module._checkpoint_wrapped_module.mlp.up_proj.lora_A.weight",
            "model.layers.0.mlp.up_proj", .loraA
        ),
        ("", nil, .saved), (".weight", nil, .saved), ("base_model.model.", nil, .saved),
    ]

    @Test(arguments: names)
    func namesAreUnderstood(_ name: String, _ module: String?, _ part: AdapterKey.Part) {
        let key = AdapterKey(name)
        #expect(key?.module == module)
        if module != nil { #expect(key?.part == part) }
    }

    // MARK: Configuration

    static let scales: [([String: String?], Double)] = [
        ([:], 2), (["r": "4.0", "lora_alpha": "128.0"], 32), (["lora_alpha": "\"6.0\""], 1.5), (["use_rslora": "true"], 4),
        (["alpha_pattern": "{\"q_proj\": 1}"], 0.25), (["alpha_pattern": "{\"layers.0.self_attn.q_proj\": 2, \"q_proj\": 1}"], 0.5),
        (["alpha_pattern": "{\"_proj\": 1, \"proj\": 3, \"v_proj\": 5}"], 2), (["lora_alpha": "-8"], -2), (["lora_alpha": "0"], 0),
        (["rank_pattern": "{\"q_proj\": 4, \"up_proj\": 4}", "r": "16", "use_rslora": "true", "alpha_pattern": "{}"], 4),
        (["some_field_to_come": "{\"a\":[1]}", "enable_lora": "null", "revision": "null", "merge_weights": "false"], 2),
        (["init_lora_weights": "\"gaussian\""], 2), (["init_lora_weights": "true", "lora_bias": "false", "target_parameters": "[]"], 2),
        (["target_modules": "\".*q_proj|.*up_proj\""], 2), (["target_modules": "\"all-linear\""], 2),
        (["alpha_pattern": "{\"layers\\\\.(1|0)\\\\.self_attn.[qk]_proj\": 1, \"q_proj\": 2}"], 0.25),
        (["alpha_pattern": "{\"^layers.*q_proj\": 1, \"^model.layers.\\\\d+.self_attn.q_proj\": 2}"], 0.5),
        (["rank_pattern": "{\".*(q|up)_proj\": 4}", "r": "16"], 2),
        (["bias": "\"all\""], 2),
    ]

    @Test(arguments: scales)
    func scalesFollowTheConfiguration(_ fields: [String: String?], _ scale: Double) throws {
        let adapter = try Folder(fields: fields).opened()
        #expect(Self.lowRank(adapter, .query(0))?.scale == scale)
        // Others are told of in AdapterSettingsTests.
        let words = ["_pattern\": ", "is 0, so that", "some_field_to_come"]
        #expect(adapter.warnings.allSatisfy { warning in words.contains { warning.contains($0) } }, "\(adapter.warnings)")
    }

    static let refusedFields: [([String: String?], AlpacaError.Code, String)] = [
        (["peft_type": "\"PREFIX_TUNING\""], .unsupported, "\"PREFIX_TUNING\""), (["peft_type": nil], .missing, "peft_type"),
        (["r": "0"], .badFormat, "found 0"), (["r": "\"4\""], .badFormat, "the string"), (["r": "8"], .shapeMismatch, "says 8"),
        (["r": nil], .missing, "\"r\""), (["lora_alpha": "\"nan\""], .badFormat, "a number"),
        (["lora_alpha": "1e300"], .badFormat, "scale"),
        (["rank_pattern": "{\"(?<name>q)_proj\": 4}"], .unsupported, "\"(?<name>q)_proj\""),
        (["rank_pattern": "{\".*up_pro[a-j]\": 2}"], .shapeMismatch, "says 2"),
        (["rank_pattern": "{\"up_proj\": 2}"], .shapeMismatch, "says 2"),
        (["alpha_pattern": "{\"q_proj\": null}"], .badFormat, "found null"),
        (["enable_lora": "[true,false,true]"], .unsupported, "enable_lora"),
        (["lora_bias": "true"], .unsupported, "bias"), (["trainable_token_indices": "[1]"], .missing, "trainable_token_indices"),
        (["trainable_token_indices": "[1, 1]"], .badFormat, "trainable_token_indices"),
        (["layer_replication": "[[0,2],[1,3]]"], .unsupported, "repeated"),
        (["init_lora_weights": "\"pissa_niter_4\""], .unsupported, "pissa"),
        (["init_lora_weights": "\"loftq\""], .unsupported, "loftq"), (["use_dora": "true"], .missing, "lora_magnitude_vector"),
        (["modules_to_save": "[\"lm_head\"]"], .missing, "\"lm_head\""), (["modules_to_save": "7"], .badFormat, "modules_to_save"),
        (["use_qalora": "true"], .unsupported, "use_qalora"), (["kasa_config": "{\"a\":1}"], .unsupported, "kasa_config"),
    ]

    @Test(arguments: refusedFields)
    func fieldsAreRefusedByName(_ fields: [String: String?], _ code: AlpacaError.Code, _ text: String) throws {
        let error = try #require(alpacaError { _ = try Folder(fields: fields).opened() })
        #expect(error.code == code, "\(error)")
        #expect(error.message.contains(text), "\(error)")
        #expect(error.message.contains("adapter/adapter_"), "\(error)")
    }

    @Test func fanInFanOutIsIgnoredWithAWarning() throws {
        let adapter = try Folder(fields: ["fan_in_fan_out": "true"]).opened()
        #expect(adapter.warnings.count == 1)
    }

    // MARK: Tensors

    @Test func embeddingsCanHaveUpdates() throws {
        let name = "base_model.model.model.embed_tokens."
        let adapter = try Folder(
            tensors: [
                (name + "lora_embedding_A", [4, 300]), (name + "lora_embedding_B", [32, 4]), (name + "base_layer.weight", [300, 32]),
            ]
        ).opened()
        let update = try #require(Self.lowRank(adapter, .tokenEmbedding))
        #expect(update.isTransposed && update.rows == 300 && update.columns == 32)
        #expect(adapter.weights.tensors[update.left].shape == [4, 300])
        #expect(adapter.weights.tensors[update.right].shape == [32, 4])
        #expect(update.base.map { adapter.weights.tensors[$0].shape } == [300, 32])
        #expect(adapter.vocabularySize == 300)
    }

    @Test(arguments: ["", ".weight", ".default", ".default.weight"])
    func doraHasMagnitudes(_ suffix: String) throws {
        let tensors =
            Folder.pair("mlp.up_proj", 32, 96) + [("\(Folder.start)mlp.up_proj.lora_magnitude_vector\(suffix)", [96])]
        let adapter = try Folder(fields: ["use_dora": "true"], tensors: tensors).opened()
        let update = try #require(Self.lowRank(adapter, .up(0)))
        #expect(update.magnitude.map { adapter.weights.tensors[$0].shape } == [96])
    }

    @Test func whatReplacesAndWhatIsTheBasesOwn() throws {
        let head = "base_model.model.lm_head."
        let adapter = try Folder(
            fields: ["modules_to_save": "[\"lm_head\"]"],
            tensors: Folder.plain + [
                (head + "modules_to_save.default.weight", [7, 32]), (head + "original_module.weight", [5, 32]),
                (Folder.start + "self_attn.q_proj.bias", [32]),
            ], fill: 0
        ).opened()
        #expect(adapter.changes.count == 3)
        #expect(adapter.shape(.output) == [7, 32])
        #expect(adapter.shape(.query(0)) == nil)
    }

    static let refusedTensors: [([(String, [Int])], AlpacaError.Code, String)] = [
        ([], .missing, "empty"),
        (Folder.vocabulary(7), .missing, "no LoRA"),
        ([Folder.plain[0]], .missing, "lora_B"), ([Folder.plain[1]], .missing, "lora_A"),
        (Folder.plain + [("\(Folder.start)self_attn.q_proj.lora_A.default.weight", [4, 32])], .badFormat, "same place"),
        (Folder.plain + [("\(Folder.start)self_attn.banana.weight", [4, 32])], .unsupported, "banana"),
        (Folder.plain + [("\(Folder.start)self_attn.q_proj.lora_X", [4, 32])], .unsupported, "lora_X"),
        (Folder.plain + [("\(Folder.start)self_attn.q_proj.lora_magnitude_vector", [32])], .badFormat, "use_dora"),
        (Folder.plain + [("\(Folder.start)self_attn.q_proj.weight", [32, 32])], .unsupported, "replaces"),
        (Folder.plain + [("base_model.model.model.embed_tokens.weight", [0, 32])], .shapeMismatch, "ZeRO-3"),
        (Folder.pair("self_attn.q_proj", 32, 32, rank: 8), .shapeMismatch, "its rank is 8, but the configuration says 4"),
        (Folder.pair("self_attn.q_proj", 32, 32, rank: 0), .shapeMismatch, "[0, 32]"),
        (Folder.pair("input_layernorm", 32, 32), .unsupported, "no matrix"),
        ([(Folder.plain[0].0, [4, 32]), (Folder.plain[1].0, [32, 5])], .shapeMismatch, "as many"),
        ([(Folder.plain[0].0, [4, 8, 4]), (Folder.plain[1].0, [32, 4])], .shapeMismatch, "[4, 8, 4]"),
        ([("lm_head.lora_embedding_A", [4, 32]), ("lm_head.lora_embedding_B", [32, 4])], .unsupported, "embeddings have"),
    ]

    @Test(arguments: refusedTensors)
    func tensorsAreRefusedByName(_ tensors: [(String, [Int])], _ code: AlpacaError.Code, _ text: String) throws {
        let error = try #require(alpacaError { _ = try Folder(tensors: tensors).opened() })
        #expect(error.code == code, "\(error)")
        #expect(error.message.contains(text), "\(error)")
        #expect(error.message.contains("adapter_model.safetensors"), "\(error)")
    }

    @Test func trainedBiasesAreRefused() throws {
        let tensors = Folder.plain + [("\(Folder.start)self_attn.q_proj.bias", [32])]
        let error = try #require(alpacaError { _ = try Folder(tensors: tensors, fill: 1).opened() })
        #expect(error.code == .unsupported && error.message.contains("trained biases can't be applied"))
    }

    // MARK: Hostile files

    @Test func adaptersAreJudgedAsTheManifestSays() throws {
        try HostileCorpusTests.withCorpus { folder, cases in
            var count = 0
            for hostile in cases where hostile.kind == "adapter" {
                count += 1
                let error = alpacaError { _ = try LoRAAdapter(FolderFiles(path: folder + "/" + hostile.path)) }
                HostileCorpusTests.judge(hostile, error)
                guard hostile.expectWithBase == "error" else { continue }
                let together = alpacaError {
                    let adapter = try LoRAAdapter(FolderFiles(path: folder + "/" + hostile.path))
                    let base = try ModelConfiguration(
                        vocabularySize: 288, contextLength: 64, embeddingLength: 32, layerCount: 1, headCount: 2, keyValueHeadCount: 2,
                        headDimension: 16, feedForwardLength: 96, normEpsilon: 1e-6, ropeTheta: 10000, ropeDimension: 16)
                    _ = try FamilyRules.check(
                        base: base, basePieces: 288, adapters: [(adapter, hostile.path, nil)], checksFamily: false)
                }
                #expect(together != nil, "\(hostile.path): \(hostile.wrong)")
                #expect(together.map { hostile.codes.contains($0.code) } ?? true, "\(hostile.path): \(together?.message ?? "")")
            }
            #expect(count > 90)
        }
    }
}

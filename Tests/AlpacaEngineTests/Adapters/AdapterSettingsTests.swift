import Testing

@testable import AlpacaEngine

/// Settings that say one thing while the tensors say another.
@Suite struct AdapterSettingsTests {
    static func warnings(_ fields: [String: String?], fill: UInt8 = 0x2C) throws -> [String] {
        try AdapterFolder(fields: fields, fill: fill).opened().warnings
    }

    static let idle: [([String: String?], [String])] = [
        (["alpha_pattern": "{\"zzz\": 16, \"q_proj\": 8}"], ["\"alpha_pattern\": \"zzz\" fits no module"]),
        (["rank_pattern": "{\"layers.9.self_attn.q_proj\": 8}"], ["\"rank_pattern\": \"layers.9.self_attn.q_proj\" fits no module"]),
        (["target_modules": "[\"q_proj\", \"up_proj\", \"k_proj\", \"c_attn\"]"], ["names \"k_proj\", \"c_attn\"", "no tensors"]),
        (["target_modules": "[\"q_proj\"]"], ["doesn't name 1 module", "\"model.layers.0.mlp.up_proj\""]),
        (["target_modules": "\".*q_proj\""], ["doesn't name 1 module", "up_proj"]),
        (["target_modules": "\"*q_proj[\""], ["\"*q_proj[\" is no expression"]),
        (["lora_alpha": "0"], ["\"lora_alpha\" is 0", "the low-rank updates change nothing"]),
        (["alpha_pattern": "{\"q_proj\": 0}"], ["\"alpha_pattern\" is 0", "1 updates, such as \"model.layers.0.self_attn.q_proj\""]),
        (["use_newest_lora": "true", "some_config": "{\"a\": 1}"], ["\"some_config\", \"use_newest_lora\"", "not known here"]),
    ]

    @Test(arguments: idle) func `what has no effect is told`(_ fields: [String: String?], _ words: [String]) throws {
        let warnings = try Self.warnings(fields)
        #expect(warnings.count == 1, "\(warnings)")
        for word in words { #expect(warnings.first?.contains(word) == true, "\(warnings)") }
    }

    static let fine: [[String: String?]] = [
        [:], ["target_modules": "\"all-linear\""], ["target_modules": nil],
        ["target_modules": "[\"layers.0.self_attn.q_proj\", \"up_proj\"]"],
        ["target_modules": "\".*\\\\.(q|up)_proj\""], ["layers_to_transform": "[0]"], ["layers_to_transform": "0"],
        ["layers_to_transform": "[]"],
        ["exclude_modules": "[\"lm_head\"]"], ["exclude_modules": "\"lm_.*\""], ["exclude_modules": "null"], ["new_option": "false"],
        ["new_option": "{}"], ["loftq_config": "{\"a\": 1}"], ["qalora_group_size": "16"], ["alpha_pattern": "{\"q_proj\": 8}"],
        // Heeded with names only.
        ["target_modules": "\".*(q|up)_proj\"", "layers_to_transform": "[1]"],
        // What unsloth writes.
        ["target_modules": "\"(?:\\\\bmodel\\\\.layers\\\\.[\\\\d]{1,}\\\\.(?:self_attn|mlp)\\\\.(?:(?:q_proj|up_proj)))\""],
    ]

    @Test(arguments: fine) func `what fits is not told of`(_ fields: [String: String?]) throws {
        #expect(try Self.warnings(fields) == [])
    }

    /// Tensors are there that PEFT would leave out: the merge would be another.
    static let contradictions: [([String: String?], String)] = [
        (["layers_to_transform": "[1, 2]"], "layer 0"), (["layers_to_transform": "3"], "\"layers_to_transform\""),
        (["exclude_modules": "[\"up_proj\"]"], "\"model.layers.0.mlp.up_proj\""), (["exclude_modules": "\".*q_proj\""], "q_proj"),
    ]

    @Test(arguments: contradictions) func `contradictions are errors`(_ fields: [String: String?], _ word: String) throws {
        let error = alpacaError { _ = try Self.warnings(fields) }
        #expect(error?.code == .badFormat && error?.message.contains("PEFT would not apply it") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
    }

    @Test func `an adapter that was never trained`() throws {
        let warnings = try Self.warnings([:], fill: 0)
        #expect(
            warnings.count == 1 && warnings[0].contains("the low-rank updates change nothing (was the wrong state saved?)"), "\(warnings)")
        // One matrix of two.
        try Fixtures.withFolder { work in
            let zeros = [Float](repeating: 0, count: 64)
            try TinyModel.adapter(work + "/b", b: zeros)
            try TinyModel.adapter(work + "/a", a: zeros)
            try TinyModel.adapter(work + "/c", b: [0, 0, 0])
            #expect(try LoRAAdapter(path: work + "/b").warnings.count == 1)
            #expect(try LoRAAdapter(path: work + "/a").warnings.count == 1)
            #expect(try LoRAAdapter(path: work + "/c").warnings.isEmpty)
            // The conversion says it too.
            try TinyModel().write(to: work + "/base")
            var options = ConversionOptions(base: work + "/base", output: work + "/out.gguf")
            options.adapters = [.init(path: work + "/b")]
            #expect(try Converter.plan(options).warnings.contains { $0.contains("change nothing") })
        }
    }
}

import Testing

@testable import AlpacaEngine

/// The mixes against the rules of SEED_FACTS; QuantizerTests compares whole files with llama-quantize's.
@Suite struct QuantizationMixTests {
    static func llama(layers: Int, columns: Int = 256, keyRows: Int = 256, output: Bool = true) throws -> [TensorInfo] {
        var list = [try TensorInfo(name: "token_embd.weight", type: .f16, shape: [49954, columns])]
        for layer in 0..<layers {
            for (name, rows) in [
                ("attn_q", 256), ("attn_k", keyRows), ("attn_v", keyRows), ("attn_output", 256), ("ffn_gate", 768), ("ffn_up", 768),
                ("ffn_down", 256),
            ] {
                list.append(try TensorInfo(name: "blk.\(layer).\(name).weight", type: .f16, shape: [rows, columns]))
            }
            list.append(try TensorInfo(name: "blk.\(layer).attn_norm.weight", type: .f32, shape: [columns]))
        }
        if output { list.append(try TensorInfo(name: "output.weight", type: .f16, shape: [49954, columns])) }
        return list
    }

    /// Layers in which the tensor has the type.
    static func layers(_ mix: GGUFFileType, _ part: String, _ type: TensorType, of tensors: [TensorInfo]) throws -> [Int] {
        try QuantizationMix(mix).choices(for: tensors).map(\.info).filter { $0.name.hasSuffix(".\(part).weight") }.enumerated()
            .filter { $0.element.type == type }.map(\.offset)
    }

    @Test func `mixes of 32 layers`() throws {
        let model = try Self.llama(layers: 32)
        let more = [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]
        for mix in [GGUFFileType.q4_K_M, .q5_K_M] {
            #expect(try Self.layers(mix, "attn_v", .q6_K, of: model) == more)
            #expect(try Self.layers(mix, "ffn_down", .q6_K, of: model) == more)
        }
        #expect(try Self.layers(.q4_K_S, "attn_v", .q5_K, of: model) == [0, 1, 2, 3])
        #expect(try Self.layers(.q4_K_S, "ffn_down", .q5_K, of: model) == [0, 1, 2, 3])
        #expect(try Self.layers(.q3_K_M, "attn_v", .q5_K, of: model) == [0, 1])
        #expect(try Self.layers(.q3_K_M, "ffn_down", .q5_K, of: model) == [0, 1])
        for part in ["attn_v", "ffn_down", "attn_output"] {
            #expect(try Self.layers(.q3_K_L, part, .q5_K, of: model).count == 32)
            #expect(try Self.layers(.q3_K_S, part, .q3_K, of: model).count == 32)
            #expect(try Self.layers(.q2_K, part, .q3_K, of: model).count == 32)
        }
        #expect(try Self.layers(.q2_K, "attn_v", .q4_K, of: Self.llama(layers: 32, keyRows: 64)).count == 32)
        #expect(try Self.layers(.q4_K_M, "attn_v", .q5_K, of: Self.llama(layers: 80, keyRows: 32)).count == 40)
    }

    /// What llama-quantize gives a model of 32 layers; with an importance matrix the second matrix of the feed-forward part gets no more.
    @Test func `IQ4_NL of 32 layers`() throws {
        let model = try Self.llama(layers: 32), grouped = try Self.llama(layers: 32, keyRows: 64)
        #expect(try Self.layers(.iq4_NL, "ffn_down", .q5_K, of: model) == [0, 1, 2, 3])
        #expect(try Self.layers(.iq4_NL, "ffn_down", .iq4_NL, of: model) == Array(4..<32))
        for part in ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up"] {
            #expect(try Self.layers(.iq4_NL, part, .iq4_NL, of: model).count == 32)
        }
        #expect(try Self.layers(.iq4_NL, "attn_v", .q5_K, of: grouped).count == 32)
        var mix = QuantizationMix(.iq4_NL)
        mix.hasImportance = true
        let types = try mix.choices(for: model).map(\.info).filter { $0.shape.count > 1 }.map(\.type)
        #expect(types.filter { $0 != .iq4_NL } == [.q6_K], "the output")
        // Rows of 160 can't have Q5_K.
        #expect(try Self.layers(.iq4_NL, "ffn_down", .q5_1, of: Self.llama(layers: 32, columns: 160)) == [0, 1, 2, 3])
    }

    @Test func `the output has its own type, the embeddings where they are the output`() throws {
        func types(_ mix: QuantizationMix, output: Bool = true) throws -> [TensorType] {
            let list = try mix.choices(for: Self.llama(layers: 1, output: output)).map(\.info)
            return list.filter { $0.name == "output.weight" || $0.name == "token_embd.weight" }.map(\.type)
        }
        #expect(try types(QuantizationMix(.init(.q4_0))) == [.q4_0, .q6_K])
        #expect(try types(QuantizationMix(.init(.q4_0)), output: false) == [.q6_K])
        #expect(try types(QuantizationMix(.init(.q8_0))) == [.q8_0, .q8_0])
        #expect(try types(QuantizationMix(.f16)) == [.f16, .f16])
        #expect(try types(QuantizationMix(.q4_K_M, pure: true)) == [.q4_K, .q4_K])
        #expect(try types(QuantizationMix(.q4_K_M, overrides: [("output.*", .q8_0), ("*", .f32)])) == [.f32, .q8_0])
    }

    @Test func `rows that are not whole blocks fall back and say so`() throws {
        func choice(_ mix: GGUFFileType, _ columns: Int) throws -> QuantizationMix.Choice {
            let info = try TensorInfo(name: "blk.0.ffn_up.weight", type: .f16, shape: [8, columns])
            return try QuantizationMix(mix, pure: true).choices(for: [info])[0]
        }
        for (mix, columns, type) in [
            (GGUFFileType.q2_K, 288, TensorType.q4_0), (.q3_K_S, 288, .q4_0), (.q4_K_S, 288, .q5_0), (.q5_K_S, 288, .q5_1),
            (.init(.q6_K), 288, .q8_0), (.init(.q4_0), 40, .f16), (.init(.q6_K), 40, .f16), (.iq4_NL, 40, .f16),
            (.iq4_NL, 288, .iq4_NL), (.iq4_XS, 288, .iq4_NL), (.tq1_0, 288, .q4_0), (.tq2_0, 288, .q4_0), (.mxfp4, 288, .mxfp4),
            (.mxfp4, 40, .f16),
        ] {
            #expect(try choice(mix, columns).info.type == type)
        }
        #expect(
            try choice(.q4_K_M, 288).warning
                == "tensor \"blk.0.ffn_up.weight\": rows of 288 are not a multiple of 256, the block of Q4_K: stored as Q5_0")
        #expect(try choice(.q4_K_M, 512).warning == nil)
    }

    @Test func `names in any case, and what is none`() throws {
        let known: [(String, GGUFFileType)] = [
            ("q4_k_m", .q4_K_M), ("Q4_K", .q4_K_M), ("Q3_K", .q3_K_M), ("q5_k", .q5_K_M), ("F16", .f16),
            ("q6_K", .init(.q6_K)), ("iq4_nl", .iq4_NL), ("iq4_xs", .iq4_XS), ("mxfp4", .mxfp4), ("MXFP4_moe", .mxfp4_MoE),
            ("tq2_0", .tq2_0),
        ]
        for (name, type) in known {
            #expect(try QuantizationMix(named: name).fileType == type)
        }
        #expect(
            alpacaError { _ = try QuantizationMix(named: "q9") }
                == AlpacaError(
                    .invalidArgument,
                    "found the quantization \"q9\", expected one of F32, F16, Q4_0, Q4_1, Q8_0, Q5_0, Q5_1, Q2_K, Q3_K_S, Q3_K_M, Q3_K_L, "
                        + "Q4_K_S, Q4_K_M, Q5_K_S, Q5_K_M, Q6_K, Q2_K_S, IQ4_NL, IQ4_XS, BF16, TQ1_0, TQ2_0, MXFP4_MOE, MXFP4"))
        for name in ["iq2_s", "IQ3_M", "iq1_m", "IQ3_XXS"] {
            let error = alpacaError { _ = try QuantizationMix(named: name) }
            #expect(error?.code == .unsupported)
            let beginning = "\(name.uppercased()) can be read and run, but not written: "
            #expect(error?.message.hasPrefix(beginning) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `patterns`() {
        let cases: [(String, String, Bool)] = [
            ("blk.0.ffn_down.weight", "*ffn_down*", true), ("blk.10.attn_v.weight", "blk.?.*", false),
            ("blk.1.attn_v.weight", "blk.?.*", true), ("output.weight", "output", false), ("", "*", true), ("a", "", false),
            ("aab", "a*b", true), ("aXbXc", "a*b*d", false), ("ab", "ab*", true),
        ]
        for (text, pattern, matches) in cases {
            #expect(Glob.matches(text, pattern) == matches, "\(text) \(pattern)")
        }
        #expect(!Glob.matches(String(repeating: "a", count: 2000), String(repeating: "*a", count: 500) + "b"))
    }
}

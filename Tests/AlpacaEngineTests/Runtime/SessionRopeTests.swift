import Testing

@testable import AlpacaEngine

/// Scaling of positions as a session's option.
@Suite struct SessionRopeTests {
    private static func model(scaling: ModelConfiguration.RopeScaling = .none, context: Int = 2048, dimension: Int = 128) throws
        -> ModelConfiguration
    {
        try ModelConfiguration(
            vocabularySize: 100, contextLength: context, embeddingLength: dimension, layerCount: 1, headCount: 1, keyValueHeadCount: 1,
            headDimension: dimension, feedForwardLength: 64, normEpsilon: 1e-5, ropeTheta: 10_000, ropeDimension: dimension,
            ropeScaling: scaling)
    }

    private static func rope(_ model: ModelConfiguration, context: Int = 8192, _ change: (inout Session.Options) -> Void) throws
        -> SessionRope
    {
        var options = Session.Options()
        change(&options)
        return try SessionRope(options, model, contextLength: context)
    }

    @Test func whatIsAskedFor() throws {
        let plain = try Self.model(), yarn = try Self.model(scaling: .yarn(.init(factor: 16, originalContextLength: 4096)), context: 65_536)
        #expect(try Self.rope(plain) { _ in }.scaling == .none)
        #expect(try Self.rope(yarn) { _ in }.scaling == yarn.ropeScaling)
        #expect(try Self.rope(plain) { $0.ropeScale = 4 }.scaling == .linear(factor: 4))
        #expect(try Self.rope(yarn) { $0.ropeScaling = .none }.scaling == .none)
        #expect(try Self.rope(plain) { $0.ropeScaling = .linear }.scaling == .linear(factor: 4))
        #expect(try Self.rope(plain) { ($0.ropeScaling, $0.ropeScale) = (.linear, 2) }.scaling == .linear(factor: 2))
        #expect(try Self.rope(plain) { $0.ropeScaling = .yarn }.scaling == .yarn(.init(factor: 4, originalContextLength: 2048)))
        let asked = try Self.rope(plain) {
            ($0.ropeScaling, $0.ropeScale, $0.ropeOriginalContext) = (.yarn, 16, 4096)
            ($0.yarnBetaFast, $0.yarnBetaSlow, $0.yarnAttentionFactor) = (24, 2, 1.5)
        }
        var settings = ModelConfiguration.YaRN(factor: 16, originalContextLength: 4096)
        (settings.betaFast, settings.betaSlow, settings.attentionFactor) = (24, 2, 1.5)
        #expect(asked.scaling == .yarn(settings) && !asked.usesFactors && asked.isStretched)
        #expect(try Self.rope(plain) { ($0.ropeScaling, $0.ropeAlpha) = (.ntk, 2) }.scaling == .ntk(alpha: 2))
        #expect(
            try Self.rope(plain) { $0.ropeScaling = .ntk }.scaling == .dynamic(.init(factor: nil, originalContextLength: 2048)))
        #expect(
            try Self.rope(plain) { ($0.ropeScaling, $0.ropeScale) = (.dynamic, 2) }.scaling
                == .dynamic(.init(factor: 2, originalContextLength: 2048)))
    }

    /// The scripts' formulas: alpha = 1.1 (len / 1024 - 1) for LLaMA, len / 2048 - 1 for Llama 2; base alpha^(d / (d - 2)).
    @Test func automaticNTK() throws {
        let first = ModelConfiguration.DynamicNTK(factor: nil, originalContextLength: 2048)
        #expect(first.alpha(length: 2048) == 1)
        for length in [2049, 3072, 4096, 6144] { #expect(abs(first.alpha(length: length) - 1.1 * (Double(length) / 1024 - 1)) < 1e-12) }
        let second = ModelConfiguration.DynamicNTK(factor: nil, originalContextLength: 4096)
        for length in [4097, 8192, 18_000] { #expect(abs(second.alpha(length: length) - (Double(length) / 2048 - 1)) < 1e-12) }
        let scaling = ModelConfiguration.RopeScaling.dynamic(first)
        let expected = Numerics.power(first.alpha(length: 4096), 128.0 / 126)
        #expect(abs(scaling.baseFactor(length: 4096, dimension: 128) - expected) < 1e-12)
        // The lowest frequency is stretched by alpha itself, the highest not at all.
        let alpha = 8.0, plain = ModelConfiguration.RopeScaling.none.frequencies(theta: 1e4, dimension: 128).values
        let stretched = ModelConfiguration.RopeScaling.ntk(alpha: alpha).frequencies(theta: 1e4, dimension: 128).values
        #expect(stretched[0] == plain[0] && abs(plain[63] / stretched[63] - alpha) < 1e-9)
    }

    @Test func whatMakesNoSense() throws {
        let model = try Self.model()
        func error(_ change: (inout Session.Options) -> Void) -> AlpacaError? { alpacaError { _ = try Self.rope(model, change) } }
        for value in [0, -1, Double.nan, .infinity] {
            for kind in [Session.Options.RopeScaling.linear, .yarn, .dynamic, .model] {
                #expect(error { ($0.ropeScaling, $0.ropeScale) = (kind, value) }?.code == .invalidArgument)
            }
            #expect(error { ($0.ropeScaling, $0.ropeAlpha) = (.ntk, value) }?.code == .invalidArgument)
            #expect(error { ($0.ropeScaling, $0.yarnBetaFast) = (.yarn, value) }?.code == .invalidArgument)
        }
        #expect(
            error { $0.ropeAlpha = 2 }?.message == "rope_alpha: found 2.0, which has no effect unless rope_scaling is ntk")
        #expect(error { $0.yarnBetaFast = 2 }?.message.contains("unless rope_scaling is yarn") == true)
        #expect(error { ($0.ropeScaling, $0.ropeScale) = (.none, 2) }?.code == .invalidArgument)
        #expect(error { ($0.ropeScaling, $0.ropeOriginalContext) = (.yarn, -1) }?.code == .invalidArgument)
        #expect(error { $0.ropeOriginalContext = 2048 }?.code == .invalidArgument)
        let small = try Self.model(dimension: 2)
        #expect(alpacaError { _ = try Self.rope(small) { $0.ropeScaling = .ntk } }?.code == .unsupported)
        #expect(
            alpacaError { _ = try Self.model(scaling: .dynamic(.init(factor: 0, originalContextLength: 2048))) }?.code == .badFormat)
    }

    @Test func whatConvertersLeftOut() throws {
        func warned(_ model: ModelConfiguration, _ names: [String] = []) -> Bool { !RopeWarnings.warnings(model, names: names).isEmpty }
        #expect(try warned(Self.model(context: 65_536)))
        #expect(try warned(Self.model(context: 4096), ["chinese-alpaca-2-7b-64k"]))
        #expect(try warned(Self.model(context: 4096), ["Chinese-LLaMA-2-7B-16K"]))
        #expect(try !warned(Self.model(context: 4096), ["chinese-alpaca-2-7b"]))
        #expect(try !warned(Self.model(scaling: .linear(factor: 4), context: 16_384), ["chinese-alpaca-2-7b-16k"]))
        // Mistral's first models.
        #expect(try !warned(Self.model(context: 32_768)))
    }

    /// A tensor of divisors becomes the settings that it was made of.
    @Test func divisorsBecomeSettings() throws {
        let model = try Self.model(context: 131_072)
        for (factor, original) in [(8.0, 8192), (32, 8192), (8, 64)] {
            let scaling = ModelConfiguration.RopeScaling.llama3(
                .init(factor: factor, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: original))
            let divisors = RopeFactors.divisors(model, scaling)
            #expect(RopeFactors.scaling(divisors, model) == scaling)
            var other = divisors
            other[40] *= 1.01
            #expect(RopeFactors.scaling(other, model) == nil)
        }
        #expect(RopeFactors.scaling([Float](repeating: 1, count: 64), model) == nil)
        #expect(RopeFactors.scaling([.nan, 8], model) == nil)
    }
}

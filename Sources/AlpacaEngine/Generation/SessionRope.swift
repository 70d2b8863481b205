/// What a session's rotary angles are: the model's, or others that its options ask for.
///
/// Options that have no effect are refused: whoever gives them expects something of them.
struct SessionRope {
    let theta: Double
    let scaling: ModelConfiguration.RopeScaling
    /// Whether the file's divisors of frequencies count.
    let usesFactors: Bool
    /// Whether the options say that the context may be longer than that of the model's training.
    let isStretched: Bool
    /// Positions that the angles are good for as far as files tell: YaRN reaches beyond the context that they state where that is the original
    /// one, as in the advice for Qwen2.5.
    let reach: Int

    init(_ options: Session.Options, _ model: ModelConfiguration, contextLength: Int) throws(AlpacaError) {
        let kind = options.ropeScaling
        let limits = ModelConfiguration.Limits.self
        func check(_ value: Double?, _ range: ClosedRange<Double>, _ name: String, isUsed: Bool, _ unless: String) throws(AlpacaError) {
            guard let value else { return }
            guard range.contains(value) else {
                throw AlpacaError(.invalidArgument, "\(name): found \(value), expected \(range.lowerBound) to \(range.upperBound)")
            }
            guard isUsed else { throw AlpacaError(.invalidArgument, "\(name): found \(value), which has no effect unless \(unless)") }
        }
        theta = options.ropeTheta ?? model.ropeTheta
        try check(theta, limits.ropeTheta, "rope_theta", isUsed: true, "")
        try check(
            options.ropeScale, limits.ropeScalingFactor, "rope_scale", isUsed: kind != .none && kind != .ntk || options.ropeScale == 1,
            "positions are scaled by it: rope_scaling is \(kind.rawValue)")
        try check(options.ropeAlpha, limits.ropeScalingFactor, "rope_alpha", isUsed: kind == .ntk, "rope_scaling is ntk")
        if let original = options.ropeOriginalContext {
            guard limits.contextLength.contains(original) else {
                throw AlpacaError(
                    .invalidArgument,
                    "rope_original_ctx: found \(original), expected \(limits.contextLength.lowerBound) to \(limits.contextLength.upperBound)"
                )
            }
            guard kind == .yarn || kind == .dynamic || kind == .linear || kind == .ntk && options.ropeAlpha == nil else {
                throw AlpacaError(
                    .invalidArgument, "rope_original_ctx: found \(original), which has no effect where rope_scaling is \(kind.rawValue)")
            }
        }
        for (value, name) in [
            (options.yarnAttentionFactor, "yarn_attn_factor"), (options.yarnBetaFast, "yarn_beta_fast"),
            (options.yarnBetaSlow, "yarn_beta_slow"),
        ] {
            try check(value, limits.ropeScalingFactor, name, isUsed: kind == .yarn, "rope_scaling is yarn")
        }
        let original = options.ropeOriginalContext ?? SessionRope.original(model)
        let stretch = max(1, Double(contextLength) / Double(original))
        switch kind {
        case .model: scaling = options.ropeScale.map { .linear(factor: $0) } ?? model.ropeScaling
        case .none: scaling = .none
        case .linear:
            var stated: Double?
            if case .linear(let factor) = model.ropeScaling { stated = factor }
            let factor = options.ropeScale ?? stated ?? stretch
            scaling = factor == 1 ? .none : .linear(factor: factor)
        case .yarn:
            var yarn = ModelConfiguration.YaRN(factor: options.ropeScale ?? stretch, originalContextLength: original)
            if case .yarn(let stated) = model.ropeScaling {
                yarn = stated
                yarn.originalContextLength = original
                if let factor = options.ropeScale { yarn.factor = factor }
            }
            yarn.attentionFactor = options.yarnAttentionFactor ?? yarn.attentionFactor
            yarn.betaFast = options.yarnBetaFast ?? yarn.betaFast
            yarn.betaSlow = options.yarnBetaSlow ?? yarn.betaSlow
            scaling = yarn.changesNothing ? .none : .yarn(yarn)
        case .ntk:
            scaling =
                options.ropeAlpha.map { $0 == 1 ? .none : .ntk(alpha: $0) }
                ?? .dynamic(ModelConfiguration.DynamicNTK(factor: nil, originalContextLength: original))
        case .dynamic:
            var stated: Double?
            if case .dynamic(let dynamic) = model.ropeScaling { stated = dynamic.factor }
            scaling = .dynamic(
                ModelConfiguration.DynamicNTK(factor: options.ropeScale ?? stated ?? stretch, originalContextLength: original))
        }
        do throws(AlpacaError) {
            try scaling.check(dimension: model.ropeDimension)
        } catch {
            throw error.inContext("rope_scaling")
        }
        // What the options ask for takes the place of all that the file says.
        usesFactors = kind == .model
        isStretched = options.ropeTheta != nil || options.ropeScale != nil || kind != .model && kind != .none || SessionRope.grows(scaling)
        if case .yarn(let yarn) = scaling {
            // Both are in their ranges, so that the product is far below 2^63.
            reach = max(model.contextLength, Int(yarn.factor * Double(yarn.originalContextLength)))
        } else {
            reach = model.contextLength
        }
    }

    /// Positions that the model was trained for before any stretching.
    private static func original(_ model: ModelConfiguration) -> Int {
        switch model.ropeScaling {
        case .none, .ntk: model.contextLength
        case .linear(let factor): max(1, Int((Double(model.contextLength) / factor).rounded()))
        case .yarn(let yarn): yarn.originalContextLength
        case .llama3(let llama): llama.originalContextLength
        case .dynamic(let dynamic): dynamic.originalContextLength
        }
    }

    private static func grows(_ scaling: ModelConfiguration.RopeScaling) -> Bool {
        if case .dynamic = scaling { return true }
        return false
    }
}

extension Session.Options {
    /// How a session scales positions.
    public enum RopeScaling: String, Sendable, CaseIterable {
        /// As the model's files say.
        case model
        /// Not at all, whatever the files say.
        case none
        /// Positions are divided by ``Session/Options/ropeScale``.
        case linear
        /// YaRN by that factor.
        case yarn
        /// The base of the angles is multiplied by alpha^(d / (d - 2)), alpha being ``Session/Options/ropeAlpha``. Without it alpha follows the
        /// length of the text, by the rule of the Chinese-LLaMA-Alpaca projects' scripts (``ModelConfiguration/DynamicNTK``).
        case ntk
        /// The same, with transformers' rule for alpha: dynamic NTK by that factor.
        case dynamic
    }
}

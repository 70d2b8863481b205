import AlpacaEngine
import ArgumentParser

/// How a session scales positions. Without any of these: as the model's files say.
struct RopeOptions: ParsableArguments {
    @Option(
        name: .customLong("rope-scaling"),
        help: "How positions are scaled: model (as its files say), none, linear, yarn, ntk or dynamic; --rope-scale is the factor.")
    var scaling: RopeScalingName?

    @Option(
        name: .customLong("rope-scale"), parsing: .unconditional,
        help: "The factor of the scaling, such as 4; alone: positions are divided by it. Default: the model's, or --n-ctx over its context."
    )
    var scale: Double?

    @Option(name: .customLong("rope-freq-scale"), parsing: .unconditional, help: "The same as 1 / --rope-scale.")
    var frequencyScale: Double?

    @Option(name: .customLong("rope-theta"), parsing: .unconditional, help: "Base of the rotary angles; 0: the model's.")
    var theta: Double?

    @Option(
        name: .customLong("rope-alpha"), parsing: .unconditional,
        help: "For ntk: how far low frequencies are stretched; auto: by the length of the text.")
    var alpha: RopeAlpha?

    @Option(
        name: .customLong("rope-original-ctx"), parsing: .unconditional,
        help: "Positions that the model was trained for before any scaling; 0: what its files say.")
    var originalContext: Int?

    @Option(name: .customLong("yarn-attn-factor"), parsing: .unconditional, help: "YaRN: what cosine and sine are multiplied with.")
    var attentionFactor: Double?
    @Option(name: .customLong("yarn-beta-fast"), parsing: .unconditional, help: "YaRN: turns from which on a frequency is kept.")
    var betaFast: Double?
    @Option(name: .customLong("yarn-beta-slow"), parsing: .unconditional, help: "YaRN: turns below which a frequency is divided.")
    var betaSlow: Double?

    func validate() throws {
        guard scale == nil || frequencyScale == nil else {
            throw ValidationError("--rope-scale and --rope-freq-scale say the same in two ways: give one of them")
        }
    }

    /// Puts them into a session's options.
    func apply(to options: inout Session.Options) {
        // 0 is the default of each, as in the library.
        func stated(_ value: Double?) -> Double? { value == 0 ? nil : value }
        if let scaling { options.ropeScaling = scaling.kind }
        options.ropeScale = stated(scale) ?? stated(frequencyScale).map { 1 / $0 }
        options.ropeTheta = stated(theta)
        options.ropeAlpha = stated(alpha?.value)
        options.ropeOriginalContext = originalContext == 0 ? nil : originalContext
        // llama.cpp's users write -1 for what is usual.
        options.yarnAttentionFactor = stated(attentionFactor).flatMap { $0 == -1 ? nil : $0 }
        options.yarnBetaFast = stated(betaFast).flatMap { $0 == -1 ? nil : $0 }
        options.yarnBetaSlow = stated(betaSlow).flatMap { $0 == -1 ? nil : $0 }
    }
}

/// Kinds of scaling by name, in any case.
struct RopeScalingName: ExpressibleByArgument {
    let kind: Session.Options.RopeScaling

    init?(argument: String) {
        guard let kind = Session.Options.RopeScaling(rawValue: argument.lowercased()) else { return nil }
        self.kind = kind
    }

    static var allValueStrings: [String] { Session.Options.RopeScaling.allCases.map(\.rawValue) }
}

/// A number, or "auto", which is 0 in the library.
struct RopeAlpha: ExpressibleByArgument {
    let value: Double

    init?(argument: String) {
        guard let value = argument.lowercased() == "auto" ? 0 : Double(argument) else { return nil }
        self.value = value
    }
}

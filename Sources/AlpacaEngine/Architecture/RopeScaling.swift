extension ModelConfiguration {
    /// How positions beyond the original context are brought into it.
    public enum RopeScaling: Sendable, Hashable {
        case none
        /// Positions are divided by the factor (position interpolation, arXiv:2306.15595).
        case linear(factor: Double)
        /// Each frequency is stretched in a measure of its own, and the scores are scaled (YaRN, arXiv:2309.00071).
        case yarn(YaRN)
        /// Low frequencies are divided by a factor, high ones are kept, those between are blended (Llama 3.1).
        case llama3(Llama3)
        /// The base of the angles is multiplied by alpha^(d / (d - 2)): low frequencies are stretched by alpha, high ones hardly at all (NTK).
        case ntk(alpha: Double)
        /// The same by an alpha that follows the length of the text (``DynamicNTK``).
        case dynamic(DynamicNTK)

        func check() throws(AlpacaError) {
            let factors = Limits.ropeScalingFactor
            switch self {
            case .none: break
            case .linear(let factor): try ModelConfiguration.check(factor, factors, "rope scaling factor")
            case .yarn(let yarn):
                try ModelConfiguration.check(yarn.factor, factors, "rope scaling factor")
                try ModelConfiguration.check(yarn.originalContextLength, Limits.contextLength, "original context length")
                for (value, name) in [
                    (yarn.betaFast, "beta_fast"), (yarn.betaSlow, "beta_slow"), (yarn.attentionScale, "attention factor"),
                ] {
                    try ModelConfiguration.check(value, factors, "rope scaling: \(name)")
                }
            case .ntk(let alpha): try ModelConfiguration.check(alpha, factors, "rope scaling: alpha")
            case .dynamic(let dynamic):
                if let factor = dynamic.factor { try ModelConfiguration.check(factor, factors, "rope scaling factor") }
                try ModelConfiguration.check(dynamic.originalContextLength, Limits.contextLength, "original context length")
            case .llama3(let llama):
                try ModelConfiguration.check(llama.factor, factors, "rope scaling factor")
                try ModelConfiguration.check(llama.originalContextLength, Limits.contextLength, "original context length")
                try ModelConfiguration.check(llama.lowFrequencyFactor, factors, "low_freq_factor")
                try ModelConfiguration.check(llama.highFrequencyFactor, factors, "high_freq_factor")
                guard llama.lowFrequencyFactor < llama.highFrequencyFactor else {
                    throw AlpacaError(
                        .badFormat,
                        "rope scaling: low_freq_factor \(llama.lowFrequencyFactor) is not below high_freq_factor \(llama.highFrequencyFactor)"
                    )
                }
            }
        }

        /// The same, where so many components of a head turn.
        func check(dimension: Int) throws(AlpacaError) {
            try check()
            switch self {
            case .ntk, .dynamic:
                // The exponent is d / (d - 2).
                guard dimension > 2 else {
                    throw AlpacaError(.unsupported, "rope scaling by NTK: found \(dimension) rotated components, expected 4 or more")
                }
            default: break
            }
        }
    }

    /// YaRN's settings, by the names of config.json.
    public struct YaRN: Sendable, Hashable {
        public var factor: Double
        /// Positions that the model was trained for before.
        public var originalContextLength: Int
        /// Turns over the original context from which on a frequency is kept, and below which it is divided by the factor.
        public var betaFast = 32.0
        public var betaSlow = 1.0
        /// What cosine and sine are multiplied with; nil: it follows from the factor, or from the two below.
        public var attentionFactor: Double?
        public var mscale: Double?
        public var mscaleAllDim: Double?
        /// Whether the ends of the ramp between the two are rounded to whole dimensions.
        public var truncates = true
        /// Whether the model was trained on with the stretched angles, as its files say. It changes nothing; it is carried along.
        public var isFinetuned: Bool?

        public init(factor: Double, originalContextLength: Int) {
            self.factor = factor
            self.originalContextLength = originalContextLength
        }

        /// Whether all angles are the ordinary ones.
        var changesNothing: Bool { factor == 1 && attentionScale == 1 }

        /// What cosine and sine are multiplied with.
        public var attentionScale: Double {
            if let attentionFactor { return attentionFactor }
            func scale(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * Numerics.logarithm(factor) + 1 }
            if let mscale, let mscaleAllDim, mscale != 0, mscaleAllDim != 0 { return scale(mscale) / scale(mscaleAllDim) }
            return scale(1)
        }
    }

    /// Dynamic NTK: with each call the base of the angles follows the length that the text then has.
    public struct DynamicNTK: Sendable, Hashable {
        /// transformers' factor f: alpha is f * length / original - (f - 1). nil for the rule of the Chinese-LLaMA-Alpaca projects' scripts: alpha is
        /// 2 * length / original - 1, times 1.1 for models of up to 2,048 positions.
        public var factor: Double?
        /// Positions that the model was trained for. Up to them the base stays as it is.
        public var originalContextLength: Int

        public init(factor: Double?, originalContextLength: Int) {
            self.factor = factor
            self.originalContextLength = originalContextLength
        }

        /// How far low frequencies are stretched for a text of `length` positions, 1 or more.
        func alpha(length: Int) -> Double {
            guard length > originalContextLength else { return 1 }
            let share = Double(length) / Double(originalContextLength)
            if let factor { return factor * share - (factor - 1) }
            return (2 * share - 1) * (originalContextLength <= 2048 ? 1.1 : 1)
        }
    }

    /// Llama 3.1's settings, by the names of config.json.
    public struct Llama3: Sendable, Hashable {
        public var factor: Double
        public var lowFrequencyFactor: Double
        public var highFrequencyFactor: Double
        /// Positions that the model was trained for before.
        public var originalContextLength: Int

        public init(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalContextLength: Int) {
            self.factor = factor
            self.lowFrequencyFactor = lowFrequencyFactor
            self.highFrequencyFactor = highFrequencyFactor
            self.originalContextLength = originalContextLength
        }
    }
}

extension ModelConfiguration.RopeScaling {
    /// The frequency of each pair of a head's components, and what cosine and sine are multiplied with. As transformers has them.
    ///
    /// - Parameters:
    ///   - theta: the base of the angles.
    ///   - dimension: components of a head that turn; even.
    func frequencies(theta: Double, dimension: Int) -> (values: [Double], scale: Double) {
        let plain = (0..<dimension / 2).map { Numerics.power(theta, -2 * Double($0) / Double(dimension)) }
        switch self {
        // Dynamic NTK: up to the original context (``baseFactor(length:dimension:)``).
        case .none, .dynamic: return (plain, 1)
        case .ntk:
            return (Self.none.frequencies(theta: theta * baseFactor(length: 0, dimension: dimension), dimension: dimension).values, 1)
        case .linear(let factor): return (plain.map { $0 / factor }, 1)
        case .yarn(let yarn): return (Self.stretched(plain, theta, Double(dimension), yarn), yarn.attentionScale)
        case .llama3(let llama): return (plain.map { Self.blended($0, llama) }, 1)
        }
    }

    /// What the base of the angles is multiplied with for a text of `length` positions; 1 but for the two kinds of NTK.
    func baseFactor(length: Int, dimension: Int) -> Double {
        let alpha: Double
        switch self {
        case .ntk(let stated): alpha = stated
        case .dynamic(let dynamic): alpha = dynamic.alpha(length: length)
        default: return 1
        }
        // Bound: `check(dimension:)` has seen to it that the dimension is more than 2.
        return alpha == 1 ? 1 : Numerics.power(alpha, Double(dimension) / Double(dimension - 2))
    }

    private static func stretched(_ plain: [Double], _ theta: Double, _ dimension: Double, _ yarn: ModelConfiguration.YaRN) -> [Double] {
        let original = Double(yarn.originalContextLength)
        /// The dimension whose frequency makes so many turns over the original context.
        func place(_ turns: Double) -> Double {
            dimension * Numerics.logarithm(original / (turns * 2 * .pi)) / (2 * Numerics.logarithm(theta))
        }
        var low = place(yarn.betaFast)
        var high = place(yarn.betaSlow)
        if yarn.truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        low = max(low, 0)
        high = min(high, dimension - 1)
        if low == high { high += 0.001 }
        return plain.enumerated().map { index, frequency in
            let ramp = min(1, max(0, (Double(index) - low) / (high - low)))
            return frequency / yarn.factor * ramp + frequency * (1 - ramp)
        }
    }

    private static func blended(_ frequency: Double, _ llama: ModelConfiguration.Llama3) -> Double {
        let length = 2 * Double.pi / frequency
        let original = Double(llama.originalContextLength)
        if length < original / llama.highFrequencyFactor { return frequency }
        if length > original / llama.lowFrequencyFactor { return frequency / llama.factor }
        let share = (original / length - llama.lowFrequencyFactor) / (llama.highFrequencyFactor - llama.lowFrequencyFactor)
        return (1 - share) * frequency / llama.factor + share * frequency
    }
}

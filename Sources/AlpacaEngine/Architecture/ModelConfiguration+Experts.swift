// Parts that not all models have: experts, and biases.

extension ModelConfiguration {
    /// A mixture of experts: layers with several feed-forward parts, of which each token takes a few (arXiv:2401.04088).
    public struct Experts: Sendable, Hashable {
        /// Experts of a layer.
        public var count: Int
        /// Those that a token takes.
        public var usedCount: Int
        /// Width of one expert.
        public var feedForwardLength: Int
        /// Whether the shares of the experts that a token takes are made to sum to 1.
        public var isNormalized: Bool
        /// Layers that have one feed-forward part, as models without experts do. Ascending.
        public var denseLayers: [Int]

        public init(count: Int, usedCount: Int, feedForwardLength: Int, isNormalized: Bool = true, denseLayers: [Int] = []) {
            self.count = count
            self.usedCount = usedCount
            self.feedForwardLength = feedForwardLength
            self.isNormalized = isNormalized
            self.denseLayers = denseLayers
        }

        func check(layerCount: Int) throws(AlpacaError) {
            try ModelConfiguration.check(count, Limits.expertCount, "expert count")
            try ModelConfiguration.check(usedCount, 1...count, "count of experts that a token takes")
            try ModelConfiguration.check(feedForwardLength, Limits.feedForwardLength, "feed-forward length of an expert")
            for layer in denseLayers { try ModelConfiguration.check(layer, 0...layerCount - 1, "layer without experts") }
        }
    }

    /// Whether a layer has experts.
    package func hasExperts(_ layer: Int) -> Bool { experts.map { !$0.denseLayers.contains(layer) } ?? false }
    /// Experts of a layer, at least 1: outputs of the router.
    package var expertCount: Int { experts?.count ?? 1 }
    package var expertFeedForwardLength: Int { experts?.feedForwardLength ?? feedForwardLength }

    /// Which matrices of a layer have a bias.
    package struct Biases: OptionSet, Sendable, Hashable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        package static let query = Biases(rawValue: 1)
        package static let key = Biases(rawValue: 2)
        package static let value = Biases(rawValue: 4)
        package static let attentionOutput = Biases(rawValue: 8)
        package static let gate = Biases(rawValue: 16)
        package static let up = Biases(rawValue: 32)
        package static let down = Biases(rawValue: 64)
        /// config.json has one word for these: `attention_bias`, `mlp_bias`.
        package static let attention: Biases = [.query, .key, .value, .attentionOutput]
        package static let feedForward: Biases = [.gate, .up, .down]

        static let kinds: [(bias: Biases, kind: TensorRole.Kind)] = [
            (.query, .queryBias), (.key, .keyBias), (.value, .valueBias), (.attentionOutput, .attentionOutputBias), (.gate, .gateBias),
            (.up, .upBias), (.down, .downBias),
        ]

        /// Those of the first layer of a GGUF file: all layers are alike.
        init(_ table: TensorTable, hasTensor: (String) -> Bool) {
            var found: Biases = []
            for (bias, kind) in Biases.kinds {
                guard let name = table.name(of: TensorRole(kind, layer: 0), in: .gguf) else { continue }
                let joins = table.joins.filter { $0.naming == .gguf && $0.kinds.contains(kind) }
                let names = [name] + joins.map { TensorNames.numbered($0.name, TensorRole(kind, layer: 0)) }
                if names.contains(where: hasTensor) { found.insert(bias) }
            }
            self = found
        }
    }

    package var hasQueryBias: Bool { biases.contains(.query) }
    package var hasKeyBias: Bool { biases.contains(.key) }
    package var hasValueBias: Bool { biases.contains(.value) }
    package var hasAttentionOutputBias: Bool { biases.contains(.attentionOutput) }
    package var hasGateBias: Bool { biases.contains(.gate) }
    package var hasUpBias: Bool { biases.contains(.up) }
    package var hasDownBias: Bool { biases.contains(.down) }
}

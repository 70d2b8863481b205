/// Weights and what is computed from them once: immutable, shared by any number of sessions.
final class LlamaModel: Sendable {
    let configuration: ModelConfiguration
    let weights: LlamaWeights

    init(_ configuration: ModelConfiguration, store: any WeightStore) throws(AlpacaError) {
        try configuration.checkRunnable()
        self.configuration = configuration
        weights = try LlamaWeights(configuration, store: store)
    }
}

/// What is suspicious of a model's rotary angles: files from which a converter has left the scaling out say nothing of it, and such models write
/// nonsense in long texts.
enum RopeWarnings {
    /// Sentences without the file's name.
    ///
    /// - Parameter names: what the files call the model.
    static func warnings(_ model: ModelConfiguration, names: [String]) -> [String] {
        guard model.architecture == Llama.names.gguf, case .none = model.ropeScaling, !model.hasRopeFactors else { return [] }
        let context = model.contextLength
        // LLaMA 1 and 2. Mistral's first models have the same base and 32,768 positions, as they should.
        if model.ropeTheta == 10_000, model.modelType == Llama.names.modelType {
            let told = names.contains { name in
                longNames.contains { name.lowercased().hasSuffix($0) || name.lowercased().contains($0 + "-") }
            }
            if context == 65_536 || context == 16_384 || told {
                return [
                    "the model has \(context) positions, theta 10000 and no scaling of positions: converters of 2024 left the scaling of "
                        + "long-context models out; if it is one of those with 64K positions ask for rope_scaling yarn, rope_scale 16, "
                        + "rope_original_ctx 4096, if one of 16K for rope_scaling linear, rope_scale 4, or convert it anew"
                ]
            }
        }
        if model.ropeTheta == 500_000, context > 8192 {
            return [
                "the model has \(context) positions, theta 500000 and neither a scaling of positions nor a tensor rope_freqs: files of Llama 3.1 "
                    + "made before August 2024 lack it, and such a model is wrong beyond 8192 positions: convert it anew"
            ]
        }
        return []
    }

    /// How the models of long contexts are called.
    private static let longNames = ["-16k", "-64k"]
}

/// What a model file holds, ready to run.
struct LoadedModel {
    let configuration: ModelConfiguration
    let tokenizer: Tokenizer
    let runnable: RunnableModel
    let description: ModelDescription
    let template: ModelTemplate
}

/// Opens a model from a path, whatever its format.
enum ModelLoader {
    static func load(_ path: String, _ options: ModelOptions) throws(AlpacaError) -> LoadedModel {
        let source = try ModelSource(path: path)
        do throws(AlpacaError) {
            // Before anything is mapped or read.
            let (configuration, tokenizer) = try source.opened()
            let store = try SourceWeightStore(source, options)
            return LoadedModel(
                configuration: configuration, tokenizer: tokenizer,
                runnable: try RunnableModel(configuration, store, cacheBytes: options.cacheByteCount),
                description: ModelDescription(source, configuration), template: source.template)
        } catch {
            throw error.inFile(path)
        }
    }
}

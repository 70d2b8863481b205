/// What a model file holds, ready to run.
struct LoadedModel {
    let configuration: ModelConfiguration
    let tokenizer: Tokenizer
    let runnable: RunnableModel
    let description: ModelDescription
}

/// Opens a model from a path, whatever its format.
enum ModelLoader {
    static func load(_ path: String, _ options: ModelOptions) throws(AlpacaError) -> LoadedModel {
        let source = try ModelSource(path: path)
        do throws(AlpacaError) {
            // Before anything is mapped or read.
            let configuration = try source.runnableConfiguration()
            let tokenizer = try tokenizer(source, configuration)
            let store = try SourceWeightStore(source, options)
            return LoadedModel(
                configuration: configuration, tokenizer: tokenizer,
                runnable: try RunnableModel(configuration, store, cacheBytes: options.cacheByteCount),
                description: ModelDescription(source))
        } catch {
            throw error.inFile(path)
        }
    }

    private static func tokenizer(_ source: ModelSource, _ configuration: ModelConfiguration) throws(AlpacaError) -> Tokenizer {
        if let problem = source.tokenizerProblem { throw problem }
        let tokenizer = try Tokenizer(source.metadata)
        guard tokenizer.count == configuration.vocabularySize else {
            throw AlpacaError(
                .shapeMismatch,
                "the tokenizer has \(tokenizer.count) pieces, the model's embedding has \(configuration.vocabularySize) rows; "
                    + "the file was put together from parts that do not belong together")
        }
        return tokenizer
    }
}

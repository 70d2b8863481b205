// GGUF files hold other things than models: what a file says that it is, and what to do with it.

extension GGUFMetadata {
    /// Why a file with these metadata is no model, though it is a GGUF file; nil for models, and where nothing is said of it.
    package var otherKind: AlpacaError? {
        func text(_ key: String) -> String? { ((try? stringIfPresent(key)) ?? nil) }
        let type = text(GGUFKey.type)?.lowercased(), adapter = text(GGUFKey.adapterType)
        if type == "adapter" || adapter != nil {
            let what = adapter.map { $0.lowercased() == "lora" ? "a LoRA adapter" : "an adapter (\($0.quoted(limit: 40)))" } ?? "an adapter"
            return AlpacaError(
                .unsupported,
                "this is \(what) in a GGUF file, as llama.cpp applies them, not a model; use the PEFT adapter that it was made from, a folder "
                    + "with adapter_config.json: `alpaca convert BASE --adapter FOLDER -o FILE`")
        }
        if type == "mmproj" || text(GGUFKey.architecture) == "clip" {
            return AlpacaError(.unsupported, "this is the part of a model that reads images (mmproj), which can't be used; name the model")
        }
        if text(GGUFKey.architecture) == "controlvector" {
            return AlpacaError(.unsupported, "this is a control vector of llama.cpp, not a model: they can't be applied")
        }
        if type == ImportanceMatrix.generalType {
            return AlpacaError(
                .unsupported, "this is an importance matrix, not a model: `alpaca convert MODEL --imatrix FILE --type q4_k_m -o FILE`")
        }
        return nil
    }
}

// Settings of an adapter that say one thing while its tensors say another. What PEFT would pass over is a warning; where PEFT would leave out
// tensors that are there on purpose, the result would be another model than PEFT's, and that is an error.

extension AdapterConfiguration {
    /// A module that has an update in the file.
    struct Module {
        /// "model.layers.0.self_attn.q_proj"
        let name: String
        let layer: Int?
    }

    /// - Parameters:
    ///   - updated: the modules that have low-rank updates, in any order.
    ///   - others: names of modules that have other changes.
    /// - Returns: what has no effect, in sentences.
    func check(_ updated: [Module], others: [String]) throws(AlpacaError) -> [String] {
        let updated = updated.sorted { $0.name < $1.name }
        try checkExclusions(updated)
        try checkLayers(updated)
        var warnings = targetWarnings(updated, others)
        for (setting, keys) in [("rank_pattern", rankPattern.map(\.key)), ("alpha_pattern", alphaPattern.map(\.key))] {
            let idle = keys.filter { key in !updated.contains { AdapterConfiguration.matches(settingsName($0.name), key) } }
            guard !idle.isEmpty else { continue }
            warnings.append("\"\(setting)\": \(AdapterConfiguration.list(idle)) fits no module of the adapter, and has no effect")
        }
        let still = updated.filter { scale(of: $0.name, rank: rank(of: $0.name)) == 0 }
        if let first = still.first {
            let all = still.count == updated.count
            warnings.append(
                "\"\(alpha == 0 ? "lora_alpha" : "alpha_pattern")\" is 0, so that "
                    + (all
                        ? "the low-rank updates change nothing" : "\(still.count) updates, such as \(first.name.quoted()), change nothing"))
        }
        return warnings
    }

    private func checkExclusions(_ updated: [Module]) throws(AlpacaError) {
        for module in updated {
            let isOut =
                isExclusionExpression
                ? excludedModules.contains { AdapterConfiguration.isWhole($0, module.name) == true }
                : excludedModules.contains { AdapterConfiguration.ends(module.name, with: $0) }
            guard isOut else { continue }
            throw AlpacaError(
                .badFormat,
                "\"exclude_modules\" of the configuration leaves out \(module.name.quoted()), for which the file has an update: PEFT would not "
                    + "apply it (is adapter_config.json that of another adapter?)")
        }
    }

    private func checkLayers(_ updated: [Module]) throws(AlpacaError) {
        // With an expression the setting is not heeded.
        guard !layers.isEmpty, !isTargetExpression else { return }
        for module in updated {
            guard let layer = module.layer, !layers.contains(layer), !targetModules.contains(module.name) else { continue }
            throw AlpacaError(
                .badFormat,
                "\"layers_to_transform\" of the configuration leaves out layer \(layer), for which the file has an update, "
                    + "\(module.name.quoted()): PEFT would not apply it (is adapter_config.json that of another adapter?)")
        }
    }

    private func targetWarnings(_ updated: [Module], _ others: [String]) -> [String] {
        let setting = "\"target_modules\""
        guard let first = targetModules.first, !(isTargetExpression && first == "all-linear") else { return [] }
        var warnings: [String] = []
        let isCovered: (String) -> Bool
        if isTargetExpression {
            guard AdapterConfiguration.isWhole(first, "") != nil else {
                return ["\(setting): \(first.quoted()) is no expression that is understood here; all updates of the file are applied"]
            }
            isCovered = { AdapterConfiguration.isWhole(first, $0) == true }
        } else {
            let all = updated.map(\.name) + others
            let idle = targetModules.filter { name in !all.contains { AdapterConfiguration.ends($0, with: name) } }
            if !idle.isEmpty {
                warnings.append(
                    "\(setting) names \(AdapterConfiguration.list(idle)), for which the file has no tensors: nothing is changed there")
            }
            isCovered = { name in targetModules.contains { AdapterConfiguration.ends(name, with: $0) } }
        }
        let strangers = updated.filter { !isCovered($0.name) && !targetsParameter(of: $0.name) }
        if let stranger = strangers.first {
            warnings.append(
                "\(setting) doesn't name \(FactTable.count(strangers.count, "module")) that the file has updates of, such as "
                    + "\(stranger.name.quoted()): they are applied, PEFT would pass over them")
        }
        return warnings
    }

    /// Whether the name is this one or ends with it.
    private static func ends(_ module: String, with name: String) -> Bool { module == name || module.hasSuffix(".\(name)") }

    /// Whether the whole of a name matches an expression; nil for one that is not understood.
    private static func isWhole(_ text: String, _ module: String) -> Bool? {
        Expression(text).map { $0.matches(Array(module.utf8)) }
    }

    private static func list(_ names: [String]) -> String {
        names.prefix(6).map { $0.quoted(limit: 60) }.joined(separator: ", ") + (names.count > 6 ? " and \(names.count - 6) more" : "")
    }

    // MARK: Fields

    /// A number, a list of them, or nothing.
    static func layers(_ json: JSONValue) throws(AlpacaError) -> [Int] {
        guard let value = try json.memberIfPresent("layers_to_transform") else { return [] }
        let range = 0...1 << 20
        guard value.isArray else { return [try value.int(in: range)] }
        var layers: [Int] = []
        for element in try value.array() { layers.append(try element.int(in: range)) }
        return layers
    }

    /// Settings of PEFT's up to version 0.18 that are read, refused where they are set, or mean nothing for what the tensors are.
    private static let known: Set<String> = [
        "alora_invocation_tokens", "alpha_pattern", "arrow_config", "auto_mapping", "base_model_name_or_path", "bias", "corda_config",
        "enable_lora", "ensure_weight_tying", "eva_config", "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights",
        "kasa_config", "layer_replication", "layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha", "lora_bias",
        "lora_dropout", "lora_ga_config", "megatron_config", "megatron_core", "merge_weights", "modules_to_save", "monteclora_config",
        "peft_type", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config", "target_modules",
        "target_parameters", "task_type", "trainable_token_indices", "use_bdlora", "use_dora", "use_qalora", "use_rslora",
    ]

    /// A sentence about settings that nobody here knows.
    static func unknownSettings(_ json: JSONValue) throws(AlpacaError) -> String? {
        let strange = json.members.filter { !known.contains($0.key) && !$0.isNull && isSet($0) }.map(\.key)
        guard !strange.isEmpty else { return nil }
        return
            "\(json.documentName): the settings \(list(strange)) are not known here, and not heeded: if they change what the tensors mean, "
            + "the merge is another than the training's"
    }
}

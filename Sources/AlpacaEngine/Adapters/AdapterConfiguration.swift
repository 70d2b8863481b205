// adapter_config.json of PEFT, from its first version of 2023 on. Fields that change what the tensors mean are read, or refused where we can't
// follow them; all others (training settings, revisions, fields to come) are passed over. What a new field means for the tensors shows in
// their names, and unknown names are refused.

/// What `adapter_config.json` says.
package struct AdapterConfiguration: Sendable {
    package let rank: Int
    package let alpha: Double
    /// Ranks and alphas of modules whose dotted name ends with a key; the first that fits counts.
    package let rankPattern: [(key: String, value: Int)]
    package let alphaPattern: [(key: String, value: Double)]
    /// Rank-stabilized: the scale is alpha / sqrt(rank) (arXiv:2312.03732).
    package let usesRSLoRA: Bool
    /// Weight-decomposed: rows are brought to learned lengths (arXiv:2402.09353).
    package let usesDoRA: Bool
    package let bias: String
    package let modulesToSave: [String]
    /// Names, or one regular expression.
    package let targetModules: [String]
    package let isTargetExpression: Bool
    /// Bare parameters that have updates: experts that are one parameter a layer, routers.
    package let targetParameters: [String]
    package let excludedModules: [String]
    package let isExclusionExpression: Bool
    /// The layers that have updates; empty for all.
    package let layers: [Int]
    package let baseModel: String?
    /// Of modules whose rows were trained alone ("embed_tokens"): the rows.
    package let tokenIndices: [(module: String, ids: [Int])]
    package private(set) var warnings: [String] = []

    /// Ranks and tensors of published adapters stay far below.
    private static let ranks = 1...1 << 20

    package init(_ region: FileRegion) throws(AlpacaError) {
        let kind = try CheckpointKind(region)
        guard kind == .json else {
            throw AlpacaError(.badFormat, path: region.name, "this is \(kind), expected the adapter's configuration, a JSON file")
        }
        try self.init(JSONDocument(try region.bytes(at: 0, count: region.count), name: region.name).root)
    }

    package init(_ json: JSONValue) throws(AlpacaError) {
        let type = try json.string("peft_type")
        guard type == "LORA" else {
            throw AlpacaError(
                .unsupported, path: json.documentName, "\"peft_type\": found \(type.quoted()), supported is \"LORA\" (with or without DoRA)"
            )
        }
        try AdapterConfiguration.refuse(json)
        rank = try json.int("r", in: AdapterConfiguration.ranks)
        alpha = try AdapterConfiguration.number(try json.member("lora_alpha"))
        rankPattern = try AdapterConfiguration.pattern(json, "rank_pattern") { (value) throws(AlpacaError) in
            try value.int(in: AdapterConfiguration.ranks)
        }
        alphaPattern = try AdapterConfiguration.pattern(json, "alpha_pattern", AdapterConfiguration.number)
        usesRSLoRA = try json.boolIfPresent("use_rslora") ?? false
        usesDoRA = try json.boolIfPresent("use_dora") ?? false
        bias = try json.stringIfPresent("bias") ?? "none"
        modulesToSave = try AdapterConfiguration.names(json, "modules_to_save")
        targetModules = try AdapterConfiguration.names(json, "target_modules")
        isTargetExpression = try json.memberIfPresent("target_modules")?.isString ?? false
        targetParameters = try AdapterConfiguration.names(json, "target_parameters")
        excludedModules = try AdapterConfiguration.names(json, "exclude_modules")
        isExclusionExpression = try json.memberIfPresent("exclude_modules")?.isString ?? false
        layers = try AdapterConfiguration.layers(json)
        tokenIndices = try AdapterConfiguration.tokenIndices(json)
        baseModel = try json.stringIfPresent("base_model_name_or_path")
        if try json.boolIfPresent("fan_in_fan_out") ?? false {
            warnings.append(
                "\(json.documentName): \"fan_in_fan_out\" is true, which is for models that store their matrices transposed; Llama models "
                    + "do not, so it is ignored (PEFT does the same)")
        }
        if let warning = try AdapterConfiguration.unknownSettings(json) { warnings.append(warning) }
    }

    /// What the module's update is multiplied by: alpha / rank.
    ///
    /// - Parameters:
    ///   - module: its dotted name in the model, without PEFT's prefixes.
    ///   - rank: of its tensors.
    package func scale(of module: String, rank: Int) -> Double {
        let name = settingsName(module)
        let alpha = alphaPattern.first { AdapterConfiguration.matches(name, $0.key) }?.value ?? alpha
        return alpha / (usesRSLoRA ? Double(rank).squareRoot() : Double(rank))
    }

    package func rank(of module: String) -> Int {
        let name = settingsName(module)
        return rankPattern.first { AdapterConfiguration.matches(name, $0.key) }?.value ?? rank
    }

    /// The key is the whole name or its last components, or an expression for one of the two, as PEFT has it.
    static func matches(_ module: String, _ key: String) -> Bool {
        if key.utf8.allSatisfy(isNamePart) { return module == key || module.hasSuffix(".\(key)") }
        guard let expression = Expression(key) else { return false }
        let text = Array(module.utf8)
        let starts = [0] + text.indices.filter { text[$0] == UInt8(ascii: ".") }.map { $0 + 1 }
        return starts.contains { expression.matches(text, from: $0) }
    }

    // MARK: Fields

    /// A number; scripts that edited the file have left some as text.
    private static func number(_ value: JSONValue) throws(AlpacaError) -> Double {
        guard value.isString else { return try value.double() }
        guard let number = Double(try value.string()), number.isFinite else { throw value.wrong("a number") }
        return number
    }

    /// A list of strings, one string, or nothing.
    private static func names(_ json: JSONValue, _ key: String) throws(AlpacaError) -> [String] {
        guard let value = try json.memberIfPresent(key) else { return [] }
        if value.isString { return [try value.string()] }
        var names: [String] = []
        for element in try value.array() { names.append(try element.string()) }
        return names
    }

    /// A list is of the embeddings; else there is one for each module.
    private static func tokenIndices(_ json: JSONValue) throws(AlpacaError) -> [(module: String, ids: [Int])] {
        guard let value = try json.memberIfPresent("trainable_token_indices") else { return [] }
        func ids(_ list: JSONValue) throws(AlpacaError) -> [Int] {
            var ids: [Int] = []
            for element in try list.array() {
                let id = try element.int(in: 0...VocabularyLimit.count - 1)
                guard !ids.contains(id) else { throw element.wrong("another id than before") }
                ids.append(id)
            }
            return ids
        }
        guard value.isObject else { return value.count == 0 ? [] : [("embed_tokens", try ids(value))] }
        var result: [(module: String, ids: [Int])] = []
        for member in try value.object() { result.append((member.key, try ids(member))) }
        return result
    }

    /// The rows of a module that were trained alone; nil where none were.
    package func tokenIndices(of module: String) -> [Int]? {
        tokenIndices.first { AdapterConfiguration.matches(module, $0.module) }?.ids
    }

    /// PEFT takes the keys as regular expressions; most are names.
    private static func pattern<T>(
        _ json: JSONValue, _ key: String, _ read: (JSONValue) throws(AlpacaError) -> T
    ) throws(AlpacaError) -> [(key: String, value: T)] {
        guard let value = try json.memberIfPresent(key) else { return [] }
        var result: [(key: String, value: T)] = []
        for member in try value.object() {
            guard !member.key.isEmpty, member.key.utf8.allSatisfy(isNamePart) || Expression(member.key) != nil else {
                throw AlpacaError(
                    .unsupported, path: json.documentName,
                    "\"\(key)\": found the expression \(member.key.quoted()), supported are modules' names such as "
                        + "\"q_proj\" or \"model.layers.0.self_attn.q_proj\", and plain regular expressions")
            }
            result.append((member.key, try read(member)))
        }
        return result
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    // MARK: What can't be applied

    /// Fields that, when set, make the adapter something else than matrices to be added.
    private static let unsupported: [(key: String, reason: String)] = [
        ("enable_lora", "parts of merged matrices can't be adapted; Llama models have none"),
        ("lora_bias", "trained biases can't be applied, only changes of matrices and norms"),
        ("layer_replication", "the adapter is for a model with repeated layers"),
        ("use_qalora", "the adapter was trained on pooled inputs"),
        ("alora_invocation_tokens", "the adapter is active behind certain tokens only, so that it can't be merged"),
        ("arrow_config", "a mixture of adapters can't be merged"),
        ("kasa_config", "its updates have singular values of their own"),
        ("monteclora_config", "its updates are random"),
        ("use_bdlora", "its matrices are block-diagonal"),
    ]

    /// Ways to begin the training that change the base too: what was trained belongs to the changed base.
    private static let changesBase = ["pissa", "olora", "corda", "loftq", "lora_ga"]

    private static func refuse(_ json: JSONValue) throws(AlpacaError) {
        for (key, reason) in unsupported {
            guard let value = try json.memberIfPresent(key), isSet(value) else { continue }
            throw AlpacaError(.unsupported, path: json.documentName, "\"\(key)\" is set: \(reason)")
        }
        guard let start = try json.memberIfPresent("init_lora_weights"), start.isString else { return }
        let name = try start.string()
        guard changesBase.contains(where: { name.lowercased().hasPrefix($0) }) else { return }
        throw AlpacaError(
            .unsupported, path: json.documentName,
            "\"init_lora_weights\": \(name.quoted()) changes the base before training, so the adapter doesn't fit the "
                + "base as it was released; PEFT's `save_pretrained(..., path_initial_model_for_weight_conversion=...)` makes it a plain one"
        )
    }

    /// Neither false nor an empty list.
    static func isSet(_ value: JSONValue) -> Bool {
        if value.isArray || value.isObject { return value.count > 0 }
        return (try? value.bool()) ?? true
    }
}

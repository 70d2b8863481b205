/// What the models of a family are: how files tell of them and which tensors they have. Each family has a folder of its own beside this file,
/// and a row in ``Architectures``; nothing else knows it.
package protocol Architecture: Sendable {
    static var names: ArchitectureNames { get }
    /// The kinds of tensors, with what files call them.
    static var table: TensorTable { get }
    /// Which components of a head make a pair, once rows are in GGUF's order.
    static var ropePairing: RopePairing { get }
    /// What the family has besides the numbers of all families.
    static var numbers: [FamilyNumber] { get }
    /// The context that transformers takes where config.json tells none.
    static var assumedContextLength: Int { get }

    /// Whether a GGUF file of the architecture that ``ArchitectureNames/gguf`` names is of this family: some share the name.
    static func isMeant(by metadata: GGUFMetadata) -> Bool
    /// Throws, naming the key, where a GGUF file tells of what this version can't run.
    static func check(_ metadata: GGUFMetadata) throws(AlpacaError)
    /// The same for a config.json.
    static func check(_ config: JSONValue) throws(AlpacaError)

    /// The experts that a GGUF file tells of; nil where it has none.
    static func experts(
        _ metadata: GGUFMetadata, layerCount: Int, hasTensor: (String) -> Bool
    ) throws(AlpacaError) -> ModelConfiguration.Experts?
    /// The same for a config.json.
    static func experts(_ config: JSONValue, layerCount: Int) throws(AlpacaError) -> ModelConfiguration.Experts?
    /// Whether experts have a width of their own, which files tell.
    static var statesExpertLength: Bool { get }
    /// Whether there are models of the family with biases and others without.
    static var hasOptionalBiases: Bool { get }
    /// The biases that a config.json tells of, where they are optional.
    static func biases(_ config: JSONValue) throws(AlpacaError) -> ModelConfiguration.Biases

    init(_ configuration: ModelConfiguration)
    var configuration: ModelConfiguration { get }

    /// The math of one layer, 0 ..< layerCount, as the paper has it.
    func block(_ layer: Int, _ b: inout ProgramBuilder)
}

// What most families have in common.
extension Architecture {
    package static var ropePairing: RopePairing { .interleaved }
    package static var numbers: [FamilyNumber] { [] }
    package static func isMeant(by metadata: GGUFMetadata) -> Bool { true }
    package static func check(_ config: JSONValue) throws(AlpacaError) {}
    package static var statesExpertLength: Bool { false }
    package static var hasOptionalBiases: Bool { false }
    package static func biases(_ config: JSONValue) throws(AlpacaError) -> ModelConfiguration.Biases { [] }
    package static func experts(_ config: JSONValue, layerCount: Int) throws(AlpacaError) -> ModelConfiguration.Experts? { nil }
    package static func experts(
        _ metadata: GGUFMetadata, layerCount: Int, hasTensor: (String) -> Bool
    ) throws(AlpacaError) -> ModelConfiguration.Experts? { nil }

    package static func check(_ metadata: GGUFMetadata) throws(AlpacaError) {
        let key = GGUFKey.expertCount(names.gguf)
        guard let experts = try metadata.uintIfPresent(key), experts > 0 else { return }
        throw AlpacaError(.unsupported, "metadata key \"\(key)\": a mixture of \(experts) experts is not supported")
    }

    /// The tensors of a model of this configuration, each with its names, its shape, and whether a file must have it.
    package var tensors: [TensorSpec] { Self.table.specs(of: configuration) }

    /// The tensor of that name; nil where such a model has none.
    package func spec(named name: String, in naming: TensorNaming) -> TensorSpec? {
        Self.table.role(of: name, in: naming).flatMap { spec(of: $0) }
    }

    /// The tensor of that role; nil where such a model has none.
    package func spec(of role: TensorRole) -> TensorSpec? { Self.table.spec(of: role, in: configuration) }
}

/// What files call a family.
package struct ArchitectureNames: Sendable {
    /// For messages: "Llama".
    package let title: String
    /// GGUF's `general.architecture`, and the beginning of its keys. Two families may have the same.
    package let gguf: String
    /// `model_type` of config.json, in lower case; unique.
    package let modelType: String
    /// The names under `architectures` of config.json; the first is written.
    package let classes: [String]
}

/// A number that only some families have, such as the length of a window: where files have it, and what it may be. A model's is found by it
/// (``ModelConfiguration/subscript(_:)``), so that the configuration need not grow with every family.
package struct FamilyNumber: Sendable {
    /// GGUF's key behind the architecture's name: "attention.sliding_window". Unique.
    package let gguf: String
    /// In config.json, and in descriptions: "sliding_window".
    package let huggingFace: String
    /// In params.json; nil where such files can't tell it.
    package let meta: String?
    package let limits: ClosedRange<Int>
    /// What transformers takes where config.json has nothing under that name (null is something: there is none).
    package let assumed: Int?

    /// The number in a config.json.
    func read(_ config: JSONValue) throws(AlpacaError) -> Int? {
        config[huggingFace] == nil ? assumed : try config.intIfPresent(huggingFace, in: limits)
    }
}

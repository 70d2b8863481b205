/// What the models of a family are: how files tell of them and which tensors they have. Each family has a folder of its own beside this file,
/// and a row in ``Architectures``; nothing else knows it.
package protocol Architecture: Sendable {
    static var names: ArchitectureNames { get }
    /// The kinds of tensors, with what files call them.
    static var table: TensorTable { get }

    init(_ configuration: ModelConfiguration)
    var configuration: ModelConfiguration { get }

    /// The math of one layer, 0 ..< layerCount, as the paper has it.
    func block(_ layer: Int, _ b: inout ProgramBuilder)
}

extension Architecture {
    /// The tensors of a model of this configuration, each with its names, its shape, and whether a file must have it.
    package var tensors: [TensorSpec] { Self.table.specs(of: configuration) }
}

/// What files call a family.
package struct ArchitectureNames: Sendable {
    /// For messages: "Llama".
    package let title: String
    /// GGUF's `general.architecture`, and the beginning of its keys.
    package let gguf: String
    /// `model_type` of config.json, in lower case.
    package let modelType: String
    /// The names under `architectures` of config.json; the first is written.
    package let classes: [String]
}

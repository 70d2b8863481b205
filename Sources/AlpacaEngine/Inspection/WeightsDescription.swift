/// What is in a file of weights that has nothing beside it to tell of a model.
public struct WeightsDescription: Sendable {
    /// "a safetensors file"
    public let format: String
    public let file: WeightsFile
    /// Why no model can be made of them.
    public let problem: String?
    /// Whose names the tensors have, "Hugging Face" or "Meta", and of how many layers they are; nil when the names are no Llama model's.
    public let naming: String?
    public let layers: [Int]

    static let alone = "weights alone are no model: config.json (or params.json) is missing beside them"

    init(_ region: FileRegion, _ weights: any TensorSource, problem: String?) {
        format = (try? CheckpointKind(region))?.description ?? ""
        file = WeightsFile(region, weights)
        self.problem = problem
        let known = [("Hugging Face", TensorNaming.huggingFace), ("Meta", .meta)].map { title, naming in
            (title, weights.tensors.compactMap { TensorRole($0.name, in: naming) })
        }.max { $0.1.count < $1.1.count }
        guard let known, !known.1.isEmpty else {
            naming = nil
            layers = []
            return
        }
        naming = known.0
        layers = Set(known.1.compactMap(\.layer)).sorted()
    }

    var facts: [(String, String)] {
        var lines = [("format", "\(format), \(FactTable.size(file.byteCount))")]
        lines.append(("weights", "\(FactTable.grouped(file.tensors.parameterCount)) parameters"))
        if let naming {
            lines.append(("names", "\(naming)'s" + (layers.isEmpty ? "" : ", of the layers \(FactTable.ranges(layers))")))
        }
        lines += FactTable.lines("tensors", ModelDescription.types(file.tensors).map(\.summary)) + [file].facts(of: file.path)
        if let problem { lines.append(("problem", problem)) }
        return lines
    }

    func write(to json: inout JSONWriter, listsTensors: Bool) {
        json.beginObject()
        json.member("path", PathText.shown(file.path))
        json.member("kind", "weights")
        json.member("format", format)
        json.member("size_bytes", file.byteCount)
        json.member("n_params", file.tensors.parameterCount)
        json.member("problem", problem)
        json.member("naming", naming)
        json.member("layers", naming == nil ? nil : FactTable.ranges(layers))
        json.types(ModelDescription.types(file.tensors))
        json.files([file], listsTensors: listsTensors)
        json.end()
    }
}

extension ModelDescription: CustomStringConvertible {
    /// A table for people, a line a fact.
    public var description: String {
        var lines: [(String, String)] = [("format", "\(format), \(FactTable.size(byteCount))")]
        lines.append(("architecture", architecture?.quoted() ?? "not told"))
        if let name { lines.append(("name", name.quoted())) }
        if let quantization {
            let active = configuration?.experts == nil ? "" : ", \(FactTable.grouped(activeParameterCount)) of them active for a token"
            lines.append(("weights", "\(quantization), \(FactTable.grouped(parameterCount)) parameters" + active))
        }
        if let model = configuration { lines += Self.lines(model) }
        if let tokenizer {
            let specials = tokenizer.specials.map { "\($0.name) \($0.id)" }.joined(separator: ", ")
            lines.append(
                ("tokenizer", "\(tokenizer.kind.quoted()), \(tokenizer.count) pieces" + (specials.isEmpty ? "" : "; \(specials)")))
        }
        if let template { lines.append(("template", template + (templateReason.map { " (\($0))" } ?? ""))) }
        lines += FactTable.lines("tensors", types.map(\.summary)) + files.facts(of: path)
        if let origin { lines.append(("made from", origin.text)) }
        lines += FactTable.lines("warnings", warnings)
        if let problem { lines.append(("problem", problem)) }
        return FactTable.text(path, lines) + "\n" + FactTable.text("metadata", metadataTexts.map { ($0.key, $0.value) })
    }

    private static func lines(_ model: ModelConfiguration) -> [(String, String)] {
        let heads =
            "\(model.headCount) of \(model.headDimension) components"
            + (model.keyValueHeadCount == model.headCount ? "" : ", \(model.keyValueHeadCount) for keys and values")
        var rope = "theta \(FactTable.number(model.ropeTheta)), \(model.ropeDimension) components"
        switch model.ropeScaling {
        case .none: break
        case .linear(let factor): rope += ", positions divided by \(FactTable.number(factor))"
        case .yarn(let yarn): rope += ", YaRN by \(FactTable.number(yarn.factor)) from \(yarn.originalContextLength) tokens on"
        case .ntk(let alpha): rope += ", NTK by \(FactTable.number(alpha))"
        case .dynamic(let dynamic):
            rope +=
                ", dynamic NTK" + (dynamic.factor.map { " by \(FactTable.number($0))" } ?? "")
                + " from \(dynamic.originalContextLength) tokens on"
        case .llama3(let llama): rope += ", Llama 3's by \(FactTable.number(llama.factor)) from \(llama.originalContextLength) tokens on"
        }
        if model.hasRopeFactors { rope += ", with factors" }
        var experts: [(String, String)] = []
        if let found = model.experts {
            let dense = found.denseLayers.isEmpty ? "" : ", in \(model.layerCount - found.denseLayers.count) of the layers"
            experts.append(
                ("experts", "\(found.count) a layer, \(found.usedCount) a token, feed-forward \(found.feedForwardLength)" + dense))
        }
        let numbers = numbers(model).map { ($0.replacing("_", with: " "), "\($1)") }
        return [
            ("vocabulary", "\(model.vocabularySize) tokens"),
            ("context", "\(model.contextLength) tokens"),
            ("width", "\(model.embeddingLength), feed-forward \(model.feedForwardLength)"),
            ("layers", "\(model.layerCount)"),
            ("heads", heads),
            ("rope", rope),
        ] + experts + numbers + [("output", model.isOutputTied ? "tied to the embeddings" : "a matrix of its own")]
    }

    /// What only its family has.
    private static func numbers(_ model: ModelConfiguration) -> [(name: String, value: Int)] {
        Architectures.family(model).numbers.compactMap { number in model[number].map { (number.huggingFace, $0) } }
    }
}

extension ModelDescription {
    /// The same facts as JSON. Keys are those of the C interface; arrays of the metadata with more than eight elements are given by
    /// element type and length.
    ///
    /// - Parameters:
    ///   - indent: spaces a level; 0 gives one line.
    ///   - listsTensors: adds `tensors`, all of them with name, type, shape and file.
    public func json(indent: Int = 2, listsTensors: Bool = false) -> String {
        var json = JSONWriter(indent: indent)
        json.beginObject()
        json.member("path", PathText.shown(path))
        json.member("kind", "model")
        json.member("format", format)
        json.member("size_bytes", byteCount)
        json.member("architecture", architecture)
        json.member("name", name)
        json.member("quantization", quantization)
        json.member("n_params", parameterCount)
        if configuration?.experts != nil { json.member("n_params_active", activeParameterCount) }
        json.member("problem", problem)
        if let configuration { Self.write(configuration, &json) }
        json.types(types)
        json.files(files, listsTensors: listsTensors)
        json.strings("warnings", warnings)
        if let origin {
            json.beginObject("made_from")
            json.member("base", origin.base)
            json.beginArray("adapters")
            for adapter in origin.adapters {
                json.beginObject()
                json.member("name", adapter.name)
                json.member("scale", adapter.scale)
                json.end()
            }
            json.end()
            json.end()
        }
        if let tokenizer {
            json.beginObject("tokenizer")
            json.member("kind", tokenizer.kind)
            json.member("n_vocab", tokenizer.count)
            for special in tokenizer.specials { json.member("\(special.name)_id", special.id) }
            json.end()
        }
        json.member("template", template)
        json.member("template_reason", templateReason)
        json.member("template_source", templateSource)
        json.beginObject("metadata")
        for key in metadata.keys { if let value = metadata[key] { Self.write(value, key, &json) } }
        json.end()
        json.end()
        return json.text
    }

    private static func write(_ model: ModelConfiguration, _ json: inout JSONWriter) {
        json.beginObject("hyperparameters")
        json.member("n_vocab", model.vocabularySize)
        json.member("n_ctx_train", model.contextLength)
        json.member("n_embd", model.embeddingLength)
        json.member("n_layer", model.layerCount)
        json.member("n_head", model.headCount)
        json.member("n_head_kv", model.keyValueHeadCount)
        json.member("head_dim", model.headDimension)
        json.member("n_ff", model.feedForwardLength)
        if let experts = model.experts {
            json.member("n_expert", experts.count)
            json.member("n_expert_used", experts.usedCount)
            json.member("n_ff_expert", experts.feedForwardLength)
        }
        json.member("rms_norm_eps", model.normEpsilon)
        json.member("rope_theta", model.ropeTheta)
        json.member("rope_dim", model.ropeDimension)
        switch model.ropeScaling {
        case .none: break
        case .linear(let factor): json.member("rope_scaling_factor", factor)
        case .yarn(let yarn):
            json.member("rope_scaling_type", "yarn")
            json.member("rope_scaling_factor", yarn.factor)
            json.member("rope_original_ctx", yarn.originalContextLength)
        case .ntk(let alpha):
            json.member("rope_scaling_type", "ntk")
            json.member("rope_scaling_factor", alpha)
        case .dynamic(let dynamic):
            json.member("rope_scaling_type", "dynamic")
            if let factor = dynamic.factor { json.member("rope_scaling_factor", factor) }
            json.member("rope_original_ctx", dynamic.originalContextLength)
        case .llama3(let llama):
            json.member("rope_scaling_type", "llama3")
            json.member("rope_scaling_factor", llama.factor)
            json.member("rope_original_ctx", llama.originalContextLength)
        }
        json.member("rope_factors", model.hasRopeFactors)
        for (name, value) in numbers(model) { json.member(name, value) }
        json.member("tied_output", model.isOutputTied)
        json.end()
    }

    private static func write(_ value: GGUFValue, _ key: String, _ json: inout JSONWriter) {
        switch value {
        case .float32(let number): json.member(key, number)
        case .float64(let number): json.member(key, number)
        case .bool(let value): json.member(key, value)
        case .uint64(let number): json.member(key, number)
        case .uint8, .int8, .uint16, .int16, .uint32, .int32, .int64: json.member(key, value.integer)
        case .string: json.member(key, value.text())
        case .array(let list) where list.count > 8:
            json.beginObject(key)
            json.member("array_of", list.type.description)
            json.member("length", list.count)
            json.end()
        case .array(let list):
            json.beginArray(key)
            write(list, &json)
            json.end()
        }
    }

    private static func write(_ list: GGUFArray, _ json: inout JSONWriter) {
        switch list {
        case .uint8(let list): for value in list { json.value(value) }
        case .int8(let list): for value in list { json.value(value) }
        case .uint16(let list): for value in list { json.value(value) }
        case .int16(let list): for value in list { json.value(value) }
        case .uint32(let list): for value in list { json.value(value) }
        case .int32(let list): for value in list { json.value(value) }
        case .uint64(let list): for value in list { json.value(value) }
        case .int64(let list): for value in list { json.value(value) }
        case .float32(let list): for value in list { json.value(value) }
        case .float64(let list): for value in list { json.value(value) }
        case .bool(let list): for value in list { json.value(value) }
        case .string(let list): for i in list.indices { json.value(list.text(i)) }
        }
    }
}

extension ModelDescription.TypeSummary {
    /// "57 F16, 5.8 MiB (6,096,896 bytes)"
    package var summary: String { "\(tensorCount) \(type), \(FactTable.size(byteCount))" }
}

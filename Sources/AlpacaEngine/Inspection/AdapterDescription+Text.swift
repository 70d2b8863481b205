extension AdapterDescription {
    var facts: [(String, String)] {
        var lines = [("format", "\(format), \(FactTable.size(file.byteCount))")]
        if let publishedName {
            lines.append(("published", "its name is that of \(publishedName); `alpaca verify` says whether it is that one"))
        }
        lines.append(("trained on", baseModel.map { $0.quoted() } ?? "not told"))
        let options = (usesDoRA ? ", weight-decomposed (DoRA)" : "") + (usesRSLoRA ? ", rank-stabilized (rsLoRA)" : "")
        lines.append(("rank", "\(AdapterDescription.list(ranks)), alpha \(FactTable.number(alpha))\(options)"))
        lines += FactTable.lines("changes", targets.map(\.text))
        lines += FactTable.lines("replaces", replaced.map { $0.text })
        if let vocabularySize {
            let family = AdapterIdentity.vocabulary(vocabularySize).map { ", as \($0)" } ?? ""
            lines.append(("vocabulary", "\(vocabularySize) tokens\(family)"))
        } else {
            lines.append(("vocabulary", "the base's"))
        }
        if let fits { lines.append(("fits", fits)) }
        if let tokenizer { lines.append(("tokenizer", tokenizer.summary)) }
        lines += FactTable.lines("tensors", ModelDescription.types(file.tensors).map(\.summary)) + [file].facts(of: path)
        lines += FactTable.lines("warnings", warnings)
        if let problem { lines.append(("problem", problem)) }
        return lines
    }

    fileprivate static func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }

    func write(to json: inout JSONWriter, listsTensors: Bool) {
        json.beginObject()
        json.member("path", PathText.shown(path))
        json.member("kind", "adapter")
        json.member("format", format)
        json.member("size_bytes", file.byteCount)
        json.member("n_params", file.tensors.parameterCount)
        json.member("problem", problem)
        json.member("published_name", publishedName)
        json.member("base_model", baseModel)
        numbers("ranks", ranks, &json)
        json.member("lora_alpha", alpha)
        json.member("use_rslora", usesRSLoRA)
        json.member("use_dora", usesDoRA)
        json.beginArray("targets")
        for target in targets {
            json.beginObject()
            json.member("module", target.module)
            json.member("n_matrices", target.count)
            json.member("layers", FactTable.ranges(target.layers))
            if !target.experts.isEmpty { json.member("experts", FactTable.ranges(target.experts)) }
            numbers("shape", target.shape, &json)
            numbers("ranks", target.ranks, &json)
            json.beginArray("scales")
            for scale in target.scales { json.value(scale) }
            json.end()
            json.end()
        }
        json.end()
        json.beginArray("replaced")
        for tensor in replaced {
            json.beginObject()
            json.member("module", tensor.module)
            json.member("n_tensors", tensor.count)
            json.member("type", tensor.type.description)
            numbers("shape", tensor.shape, &json)
            json.end()
        }
        json.end()
        json.member("n_vocab", vocabularySize)
        json.beginObject("fits")
        json.member("n_embd", width)
        json.member("n_layer", layerCount)
        json.member("text", fits)
        json.end()
        if let tokenizer {
            json.beginObject("tokenizer")
            tokenizer.writeMembers(to: &json)
            json.end()
        }
        json.types(ModelDescription.types(file.tensors))
        json.files([file], listsTensors: listsTensors)
        json.strings("warnings", warnings)
        json.end()
    }

    private func numbers(_ key: String, _ list: [Int], _ json: inout JSONWriter) {
        json.beginArray(key)
        for number in list { json.value(number) }
        json.end()
    }
}

extension AdapterDescription.Target {
    /// "q_proj [256, 256] in layers 0-5: rank 32, times 2"
    fileprivate var text: String {
        let who = experts.isEmpty ? "" : " of \(experts.count == 1 ? "expert" : "experts") \(FactTable.ranges(experts))"
        let place = who + (layers.isEmpty ? "" : " in \(layers.count == 1 ? "layer" : "layers") \(FactTable.ranges(layers))")
        let times = scales.map { FactTable.number($0) }.joined(separator: ", ")
        return "\(module) \(TensorInfo.text(shape))\(place): rank \(AdapterDescription.list(ranks)), times \(times)"
    }
}

extension AdapterDescription.Replacement {
    /// "embed_tokens [3941, 256] F16"
    fileprivate var text: String { "\(module) \(TensorInfo.text(shape)) \(type)\(count == 1 ? "" : ", \(count) of them")" }
}

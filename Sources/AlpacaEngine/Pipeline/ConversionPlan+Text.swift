extension ConversionPlan: CustomStringConvertible {
    /// The plan for people, a line a fact.
    public var description: String {
        var lines = [("base", "\(base.path): \(base.format), \(ByteCount.text(base.byteCount))")]
        for (index, adapter) in adapters.enumerated() {
            lines.append((index == 0 ? "adapters" : "", "\(adapter.path): \(adapter.format), \(ByteCount.text(adapter.byteCount))"))
        }
        for (index, model) in models.enumerated() {
            let what = model.path == output ? model.text : "\(PathName.of(model.path)) is \(model.text)"
            lines.append((index == 0 ? "published" : "", model.path == output ? "the output is \(what)" : what))
        }
        lines.append(("tokenizer", tokenizer.map { "\($0.path), \($0.pieceCount) pieces" } ?? "none"))
        lines.append(("output", "\(output): \(format.title), \(quantization), \(ByteCount.text(byteCount))"))
        if format.isFolder { lines += files.map { ("", "\($0.name), \(ByteCount.text($0.byteCount))") } }
        for (index, type) in types.enumerated() {
            lines.append((index == 0 ? "tensors" : "", "\(type.tensorCount) \(type.type), \(ByteCount.text(type.byteCount))"))
        }
        lines.append(("parameters", "\(parameterCount)"))
        lines.append(("merged", "\(mergedTensorCount) tensors"))
        lines.append(("memory", "about \(ByteCount.text(memoryByteCount))"))
        lines.append(("disk", "\(ByteCount.text(byteCount)) needed" + (freeByteCount.map { ", \(ByteCount.text($0)) free" } ?? "")))
        lines += warnings.map { ("warning", $0) }
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { "\($0.0)\(String(repeating: " ", count: width - $0.0.count))  \($0.1)" }.joined(separator: "\n")
    }

    /// The plan as a JSON object, with the keys of the C interface.
    public func json() -> String {
        var json = JSONWriter()
        json.beginObject()
        write(&json, warnings)
        json.end()
        return json.text
    }

    fileprivate func write(_ json: inout JSONWriter, _ warnings: [String]) {
        json.beginObject("base")
        base.write(&json)
        json.end()
        json.beginArray("adapters")
        for adapter in adapters {
            json.beginObject()
            adapter.write(&json)
            json.end()
        }
        json.end()
        if let tokenizer {
            json.beginObject("tokenizer")
            json.member("path", PathText.shown(tokenizer.path))
            json.member("n_vocab", tokenizer.pieceCount)
            json.end()
        } else {
            json.member("tokenizer", String?.none)
        }
        json.member("output", PathText.shown(output))
        json.member("format", format.rawValue)
        json.member("quantization", quantization)
        json.beginArray("files")
        for file in files {
            json.beginObject()
            json.member("name", file.name)
            json.member("size_bytes", file.byteCount)
            json.end()
        }
        json.end()
        json.beginArray("types")
        for type in types {
            json.beginObject()
            json.member("type", type.type.description)
            json.member("n_tensors", type.tensorCount)
            json.member("size_bytes", type.byteCount)
            json.end()
        }
        json.end()
        json.member("n_params", parameterCount)
        json.member("n_merged", mergedTensorCount)
        json.member("size_bytes", byteCount)
        json.member("memory_bytes", memoryByteCount)
        json.member("free_bytes", freeByteCount)
        json.beginArray("models")
        for model in models {
            json.beginObject()
            json.member("path", PathText.shown(model.path))
            json.member("name", model.name)
            json.member("hub", model.hub)
            json.strings("needs", model.needs)
            json.member("text", model.text)
            json.end()
        }
        json.end()
        json.beginArray("warnings")
        for warning in warnings { json.value(warning) }
        json.end()
    }
}

extension ConversionPlan.Input {
    fileprivate func write(_ json: inout JSONWriter) {
        json.member("path", PathText.shown(path))
        json.member("format", format)
        json.member("size_bytes", byteCount)
    }
}

extension ConversionReport {
    /// The report as a JSON object: the plan's, with what was measured and hashed.
    public func json() -> String {
        var json = JSONWriter()
        json.beginObject()
        plan.write(&json, plan.warnings + warnings.filter { !plan.warnings.contains($0) })
        json.member("written_bytes", byteCount)
        json.member("seconds", seconds)
        json.member("peak_memory", peakMemoryByteCount)
        json.beginArray("hashes")
        for file in files {
            json.beginObject()
            json.member("path", PathText.shown(file.path))
            json.member("sha256", file.sha256)
            json.member("published", file.published)
            json.end()
        }
        json.end()
        json.end()
        return json.text
    }
}

extension OutputFormat {
    /// What the format is, for people.
    var title: String {
        switch self {
        case .gguf: "GGUF"
        case .huggingFace: "Hugging Face folder, safetensors"
        case .huggingFaceBin: "Hugging Face folder, pytorch_model.bin"
        case .meta: "Meta folder, consolidated.pth"
        }
    }
}

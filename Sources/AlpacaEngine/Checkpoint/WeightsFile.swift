/// One file of weights and what lies in it, under the names that it has there. Of a matrix that is cut into shards it is the part.
public struct WeightsFile: Sendable, Equatable {
    public let path: String
    /// Bytes of the file.
    public let byteCount: Int
    public let tensors: [TensorInfo]
    /// What is in other element types than those of weights.
    public let others: [ForeignTensor]

    package init(path: String, byteCount: Int, tensors: [TensorInfo], others: [ForeignTensor] = []) {
        self.path = path
        self.byteCount = byteCount
        self.tensors = tensors
        self.others = others
    }

    package init(_ region: FileRegion, _ source: any TensorSource) {
        self.init(path: region.name, byteCount: region.count, tensors: source.tensors, others: source.others)
    }

    /// The last part of the path.
    public var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// "consolidated.00.pth: 57 tensors, 2.9 MiB (3,057,120 bytes), F16"
    var summary: String {
        var types = ModelDescription.summarize(tensors).map { "\($0.type)" }
        types += Set(others.map(\.dtype)).sorted().map { $0.quoted(limit: 20) }
        return "\(name): \(FactTable.count(tensors.count + others.count, "tensor")), \(FactTable.size(byteCount))"
            + (types.isEmpty ? "" : ", \(types.joined(separator: " and "))")
    }
}

extension [WeightsFile] {
    /// Facts about the files, none where the only one is what is described.
    package func facts(of path: String) -> [(String, String)] {
        var lines = count == 1 && first?.path == path ? [] : FactTable.lines("files", map(\.summary))
        let others = flatMap(\.others)
        lines += FactTable.lines(
            "besides", others.prefix(4).map { "\($0.name.quoted()) \($0.dtype.quoted(limit: 20)) \(TensorInfo.text($0.shape))" })
        if others.count > 4 { lines.append(("", "and \(others.count - 4) more that are no weights")) }
        return lines
    }

    /// A table of all tensors for each file.
    package var tensorTables: String {
        map { file in
            let types = file.tensors.map { "\($0.type)" } + file.others.map { $0.dtype.quoted(limit: 20) }
            let shapes = file.tensors.map(\.shapeText) + file.others.map { TensorInfo.text($0.shape) }
            let names = file.tensors.map { $0.name.quoted() } + file.others.map { $0.name.quoted() }
            let width = types.map(\.count).max() ?? 0
            return FactTable.text(
                "tensors of \(file.path)",
                zip(names, zip(types, shapes)).map { ($0, "\($1.0)\(String(repeating: " ", count: width - $1.0.count))  \($1.1)") })
        }.joined(separator: "\n")
    }
}

extension JSONWriter {
    /// `tensor_types`: type, n_tensors, size_bytes each.
    package mutating func types(_ types: [ModelDescription.TypeSummary]) {
        beginArray("tensor_types")
        for type in types {
            beginObject()
            member("type", type.type.description)
            member("n_tensors", type.tensorCount)
            member("size_bytes", type.byteCount)
            end()
        }
        end()
    }

    /// `files`: path, size_bytes, n_tensors, types each; `other_tensors`; and, if they are wanted, all `tensors`.
    package mutating func files(_ files: [WeightsFile], listsTensors: Bool) {
        beginArray("files")
        for file in files {
            beginObject()
            member("path", PathText.shown(file.path))
            member("size_bytes", file.byteCount)
            member("n_tensors", file.tensors.count)
            beginArray("types")
            for type in ModelDescription.summarize(file.tensors) { value(type.type.description) }
            end()
            end()
        }
        end()
        beginArray("other_tensors")
        for file in files { for other in file.others { tensor(other.name, other.dtype, other.shape, file.path) } }
        end()
        guard listsTensors else { return }
        beginArray("tensors")
        for file in files { for info in file.tensors { tensor(info.name, info.type.description, info.shape, file.path) } }
        end()
    }

    package mutating func strings(_ key: String, _ list: [String]) {
        beginArray(key)
        for text in list { value(text) }
        end()
    }

    private mutating func tensor(_ name: String, _ type: String, _ shape: [Int], _ file: String) {
        beginObject()
        member("name", name)
        member("type", type)
        beginArray("shape")
        for length in shape { value(length) }
        end()
        member("file", PathText.shown(file))
        end()
    }
}

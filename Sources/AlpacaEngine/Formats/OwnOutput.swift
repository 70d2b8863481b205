// Which files an output of ours wrote. A GGUF file says so in its metadata, a folder in alpaca.json, which names its other files, their
// sizes and something of their content. A tokenizer.model has no place for a mark; there the kind has to do.

/// The kinds of outputs.
package enum OwnOutput: OwnFiles {
    /// One GGUF file.
    case gguf
    /// One tokenizer.model.
    case tokenizer
    /// An importance matrix. GGUF files say who wrote them; the older form has no place for it, and there the kind has to do.
    case importanceMatrix
    /// A model's folder.
    case folder

    /// The file that marks a folder, and what it has.
    package static let mark = "alpaca.json"
    package static let versionMember = "alpaca_version"
    package static let filesMember = "files"
    /// Of each file something of its content; not in outputs of before 1.1.
    package static let marksMember = "marks"

    package func refusal(of file: InputFile) -> String? {
        if self == .importanceMatrix, ImportanceMatrix.isLegacy(file) { return nil }
        do {
            let kind = try CheckpointKind(file)
            switch self {
            case .tokenizer: return kind == .sentencePiece ? nil : "it is \(kind), not a tokenizer.model"
            case .folder: return "it is \(kind), not a folder"
            case .gguf, .importanceMatrix:
                guard kind == .gguf else { return "it is \(kind), not a GGUF file that alpaca wrote" }
                let metadata = try GGUFReader(file).metadata
                guard metadata[GGUFKey.alpacaVersion] != nil else {
                    return "it is a GGUF file that another program wrote (it has no key \(GGUFKey.alpacaVersion))"
                }
                // One that alpaca wrote, but hours of work of another kind.
                let isMatrix = try metadata.stringIfPresent(GGUFKey.type) == ImportanceMatrix.generalType
                guard isMatrix == (self == .importanceMatrix) else {
                    return isMatrix ? "it is an importance matrix, not a model" : "it is a model, not an importance matrix"
                }
                return nil
            }
        } catch {
            return self == .tokenizer ? "it is not a tokenizer.model" : "it is not a GGUF file that alpaca wrote"
        }
    }

    package func canBeUnfinished(_ name: String?, _ beginning: [UInt8]) -> Bool {
        switch self {
        case .gguf: name == nil && beginning.starts(with: "GGUF".utf8)
        case .tokenizer: name == nil && beginning.first == 0x0a
        // The older form begins with a count and a length below 65536.
        case .importanceMatrix:
            name == nil && (beginning.starts(with: "GGUF".utf8) || beginning.dropFirst(2).first == 0 && beginning.dropFirst(3).first == 0)
        case .folder: name.map { OwnOutput.isName($0) && OwnOutput.begins($0, beginning) } ?? false
        }
    }

    // MARK: Folders

    package func refusal(ofFolder path: String, _ names: [String]) -> String? {
        guard self == .folder, let root = OwnOutput.readMark(path, names) else {
            // By their names: what is in them would not make them ours.
            let others = names.filter { !OwnOutput.isName($0) }
            guard others.isEmpty else { return "\(AtomicFolderWriter.list(others)), which no output wrote" }
            return "\(AtomicFolderWriter.list(names)), but no \(OwnOutput.mark), which all outputs have: another program wrote it"
        }
        let sizes = OwnOutput.sizes(root)
        let others = names.filter { name in
            name != OwnOutput.mark && (sizes.map { $0[name] == nil } ?? !OwnOutput.isName(name))
        }
        guard others.isEmpty else { return "\(AtomicFolderWriter.list(others)), which no output wrote" }
        let changed = names.filter { name in
            guard name != OwnOutput.mark, let file = try? InputFile(path: FolderFiles.join(path, name)) else {
                return name != OwnOutput.mark
            }
            // Each of the kind that its name promises, and with the content that it had.
            if sizes.map({ $0[name] != file.size }) ?? false || !OwnOutput.isOfKind(name, file) { return true }
            guard let mark = root[OwnOutput.marksMember]?[name] else { return false }
            return (try? mark.string()) != (try? ContentMark.of(file))
        }
        return changed.isEmpty ? nil : "\(AtomicFolderWriter.list(changed)), which changed since an output wrote it"
    }

    /// What alpaca.json says, if it is one of ours.
    private static func readMark(_ folder: String, _ names: [String]) -> JSONValue? {
        guard names.contains(mark), let file = try? InputFile(path: FolderFiles.join(folder, mark)), let document = try? JSONDocument(file),
            document.root[versionMember]?.isString == true, document.root["base"]?.isObject == true
        else { return nil }
        return document.root
    }

    /// The files beside alpaca.json; nil in outputs of versions that did not list them.
    private static func sizes(_ root: JSONValue) -> [String: Int]? {
        guard let list = root[filesMember], list.isObject else { return nil }
        var sizes: [String: Int] = [:]
        for member in list.members { sizes[member.key] = try? member.int() }
        return sizes
    }

    /// Names that outputs give their files.
    private static func isName(_ name: String) -> Bool {
        plainNames.contains(name)
            || patterns.contains { prefix, suffix in
                guard name.hasPrefix(prefix), name.hasSuffix(suffix), name.count > prefix.count + suffix.count else { return false }
                let middle = name.dropFirst(prefix.count).dropLast(suffix.count)
                // 00001-of-00002, or 00.
                return middle.split(separator: "-", omittingEmptySubsequences: false).allSatisfy { part in
                    part == "of" || !part.isEmpty && part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                }
            }
    }

    private static let plainNames: Set = [
        mark, "added_tokens.json", "config.json", "generation_config.json", "params.json", "tokenizer.model", "tokenizer_config.json",
        "special_tokens_map.json",
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
    ]
    private static let patterns = [("model-", ".safetensors"), ("pytorch_model-", ".bin"), ("consolidated.", ".pth")]

    private static func isOfKind(_ name: String, _ file: InputFile) -> Bool {
        guard let kind = try? CheckpointKind(file) else { return false }
        if name.hasSuffix(".json") { return kind == .json }
        if name.hasSuffix(".safetensors") { return kind == .safetensors }
        if name.hasSuffix(".model") { return kind == .sentencePiece }
        return kind == .torchZip
    }

    /// Whether the file's first bytes are such as its name promises.
    private static func begins(_ name: String, _ bytes: [UInt8]) -> Bool {
        if name.hasSuffix(".json") { return bytes.first == UInt8(ascii: "{") }
        if name.hasSuffix(".safetensors") { return bytes.count > 8 && bytes[8] == UInt8(ascii: "{") }
        if name.hasSuffix(".model") { return bytes.first == 0x0a }
        return bytes.starts(with: [0x50, 0x4b, 3, 4])
    }
}

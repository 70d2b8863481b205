/// Where a model came from: goes into the output, so that nobody has to guess what was merged into what.
struct Provenance: Sendable {
    struct Input: Sendable {
        /// The last parts of the path, without the folders of whoever made the file.
        let name: String
        var scale: Double?
        /// SHA-256 by file; empty where nothing was hashed.
        var hashes: [(file: String, sha256: String)] = []
    }

    var base: Input
    var adapters: [Input] = []
    var rounding: MergeRounding?
    /// The name of the template that the result's prompts get, or "none"; nil where nothing tells.
    var template: String?

    /// What the result may be called: the last adapter's name without "-lora-", since it names the model that is made.
    var resultName: String? {
        adapters.last.map { adapter in
            let name = adapter.name.hasSuffix(".zip") ? String(adapter.name.dropLast(4)) : adapter.name
            return name.split(separator: "-").filter { $0 != "lora" }.joined(separator: "-")
        }
    }

    func add(to metadata: inout GGUFMetadata) {
        func strings(_ list: [String]) -> GGUFValue { .array(.string(GGUFStrings(list))) }
        metadata[GGUFKey.alpacaVersion] = .string(Version.string)
        metadata[GGUFKey.baseName] = .string(base.name)
        if !base.hashes.isEmpty {
            metadata["alpaca.base.files"] = strings(base.hashes.map(\.file))
            metadata["alpaca.base.sha256"] = strings(base.hashes.map(\.sha256))
        }
        guard !adapters.isEmpty else { return }
        metadata[GGUFKey.adapterNames] = strings(adapters.map(\.name))
        metadata["alpaca.adapter.scales"] = .array(.float32(adapters.map { Float($0.scale ?? 1) }))
        metadata["alpaca.adapter.sha256"] = strings(adapters.map { $0.hashes.first?.sha256 ?? "" })
        if let rounding { metadata["alpaca.merge_rounding"] = .string(rounding.rawValue) }
    }

    /// The same as a file beside the weights, with the other files of the folder: what else lies there is somebody else's.
    func json(_ files: [(name: String, byteCount: Int)], marks: [String: String]) -> [UInt8] {
        var json = JSONWriter()
        func write(_ input: Input) {
            json.member("name", input.name)
            if let scale = input.scale { json.member("scale", scale) }
            json.beginObject("sha256")
            for hash in input.hashes { json.member(hash.file, hash.sha256) }
            json.end()
        }
        json.beginObject()
        json.member(OwnOutput.versionMember, Version.string)
        json.beginObject("base")
        write(base)
        json.end()
        json.beginArray("adapters")
        for adapter in adapters {
            json.beginObject()
            write(adapter)
            json.end()
        }
        json.end()
        json.member("merge_rounding", adapters.isEmpty ? nil : rounding?.rawValue)
        json.member("template", template)
        json.beginObject(OwnOutput.filesMember)
        for file in files { json.member(file.name, file.byteCount) }
        json.end()
        json.beginObject(OwnOutput.marksMember)
        for file in files { json.member(file.name, marks[file.name] ?? ContentMark.placeholder) }
        json.end()
        json.end()
        return Array(json.text.utf8) + [0x0a]
    }
}

/// What a model was made from, where the program that made it wrote it down: `alpaca.*` in a GGUF file's metadata, `alpaca.json` in a folder.
public struct ModelOrigin: Sendable, Equatable {
    public let base: String
    /// In the order of the merge, with the scale that the user gave each.
    public let adapters: [Adapter]

    public struct Adapter: Sendable, Equatable {
        public let name: String
        public let scale: Double
    }

    init?(_ metadata: GGUFMetadata) {
        guard let base = try? metadata.stringIfPresent(GGUFKey.baseName) else { return nil }
        self.base = base
        let names = (try? metadata.stringsIfPresent(GGUFKey.adapterNames))?.map { String(decoding: $0, as: UTF8.self) } ?? []
        let scales = (try? metadata.floats("alpaca.adapter.scales")) ?? []
        adapters = names.enumerated().map { Adapter(name: $1, scale: $0 < scales.count ? Double(scales[$0]) : 1) }
    }

    init?(_ document: JSONDocument) {
        guard let base = try? document.root.member("base").string("name") else { return nil }
        self.base = base
        var adapters: [Adapter] = []
        if let list = try? document.root.member("adapters").array() {
            for entry in list {
                guard let name = try? entry.string("name") else { return nil }
                adapters.append(Adapter(name: name, scale: (try? entry.member("scale").double()) ?? 1))
            }
        }
        self.adapters = adapters
    }

    /// "llama-7b" and "chinese-alpaca-lora-7b" times 0.5
    public var text: String {
        ([base.quoted()] + adapters.map { $0.name.quoted() + ($0.scale == 1 ? "" : " times \(FactTable.number($0.scale))") })
            .joined(separator: ", ")
    }
}

/// The index of a checkpoint in several files, `model.safetensors.index.json` or `pytorch_model.bin.index.json`: which tensor is in which.
package struct ShardIndex: Sendable {
    /// What messages call the index.
    package let name: String
    /// Bytes of all tensors together, as the index says; nil when it doesn't. Some indexes in the world are wrong here.
    package let totalSize: Int?
    /// Names of the files, sorted, each once: names alone, without a folder.
    package let shards: [String]
    /// The shard of each tensor.
    package let shardByTensor: [String: String]

    private static let metadata = "metadata"
    private static let totalSize = "total_size"
    private static let weightMap = "weight_map"

    package init(_ region: FileRegion) throws(AlpacaError) {
        try self.init(JSONDocument(region), name: region.name)
    }

    package init(_ document: JSONDocument, name: String) throws(AlpacaError) {
        let root = document.root
        totalSize = try root.memberIfPresent(Self.metadata)?.intIfPresent(Self.totalSize, in: 0...Int.max)
        var places: [String: String] = [:]
        let map = try root.member(Self.weightMap)
        try LargeMemory.ask(map.count, of: 256, for: name)
        for member in try map.object() {
            let shard = try member.string()
            guard Self.isPlain(shard) else {
                throw AlpacaError(
                    .unsafe, path: name, "\(member.path): found \(shard.quoted()), expected the plain name of a file in the same folder")
            }
            places[member.key] = shard
        }
        guard !places.isEmpty else { throw AlpacaError(.missing, path: name, "\"\(Self.weightMap)\" lists no tensor") }
        self.name = name
        shards = Set(places.values).sorted()
        shardByTensor = places
    }

    /// A name that can lead to no other folder, on any system.
    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 255 && !name.hasPrefix(".") && !name.hasPrefix("~")
            && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\u{7f}" && $0 != "/" && $0 != "\\" && $0 != ":" }
    }

    /// The bytes of an index, as transformers writes them.
    package static func encode(_ places: [(tensor: String, shard: String)], totalSize: Int) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.beginObject(metadata)
        json.member(Self.totalSize, totalSize)
        json.end()
        json.beginObject(weightMap)
        for place in places.sorted(by: { $0.tensor.utf8.lexicographicallyPrecedes($1.tensor.utf8) }) {
            json.member(place.tensor, place.shard)
        }
        json.end()
        json.end()
        return Array(json.text.utf8) + [0x0a]
    }
}

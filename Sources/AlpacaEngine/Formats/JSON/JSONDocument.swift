// JSON (RFC 8259), as config.json, params.json, adapter_config.json, tokenizer.json and the headers of safetensors files have it.
//
// A parser of our own, because these files decide what a model is: a key that is there twice has to be refused (two programs would see two
// models), depth and size have to be bounded without recursion, and integers have to stay exact; Foundation's decoder promises none of it.

/// A parsed JSON text. Its values lie in two flat arrays, so that neither reading nor freeing it recurses, however deep it is.
package struct JSONDocument: Sendable {
    package let root: JSONValue

    /// What a text may be at most.
    package struct Limits: Sendable {
        package var bytes: Int
        /// Objects and arrays inside each other.
        package var depth: Int
        /// Values in all, containers included; each takes 24 bytes of memory.
        package var values: Int

        package init(bytes: Int = 16 << 20, depth: Int = 64, values: Int = 1 << 20) {
            self.bytes = min(bytes, 1 << 30)
            self.depth = depth
            self.values = min(values, 1 << 28)
        }
    }

    /// - Parameters:
    ///   - name: what messages call the file, such as its path.
    ///   - part: of the file, where the text is not all of it.
    package init(_ bytes: [UInt8], name: String, part: String? = nil, limits: Limits = Limits()) throws(AlpacaError) {
        guard bytes.count <= limits.bytes else {
            throw AlpacaError(.badFormat, path: name, "found \(bytes.count) bytes of JSON, expected at most \(limits.bytes)")
        }
        do {
            var parser = JSONParser(bytes, limits: limits)
            try parser.parse()
            root = JSONValue(storage: JSONStorage(name: name, part: part, nodes: parser.nodes, text: parser.text), index: 0)
        } catch {
            throw (part.map { error.inContext($0) } ?? error).inFile(name)
        }
    }

    package init(_ file: InputFile, limits: Limits = Limits()) throws(AlpacaError) { try self.init(FileRegion(file), limits: limits) }

    package init(_ region: FileRegion, limits: Limits = Limits()) throws(AlpacaError) {
        guard region.count <= limits.bytes else {
            throw AlpacaError(.badFormat, path: region.name, "found \(region.count) bytes of JSON, expected at most \(limits.bytes)")
        }
        do {
            try self.init(try region.bytes(at: 0, count: region.count), name: region.name, limits: limits)
        } catch {
            // What a failed download left has a better name than its first wrong character.
            try CheckpointKind.refuseOthers(region)
            throw error
        }
    }
}

/// A value as the parser lays it down: containers before their contents, in the order of the text.
struct JSONNode {
    enum Kind: UInt8 { case null, bool, int, double, string, array, object }
    var kind: Kind
    /// The container's node; the root's is 0.
    var parent: UInt32
    /// A member's key, in the document's text.
    var keyStart: UInt32 = 0
    var keyLength: UInt32 = 0
    /// bool: 0 or 1; int, double: the bits; string: place and length in the text; containers: number of elements, and the node behind.
    var payload: UInt64

    static func pair(_ high: Int, _ low: Int) -> UInt64 {
        // Both stay below 2^30 by the limits on bytes and values.
        UInt64(truncatingIfNeeded: high) << 32 | UInt64(truncatingIfNeeded: low)
    }

    var high: Int { Int(payload >> 32) }
    var low: Int { Int(payload & 0xffff_ffff) }
    var isContainer: Bool { kind == .array || kind == .object }
    var keyRange: Range<Int> { Int(keyStart)..<Int(keyStart) + Int(keyLength) }
}

final class JSONStorage: Sendable {
    let name: String
    let part: String?
    let nodes: [JSONNode]
    /// All strings, unescaped, valid UTF-8.
    let text: [UInt8]

    init(name: String, part: String?, nodes: [JSONNode], text: [UInt8]) {
        self.name = name
        self.part = part
        self.nodes = nodes
        self.text = text
    }

    /// The node after `index` and all it contains.
    func next(after index: Int) -> Int { nodes[index].isContainer ? nodes[index].low : index + 1 }
}

/// The tensors of a checkpoint in several files as one source. Each file has the tensors that the index places in it, no more and no fewer:
/// anything else comes from files of several models, or of several versions of one, in the same folder.
package final class ShardedSource: TensorSource {
    /// A file of the checkpoint.
    package struct Shard: Sendable {
        /// As the index calls it.
        package let name: String
        package let source: any TensorSource
        /// Tensors that the file has besides those of `source`.
        package let others: [ForeignTensor]

        package init(name: String, source: any TensorSource, others: [ForeignTensor] = []) {
            self.name = name
            self.source = source
            self.others = others
        }
    }

    package let tensors: [TensorInfo]
    package let others: [ForeignTensor]
    package let inputs: [InputFile]

    private let shards: [any TensorSource]
    /// For each tensor its shard, and its index there.
    private let places: [(shard: Int, index: Int)]
    private let indexByName: [String: Int]

    /// - Parameter shards: in the order of the index or any other; the tensors follow in this order.
    package init(_ index: ShardIndex, _ shards: [Shard]) throws(AlpacaError) {
        do throws(AlpacaError) {
            try Self.checkNames(index, shards)
            var tensors: [TensorInfo] = []
            var places: [(shard: Int, index: Int)] = []
            var indexByName: [String: Int] = [:]
            var found: Set<String> = []
            for (number, shard) in shards.enumerated() {
                for (i, tensor) in shard.source.tensors.enumerated() {
                    try Self.check(tensor.name, in: shard.name, index, &found)
                    indexByName[tensor.name] = tensors.count
                    tensors.append(tensor)
                    places.append((number, i))
                }
                for other in shard.others { try Self.check(other.name, in: shard.name, index, &found) }
            }
            let missing = index.shardByTensor.filter { !found.contains($0.key) }.sorted { $0.key < $1.key }
            if let first = missing.first {
                let more = missing.count > 1 ? ", nor \(missing.count - 1) more that should be there" : ""
                throw AlpacaError(
                    .missing, "tensor \(first.key.quoted()) is not in \(first.value.quoted()), where the index says it is\(more)")
            }
            self.tensors = tensors
            self.places = places
            self.indexByName = indexByName
        } catch {
            throw error.inFile(index.name)
        }
        others = shards.flatMap(\.others)
        self.shards = shards.map(\.source)
        var inputs: [InputFile] = []
        for file in self.shards.flatMap(\.inputs) where !inputs.contains(where: { $0 === file }) { inputs.append(file) }
        self.inputs = inputs
    }

    /// The shards are those of the index, each once.
    private static func checkNames(_ index: ShardIndex, _ shards: [Shard]) throws(AlpacaError) {
        var names: Set<String> = []
        for shard in shards {
            guard index.shards.contains(shard.name), names.insert(shard.name).inserted else {
                throw AlpacaError(.invalidArgument, "\(shard.name.quoted()) is no shard of this index, or given twice")
            }
        }
        let missing = index.shards.filter { !names.contains($0) }
        guard let first = missing.first else { return }
        let more = missing.count > 1 ? " and \(missing.count - 1) more of \(index.shards.count) are missing" : " is missing"
        throw AlpacaError(.missing, "the shard \(first.quoted())\(more) (is the download complete?)")
    }

    private static func check(
        _ tensor: String, in shard: String, _ index: ShardIndex, _ found: inout Set<String>
    ) throws(AlpacaError) {
        guard let expected = index.shardByTensor[tensor] else {
            throw AlpacaError(
                .badFormat,
                "\(shard.quoted()) has the tensor \(tensor.quoted()), of which the index knows nothing: it is a shard of another model")
        }
        guard expected == shard else {
            throw AlpacaError(
                .badFormat,
                "\(shard.quoted()) has the tensor \(tensor.quoted()), which should be in \(expected.quoted()): "
                    + "it is a shard of another model")
        }
        guard found.insert(tensor).inserted else { throw AlpacaError(.badFormat, "tensor \(tensor.quoted()) is there twice") }
    }

    package func index(of name: String) -> Int? { indexByName[name] }

    package func place(of index: Int) -> FileRegion? {
        guard places.indices.contains(index) else { return nil }
        return shards[places[index].shard].place(of: places[index].index)
    }

    package func origins(of index: Int) -> [TensorOrigin] {
        guard places.indices.contains(index) else { return [] }
        return shards[places[index].shard].origins(of: places[index].index)
    }

    @unsafe package func read(
        _ index: Int, rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, scratch: ScratchArena
    ) throws(AlpacaError) {
        try unsafe checkRead(index, rows, target)
        try unsafe shards[places[index].shard].read(places[index].index, rows: rows, into: target, scratch: scratch)
    }
}

// A Hugging Face folder with PyTorch files, as the official merge script wrote it under transformers 4.28.1: pytorch_model-00001-of-00002.bin
// and so on, pytorch_model.bin.index.json, config.json, generation_config.json.

/// What the files of a Hugging Face folder with `.bin` files are called and which tensors each holds.
package struct HuggingFaceBinLayout: Sendable {
    package struct Shard: Sendable {
        package let fileName: String
        /// In the order of the file's dict, and of its ``FileLayout/dataOffsets``.
        package let tensors: [TensorInfo]
        package let file: FileLayout
    }

    package let shards: [Shard]

    /// The files of a base that has `.bin` files too: the official script keeps their names, their order and their rotary buffers.
    ///
    /// - Parameter files: each with its tensors as they will be written, in the order of the base's dict.
    package init(files: [(name: String, tensors: [TensorInfo])]) throws(AlpacaError) {
        var shards: [Shard] = []
        for (name, tensors) in files {
            do throws(AlpacaError) {
                let file = try TorchLayout.layOut(stem: TorchLayout.stem(of: name), tensors: tensors)
                shards.append(Shard(fileName: name, tensors: tensors, file: file))
            } catch {
                throw error.inContext(name)
            }
        }
        self.shards = shards
    }

    /// The files that transformers 4.28.1 would make.
    ///
    /// - Parameters:
    ///   - tensors: such as ``tensors(of:type:)``.
    ///   - baseByteCounts: sizes by which the tensors are divided into files, nil for their own. The official script's base was converted, and
    ///     so divided, before its vocabulary grew: for the same files give the sizes of the base's tensors.
    ///   - shardSize: bytes of data that a file has at most, unless one tensor alone has more.
    package init(
        _ tensors: [TensorInfo], baseByteCounts: [Int]? = nil, shardSize: Int = ShardDivision.defaultByteCount
    ) throws(AlpacaError) {
        let sizes = baseByteCounts ?? tensors.map(\.byteCount)
        guard sizes.count == tensors.count else {
            throw AlpacaError(.internalError, "\(sizes.count) sizes were given for \(tensors.count) tensors")
        }
        let parts = try ShardDivision.divide(sizes, most: shardSize)
        try self.init(
            files: parts.enumerated().map { number, part in
                (ShardDivision.name("pytorch_model", ".bin", number: number, of: parts.count), Array(tensors[part]))
            })
    }

    /// A model's tensors with the rotary buffers of that time, in the order of the modules.
    package static func tensors(of model: ModelConfiguration, type: TensorType) throws(AlpacaError) -> [TensorInfo] {
        var tensors: [TensorInfo] = []
        for spec in try ModuleOrder.specs(model) {
            guard let name = spec.names.huggingFace else { continue }
            tensors.append(try TensorInfo(name: name, type: type, shape: spec.shape))
            if spec.role.kind == .attentionOutput, let layer = spec.role.layer {
                tensors.append(try RotaryBuffer.info(model, type: type, layer: layer))
            }
        }
        return tensors
    }
}

// A folder of Meta's layout, as the official merge script (merge_llama_with_chinese_lora_low_mem.py) writes it: params.json and
// consolidated.00.pth and so on, one file for each of the graphics cards that once had to share the model. Rotary frequencies are left out.

/// What the files of a Meta folder are called and which part of which tensor each holds.
package struct MetaFolderLayout: Sendable {
    /// A part of a tensor: some of its rows, or of its columns, or all.
    package struct Piece: Sendable, Equatable {
        /// The tensor as the file has it: its name and the shape of the part.
        package let info: TensorInfo
        package let role: TensorRole
        /// Of the whole tensor; a vector is one row.
        package let rows: Range<Int>
        package let columns: Range<Int>
    }

    package struct Shard: Sendable {
        package let fileName: String
        /// In the order of the file's dict, and of its ``FileLayout/dataOffsets``.
        package let pieces: [Piece]
        package let file: FileLayout
    }

    package let shards: [Shard]
    /// The bytes of params.json.
    package let parameters: [UInt8]

    /// Files that Meta's models of a width have; one for all others.
    package static func shardCount(embeddingLength: Int) -> Int {
        switch embeddingLength {
        case 5120: 2
        case 6656: 4
        case 8192: 8
        default: 1
        }
    }

    /// - Parameters:
    ///   - tensors: whole, with Meta's names, in the order in which the files are to have them: that of a base in `.bin` files where there is one
    ///     (the official script keeps it, and knows no other base), else ``tensors(of:type:)``.
    ///   - shardCount: nil for the number that belongs to the model's width.
    package init(_ tensors: [TensorInfo], of model: ModelConfiguration, shardCount: Int? = nil) throws(AlpacaError) {
        let count = shardCount ?? MetaFolderLayout.shardCount(embeddingLength: model.embeddingLength)
        guard (1...99).contains(count), model.headCount % count == 0, model.keyValueHeadCount % count == 0 else {
            let heads =
                model.keyValueHeadCount == model.headCount
                ? "\(model.headCount) heads" : "\(model.headCount) heads and \(model.keyValueHeadCount) key heads"
            throw AlpacaError(.invalidArgument, "a model with \(heads) can't be split into \(count) shards evenly")
        }
        var shards: [Shard] = []
        for number in 0..<count {
            let fileName = "consolidated.\(number < 10 ? "0" : "")\(number).pth"
            var pieces: [Piece] = []
            for tensor in tensors { pieces.append(try MetaFolderLayout.piece(of: tensor, number, of: count)) }
            let file = try TorchLayout.layOut(stem: TorchLayout.stem(of: fileName), tensors: pieces.map(\.info))
            shards.append(Shard(fileName: fileName, pieces: pieces, file: file))
        }
        self.shards = shards
        parameters = MetaFolderLayout.parameters(of: model)
    }

    /// A model's tensors, in the order that files of the official script have.
    package static func tensors(of model: ModelConfiguration, type: TensorType) throws(AlpacaError) -> [TensorInfo] {
        var tensors: [TensorInfo] = []
        for spec in try ModuleOrder.specs(model) {
            guard let name = spec.names.meta else { continue }
            tensors.append(try TensorInfo(name: name, type: type, shape: spec.shape))
        }
        return tensors
    }

    private static func piece(of tensor: TensorInfo, _ number: Int, of count: Int) throws(AlpacaError) -> Piece {
        guard let role = TensorRole(tensor.name, in: .meta) else {
            throw AlpacaError(.unsupported, "tensor \(tensor.name.quoted()) has no place in a Meta folder")
        }
        var (rows, columns) = (0..<tensor.rows, 0..<tensor.columns)
        switch MetaShards.cut(tensor.name) {
        case .columns: columns = try part(number, of: count, of: columns, "columns", tensor)
        case .rows where role == .output:
            // The last file takes what is left: 49953 rows in two files are 24976 and 24977.
            let each = rows.count / count
            rows = number * each..<(number == count - 1 ? rows.count : (number + 1) * each)
        case .rows: rows = try part(number, of: count, of: rows, "rows", tensor)
        case .repeated: break
        }
        let shape = tensor.shape.count > 1 ? [rows.count, columns.count] : [columns.count]
        return Piece(info: try TensorInfo(name: tensor.name, type: tensor.type, shape: shape), role: role, rows: rows, columns: columns)
    }

    private static func part(
        _ number: Int, of count: Int, of whole: Range<Int>, _ what: String, _ tensor: TensorInfo
    ) throws(AlpacaError) -> Range<Int> {
        guard whole.count % count == 0 else {
            throw AlpacaError(
                .invalidArgument, "tensor \(tensor.name.quoted()): \(whole.count) \(what) can't be split into \(count) shards evenly")
        }
        let each = whole.count / count
        return number * each..<(number + 1) * each
    }

    // MARK: params.json

    /// One line, without an end. What LLaMA 1 lacks (fewer key heads, another theta) comes last, under the names of Llama 2 and 3.
    private static func parameters(of model: ModelConfiguration) -> [UInt8] {
        let feedForward = feedForwardParameters(of: model)
        var json = JSONWriter(indent: 0)
        json.beginObject()
        json.member("dim", model.embeddingLength)
        json.member("multiple_of", feedForward.multiple)
        json.member("n_heads", model.headCount)
        json.member("n_layers", model.layerCount)
        json.member("norm_eps", model.normEpsilon)
        json.member("vocab_size", -1)
        if let factor = feedForward.factor { json.member("ffn_dim_multiplier", factor) }
        if model.keyValueHeadCount != model.headCount { json.member("n_kv_heads", model.keyValueHeadCount) }
        if model.ropeTheta != 10000 { json.member("rope_theta", model.ropeTheta) }
        for number in Architectures.family(model).numbers {
            if let key = number.meta, let value = model[number] { json.member(key, value) }
        }
        json.end()
        return Array(json.text.utf8)
    }

    /// Meta's code computes the feed-forward width: 8/3 of the model's, times a factor if there is one, rounded up to a multiple.
    private static func feedForwardParameters(of model: ModelConfiguration) -> (multiple: Int, factor: Double?) {
        let (wanted, plain) = (model.feedForwardLength, 8 * model.embeddingLength / 3)
        var multiple = 256
        if (plain + multiple - 1) / multiple * multiple == wanted { return (multiple, nil) }
        while wanted % multiple != 0 { multiple /= 2 }
        // The half keeps the product above the width whatever its rounding; it is cut off to an integer.
        return (multiple, (Double(wanted) + 0.5) / Double(max(plain, 1)))
    }
}

// What is asked for and can't have an effect is told, in one place for the command, C and Python: an error where the value makes no sense, a
// warning where the conversion does.

extension ConversionOptions {
    /// Throws for values that mean nothing.
    ///
    /// - Parameter keepsFiles: whether the output's files are divided as the base's are.
    /// - Returns: what has no effect here, in sentences.
    func check(keepsFiles: Bool) throws(AlpacaError) -> [String] {
        guard !output.isEmpty else { throw AlpacaError(.invalidArgument, "the output has no name") }
        guard (0...WorkerPool.mostThreads).contains(threadCount) else {
            throw AlpacaError(.invalidArgument, "threads: found \(threadCount), expected 0 to \(WorkerPool.mostThreads)")
        }
        var warnings: [String] = []
        func unused(_ option: String, _ reason: String) { warnings.append("\(option) has no effect: \(reason)") }
        let isQuantized = try quantization.map { (name) throws(AlpacaError) in
            try QuantizationMix(named: name).fileType.baseType.isQuantized
        }
        if format != .meta, shardCount != nil { unused("the number of shards", "it is for pth folders, and the output is \(format.title)") }
        if maximumShardByteCount != nil {
            if format == .gguf || format == .meta {
                unused("the size of shards", "it is for Hugging Face folders, and the output is \(format.title)")
            } else if format == .huggingFaceBin, keepsFiles {
                unused("the size of shards", "the base has .bin files, and the output gets the same ones")
            }
        }
        if isPure {
            if format != .gguf {
                unused("pure", "it is for quantizing, and the output is \(format.title)")
            } else if isQuantized != true {
                unused("pure", quantization == nil ? "no type is asked for" : "all matrices get the same type anyway")
            }
        }
        for adapter in adapters where adapter.scale == 0 {
            unused("adapter \(adapter.path.quoted())", "its scale is 0; only tensors that it replaces are taken")
        }
        if !adapters.isEmpty, rounding != nil, precision == .f32 {
            unused("the rounding of merges", "with the precision f32 nothing is rounded before the output's own type")
        }
        if adapters.isEmpty {
            if rounding != nil { unused("the rounding of merges", "there is no adapter") }
            if precision != .base { unused("the precision of merges", "there is no adapter") }
        }
        if modelName != nil, format != .gguf { unused("the model's name", "only GGUF files have a place for it") }
        if hashesOutput, output == "/dev/null" { unused("hashing the output", "nothing is kept of it") }
        return warnings
    }
}

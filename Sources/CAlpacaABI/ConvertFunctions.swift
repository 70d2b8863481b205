import AlpacaEngine
public import CAlpaca

@c @implementation
public func alpaca_convert_params_init(_ params: UnsafeMutablePointer<alpaca_convert_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in try unsafe GrowingStruct.initialize(params, size, alpaca_convert_params.defaults, "params") }
}

extension alpaca_convert_params {
    static var defaults: alpaca_convert_params {
        var params = unsafe alpaca_convert_params()
        unsafe params.struct_size = MemoryLayout<alpaca_convert_params>.size
        unsafe params.check = 1
        return unsafe params
    }

    func options() throws(AlpacaError) -> ConversionOptions {
        var options = ConversionOptions(
            base: try unsafe Arguments.path(base, "params.base"), output: try unsafe Arguments.path(output, "params.output"))
        let adapters = try unsafe Arguments.list(adapters, n_adapters, "params.adapters")
        for index in 0..<(unsafe n_adapters) {
            let path = try unsafe Arguments.path(adapters[index].path, "params.adapters[\(index)].path")
            options.adapters.append(ConversionOptions.Adapter(path: path, scale: unsafe adapters[index].scale))
        }
        options.tokenizer = try unsafe Arguments.optionalPath(tokenizer, "params.tokenizer")
        options.format = try unsafe outputFormat(format)
        options.quantization = try unsafe Arguments.optionalText(quantization, "params.quantization")
        options.isPure = try unsafe Arguments.flag(pure, "pure")
        let overrides = try unsafe Arguments.list(overrides, n_overrides, "params.overrides")
        for index in 0..<(unsafe n_overrides) {
            let pattern = try unsafe Arguments.text(overrides[index].pattern, "params.overrides[\(index)].pattern")
            options.overrides.append((pattern, try unsafe Arguments.text(overrides[index].type, "params.overrides[\(index)].type")))
        }
        options.importanceMatrix = try unsafe Arguments.optionalPath(imatrix, "params.imatrix")
        options.rounding = try unsafe mergeRounding(rounding)
        options.precision = try unsafe mergePrecision(precision)
        options.threadCount = try unsafe Arguments.threadCount(n_threads)
        options.overwrites = try unsafe Arguments.flag(overwrite, "overwrite")
        options.checksFamily = try unsafe Arguments.flag(check, "check")
        options.verifiesBase = try unsafe Arguments.flag(verify_base, "verify_base")
        options.hashesOutput = try unsafe Arguments.flag(hash_output, "hash_output")
        options.modelName = try unsafe Arguments.optionalText(name, "params.name")
        guard let shard = unsafe Int(exactly: shard_size) else {
            throw AlpacaError(.invalidArgument, "shard_size: found \(unsafe shard_size), expected at most \(Int.max)")
        }
        options.maximumShardByteCount = shard == 0 ? nil : shard
        guard unsafe n_shards >= 0 else {
            throw AlpacaError(.invalidArgument, "n_shards: found \(unsafe n_shards), expected 0 or more")
        }
        options.shardCount = unsafe n_shards == 0 ? nil : unsafe Int(n_shards)
        options.allowsNonfinite = try unsafe Arguments.flag(allow_nonfinite, "allow_nonfinite")
        return options
    }
}

private func outputFormat(_ value: Int32) throws(AlpacaError) -> OutputFormat {
    switch UInt32(bitPattern: value) {
    case ALPACA_FORMAT_GGUF.rawValue: return .gguf
    case ALPACA_FORMAT_HF.rawValue: return .huggingFace
    case ALPACA_FORMAT_HF_BIN.rawValue: return .huggingFaceBin
    case ALPACA_FORMAT_PTH.rawValue: return .meta
    default: throw AlpacaError(.invalidArgument, "format: found \(value), expected an alpaca_output_format, 0 to 3")
    }
}

private func mergeRounding(_ value: Int32) throws(AlpacaError) -> MergeRounding? {
    switch UInt32(bitPattern: value) {
    case ALPACA_ROUNDING_DEFAULT.rawValue: return nil
    case ALPACA_ROUNDING_EACH.rawValue: return .each
    case ALPACA_ROUNDING_ONCE.rawValue: return .once
    default: throw AlpacaError(.invalidArgument, "rounding: found \(value), expected an alpaca_merge_rounding, 0 to 2")
    }
}

private func mergePrecision(_ value: Int32) throws(AlpacaError) -> MergePrecision {
    switch UInt32(bitPattern: value) {
    case ALPACA_PRECISION_BASE.rawValue: return .base
    case ALPACA_PRECISION_F32.rawValue: return .f32
    default: throw AlpacaError(.invalidArgument, "precision: found \(value), expected an alpaca_merge_precision, 0 or 1")
    }
}

/// The caller's struct over the defaults; NULL has no base and no output, so it says nothing that could be done.
private func read(_ params: UnsafePointer<alpaca_convert_params>?) throws(AlpacaError) -> alpaca_convert_params {
    guard unsafe params != nil else { throw AlpacaError(.invalidArgument, "params: found NULL, expected alpaca_convert_params") }
    return try unsafe GrowingStruct.read(params, alpaca_convert_params.defaults, "params")
}

@c @implementation
public func alpaca_convert_plan(
    _ params: UnsafePointer<alpaca_convert_params>?, _ json: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(json, "json")
        unsafe out.pointee = nil
        let options = try unsafe read(params).options()
        let plan = try Converter.plan(options)
        unsafe out.pointee = try Handles.make(OwnedText(plan.json()), .string)
        Log.warn(plan.warnings)
    }
}

@c @implementation
public func alpaca_convert(
    _ params: UnsafePointer<alpaca_convert_params>?, _ result: UnsafeMutablePointer<alpaca_convert_result>?,
    _ json: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        if let json = unsafe json { unsafe json.pointee = nil }
        if let result = unsafe result { _ = try unsafe GrowingStruct.checkedSize(UnsafePointer(result), "result") }
        let p = try unsafe read(params)
        let options = try unsafe p.options()
        let report = unsafe p.progress.map { unsafe ProgressReport(callback: $0, userData: p.user_data) }
        let done = try Converter.convert(options) { report?.call($0) ?? true }
        if let result = unsafe result {
            var filled = alpaca_convert_result()
            filled.size_bytes = UInt64(clamping: done.byteCount)
            filled.n_merged = UInt64(clamping: done.mergedTensorCount)
            filled.peak_memory = UInt64(clamping: done.peakMemoryByteCount ?? 0)
            filled.seconds = done.seconds
            try unsafe GrowingStruct.write(filled, to: result, "result")
        }
        if let json = unsafe json { unsafe json.pointee = try Handles.make(OwnedText(done.json()), .string) }
        Log.warn(done.warnings)
    }
}

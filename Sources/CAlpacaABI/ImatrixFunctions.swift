import AlpacaEngine
public import CAlpaca

@c @implementation
public func alpaca_imatrix_params_init(_ params: UnsafeMutablePointer<alpaca_imatrix_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in try unsafe GrowingStruct.initialize(params, size, alpaca_imatrix_params.defaults, "params") }
}

extension alpaca_imatrix_params {
    static var defaults: alpaca_imatrix_params {
        let swift = ImportanceOptions(output: "")
        var params = unsafe alpaca_imatrix_params()
        unsafe params.struct_size = MemoryLayout<alpaca_imatrix_params>.size
        unsafe params.n_ctx = Int32(swift.chunkSize)
        unsafe params.perplexity = swift.measuresPerplexity ? 1 : 0
        return unsafe params
    }

    func options() throws(AlpacaError) -> ImportanceOptions {
        try unsafe Arguments.reserved(reserved, "params.reserved")
        var options = ImportanceOptions(output: try unsafe Arguments.path(output, "params.output"))
        switch unsafe UInt32(bitPattern: format) {
        case ALPACA_IMATRIX_GGUF.rawValue: options.format = .gguf
        case ALPACA_IMATRIX_DAT.rawValue: options.format = .dat
        default: throw AlpacaError(.invalidArgument, "format: found \(unsafe format), expected an alpaca_imatrix_format, 0 or 1")
        }
        options.chunkSize = unsafe Int(n_ctx)
        options.firstChunk = unsafe Int(first_chunk)
        options.chunkCount = unsafe n_chunks == 0 ? nil : unsafe Int(n_chunks)
        options.includesOutput = try unsafe Arguments.flag(process_output, "process_output")
        options.measuresPerplexity = try unsafe Arguments.flag(perplexity, "perplexity")
        options.parsesSpecial = try unsafe Arguments.flag(parse_special, "parse_special")
        options.overwrites = try unsafe Arguments.flag(overwrite, "overwrite")
        options.dataset = try unsafe Arguments.optionalText(dataset, "params.dataset") ?? ""
        let list = try unsafe Arguments.list(inputs, n_inputs, "params.inputs", most: 1024)
        for index in unsafe list.indices { options.inputs.append(try unsafe Arguments.path(list[index], "params.inputs[\(index)]")) }
        options.saveInterval = unsafe Int(save_interval)
        return options
    }
}

/// The caller's struct over the defaults; NULL names no output.
private func read(_ params: UnsafePointer<alpaca_imatrix_params>?) throws(AlpacaError) -> alpaca_imatrix_params {
    guard unsafe params != nil else { throw AlpacaError(.invalidArgument, "params: found NULL, expected alpaca_imatrix_params") }
    return try unsafe GrowingStruct.read(params, alpaca_imatrix_params.defaults, "params")
}

@c @implementation
public func alpaca_imatrix(
    _ session: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int, _ params: UnsafePointer<alpaca_imatrix_params>?,
    _ json: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(json, "json")
        unsafe out.pointee = nil
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        let p = try unsafe read(params)
        let options = try unsafe p.options()
        let text = try unsafe Arguments.text(text, length, "text")
        let report = unsafe p.progress.map { unsafe ProgressReport(callback: $0, userData: p.user_data) }
        let done = try session.measureImportance(of: text, options) { report?.call($0) ?? true }
        unsafe out.pointee = try Handles.make(OwnedText(done.json()), .string)
        Log.warn(done.warnings)
    }
}

@c @implementation
public func alpaca_imatrix_combine(
    _ params: UnsafePointer<alpaca_imatrix_params>?, _ json: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(json, "json")
        unsafe out.pointee = nil
        let done = try ImportanceFiles.combine(try unsafe read(params).options())
        unsafe out.pointee = try Handles.make(OwnedText(done.json()), .string)
        Log.warn(done.warnings)
    }
}

import AlpacaEngine
public import CAlpaca

@c @implementation
public func alpaca_perplexity_params_init(_ params: UnsafeMutablePointer<alpaca_perplexity_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        try unsafe GrowingStruct.initialize(params, size, alpaca_perplexity_params.defaults, "params")
    }
}

extension alpaca_perplexity_params {
    static var defaults: alpaca_perplexity_params {
        var params = unsafe alpaca_perplexity_params()
        unsafe params.struct_size = MemoryLayout<alpaca_perplexity_params>.size
        return unsafe params
    }
}

@c @implementation
public func alpaca_perplexity(
    _ session: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int, _ params: UnsafePointer<alpaca_perplexity_params>?,
    _ result: UnsafeMutablePointer<alpaca_perplexity_result>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let session = try unsafe Handles.get(session, .session, as: Session.self)
        let out = try unsafe Arguments.out(result, "result")
        _ = try unsafe GrowingStruct.checkedSize(UnsafePointer(out), "result")
        let p = try unsafe GrowingStruct.read(params, alpaca_perplexity_params.defaults, "params")
        let text = try unsafe Arguments.text(text, length, "text")
        let report = unsafe p.progress.map { unsafe ProgressReport(callback: $0, userData: p.user_data) }
        let found = try session.perplexity(of: text, windowLength: unsafe Int(p.n_ctx), stride: unsafe Int(p.stride)) {
            report?.call($0) ?? true
        }
        var filled = alpaca_perplexity_result()
        filled.n_tokens = UInt64(clamping: found.tokenCount)
        filled.n_windows = UInt64(clamping: found.windowCount)
        filled.n_scored = UInt64(clamping: found.scoredCount)
        filled.mean_nll = found.meanNegativeLogLikelihood
        filled.perplexity = found.value
        filled.standard_error = found.standardError
        try unsafe GrowingStruct.write(filled, to: out, "result")
    }
}

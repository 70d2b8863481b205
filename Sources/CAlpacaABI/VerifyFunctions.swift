import AlpacaEngine
public import CAlpaca

@c @implementation
public func alpaca_verify_params_init(_ params: UnsafeMutablePointer<alpaca_verify_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in try unsafe GrowingStruct.initialize(params, size, alpaca_verify_params.defaults, "params") }
}

extension alpaca_verify_params {
    static var defaults: alpaca_verify_params {
        var params = unsafe alpaca_verify_params()
        unsafe params.struct_size = MemoryLayout<alpaca_verify_params>.size
        return unsafe params
    }
}

@c @implementation
public func alpaca_verify(
    _ paths: UnsafePointer<UnsafePointer<CChar>?>?, _ n: Int, _ params: UnsafePointer<alpaca_verify_params>?,
    _ json: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(json, "json")
        unsafe out.pointee = nil
        let p = try unsafe GrowingStruct.read(params, alpaca_verify_params.defaults, "params")
        var names: [String] = []
        let list = try unsafe Arguments.list(paths, n, "paths")
        for index in 0..<n { names.append(try unsafe Arguments.path(list[index], "paths[\(index)]")) }
        guard !names.isEmpty else { throw AlpacaError(.invalidArgument, "n: found 0, expected at least one path") }
        let threads = try unsafe Arguments.threadCount(p.n_threads)
        let failsOnDifference = try unsafe Arguments.flag(p.fail_on_difference, "fail_on_difference")
        let report = unsafe p.progress.map { unsafe ProgressReport(callback: $0, userData: p.user_data) }
        let found = try Verifier.verify(paths: names, threadCount: threads) { report?.call($0) ?? true }
        unsafe out.pointee = try Handles.make(OwnedText(found.json()), .string)
        if failsOnDifference, let different = found.files.first(where: { $0.status == .differs }) {
            let others = found.count(.differs) - 1
            throw AlpacaError(
                .verificationFailed, different.verdict + (others == 0 ? "" : " (and \(others) more are not what their names say)"))
        }
    }
}

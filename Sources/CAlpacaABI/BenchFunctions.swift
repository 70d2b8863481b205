import AlpacaEngine
public import CAlpaca

@c @implementation
public func alpaca_bench_params_init(_ params: UnsafeMutablePointer<alpaca_bench_params>?, _ size: Int) -> alpaca_status {
    guarded { () throws(AlpacaError) in try unsafe GrowingStruct.initialize(params, size, alpaca_bench_params.defaults, "params") }
}

extension alpaca_bench_params {
    static var defaults: alpaca_bench_params {
        let swift = BenchmarkPlan()
        var params = unsafe alpaca_bench_params()
        unsafe params.struct_size = MemoryLayout<alpaca_bench_params>.size
        unsafe params.n_repetitions = Int32(swift.repetitions)
        unsafe params.n_batch = Int32(swift.batchSize)
        unsafe params.type_k = swift.keyType.rawValue
        unsafe params.type_v = swift.valueType.rawValue
        unsafe params.roofs = swift.measuresRoofs ? 1 : 0
        return unsafe params
    }

    func plan() throws(AlpacaError) -> BenchmarkPlan {
        try unsafe Arguments.reserved(reserved, "params.reserved")
        var plan = BenchmarkPlan()
        let list = try unsafe Arguments.list(tests, n_tests, "params.tests", most: BenchmarkPlan.mostTests)
        if !list.isEmpty { plan.tests = [] }
        for (index, test) in list.enumerated() { plan.tests.append(try test.swift("params.tests[\(index)]")) }
        plan.repetitions = unsafe Int(n_repetitions)
        plan.batchSize = unsafe Int(n_batch)
        plan.keyType = try unsafe Arguments.cacheType(type_k, "type_k")
        plan.valueType = try unsafe Arguments.cacheType(type_v, "type_v")
        plan.measuresRoofs = try unsafe Arguments.flag(roofs, "roofs")
        return plan
    }
}

extension alpaca_bench_test {
    fileprivate func swift(_ name: String) throws(AlpacaError) -> BenchmarkPlan.Test {
        try Arguments.reserved(reserved, name + ".reserved")
        guard (n_prompt == 0) != (n_gen == 0) else {
            throw AlpacaError(
                .invalidArgument, "\(name): found n_prompt \(n_prompt) and n_gen \(n_gen), expected one of them to be 0, not both")
        }
        guard n_prompt == 0 || (0...1).contains(n_parallel) else {
            throw AlpacaError(.invalidArgument, "\(name): n_parallel: found \(n_parallel), expected 0 or 1 with n_prompt")
        }
        let kind: BenchmarkPlan.Test.Kind =
            n_prompt != 0
            ? .prompt(length: Int(n_prompt)) : .generation(length: Int(n_gen), sequences: n_parallel == 0 ? 1 : Int(n_parallel))
        return BenchmarkPlan.Test(kind, depth: Int(depth), threadCount: Int(n_threads))
    }
}

@c @implementation
public func alpaca_bench(
    _ model: OpaquePointer?, _ params: UnsafePointer<alpaca_bench_params>?, _ json: UnsafeMutablePointer<OpaquePointer?>?
) -> alpaca_status {
    guarded { () throws(AlpacaError) in
        let out = try unsafe Arguments.out(json, "json")
        unsafe out.pointee = nil
        let model = try unsafe Handles.get(model, .model, as: ModelObject.self).model
        let params = try unsafe GrowingStruct.read(params, alpaca_bench_params.defaults, "params")
        let plan = try unsafe params.plan()
        let report = unsafe params.progress.map { unsafe ProgressReport(callback: $0, userData: params.user_data) }
        let found = try Benchmark.run(model, plan) { report?.call($0) ?? true }
        unsafe out.pointee = try Handles.make(OwnedText(found.json()), .string)
    }
}

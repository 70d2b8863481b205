import CAlpaca

extension Functions {
    static var files: [Function] {
        [
            Function(
                "alpaca_verify_params_init", alpaca_verify_params_init,
                [.pointer("params", \.verifyParams), .number("size", \.verifyParamsSize, structSizes)]),
            Function(
                "alpaca_verify", alpaca_verify,
                [
                    .pointer("paths", \.paths), .number("n", \.one, [invalid, ok, invalid, invalid]),
                    .pointer("params", \.verifyParams, null: ok), .out("json"),
                ],
                [
                    .when(ALPACA_VERIFICATION_FAILED) {
                        ($0.paths.pointee, $0.verifyParams.pointee.fail_on_difference) = ($0.c($0.files.damaged), 1)
                        $0.givesHandleOnFailure = true
                    },
                    .when(ALPACA_NOT_FOUND) { $0.paths.pointee = $0.c("/nonexistent") },
                    .when(ALPACA_IO) { $0.paths.pointee = $0.c("/dev/null") },
                    .when(ALPACA_MISSING) { $0.paths.pointee = $0.c($0.files.empty) },
                    .when(ALPACA_CANCELLED) { $0.verifyParams.pointee.progress = World.cancels },
                    .when(ALPACA_UNSUPPORTED) { $0.addTail() },
                ]),
            Function(
                "alpaca_convert_params_init", alpaca_convert_params_init,
                [.pointer("params", \.convertParams), .number("size", \.convertParamsSize, structSizes)]),
            Function("alpaca_convert_plan", alpaca_convert_plan, [.pointer("params", \.convertParams), .out("json")], badConversions),
            Function(
                "alpaca_convert", alpaca_convert,
                [.pointer("params", \.convertParams), .pointer("result", \.convertResult, null: ok), .out("json", null: ok)],
                badConversions + [
                    .when(ALPACA_CANCELLED) { $0.convertParams.pointee.progress = World.cancels },
                    .when(ALPACA_VERIFICATION_FAILED) {
                        // A Meta folder of the name of a published one: the model at hand, of course with another hash.
                        let params = $0.convertParams
                        params.pointee.format = Int32(ALPACA_FORMAT_PTH.rawValue)
                        params.pointee.output = $0.c($0.files.impostor)
                        _ = alpaca_convert(params, nil, nil)
                        params.pointee.format = Int32(ALPACA_FORMAT_GGUF.rawValue)
                        (params.pointee.base, params.pointee.output) = (params.pointee.output, $0.c("/dev/null"))
                        params.pointee.verify_base = 1
                    },
                ]),
        ]
    }

    static var badConversions: [Case] {
        func base(_ status: alpaca_status, _ path: KeyPath<World, String>) -> Case {
            .when(status) { $0.convertParams.pointee.base = $0.c($0[keyPath: path]) }
        }
        return [
            .when(ALPACA_NOT_FOUND) { $0.convertParams.pointee.base = $0.c("/nonexistent") },
            .when(ALPACA_IO) { $0.convertParams.pointee.base = $0.c("/dev/null") },
            base(ALPACA_BAD_FORMAT, \.files.text), base(ALPACA_UNSUPPORTED, \.files.future), base(ALPACA_TRUNCATED, \.files.cut),
            base(ALPACA_SHAPE_MISMATCH, \.files.reshaped), base(ALPACA_MISSING, \.files.empty), base(ALPACA_UNSAFE, \.files.leading),
            .noMemory,
        ]
    }
}

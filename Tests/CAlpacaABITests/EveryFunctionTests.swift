import CAlpaca
import Glibc
import Testing

/// Every function of the header, by the table of Functions.swift.
@Suite struct EveryFunctionTests {
    private func function(_ name: String) throws -> Function { try #require(Functions.all.first { $0.name == name }) }

    /// A function that is declared and not in the table has no test.
    @Test func theTableIsTheHeader() throws {
        let declared = try HeaderDeclaration.all()
        #expect(declared.keys.sorted() == Functions.names.sorted())
        for function in Functions.all {
            guard let declaration = declared[function.name] else { continue }
            #expect(function.parameters.map(\.name) == declaration.parameters, "\(function.name)")
            #expect(function.hostile.count == function.parameters.count, "\(function.name)")
            #expect(function.hasStatus == (declaration.result == "alpaca_status"), "\(function.name)")
            guard function.hasStatus else { continue }
            // Each status that the comment names is shown, and none is shown that it does not name.
            var shown = Set(function.cases.map { Outcome($0.status).status })
            shown.formUnion(function.parameters.flatMap(\.expected).map { Outcome($0).status })
            shown.insert("ALPACA_OK")
            #expect(shown == declaration.statuses, "\(function.name): shown, and in the header's comment")
            for (parameter, values) in zip(function.parameters, function.hostile) {
                #expect(parameter.expected.count == values.count, "\(function.name), \(parameter.name)")
            }
        }
    }

    @Test(arguments: Functions.names) func succeeds(name: String) throws {
        let function = try function(name)
        let world = try World()
        let answer = function.call(world)
        if function.hasStatus { #expect(answer == .status(ALPACA_OK), "\(message)") } else { #expect(answer != .value(0)) }
        try checkHandle(function, world, failed: false)
    }

    /// Each parameter in turn is what it should not be; the others are good.
    @Test(arguments: Functions.names) func hostileArguments(name: String) throws {
        let function = try function(name)
        let world = try World()
        for (index, parameter) in function.parameters.enumerated() {
            for (number, value) in function.hostile[index].enumerated() {
                try world.reset()
                let answer = function.call(world, index, value)
                guard function.hasStatus else { continue }
                #expect(answer == .status(parameter.expected[number]), "\(parameter.name), value \(number): \(message)")
                if answer != .status(ALPACA_OK) { #expect(message != "") }
                if !(parameter.kind == .out && value.bits == 0) {
                    try checkHandle(function, world, failed: answer != .status(ALPACA_OK))
                }
            }
            guard parameter.kind == .handle || parameter.kind == .freed else { continue }
            for value in try noHandles(world, parameter) {
                let answer = function.call(world, index, value)
                // Getters give 0 or NULL; what frees gives nothing, and leaves all others alive.
                #expect(answer == (function.hasStatus ? .status(ALPACA_INVALID_ARGUMENT) : answer == .nothing ? .nothing : .value(0)))
                try checkHandle(function, world, failed: true)
            }
            #expect(alpaca_session_context_length(world.session) > 0 && alpaca_string_size(world.string) > 0)
            #expect(alpaca_model_tokenizer(world.model) != nil && alpaca_tokenizer_size(world.tokenizer) > 0)
        }
    }

    @Test(arguments: Functions.names) func statuses(name: String) throws {
        let function = try function(name)
        let world = try World()
        for test in function.cases where test.elsewhere == nil {
            try world.reset()
            try test.prepare(world)
            var answer = Answer.nothing
            if test.isInsideCallback {
                let recorder = Recorder()
                recorder.body = {
                    answer = function.call(world)
                    return 1
                }
                #expect(
                    outcome(alpaca_session_generate(world.session, "a", 1, nil, Recorder.callback, recorder.pointer, nil)) == .ok)
            } else {
                answer = function.call(world)
            }
            #expect(answer == .status(test.status), "expected \(Outcome(test.status)): \(message)")
            #expect(message != "")
            try checkHandle(function, world, failed: !world.givesHandleOnFailure)
        }
    }

    private var message: String { String(cString: alpaca_last_error()) }

    /// A handle is written on success, NULL on failure. What was made is freed.
    private func checkHandle(_ function: Function, _ world: World, failed: Bool) throws {
        guard function.parameters.contains(where: { $0.kind == .out }) else { return }
        #expect((world.made.pointee == nil) == failed, "\(function.name)")
        alpaca_model_free(world.made.pointee)
        alpaca_tokenizer_free(world.made.pointee)
        alpaca_session_free(world.made.pointee)
        alpaca_string_free(world.made.pointee)
        world.made.pointee = OpaquePointer(bitPattern: 1)
    }

    /// Addresses that are no handles of the parameter's kind: of others' memory, around a live one, of other kinds, freed.
    private func noHandles(_ world: World, _ parameter: Parameter) throws -> [Value] {
        try world.reset()
        let live = parameter.value(world)
        let others = [world.model, world.tokenizer, world.session, world.string].map { Value($0) }.filter { $0.bits != live.bits }
        let freed = try ["model", "session"].map { kind in
            let handle = kind == "model" ? try Fixture.model() : try Fixture.session { $0.n_ctx = 8 }
            alpaca_model_free(handle)
            alpaca_session_free(handle)
            return Value(handle)
        }
        let around = [live.bits &+ 1, live.bits &+ 8, live.bits &- 64 * 70_000, UInt(bitPattern: world.buffer), 1, 64, .max, 1 << 63]
        return others + freed + around.map { Value(Int(bitPattern: $0)) }
    }
}

import CAlpaca

/// A function of the header: how it is called, what each argument may be, and what brings each status about.
struct Function {
    let name: String
    let parameters: [Parameter]
    let cases: [Case]
    /// The hostile values of each parameter's type.
    let hostile: [[Value]]
    /// Whether it gives a status.
    let hasStatus: Bool
    private let body: ([Value]) -> Answer

    /// - Parameter function: the function itself; with a callback among its parameters, a closure that takes the address of one.
    init<each P: CType, R>(
        _ name: String, _ function: @escaping (repeat each P) -> R, _ parameters: [Parameter] = [], _ cases: [Case] = []
    ) {
        self.name = name
        self.parameters = parameters
        self.cases = cases
        hasStatus = R.self == alpaca_status.self
        var hostile: [[Value]] = []
        for type in repeat (each P).self { hostile.append(type.hostile) }
        self.hostile = hostile
        body = { values in
            var rest = values[...]
            func next<T: CType>(_: T.Type) -> T { T.make(rest.popFirst() ?? .null) }
            let result = function(repeat next((each P).self))
            return (result as? any CResult)?.answer ?? .nothing
        }
    }

    /// Calls it with what the parameters name in `world`, or with `value` in place of the argument at `index`.
    func call(_ world: World, _ index: Int? = nil, _ value: Value = .null) -> Answer {
        var values = parameters.map { $0.value(world) }
        if let index { values[index] = value }
        return body(values)
    }
}

/// A parameter: its name in the header, a good argument for it, what hostile ones give.
struct Parameter {
    enum Kind {
        /// A handle: whatever is none is refused.
        case handle
        /// A handle that is given up: whatever is none is left alone.
        case freed
        /// Where a handle is written: NULL after a failure.
        case out
        case other
    }

    let name: String
    let kind: Kind
    let value: (World) -> Value
    /// For each of the hostile values of its type, in their order; empty where there is no status.
    let expected: [alpaca_status]

    static func handle(_ name: String, _ place: KeyPath<World, OpaquePointer?>) -> Parameter {
        Parameter(name: name, kind: .handle, value: { Value($0[keyPath: place]) }, expected: [ALPACA_INVALID_ARGUMENT])
    }

    static func freed(_ name: String, _ place: KeyPath<World, OpaquePointer?>) -> Parameter {
        Parameter(name: name, kind: .freed, value: { Value($0[keyPath: place]) }, expected: [])
    }

    static func out(_ name: String, null: alpaca_status = ALPACA_INVALID_ARGUMENT) -> Parameter {
        Parameter(name: name, kind: .out, value: { Value(UnsafeRawPointer($0.made)) }, expected: [null])
    }

    static func pointer<T>(
        _ name: String, _ place: KeyPath<World, UnsafeMutablePointer<T>>, null: alpaca_status = ALPACA_INVALID_ARGUMENT
    ) -> Parameter {
        Parameter(name: name, kind: .other, value: { Value(UnsafeRawPointer($0[keyPath: place])) }, expected: [null])
    }

    static func text(_ name: String, _ place: KeyPath<World, String>, null: alpaca_status = ALPACA_INVALID_ARGUMENT) -> Parameter {
        Parameter(name: name, kind: .other, value: { Value($0.c($0[keyPath: place])) }, expected: [null])
    }

    static func number(_ name: String, _ place: KeyPath<World, Int>, _ expected: [alpaca_status] = []) -> Parameter {
        Parameter(name: name, kind: .other, value: { Value($0[keyPath: place]) }, expected: expected)
    }

    static func float(_ name: String, _ value: Float, _ expected: [alpaca_status]) -> Parameter {
        Parameter(name: name, kind: .other, value: { _ in Value(value) }, expected: expected)
    }

    /// The address of a function of the caller's.
    static func callback(_ name: String, _ place: KeyPath<World, UnsafeMutableRawPointer?>) -> Parameter {
        Parameter(name: name, kind: .other, value: { Value(UnsafeRawPointer($0[keyPath: place])) }, expected: [ALPACA_OK])
    }
}

/// What brings a status about: a change of the arguments.
struct Case {
    let status: alpaca_status
    /// Called before the call.
    let prepare: (World) throws -> Void
    /// The call is made in a callback of the same session, which is busy then.
    var isInsideCallback = false
    /// Another test shows it, this one says which and why.
    var elsewhere: String?

    static func when(_ status: alpaca_status, _ prepare: @escaping (World) throws -> Void) -> Case {
        Case(status: status, prepare: prepare)
    }
    static var busy: Case { Case(status: ALPACA_BUSY, prepare: { _ in }, isInsideCallback: true) }
    static func elsewhere(_ status: alpaca_status, _ why: String) -> Case {
        Case(status: status, prepare: { _ in }, elsewhere: why)
    }
    /// Each call looks for headroom first.
    static var noMemory: Case {
        elsewhere(ALPACA_OUT_OF_MEMORY, "without memory every function says so: Tests/abi/harness, test_no_memory")
    }
}

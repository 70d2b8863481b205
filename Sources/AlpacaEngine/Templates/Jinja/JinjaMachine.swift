/// Runs a template once: its state and its limits.
final class JinjaMachine {
    let names: [String]
    /// The numbers of names that have a meaning in some places; nil where the template does not mention them.
    let loopName, callerName, varargsName, kwargsName: Int?
    private let numbers: [String: Int]
    let limits: JinjaLimits
    let clock: JinjaClock?

    var output = JinjaText()
    /// The line that runs; where an error happens, the one it is about.
    var line = 1
    private var depth = 0
    var macroDepth = 0
    private var steps = 0
    private var iterations = 0
    private var made = 0
    private var objects: [JinjaObject] = []

    init(names: [String], limits: JinjaLimits, clock: JinjaClock?) {
        self.names = names
        numbers = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        loopName = numbers["loop"]
        callerName = numbers["caller"]
        varargsName = numbers["varargs"]
        kwargsName = numbers["kwargs"]
        self.limits = limits
        self.clock = clock
    }

    func run(_ body: [JinjaNode], _ variables: [(String, JinjaValue)]) throws(AlpacaError) -> [JinjaPiece] {
        // Objects that hold each other would stay for ever, and freeing a long chain would recurse: all are emptied one by one.
        defer {
            for object in objects { object.clear() }
            objects = []
        }
        let scope = keep(JinjaScope(in: nil))
        for (name, value) in variables {
            // What the template does not mention need not be copied.
            if let number = numbers[name] { scope.values[number] = try item(value) }
        }
        do {
            _ = try execute(body, scope)
        } catch {
            throw error.inContext("line \(line)")
        }
        return output.pieces
    }

    // MARK: Limits

    func step(_ count: Int = 1) throws(AlpacaError) {
        steps += count
        guard steps <= limits.steps else {
            throw AlpacaError(.unsupported, "the template takes more than \(limits.steps) steps")
        }
    }

    func iterate() throws(AlpacaError) {
        iterations += 1
        guard iterations <= limits.iterations else {
            throw AlpacaError(.unsupported, "the template's loops run more than \(limits.iterations) times")
        }
    }

    func deeper() throws(AlpacaError) {
        depth += 1
        guard depth <= limits.evaluationDepth else {
            throw AlpacaError(
                .unsupported, "the template's macros, blocks, brackets or values are more than \(limits.evaluationDepth) levels deep")
        }
    }

    func higher() { depth -= 1 }

    /// Before memory is taken for `characters`, each of four bytes.
    func make(_ characters: Int) throws(AlpacaError) {
        made += characters
        guard made <= limits.made else {
            throw AlpacaError(.outOfMemory, "the template makes more than \(limits.made) characters of text and lists")
        }
    }

    func checkLength(_ characters: Int) throws(AlpacaError) {
        guard characters <= limits.textLength else {
            throw AlpacaError(.outOfMemory, "the template makes a text of more than \(limits.textLength) characters")
        }
    }

    // MARK: New values

    /// Every text that is put together goes through here.
    func append(_ text: JinjaText, to result: inout JinjaText) throws(AlpacaError) {
        let (length, overflow) = result.count.addingReportingOverflow(text.count)
        try checkLength(overflow ? Int.max : length)
        try make(text.cost)
        result.append(text)
    }

    /// A text that exists already, and whose memory counts from now on.
    func counted(_ text: JinjaText) throws(AlpacaError) -> JinjaItem {
        try checkLength(text.count)
        try make(text.cost)
        try step(text.count >> 6)
        return .text(text)
    }

    func keep<Object: JinjaObject>(_ object: Object) -> Object {
        objects.append(object)
        return object
    }

    func sequence(_ items: [JinjaItem], _ kind: JinjaSequence.Kind, isCallers: Bool = false) throws(AlpacaError) -> JinjaItem {
        try checkCount(items.count)
        // An object takes about 64 bytes, an element 32.
        try make(16 + 8 * items.count)
        return .sequence(keep(JinjaSequence(items, kind, isCallers: isCallers)))
    }

    func list(_ items: [JinjaItem]) throws(AlpacaError) -> JinjaItem { try sequence(items, .list) }

    func checkCount(_ count: Int) throws(AlpacaError) {
        guard count <= limits.listLength else {
            throw AlpacaError(.outOfMemory, "the template makes a list of more than \(limits.listLength) elements")
        }
    }

    func dictionary() throws(AlpacaError) -> JinjaDictionary {
        try make(48)
        return keep(JinjaDictionary())
    }

    func set(_ key: JinjaItem, _ value: JinjaItem, in dictionary: JinjaDictionary) throws(AlpacaError) {
        try checkCount(dictionary.keys.count + 1)
        try make(48)
        dictionary.set(key, try hashed(key), value)
    }

    /// A copy of what the caller gave: the template never holds the caller's own.
    func item(_ value: JinjaValue) throws(AlpacaError) -> JinjaItem {
        switch value {
        case .undefined: return .undefined(.other("a variable is undefined"))
        case .none: return .none
        case .boolean(let value): return .boolean(value)
        case .integer(let value): return .integer(value)
        case .float(let value): return .float(value)
        case .text(let text): return .text(text)
        case .list(let values):
            try deeper()
            defer { higher() }
            var items: [JinjaItem] = []
            items.reserveCapacity(values.count)
            for value in values { items.append(try item(value)) }
            return try sequence(items, .list, isCallers: true)
        case .dictionary(let members):
            try deeper()
            defer { higher() }
            let result = try dictionary()
            for (key, value) in members { try set(.text(key), try item(value), in: result) }
            return .dictionary(result)
        }
    }
}

/// Builds a template's tree from its words, by Jinja's grammar. Recursion is bounded by `limits.nesting`.
struct JinjaParser {
    private let tokens: [JinjaToken]
    private var at = 0
    let limits: JinjaLimits
    private var depth = 0
    private var loops = 0

    /// Every name in the template has a number: looking one up compares no text.
    private(set) var names: [String] = []
    private var numbers: [String: Int] = [:]
    /// Names that the macro which is read mentions.
    private var mentioned: Set<String> = []

    init(_ source: String, limits: JinjaLimits) throws(AlpacaError) {
        self.limits = limits
        guard source.utf8.count <= limits.sourceBytes else {
            throw AlpacaError(.unsupported, found: "a template of \(source.utf8.count) bytes", expected: "at most \(limits.sourceBytes)")
        }
        tokens = try JinjaLexer.tokens(of: source)
    }

    mutating func template() throws(AlpacaError) -> [JinjaNode] {
        let (body, _) = try statements(until: [])
        return body
    }

    // MARK: Words

    var current: JinjaToken { tokens[min(at, tokens.count - 1)] }
    private var following: JinjaToken { tokens[min(at + 1, tokens.count - 1)] }
    var line: Int { current.line }

    mutating func advance() { at += 1 }

    mutating func take(_ symbol: String) -> Bool {
        guard current.kind == .symbol(symbol) else { return false }
        at += 1
        return true
    }

    mutating func take(word: String) -> Bool {
        guard current.kind == .name(word) else { return false }
        at += 1
        return true
    }

    func isWord(_ word: String) -> Bool { current.kind == .name(word) }
    func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }
    func nextIs(_ symbol: String) -> Bool { following.kind == .symbol(symbol) }
    func nextIsWord(_ word: String) -> Bool { following.kind == .name(word) }

    mutating func expect(_ symbol: String) throws(AlpacaError) {
        guard take(symbol) else { throw found(symbol.quoted()) }
    }

    mutating func word(_ what: String) throws(AlpacaError) -> String {
        guard case .name(let name) = current.kind else { throw found(what) }
        at += 1
        return name
    }

    func found(_ expected: String) -> AlpacaError {
        AlpacaError(.badFormat, at: "line \(line)", found: current.description, expected: expected)
    }

    mutating func number(of name: String) -> Int {
        mentioned.insert(name)
        if let number = numbers[name] { return number }
        numbers[name] = names.count
        names.append(name)
        return names.count - 1
    }

    /// Every function that can call itself goes one level down through here.
    mutating func deeper() throws(AlpacaError) {
        depth += 1
        guard depth <= limits.nesting else {
            throw AlpacaError(
                .unsupported, at: "line \(line)", found: "more than \(limits.nesting) blocks and brackets inside each other",
                expected: "fewer")
        }
    }

    mutating func higher() { depth -= 1 }

    // MARK: Statements

    /// Reads up to a tag that begins with one of `ends`, whose name is left as the current word; up to the end of the template without any.
    private mutating func statements(until ends: [String]) throws(AlpacaError) -> (body: [JinjaNode], end: String) {
        try deeper()
        defer { higher() }
        let start = line
        var body: [JinjaNode] = []
        while true {
            let line = line
            switch current.kind {
            case .data(let scalars):
                advance()
                body.append(JinjaNode(line: line, statement: .text(JinjaText(scalars, isInput: false))))
            case .outputBegin:
                advance()
                let value = try tupleExpression()
                guard current.kind == .outputEnd else { throw found("\"}}\"") }
                advance()
                body.append(JinjaNode(line: line, statement: .output(value)))
            case .blockBegin:
                advance()
                let name = try word("the name of a tag")
                if ends.contains(name) { return (body, name) }
                body.append(JinjaNode(line: line, statement: try statement(name, line)))
                guard current.kind == .blockEnd else { throw found("\"%}\"") }
                advance()
            case .end:
                guard ends.isEmpty else {
                    let names = ends.map { $0.quoted() }.joined(separator: " or ")
                    throw AlpacaError(.badFormat, "found the end of the template, expected \(names) for the block of line \(start)")
                        .inContext("line \(line)")
                }
                return (body, "")
            default: throw found("text or a tag")
            }
        }
    }

    /// The body behind `%}`, up to and with the name of the tag that ends it.
    private mutating func block(_ end: String) throws(AlpacaError) -> [JinjaNode] { try block([end]).body }

    private mutating func block(_ ends: [String]) throws(AlpacaError) -> (body: [JinjaNode], end: String) {
        guard current.kind == .blockEnd else { throw found("\"%}\"") }
        advance()
        return try statements(until: ends)
    }

    private mutating func statement(_ name: String, _ line: Int) throws(AlpacaError) -> JinjaStatement {
        switch name {
        case "if": return try condition()
        case "for": return try loop()
        case "set": return try assignment()
        case "macro": return try macroDefinition()
        case "call": return try callBlock()
        case "with": return try withBlock()
        case "filter":
            let filters = try filters(isFirstInline: true)
            return .filter(filters, body: try block("endfilter"))
        case "generation": return .scope(try block("endgeneration"))
        case "break", "continue":
            guard loops > 0 else { throw AlpacaError(.badFormat, "\(name.quoted()) stands outside of a loop").inContext("line \(line)") }
            return name == "break" ? .breakLoop : .continueLoop
        case "print":
            var values = [try expression()]
            while take(",") { values.append(try expression()) }
            return .output(.concatenation(values))
        case "extends", "include", "import", "from", "block", "autoescape", "do", "trans", "debug":
            throw AlpacaError(.unsupported, "the tag \(name.quoted()) is not supported in chat templates").inContext("line \(line)")
        default: throw AlpacaError(.badFormat, "found the unknown tag \(name.quoted(limit: 40))").inContext("line \(line)")
        }
    }

    private mutating func condition() throws(AlpacaError) -> JinjaStatement {
        var branches: [(test: JinjaExpression, body: [JinjaNode])] = []
        while true {
            let test = try tupleExpression(isConditional: false)
            let (body, end) = try block(["elif", "else", "endif"])
            branches.append((test, body))
            if end == "endif" { return .condition(branches, otherwise: []) }
            if end == "else" { return .condition(branches, otherwise: try block("endif")) }
        }
    }

    private mutating func loop() throws(AlpacaError) -> JinjaStatement {
        let target = try self.target()
        guard take(word: "in") else { throw found("\"in\"") }
        let values = try tupleExpression(isConditional: false, endsAt: "recursive")
        let test = take(word: "if") ? try expression() : nil
        let isRecursive = take(word: "recursive")
        loops += 1
        let (body, end) = try block(["else", "endfor"])
        loops -= 1
        let otherwise = end == "else" ? try block("endfor") : []
        return .loop(
            JinjaLoopNode(target: target, values: values, test: test, body: body, otherwise: otherwise, isRecursive: isRecursive))
    }

    private mutating func assignment() throws(AlpacaError) -> JinjaStatement {
        let target = try self.target(withAttribute: true)
        if take("=") { return .assign(target, try tupleExpression()) }
        let filters = try filters(isFirstInline: false)
        return .assignBlock(target, filters: filters, body: try block("endset"))
    }

    private mutating func withBlock() throws(AlpacaError) -> JinjaStatement {
        var values: [(target: JinjaTarget, value: JinjaExpression)] = []
        while current.kind != .blockEnd {
            if !values.isEmpty { try expect(",") }
            let target = try oneTarget()
            try expect("=")
            values.append((target, try expression()))
        }
        return .with(values, body: try block("endwith"))
    }

    /// Names that take a value: `a`, `a, b`, `(a, b)`, and `a.b` for a namespace.
    private mutating func target(withAttribute: Bool = false) throws(AlpacaError) -> JinjaTarget {
        if withAttribute, nextIs(".") {
            let object = number(of: try word("a name"))
            try expect(".")
            return .attribute(of: object, JinjaText(try word("a name")))
        }
        let first = try oneTarget()
        guard isSymbol(",") else { return first }
        var targets = [first]
        while take(",") {
            if isWord("in") || isSymbol("=") { break }
            targets.append(try oneTarget())
        }
        return .tuple(targets)
    }

    private mutating func oneTarget() throws(AlpacaError) -> JinjaTarget {
        try deeper()
        defer { higher() }
        if take("(") {
            let inside = try target()
            try expect(")")
            return inside
        }
        let line = line
        let name = try word("a name")
        guard !Self.reserved.contains(name) else {
            throw AlpacaError(.badFormat, at: "line \(line)", found: name.quoted(), expected: "a name to set")
        }
        return .name(number(of: name))
    }

    static let reserved: Set = ["true", "false", "none", "True", "False", "None"]

    // MARK: Macros

    private mutating func macroDefinition() throws(AlpacaError) -> JinjaStatement {
        let name = try word("a macro's name")
        let index = number(of: name)
        let parameters = try parameters()
        return .macro(try macroBody(name, index, parameters, end: "endmacro"))
    }

    private mutating func callBlock() throws(AlpacaError) -> JinjaStatement {
        let parameters = isSymbol("(") ? try parameters() : []
        let line = line
        let call = try expression()
        guard case .postfix(_, let steps) = call, case .call = steps.last?.kind else {
            throw AlpacaError(.badFormat, at: "line \(line)", found: "no call of a macro", expected: "one behind \"call\"")
        }
        return .call(try macroBody("caller", number(of: "caller"), parameters, end: "endcall"), of: call)
    }

    private mutating func macroBody(
        _ name: String, _ index: Int, _ parameters: [(String, Int, JinjaExpression?)], end: String
    ) throws(AlpacaError) -> JinjaMacroNode {
        var outer = mentioned
        let outerLoops = loops
        mentioned = []
        loops = 0
        let body = try block(end)
        let uses = mentioned
        // The few into the many: a template of 20 000 macros would take half a minute the other way.
        outer.formUnion(uses)
        mentioned = outer
        loops = outerLoops
        return JinjaMacroNode(
            name: name, nameIndex: index, parameters: parameters.map { ($0.0, $0.1, $0.2) }, body: body,
            usesVarargs: uses.contains("varargs"), usesKwargs: uses.contains("kwargs"), usesCaller: uses.contains("caller"))
    }

    private mutating func parameters() throws(AlpacaError) -> [(String, Int, JinjaExpression?)] {
        var parameters: [(String, Int, JinjaExpression?)] = []
        try expect("(")
        while !isSymbol(")") {
            if !parameters.isEmpty { try expect(",") }
            if isSymbol(")") { break }
            let line = line
            let name = try word("a parameter's name")
            let standard = take("=") ? try expression() : nil
            guard standard != nil || parameters.last?.2 == nil else {
                throw AlpacaError(.badFormat, "the parameter \(name.quoted(limit: 40)) without a value follows one that has one")
                    .inContext("line \(line)")
            }
            parameters.append((name, number(of: name), standard))
        }
        try expect(")")
        return parameters
    }
}

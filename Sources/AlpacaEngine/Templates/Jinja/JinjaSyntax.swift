// A template as the parser sees it. Operators of one rank that follow each other stand side by side in a list, never inside each other: the
// tree is no deeper than the text's brackets and blocks are, and the parser bounds those.

indirect enum JinjaExpression: Sendable {
    case constant(JinjaValue)
    /// By its number in ``JinjaTemplate``'s names.
    case name(Int)
    case list([JinjaExpression])
    case tuple([JinjaExpression])
    case dictionary([(key: JinjaExpression, value: JinjaExpression)])
    case postfix(JinjaExpression, [JinjaStep])
    case unary(JinjaOperator, JinjaExpression)
    /// From left to right.
    case chain(JinjaExpression, [(sign: JinjaOperator, operand: JinjaExpression)])
    case concatenation([JinjaExpression])
    case all([JinjaExpression])
    case any([JinjaExpression])
    case comparison(JinjaExpression, [(sign: JinjaOperator, operand: JinjaExpression)])
    case conditional(test: JinjaExpression, then: JinjaExpression, otherwise: JinjaExpression?)
}

enum JinjaOperator: String, Sendable {
    case plus = "+", minus = "-", times = "*", divide = "/", floorDivide = "//", modulo = "%", power = "**", not
    case equal = "==", unequal = "!=", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">=", within = "in", notWithin =
        "not in"
}

/// What is done to the value before it: `.name`, `[1]`, `[1:]`, `(x)`, `| filter`, `is test`.
struct JinjaStep: Sendable {
    enum Kind: Sendable {
        case attribute(JinjaText)
        case item(JinjaExpression)
        case slice(JinjaExpression?, JinjaExpression?, JinjaExpression?)
        case call(JinjaArguments)
        case filter(String, JinjaArguments)
        case test(String, JinjaArguments, isNegated: Bool)
    }
    let line: Int
    let kind: Kind
}

struct JinjaArguments: Sendable {
    var positional: [JinjaExpression] = []
    var keywords: [(name: String, value: JinjaExpression)] = []
    /// `*list` and `**dictionary`.
    var rest: JinjaExpression?
    var keywordRest: JinjaExpression?

    var isEmpty: Bool { positional.isEmpty && keywords.isEmpty && rest == nil && keywordRest == nil }
}

indirect enum JinjaTarget: Sendable {
    case name(Int)
    case attribute(of: Int, JinjaText)
    case tuple([JinjaTarget])
}

struct JinjaNode: Sendable {
    let line: Int
    let statement: JinjaStatement
}

indirect enum JinjaStatement: Sendable {
    case text(JinjaText)
    case output(JinjaExpression)
    case condition([(test: JinjaExpression, body: [JinjaNode])], otherwise: [JinjaNode])
    case loop(JinjaLoopNode)
    case assign(JinjaTarget, JinjaExpression)
    case assignBlock(JinjaTarget, filters: [JinjaStep], body: [JinjaNode])
    case macro(JinjaMacroNode)
    case call(JinjaMacroNode, of: JinjaExpression)
    case filter([JinjaStep], body: [JinjaNode])
    case with([(target: JinjaTarget, value: JinjaExpression)], body: [JinjaNode])
    /// A body with names of its own.
    case scope([JinjaNode])
    case breakLoop
    case continueLoop
}

struct JinjaLoopNode: Sendable {
    let target: JinjaTarget
    let values: JinjaExpression
    let test: JinjaExpression?
    let body: [JinjaNode]
    let otherwise: [JinjaNode]
    let isRecursive: Bool
}

struct JinjaMacroNode: Sendable {
    let name: String
    let nameIndex: Int
    let parameters: [(name: String, index: Int, standard: JinjaExpression?)]
    let body: [JinjaNode]
    let usesVarargs: Bool
    let usesKwargs: Bool
    let usesCaller: Bool
}

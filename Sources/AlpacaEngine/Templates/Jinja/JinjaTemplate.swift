/// A chat template in Jinja2, as model files have it, ready to be rendered.
///
/// It has what transformers gives to templates: `trim_blocks`, `lstrip_blocks`, break and continue, the tag `generation`, `raise_exception`,
/// `strftime_now`, `namespace`, `dict`, `range`, `cycler`, `joiner`, and a `tojson` that is Python's `json.dumps`. Values print as Python prints
/// them. Unlike there, lists that the template made itself may be changed (`append`, `pop`), as llama.cpp allows; what the caller gave never is.
///
/// A template is a program of a stranger: ``JinjaLimits`` bounds its time, memory and depth, and what it prints says which parts are the
/// caller's, so that only the template's own text can become special tokens.
///
/// Errors name the line and what was found there: `badFormat` for a template that can't be read; `unsupported` for what it asks for and is not
/// here, and for limits of size, depth and time; `outOfMemory` for limits of memory; `invalidArgument` for everything that goes wrong while it
/// runs, such as an undefined value that is used, or `raise_exception`.
package struct JinjaTemplate: Sendable {
    private let body: [JinjaNode]
    private let names: [String]
    private let limits: JinjaLimits

    package init(source: String, limits: JinjaLimits = JinjaLimits()) throws(AlpacaError) {
        var parser = try JinjaParser(source, limits: limits)
        body = try parser.template()
        names = parser.names
        self.limits = limits
    }

    /// What the template prints with these variables, in parts: neighbours of one kind are one part.
    ///
    /// - Parameter clock: the time for `strftime_now`; without it, a template that asks for the time fails.
    package func render(_ variables: [(String, JinjaValue)], clock: JinjaClock? = nil) throws(AlpacaError) -> [JinjaPiece] {
        try JinjaMachine(names: names, limits: limits, clock: clock).run(body, variables)
    }

    /// Whether the template mentions a name: one that knows no `tools`, say, would leave them out silently.
    package func mentions(_ name: String) -> Bool { names.contains(name) }
}

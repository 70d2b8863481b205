/// What a template may use. A template comes with a model file, so it is a program of a stranger: none of these may be missing.
///
/// A template that is too large or too deep is refused with `unsupported` when it is read; one that takes too many steps, with `unsupported`
/// when it runs; one that takes too much memory, with `outOfMemory`.
package struct JinjaLimits: Sendable {
    package var sourceBytes = 1 << 20
    /// Blocks and expressions inside each other, in the template's text.
    package var nesting = 100
    /// The same while it runs, through all macros that wait for each other, and containers inside each other where they are printed or
    /// compared. Bounds the stack.
    package var evaluationDepth = 400
    package var macroDepth = 64
    package var steps = 10_000_000
    package var iterations = 1_000_000
    /// Numbers of a `range`, as Jinja's sandbox has it.
    package var rangeLength = 100_000
    /// Characters of a text, and of the output: 16 MiB at four bytes each.
    package var textLength = 1 << 22
    /// Elements of a list or a dictionary: 16 MiB at 32 bytes each.
    package var listLength = 1 << 19
    /// Everything that is made during a rendering, in characters of four bytes, whether it is still needed or not: 512 MiB.
    package var made = 1 << 27

    package init() {}
}

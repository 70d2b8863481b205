import AlpacaEngine
import Foundation
import Testing

/// Templates of strangers: each ends soon, with one sentence, and takes no more memory than its limits say.
@Suite(.serialized) struct JinjaLimitTests {
    static let tooDeepText = "line 1: found more than 100 blocks and brackets inside each other, expected fewer"
    static let tooDeep = "line 1: the template's macros, blocks, brackets or values are more than 400 levels deep"
    static let tooLong = "line 1: the template makes a text of more than 262144 characters"
    static let tooMany = "line 1: the template makes a list of more than 32768 elements"
    static let tooSlow = "line 1: the template takes more than 40000 steps"
    static let tooMuch = "line 1: the template makes more than 2097152 characters of text and lists"
    static let tooLarge = "line 1: found the number \"\(many("9", 40))...\" (50 bytes), expected one of at most 127 bits"
    static let loops = "line 1: the template's loops run more than 20000 times"

    /// Those of which a debug build would take long to reach the full limit are smaller; `the limits are these` has the real ones.
    static let limits = {
        var limits = JinjaLimits()
        limits.iterations = 20_000
        limits.made = 1 << 21
        limits.textLength = 1 << 18
        limits.listLength = 1 << 15
        return limits
    }()

    static let deep = "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}"
    static let tree =
        "{% set ns = namespace(x=(1,), y=(1,)) %}{% for i in range(90) %}{% set ns.x = (ns.x, ns.x) %}{% set ns.y = (ns.y, ns.y) %}{% endfor %}"

    private static func many(_ part: String, _ count: Int, before: String = "", after: String = "") -> String {
        before + String(repeating: part, count: count) + after
    }

    private static func nested(_ open: String, _ close: String, before: String = "{{ ", after: String = " }}") -> String {
        before + String(repeating: open, count: 20_000) + "x" + String(repeating: close, count: 20_000) + after
    }

    /// Failures show the beginning of a template only: some have a hundred thousand brackets.
    struct Hostile: CustomTestStringConvertible, Sendable {
        let source: String
        let message: String

        init(_ source: String, _ message: String) {
            self.source = source
            self.message = message
        }

        var testDescription: String { source.quoted(limit: 120) }
    }

    private static let hostile: [Hostile] = [
        // Endless loops.
        .init("{% for i in range(30000) %}{% for j in range(30000) %}{% endfor %}{% endfor %}", loops),
        .init("{% for i in range(30000) if false %}{% endfor %}", loops),
        .init("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "line 1: more than 64 macros of the template wait for each other"),
        .init(
            "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
            "line 1: more than 64 macros of the template wait for each other"
        ),
        .init(
            "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
            "line 1: more than 64 macros of the template wait for each other"
        ),
        .init("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "line 1: more than 64 macros of the template wait for each other"),
        .init(
            "{% macro m() %}{% if 1 %}{% if 1 %}{% for i in [1] %}{{ [[[m()]]] }}{% endfor %}{% endif %}{% endif %}{% endmacro %}{{ m() }}",
            tooDeep
        ),
        // Large texts, lists, numbers.
        .init("{{ 'a' * 10**9 }}", tooLong),
        .init("{{ 'ab' * 10**30 }}", tooLong),
        .init("{{ ('a' * 200000) ~ ('a' * 200000) }}", tooLong),
        .init("{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", tooLong),
        .init("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", tooMany),
        .init("{{ [1] * 10**9 }}", tooMany),
        .init("{{ range(10**12) | list }}", "line 1: found a range of 1000000000000 numbers, expected at most 100000"),
        .init("{{ range(10**30) | list }}", "line 1: a bound of a range is beyond 64 bits"),
        .init("{{ 9 ** 9 ** 9 }}", "line 1: an integer of the template is beyond 127 bits"),
        .init("{{ 10 ** 38 * 2 }}", "line 1: an integer of the template is beyond 127 bits"),
        .init("{{ 10.0 ** 400 }}", "line 1: a power in the template is no finite number"),
        .init(
            many("9", 50, before: "{{ ", after: " }}"),
            tooLarge
        ),
        .init("{% set ns = namespace(l=[]) %}{% for i in range(10000) %}{% set _ = ns.l.append('a' * 10000 ~ i) %}{% endfor %}", tooMuch),
        .init("{% for i in range(10000) %}{% set s = 'abcdefgh' * 10000 %}{% endfor %}", tooMuch),
        .init("{% for i in range(10000) %}{% set s = range(10000) %}{% endfor %}", tooMuch),
        .init("{% set s = 'aaaaaaaaaa' * 1000 %}{% for i in range(30000) %}{{ s }}{% endfor %}", tooLong),
        .init("{% set l = 'ab' * 100000 %}{{ l | list }}", tooMany),
        .init("{{ ('a ' * 100000).split(' ') }}", tooMany),
        // Formats and padding.
        .init("{{ '%1000000000s' % 'a' }}", tooLong),
        .init("{{ '%*d' % (10**18, 1) }}", tooLong),
        .init("{{ '{:>1000000000}'.format('a') }}", tooLong),
        .init("{{ '{:01000000000}'.format(1) }}", tooLong),
        .init("{{ '%.100000000f' % 1.5 }}", "line 1: found a format with 100000000 digits, expected at most 1000"),
        .init("{{ '{:.99999999999999999999}'.format(1.5) }}", "line 1: found a format with 1099511627776 digits, expected at most 1000"),
        .init("{{ '{0.__class__}'.format('a') }}", "line 1: a format may not look into its values: \"0\""),
        .init("{{ '{x[0]}'.format(x='a') }}", "line 1: a format may not look into its values: \"x\""),
        .init("{{ '{:{}}'.format('a', 9) }}", "line 1: a format inside a format is not supported"),
        .init("{{ 'a'.center(10**12) }}", tooLong), .init("{{ 'a'.zfill(10**12) }}", tooLong), .init("{{ 'a' | center(10**12) }}", tooLong),
        .init("{{ ('a\\n' * 1000) | indent(10**5) }}", tooLong), .init("{{ [[1]] | tojson(indent=10**9) }}", tooLong),
        .init("{{ ('a' * 10000).replace('', 'b' * 100000) }}", tooLong), .init("{{ range(1000) | join('x' * 100000) }}", tooLong),
        .init("{{ 'a\\tb'.expandtabs(10**9) }}", tooLong),
        .init("{{ 1.5 | round(10**9) }}", "line 1: found 1000000000 digits in \"round\", expected -400 to 400"),
        .init("{{ [1] | slice(10**9) | list }}", "line 1: the filter \"slice\" needs a number above 0"),
        // Values inside each other.
        .init("{% set l = [] %}{% set _ = l.append(l) %}{{ l }}", tooDeep),
        .init("{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}", tooDeep),
        .init("{% set l = [] %}{% set m = [l] %}{% set _ = l.append(m) %}{{ l == m }}", tooDeep),
        .init(deep + "{{ ns.x }}", tooDeep), .init(deep + "{{ ns.x | tojson }}", tooDeep),
        .init(tree + "{{ ns.x == ns.y }}", tooSlow), .init(tree + "{{ {ns.x: 1} }}", tooSlow), .init(tree + "{{ ns.x < ns.y }}", tooSlow),
        .init(tree + "{{ ns.x }}", tooSlow), .init(tree + "{{ ns.x | tojson }}", tooSlow),
        // Work in single steps.
        .init("{% for i in range(1000) %}{{ range(10000) | sort }}{% endfor %}", tooSlow),
        .init("{% set s = 'a' * 100000 %}{% for i in range(10000) %}{{ 'b' in s }}{% endfor %}", tooSlow),
        .init("{% set s = 'a' * 100000 %}{% set t = s ~ '' %}{% for i in range(10000) %}{% if s == t %}{% endif %}{% endfor %}", tooSlow),
        .init("{% set s = ' ' * 100000 %}{% for i in range(10000) %}{{ s.strip() }}{% endfor %}", tooSlow),
        .init("{% set s = 'a' * 100000 %}{% for i in range(10000) %}{{ s is lower }}{% endfor %}", tooSlow),
        .init("{% set l = range(10000) | list %}{% for i in range(10000) %}{{ -1 in l }}{% endfor %}", tooSlow),
        .init("{% for i in range(10000) %}{{ 1e-300 | round(300) }}{% endfor %}", tooSlow),
        .init("{% set l = [1] * 10000 %}{% for i in range(10000) %}{% set x = l | sum %}{% endfor %}", tooSlow),
        .init("{% set l = [1] * 10000 %}{% for i in range(10000) %}{% set x = l | unique(true) | list %}{% endfor %}", tooSlow),
        .init("{% set l = range(10000) | list %}{% for i in range(10000) %}{% set _ = l.remove(i) %}{% endfor %}", tooSlow),
        .init("{% set s = 'x' * 100000 %}{% for i in range(10000) %}{% set x = [] | map(s) | list %}{% endfor %}", tooSlow),
        .init("{% set s = 'x' * 100000 %}{% for i in range(10000) %}{% set x = [] | select(s) | list %}{% endfor %}", tooSlow),
        .init(
            "{% for i in range(10000) %}{% set o = loop %}{% for j in range(1000) %}{% for k in o %}{% break %}{% endfor %}{% endfor %}{% endfor %}",
            tooMuch),
        .init("{{ 1e300 | int }}", "line 1: an integer of the template is beyond 127 bits"),
        .init("{{ ('[' * 100000) | from_json }}", "line 1: from_json: line 1, column 65: nested deeper than 64 levels"),
        // The text of the template itself.
        .init(nested("(", ")"), tooDeepText), .init(nested("[", "]"), tooDeepText),
        .init(nested("{1:", "}"), tooDeepText),
        .init(many("-", 100_000, before: "{{ ", after: "1 }}"), tooDeepText),
        .init(nested("a[", "]"), tooDeepText), .init(nested("a(", ")"), tooDeepText),
        .init(many("if 1 else 1 ", 10_000, before: "{{ 1 ", after: "}}"), tooDeepText),
        .init(many("if 1 ", 10_000, before: "{{ 1 ", after: "}}"), tooDeepText),
        .init(many("{% if 1 %}", 10_000), tooDeepText),
        .init(many("{% for i in [1] %}", 10_000), tooDeepText),
        .init(many("{% macro m() %}", 10_000), tooDeepText),
        .init(nested("(", ")", before: "{% for ", after: " in x %}"), tooDeepText),
        .init(nested("(", ")", before: "{{ x is in "), tooDeepText),
        .init(many("a", 1 << 20, after: "b"), "found a template of 1048577 bytes, expected at most 1048576"),
    ]

    @Test(arguments: hostile)
    func `a hostile template ends`(template: Hostile) throws {
        let start = ContinuousClock.now
        var limits = Self.limits
        if template.message == Self.tooSlow { limits.steps = 40_000 }
        let error = alpacaError { _ = try Jinja.text(template.source, limits: limits) }
        #expect(error?.message == template.message)
        #expect([.unsupported, .outOfMemory, .invalidArgument, .badFormat].contains(error?.code))
        // Far above what it takes, for a busy machine and a debug build.
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    /// These go on for long in the text, not in depth: they are fine.
    private static let long: [Hostile] = [
        .init(many("+1", 20_000, before: "{{ 1", after: " }}"), "20001"),
        .init(many(" and 1", 20_000, before: "{{ 1", after: " }}"), "1"),
        .init(many("not ", 20_000, before: "{{ ", after: "1 }}"), "True"),
        .init(many("|upper", 10_000, before: "{{ 'x'", after: " }}"), "X"),
        .init(many("~''", 20_000, before: "{{ ''", after: " }}"), ""),
        .init(many(" == 2", 10_000, before: "{{ 1 < 2", after: " }}"), "True"),
        .init(many("{% elif 0 %}", 10_000, before: "{% if 0 %}", after: "{% else %}a{% endif %}"), "a"),
        .init("{% set l = [1] %}{% for x in l %}{% set _ = l.append(x) %}{% endfor %}{{ l }}", "[1, 1]"),
    ]

    @Test(arguments: long)
    func `what is long but not deep works`(template: Hostile) throws { #expect(try Jinja.text(template.source) == template.message) }

    @Test func `many macros are read in a time that grows as they do`() throws {
        let start = ContinuousClock.now
        #expect(try Jinja.text((0..<20_000).map { "{% macro m\($0)() %}{% endmacro %}" }.joined()) == "")
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    /// Values that hold each other, and long chains of values, are given back without recursion.
    @Test func `chains and rings of values go away`() throws {
        let chain = "{% for i in range(50000) %}{% set ns.x = KIND %}{% endfor %}"
        for kind in ["[ns.x]", "(ns.x,)", "{'a': ns.x}", "namespace(a=ns.x)", "dict(a=ns.x)"] {
            #expect(try Jinja.text("{% set ns = namespace(x=1) %}" + chain.replacingOccurrences(of: "KIND", with: kind)) == "")
        }
        #expect(try Jinja.text("{% macro m() %}{% endmacro %}{% set l = [m] %}{% set _ = l.append(l) %}{{ l | length }}") == "2")
    }

    @Test func `the limits are these`() {
        let limits = JinjaLimits()
        #expect(limits.sourceBytes == 1 << 20 && limits.nesting == 100 && limits.macroDepth == 64 && limits.evaluationDepth == 400)
        #expect(limits.steps == 10_000_000 && limits.iterations == 1_000_000 && limits.rangeLength == 100_000)
        #expect(limits.textLength == 1 << 22 && limits.listLength == 1 << 19 && limits.made == 1 << 27)
    }
}

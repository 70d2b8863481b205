import AlpacaEngine
import Foundation
import Testing

/// Templates of strangers: each ends soon, with one sentence, and takes no more memory than its limits say.
@Suite struct JinjaLimitTests {
    static let tooDeepText = "line 1: found more than 100 blocks and brackets inside each other, expected fewer"
    static let tooDeep = "line 1: the template's macros, blocks, brackets or values are more than 400 levels deep"
    static let tooLong = "line 1: the template makes a text of more than 4194304 characters"
    static let tooMany = "line 1: the template makes a list of more than 524288 elements"
    static let tooSlow = "line 1: the template takes more than 200000 steps"
    static let tooMuch = "line 1: the template makes more than 8388608 characters of text and lists"
    static let tooLarge = "line 1: found the number \"\(many("9", 40))...\" (50 bytes), expected one of at most 127 bits"
    static let loops = "line 1: the template's loops run more than 20000 times"

    /// Those of which a debug build would take long to reach the full limit are smaller; `the limits are these` has the real ones.
    static let limits = {
        var limits = JinjaLimits()
        limits.steps = 200_000
        limits.iterations = 20_000
        limits.made = 1 << 23
        return limits
    }()

    static let deep = "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}"
    static let tree =
        "{% set ns = namespace(x=(1,), y=(1,)) %}{% for i in range(90) %}{% set ns.x = (ns.x, ns.x) %}{% set ns.y = (ns.y, ns.y) %}{% endfor %}"

    private static func many(_ part: String, _ count: Int, before: String = "", after: String = "") -> String {
        before + String(repeating: part, count: count) + after
    }

    private static let hostile: [(source: String, message: String)] = [
        // Endless loops.
        ("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", loops),
        ("{% for i in range(100000) if false %}{% endfor %}", loops),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "line 1: more than 64 macros of the template wait for each other"),
        (
            "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
            "line 1: more than 64 macros of the template wait for each other"
        ),
        (
            "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
            "line 1: more than 64 macros of the template wait for each other"
        ),
        ("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "line 1: more than 64 macros of the template wait for each other"),
        (
            "{% macro m() %}{% if 1 %}{% if 1 %}{% for i in [1] %}{{ [[[m()]]] }}{% endfor %}{% endif %}{% endif %}{% endmacro %}{{ m() }}",
            tooDeep
        ),
        // Large texts, lists, numbers.
        ("{{ 'a' * 10**9 }}", tooLong),
        ("{{ 'ab' * 10**30 }}", tooLong),
        ("{{ ('a' * 4000000) ~ ('a' * 4000000) }}", tooLong),
        ("{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", tooLong),
        ("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", tooMany),
        ("{{ [1] * 10**9 }}", tooMany),
        ("{{ range(10**12) | list }}", "line 1: found a range of 1000000000000 numbers, expected at most 100000"),
        ("{{ range(10**30) | list }}", "line 1: a bound of a range is beyond 64 bits"),
        ("{{ 9 ** 9 ** 9 }}", "line 1: an integer of the template is beyond 127 bits"),
        ("{{ 10 ** 38 * 2 }}", "line 1: an integer of the template is beyond 127 bits"),
        ("{{ 10.0 ** 400 }}", "line 1: a power in the template is no finite number"),
        (
            many("9", 50, before: "{{ ", after: " }}"),
            tooLarge
        ),
        ("{% set ns = namespace(l=[]) %}{% for i in range(10000) %}{% set _ = ns.l.append('a' * 100000 ~ i) %}{% endfor %}", tooMuch),
        ("{% for i in range(10000) %}{% set s = 'abcdefgh' * 10000 %}{% endfor %}", tooMuch),
        ("{% for i in range(10000) %}{% set s = range(10000) %}{% endfor %}", tooMuch),
        ("{% set s = 'aaaaaaaaaa' * 10000 %}{% for i in range(100000) %}{{ s }}{% endfor %}", tooLong),
        ("{% set l = 'ab' * 1000000 %}{{ l | list }}", tooMany),
        ("{{ ('a ' * 1000000).split(' ') }}", tooMany),
        // Formats and padding.
        ("{{ '%1000000000s' % 'a' }}", tooLong),
        ("{{ '%*d' % (10**18, 1) }}", tooLong),
        ("{{ '{:>1000000000}'.format('a') }}", tooLong),
        ("{{ '{:01000000000}'.format(1) }}", tooLong),
        ("{{ '%.100000000f' % 1.5 }}", "line 1: found a format with 100000000 digits, expected at most 1000"),
        ("{{ '{:.99999999999999999999}'.format(1.5) }}", "line 1: found a format with 1099511627776 digits, expected at most 1000"),
        ("{{ '{0.__class__}'.format('a') }}", "line 1: a format may not look into its values: \"0\""),
        ("{{ '{x[0]}'.format(x='a') }}", "line 1: a format may not look into its values: \"x\""),
        ("{{ '{:{}}'.format('a', 9) }}", "line 1: a format inside a format is not supported"),
        ("{{ 'a'.center(10**12) }}", tooLong), ("{{ 'a'.zfill(10**12) }}", tooLong), ("{{ 'a' | center(10**12) }}", tooLong),
        ("{{ ('a\\n' * 1000) | indent(10**5) }}", tooLong), ("{{ [[1]] | tojson(indent=10**9) }}", tooLong),
        ("{{ ('a' * 100000).replace('', 'b' * 100000) }}", tooLong), ("{{ range(1000) | join('x' * 100000) }}", tooLong),
        ("{{ 'a\\tb'.expandtabs(10**9) }}", tooLong),
        ("{{ 1.5 | round(10**9) }}", "line 1: found 1000000000 digits in \"round\", expected -400 to 400"),
        ("{{ [1] | slice(10**9) | list }}", "line 1: the filter \"slice\" needs a number above 0"),
        // Values inside each other.
        ("{% set l = [] %}{% set _ = l.append(l) %}{{ l }}", tooDeep),
        ("{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}", tooDeep),
        ("{% set l = [] %}{% set m = [l] %}{% set _ = l.append(m) %}{{ l == m }}", tooDeep),
        (deep + "{{ ns.x }}", tooDeep), (deep + "{{ ns.x | tojson }}", tooDeep),
        (tree + "{{ ns.x == ns.y }}", tooSlow), (tree + "{{ {ns.x: 1} }}", tooSlow), (tree + "{{ ns.x < ns.y }}", tooSlow),
        (tree + "{{ ns.x }}", tooSlow), (tree + "{{ ns.x | tojson }}", tooSlow),
        // Work in single steps.
        ("{% for i in range(1000) %}{{ range(10000) | sort }}{% endfor %}", tooSlow),
        ("{% set s = 'a' * 1000000 %}{% for i in range(10000) %}{{ 'b' in s }}{% endfor %}", tooSlow),
        ("{% set s = 'a' * 1000000 %}{% set t = s ~ '' %}{% for i in range(10000) %}{% if s == t %}{% endif %}{% endfor %}", tooSlow),
        ("{% set s = ' ' * 1000000 %}{% for i in range(10000) %}{{ s.strip() }}{% endfor %}", tooSlow),
        ("{% set s = 'a' * 1000000 %}{% for i in range(10000) %}{{ s is lower }}{% endfor %}", tooSlow),
        ("{% set l = range(10000) | list %}{% for i in range(10000) %}{{ -1 in l }}{% endfor %}", tooSlow),
        ("{% for i in range(10000) %}{{ 1e-300 | round(300) }}{% endfor %}", tooSlow),
        ("{{ ('[' * 100000) | from_json }}", "line 1: from_json: line 1, column 65: nested deeper than 64 levels"),
        // The text of the template itself.
        (many("(", 100_000, before: "{{ "), tooDeepText), (many("[", 100_000, before: "{{ "), tooDeepText),
        (many("{1:", 100_000, before: "{{ "), tooDeepText),
        (many("-", 100_000, before: "{{ ", after: "1 }}"), tooDeepText),
        (many("a[", 100_000, before: "{{ "), tooDeepText), (many("a(", 100_000, before: "{{ "), tooDeepText),
        (many("if 1 else 1 ", 10_000, before: "{{ 1 ", after: "}}"), tooDeepText),
        (many("if 1 ", 10_000, before: "{{ 1 ", after: "}}"), tooDeepText),
        (many("{% if 1 %}", 10_000), tooDeepText),
        (many("{% for i in [1] %}", 10_000), tooDeepText),
        (many("{% macro m() %}", 10_000), tooDeepText),
        (many("(", 100_000, before: "{% for "), tooDeepText),
        (many("(", 100_000, before: "{{ x is in "), "line 1: \"x\" is no"),
        (many("a", 1 << 20, after: "b"), "found a template of 1048577 bytes, expected at most 1048576"),
    ]

    @Test(arguments: hostile)
    func `a hostile template ends`(source: String, message: String) throws {
        let start = ContinuousClock.now
        let error = alpacaError { _ = try Jinja.text(source, limits: Self.limits) }
        if message.hasSuffix("is no") {
            #expect(error != nil)
        } else {
            #expect(error?.message == message)
        }
        #expect([.unsupported, .outOfMemory, .invalidArgument, .badFormat].contains(error?.code))
        // Far above what it takes, for a busy machine and a debug build.
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    /// These go on for long in the text, not in depth: they are fine.
    private static let long: [(source: String, expected: String)] = [
        (many("+1", 20_000, before: "{{ 1", after: " }}"), "20001"),
        (many(" and 1", 20_000, before: "{{ 1", after: " }}"), "1"),
        (many("not ", 20_000, before: "{{ ", after: "1 }}"), "True"),
        (many("|upper", 10_000, before: "{{ 'x'", after: " }}"), "X"),
        (many("~''", 20_000, before: "{{ ''", after: " }}"), ""),
        (many(" == 2", 10_000, before: "{{ 1 < 2", after: " }}"), "True"),
        (many("{% elif 0 %}", 10_000, before: "{% if 0 %}", after: "{% else %}a{% endif %}"), "a"),
        ("{% set l = [1] %}{% for x in l %}{% set _ = l.append(x) %}{% endfor %}{{ l }}", "[1, 1]"),
    ]

    @Test(arguments: long)
    func `what is long but not deep works`(source: String, expected: String) throws { #expect(try Jinja.text(source) == expected) }

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

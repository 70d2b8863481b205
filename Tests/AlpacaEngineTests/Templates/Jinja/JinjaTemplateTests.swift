import AlpacaEngine
import Testing

@Suite struct JinjaTemplateTests {
    static let data: [(String, JinjaValue)] = [
        ("list", .list([1, 2])), ("d", .dictionary([(key: "a", value: 1)])), ("s", "text"), ("u", .undefined),
    ]

    private static let errors: [(code: AlpacaError.Code, source: String, message: String)] = [
        (.badFormat, "a\n{{ 1 +", "line 2: the template ends inside {{ }}"),
        (.badFormat, "{{ 'a' }", "line 1: found \"}\", which closes nothing"),
        (.badFormat, "{{ [1) }}", "line 1: found \")\", expected \"]\""),
        (
            .badFormat, "\n\n{% if true %}a",
            "line 3: found the end of the template, expected \"elif\" or \"else\" or \"endif\" for the block of line 3"
        ),
        (.badFormat, "{% nosuch %}", "line 1: found the unknown tag \"nosuch\""),
        (.badFormat, "{% endif %}", "line 1: found the unknown tag \"endif\""),
        (.badFormat, "{{ 1 2 }}", "line 1: found 2, expected \"}}\""),
        (.badFormat, "{{ }}", "line 1: found \"}}\", expected an expression"),
        (.badFormat, "{% set = 1 %}", "line 1: found \"=\", expected a name"),
        (.badFormat, "{% set true = 1 %}", "line 1: found \"true\", expected a name to set"),
        (.badFormat, "{{ a ? b }}", "line 1: found \"?\", which is no part of an expression"),
        (.badFormat, "{{ 'abc }}", "line 1: the template ends inside a string"),
        (.badFormat, "{# abc", "line 1: the template ends inside a comment"),
        (.badFormat, "{% raw %}abc", "line 1: the template ends inside a raw block"),
        (.badFormat, "{% break %}", "line 1: \"break\" stands outside of a loop"),
        (.badFormat, "{{ '\\ud83d' }}", "line 1: found the escape of d83d in a string, expected a character's number"),
        (.badFormat, "{{ '\\x4' }}", "line 1: found 1 digits of an escape in a string, expected 2"),
        (.badFormat, "{{ f(a=1, 2) }}", "line 1: found 2, expected an argument with a name"),
        (.badFormat, "{% macro m(a=1, b) %}{% endmacro %}", "line 1: the parameter \"b\" without a value follows one that has one"),
        (.invalidArgument, "{{ 'x' | from_json }}", "line 1: from_json: line 1, column 1: found \"x\", expected a value"),
        (.unsupported, "{% include 'x' %}", "line 1: the tag \"include\" is not supported in chat templates"),
        (.unsupported, "{{ 'a' | nosuch }}", "line 1: there is no filter \"nosuch\""),
        (.unsupported, "{{ 'a' | urlize }}", "line 1: the filter \"urlize\" is not supported"),
        (.unsupported, "{{ 1 is nosuch }}", "line 1: there is no test \"nosuch\""),
        (.invalidArgument, "a\n\n{{ x.y }}", "line 3: \"x\" is undefined: it has no attribute \"y\""),
        (.invalidArgument, "{{ x() }}", "line 1: \"x\" is undefined: it can't be called"),
        (.invalidArgument, "{{ x[0] }}", "line 1: \"x\" is undefined: it has no elements"),
        (.invalidArgument, "{{ x + 1 }}", "line 1: \"x\" is undefined"),
        (.invalidArgument, "{{ 'a' + d.b }}", "line 1: dict has no attribute \"b\""),
        (.invalidArgument, "{{ 'a' + 1 }}", "line 1: the operator \"+\" does not fit str and int"),
        (.invalidArgument, "{{ 1 < 'a' }}", "line 1: the operator \"<\" does not fit int and str"),
        (.invalidArgument, "{{ s.strip(1) }}", "line 1: found a value of type int as \"chars\" of \"strip\", expected a text"),
        (.invalidArgument, "{{ list.strip() }}", "line 1: list has no attribute \"strip\": it can't be called"),
        (.invalidArgument, "{{ 5 | length }}", "line 1: a value of type int has no length"),
        (.invalidArgument, "{% for x in 5 %}{% endfor %}", "line 1: a value of type int can't be gone through"),
        (.invalidArgument, "{% for a, b in [[1]] %}{% endfor %}", "line 1: found 1 values for 2 names, expected 2"),
        (.invalidArgument, "{{ 1 // 0 }}", "line 1: the template divides by zero"),
        (.invalidArgument, "{{ ''.__class__ }}", "line 1: the attribute \"__class__\" of str may not be used"),
        (.invalidArgument, "{{ list['__len__'] }}", "line 1: the attribute \"__len__\" of list may not be used"),
        (.invalidArgument, "{{ list | map(attribute='__class__') | list }}", "line 1: the attribute \"__class__\" of int may not be used"),
        (.invalidArgument, "{{ d | attr('__class__') }}", "line 1: the attribute \"__class__\" of dict may not be used"),
        (.invalidArgument, "{{ raise_exception('no ' ~ s) }}", "line 1: the template refuses the conversation: \"no text\""),
        (
            .invalidArgument, "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
            "line 1: found 2 arguments for the macro \"m\", expected at most 1"
        ),
        (.invalidArgument, "{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "line 1: the macro \"m\" has no parameter \"b\""),
        (.invalidArgument, "{% set d.x = 1 %}", "line 1: \"d\" is no namespace: its attribute \"x\" can't be set"),
        (.invalidArgument, "{{ u | tojson }}", "line 1: a variable is undefined: it has no JSON"),
        (.invalidArgument, "{{ {[1]: 1} }}", "line 1: a value of type list can't be a key"),
        (.invalidArgument, "{{ '%d' % 'a' }}", "line 1: the format \"d\" needs an integer, found str"),
        (.invalidArgument, "{{ '%s' % () }}", "line 1: a % format has more places than values"),
        (.invalidArgument, "{{ '{x}'.format() }}", "line 1: a format names \"x\", which was not given"),
    ]

    @Test(arguments: errors)
    func `an error names the line and what was found`(code: AlpacaError.Code, source: String, message: String) {
        let error = alpacaError { _ = try Jinja.text(source, Self.data) }
        #expect(error?.message == message)
        #expect(error?.code == code)
    }

    @Test(arguments: [
        ("append(3)", "append"), ("extend([3])", "extend"), ("insert(0, 3)", "insert"), ("pop()", "pop"), ("remove(1)", "remove"),
        ("reverse()", "reverse"), ("clear()", "clear"), ("sort()", "sort"),
    ])
    func `the caller's list is never changed, the template's own can be`(call: String, name: String) throws {
        let error = alpacaError { _ = try Jinja.text("{{ list.\(call) }}", Self.data) }
        #expect(error?.message == "line 1: \"\(name)\" would change a value that is not the template's own list")
        #expect(error?.code == .unsupported)
        let nested = alpacaError { _ = try Jinja.text("{% set l = [list] %}{{ l[0].\(call) }}", Self.data) }
        #expect(nested?.message == error?.message)
        #expect(try Jinja.text("{% set l = list[:] %}{% set _ = l.\(call) %}{{ list }}", Self.data) == "[1, 2]")
    }

    @Test(arguments: ["update({})", "pop('a')", "popitem()", "setdefault('b', 1)", "clear()"])
    func `dictionaries are never changed`(call: String) throws {
        for object in ["d", "{'a': 1}"] {
            let error = alpacaError { _ = try Jinja.text("{{ \(object).\(call) }}", Self.data) }
            let name = call.prefix { $0 != "(" }
            #expect(error?.message == "line 1: \"\(name)\" would change a dictionary, which templates may not do")
        }
    }

    @Test func `the template's own lists grow and shrink as in Python`() throws {
        let source = """
            {% set l = [1] %}{% set alias = l %}{% set _ = l.append(2) %}{{ alias }}{% set _ = l.extend('ab') %}{{ l }}{{ l.pop() }}{{ l.pop(0) }}\
            {% set _ = l.insert(1, 'x') %}{{ l }}{% set _ = l.reverse() %}{{ l }}{% set _ = l.remove(2) %}{{ l }}{% set _ = l.sort() %}{{ l }}\
            {% set _ = l.clear() %}{{ l }}
            """
        #expect(try Jinja.text(source) == "[1, 2][1, 2, 'a', 'b']b1[2, 'x', 'a']['a', 'x', 2]['a', 'x']['a', 'x'][]")
    }

    @Test func `values of Swift and of JSON arrive`() throws {
        let json = try JSONDocument(
            Array(#"{"b": [1, -2.0, 1e30, "文\n", true, false, null], "a": {}, "n": 9007199254740993}"#.utf8), name: "test")
        #expect(
            try Jinja.text("{{ x }}", [("x", JinjaValue(json.root))])
                == #"{'b': [1, -2.0, 1e+30, '文\n', True, False, None], 'a': {}, 'n': 9007199254740993}"#)
        let values: [(String, JinjaValue)] = [
            ("t", true), ("i", -5), ("f", .float(0.5)), ("s", "é"), ("l", .list([.none, .undefined])),
            ("d", .dictionary([("k", 1), ("k", 2)].map { (JinjaText($0.0), JinjaValue.integer($0.1)) })),
        ]
        #expect(try Jinja.text("{{ t }} {{ i }} {{ f }} {{ s }} {{ l }} {{ d }}", values) == "True -5 0.5 é [None, Undefined] {'k': 2}")
        // Letters that are equal for Swift are different texts for Python.
        #expect(try Jinja.text("{{ a == b }}", [("a", "\u{e9}"), ("b", "e\u{301}")]) == "False")
        #expect(try Jinja.text("{{ {a: 1}[b] is defined }}", [("a", "\u{e9}"), ("b", "e\u{301}")]) == "False")
        #expect(try Jinja.text("{{ s | length }}", [("s", "\r\n🙂")]) == "3")
    }

    @Test func `a template can be used again and by many`() async throws {
        let template = try JinjaTemplate(
            source: "{% set l = [] %}{% for i in range(n) %}{% set _ = l.append(i) %}{% endfor %}{{ l | sum }}")
        await withTaskGroup(of: String?.self) { group in
            for n in 0..<20 {
                group.addTask { try? template.render([("n", .integer(Int128(n)))]).map(\.text).joined() + "/\(n * (n - 1) / 2)" }
            }
            for await text in group {
                let halves = text?.split(separator: "/") ?? []
                #expect(halves.count == 2 && halves.first == halves.last)
            }
        }
    }

    @Test func `the time is the caller's`() throws {
        #expect(try Jinja.text("{{ strftime_now('%d %b %Y') }}") == "06 Jul 2024")
        let error = alpacaError { _ = try JinjaTemplate(source: "{{ strftime_now('%d') }}").render([]) }
        #expect(error?.message == "line 1: the template asks for the time, and none was given")
        for (year, month, day, expected) in [
            (2000, 2, 29, "Tue 060"), (1999, 12, 31, "Fri 365"), (2024, 12, 31, "Tue 366"), (1900, 3, 1, "Thu 060"),
        ] {
            let clock = JinjaClock(year: year, month: month, day: day)
            #expect(try JinjaTemplate(source: "{{ strftime_now('%a %j') }}").render([], clock: clock).map(\.text) == [expected])
        }
    }

    @Test func `messages are prepared as transformers does`() throws {
        func prepared(_ json: String) throws -> String {
            let document = try JSONDocument(Array(json.utf8), name: "test")
            return try Jinja.text("{{ m | tojson }}", [("m", try JinjaValue.conversation(document.root))])
        }
        #expect(try prepared(#"[{"role": "user", "content": null, "tool_calls": null}]"#) == #"[{"role": "user"}]"#)
        #expect(
            try prepared(#"[{"role": "assistant", "reasoning": "r", "content": ""}]"#)
                == #"[{"thinking": "r", "role": "assistant", "reasoning": "r", "content": "", "reasoning_content": "r"}]"#)
        #expect(
            try prepared(#"[{"reasoning_content": "a", "thinking": "b"}]"#) == #"[{"thinking": "b", "reasoning_content": "a"}]"#)
        #expect(alpacaError { _ = try prepared("[1]") }?.message == "message 1: found no object, expected one with role and content")
    }

    @Test func `a template says what it mentions`() throws {
        let template = try JinjaTemplate(source: "{% for m in messages %}{{ m.tools }}{% endfor %}{{ bos_token }}")
        #expect(template.mentions("messages") && template.mentions("bos_token") && !template.mentions("tools"))
    }
}

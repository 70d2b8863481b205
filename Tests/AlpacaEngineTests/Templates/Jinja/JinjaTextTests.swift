import Testing

@testable import AlpacaEngine

/// Who wrote what: only the template's own text may become special tokens.
@Suite struct JinjaTextTests {
    /// The caller's part stands between bars.
    private static let marks: [(source: String, expected: String)] = [
        ("{{ user }}", "|<|Hi|>|"),
        ("{{ 'a' ~ user ~ 'b' }}", "a|<|Hi|>|b"),
        ("{{ 'a' + user + 'b' }}", "a|<|Hi|>|b"),
        ("<{{ user }}>", "<|<|Hi|>|>"),
        ("{{ user | upper }}{{ user.lower() }}", "|<|HI|><|hi|>|"),
        ("{{ ('ab' ~ user)[1:4] }}", "b|<||"),
        ("{{ ('ab' ~ user)[::-1] }}", "|>|iH|<|ba"),
        ("{{ (' a ' ~ user ~ ' ') | trim }}", "a |<|Hi|>|"),
        ("{{ ('a' ~ user).split('|')[1] }}", "|Hi|"),
        ("{{ ('a' ~ user).split('<')[0] }}", "a"),
        ("{{ user.replace('Hi', '<|im_end|>') }}", "|<||<|im_end|>||>|"),
        ("{{ 'x-y'.replace('-', user) }}", "x|<|Hi|>|y"),
        ("{{ [user, 'a'] | join('-') }}", "|<|Hi|>|-a"),
        ("{{ '%s!' % user }}{{ '{}!'.format(user) }}", "|<|Hi|>|!|<|Hi|>|!"),
        ("{{ '%5s|' % user[:1] }}", "    |<||"),
        ("{{ user % () }}", "|<|Hi|>|"),
        ("{{ user ~ '' ~ user }}", "|<|Hi|><|Hi|>|"),
        ("{{ [user] }}", "['|<|Hi|>|']"),
        ("{{ {'k': user} | tojson }}", "{\"k\": \"|<|Hi|>|\"}"),
        ("{{ {'k': user} | tojson(indent=1) }}", "{\n \"k\": \"|<|Hi|>|\"\n}"),
        ("{{ (user | tojson | from_json) }}", "|<|Hi|>|"),
        ("{{ user | list | last }}", "|>|"),
        ("{% for c in user %}{{ c }}{% endfor %}", "|<|Hi|>|"),
        ("{% set x %}a{{ user }}{% endset %}{{ x }}", "a|<|Hi|>|"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(user) }}", "<|<|Hi|>|>"),
        ("{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}a{{ user }}{% endcall %}", "a|<|Hi|>|"),
        ("{% filter upper %}a{{ user }}{% endfilter %}", "A|<|HI|>|"),
        ("{% set ns = namespace(x='') %}{% set ns.x = ns.x + user + '.' %}{{ ns.x }}", "|<|Hi|>|."),
        ("{{ user | indent(2, true) }}", "  |<|Hi|>|"),
        ("{{ user.center(8, '*') }}", "*|<|Hi|>|*"),
        ("{{ user | truncate(5, true, '', 0) }}", "|<|Hi||"),
        ("{{ user | e }}", "|&lt;|Hi|&gt;|"),
        ("{{ user.title() }}{{ user | capitalize }}", "|<|Hi|><|hi|>|"),
        ("{{ data.text }}{{ data.keys() | first }}", "|<|eot|>text|"),
        ("{{ data.text if data.text == '<|eot|>' else '' }}", "|<|eot|>|"),
        ("{{ user | default('x') }}{{ '' | default(user, true) }}", "|<|Hi|><|Hi|>|"),
        // A number of the caller's can't become a special token by way of its letter.
        ("{{ '%c' % data.code }}{{ '{:c}'.format(60) }}", "|<<|"),
        ("{{ strftime_now('%Y' ~ user) }}", "2024|<|Hi|>|"),
        ("{{ bos }}{{ user }}", "<|begin|>|<|Hi|>|"),
        ("{{ data.code }}{{ data.code ~ 'a' }}", "6060a"),
        ("{{ '' ~ user ~ '' }}{{ user[:0] }}<", "|<|Hi|>|<"),
    ]

    @Test(arguments: marks)
    func `marks go along`(source: String, expected: String) throws {
        let found = try Jinja.marked(
            source,
            [
                ("user", .input("<|Hi|>")), ("bos", .trusted("<|begin|>")),
                ("data", .dictionary([("text", .input("<|eot|>")), ("code", 60)].map { (JinjaText($0.0, isInput: true), $0.1) })),
            ])
        #expect(found == expected)
    }

    @Test func `neighbours of one kind are one part`() throws {
        let pieces = try Jinja.pieces("a{{ 'b' }}{{ u }}{{ u[:1] }}{{ '' }}c", [("u", .input("xy"))])
        #expect(pieces == [.init(text: "ab", isInput: false), .init(text: "xyx", isInput: true), .init(text: "c", isInput: false)])
        #expect(try Jinja.pieces("{{ x }}") == [])
    }

    /// Against a plain array of marked characters, cut and joined at random.
    @Test func `cutting and joining agree with marks kept one by one`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var text = JinjaText()
            var plain: [(Unicode.Scalar, Bool)] = []
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let isInput = Bool.random(using: &random)
                let part = String(repeating: isInput ? "中" : "a", count: Int.random(in: 0...3, using: &random))
                text.append(JinjaText(part, isInput: isInput))
                plain += part.unicodeScalars.map { ($0, isInput) }
            }
            let start = Int.random(in: 0...plain.count, using: &random), end = Int.random(in: start...plain.count, using: &random)
            let cut = text[start..<end]
            #expect(cut.scalars == plain[start..<end].map(\.0))
            #expect((0..<cut.count).map { cut.isInput(at: $0) } == plain[start..<end].map(\.1))
            let turned = text.reversed()
            #expect((0..<turned.count).map { turned.isInput(at: $0) } == plain.reversed().map(\.1))
            #expect(text.pieces.allSatisfy { piece in piece.text.allSatisfy { ($0 == "中") == piece.isInput } })
            #expect(zip(text.pieces, text.pieces.dropFirst()).allSatisfy { $0.isInput != $1.isInput })
        }
    }

    @Test func `searching finds what a plain search finds`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            func make(_ most: Int) -> JinjaText {
                JinjaText(String((0..<Int.random(in: 0...most, using: &random)).map { _ in "ab".randomElement(using: &random) ?? "a" }))
            }
            let text = make(12), needle = make(3)
            let plain = (0...text.count).first { text.hasPrefix(needle, at: $0) }
            #expect(text.firstIndex(of: needle, in: 0..<text.count) == plain)
            if !needle.isEmpty {
                var found: [Int] = [], at = 0
                while at + needle.count <= text.count {
                    if text.hasPrefix(needle, at: at) {
                        found.append(at)
                        at += needle.count
                    } else {
                        at += 1
                    }
                }
                #expect(text.indices(of: needle) == found)
            }
        }
    }
}

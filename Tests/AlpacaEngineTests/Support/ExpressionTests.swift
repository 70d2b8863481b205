import Testing

@testable import AlpacaEngine

@Suite struct ExpressionTests {
    static let cases: [(expression: String, matches: [String], others: [String])] = [
        ("q_proj", ["q_proj"], ["q_projx", "v_proj", ""]), ("", [""], ["a"]), ("a|bc|", ["a", "bc", ""], ["b", "ab"]),
        ("a.c", ["abc", "a.c"], ["ac", "abbc"]), ("a*b+c?", ["b", "aabbc", "bb"], ["a", "bcc", ""]),
        ("layers\\.(0|1[0-9]|[5-7])\\..*", ["layers.0.q", "layers.15.", "layers.6.x"], ["layers.2.q", "layers.1.q", "layersx0.q"]),
        ("(?:ab){2,3}", ["abab", "ababab"], ["ab", "abababab"]), ("x{2}", ["xx"], ["x", "xxx"]), ("x{1,}", ["x", "xxxx"], [""]),
        ("[^a-c]x", ["dx", "-x"], ["ax", "x"]), ("[]a-]+", ["a", "]-a"], ["b"]), ("\\d+\\w\\W", ["12a."], ["a1.", "12"]),
        ("^a$", ["a"], ["aa"]), ("\\bmodel\\.x\\b.*", ["model.x", "model.x.y"], ["model.xy"]), ("a\\bb", [], ["ab"]),
        ("(a*)*b", ["b", "aaab"], ["a"]), (".*?q_proj", ["model.q_proj", "q_proj"], ["q_pro"]),
    ]

    @Test(arguments: cases.indices) func `what matches`(index: Int) throws {
        let (text, matches, others) = Self.cases[index]
        let expression = try #require(Expression(text))
        for word in matches { #expect(expression.matches(Array(word.utf8)), "\(text): \(word)") }
        for word in others { #expect(!expression.matches(Array(word.utf8)), "\(text): \(word)") }
    }

    @Test func `what is no expression, or none that is known`() {
        let bad = [
            "(", ")", "a)", "[a", "*", "a**", "a++", "(?=a)", "(?P<n>a)", "\\1", "a{", "a{,2}", "a{3,2}", "a{999}", "é", "[é]", "\\",
            "[\\", "(?i)a", String(repeating: "(", count: 40), "((((a*)*)*)*)*", String(repeating: "a", count: 2_000),
        ]
        for text in bad { #expect(Expression(text) == nil, "\(text)") }
    }

    @Test(.timeLimit(.minutes(1))) func `none takes long`() throws {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 200)
        for expression in ["(a*)*b", "(a|a)*b", "((a*)*)*b", "(.*)(.*)(.*)(.*)b", "(a{0,64}){0,64}b"] {
            #expect(try #require(Expression(expression)).matches(text) == false)
        }
    }
}
